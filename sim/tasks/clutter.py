"""What else stands about: printed sheets, and a scene's own things at the desk's far edge.

Nobody touches it; a camera holds on to it, and a hand detector may be fooled by it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from sim.tasks.things import Part, Thing, Vector, block, can, mat

SHEETS_Y = (-0.50, 0.50, -0.22, 0.25)
BACK_Y = (-0.45, -0.15, 0.2, 0.5)


def clutter(rng: np.random.Generator, scene: str) -> tuple[Thing, ...]:
    """Sheets on the desk and a few of the scene's things behind them, desk frame."""
    sheets = [
        replace(
            mat(f"sheet_{i}", f"print_{i % 4}", (0.105, 0.148, 0.0006)),
            start=(
                float(rng.uniform(-0.02, 0.55)),
                y + float(rng.uniform(-0.05, 0.05)),
                0.0009 * i,
            ),
            yaw=float(rng.uniform(-0.7, 0.7)),
        )
        for i, y in enumerate(SHEETS_Y)
    ]
    props = []
    for i, y in enumerate(BACK_Y):
        makers = PROPS[scene]
        thing = makers[int(rng.integers(len(makers)))](f"clutter_{i}", rng)
        x = 0.66 + float(rng.uniform(-0.04, 0.06))
        turned = replace(thing, yaw=float(rng.uniform(-0.5, 0.5)), movable=False)
        props.append(replace(turned, start=(x, y + float(rng.uniform(-0.03, 0.03)), thing.half[2])))
    return (*sheets, *props)


def _colour(rng: np.random.Generator) -> Vector:
    red, green, blue = (float(v) for v in rng.uniform(0.15, 0.9, 3))
    return red, green, blue


def _carton(name: str, rng: np.random.Generator) -> Thing:
    x, y, z = (float(v) for v in rng.uniform((0.02, 0.03, 0.03), (0.05, 0.07, 0.09)))
    box = block(name, _colour(rng), (x, y, z))
    return replace(box, parts=(replace(box.parts[0], texture="label"),))


def _books(name: str, rng: np.random.Generator) -> Thing:
    """A pile of books."""
    parts, height = [], 0.0
    for _ in range(int(rng.integers(2, 5))):
        x, y, z = (float(v) for v in rng.uniform((0.06, 0.08, 0.008), (0.08, 0.11, 0.018)))
        parts.append((x, y, z, height + z, _colour(rng)))
        height += 2 * z
    boxes = tuple(
        Part("box", (x, y, z), (0.0, 0.0, middle - height / 2), colour, "label")
        for x, y, z, middle, colour in parts
    )
    return Thing(name, boxes, (0.08, 0.11, height / 2))


def _bottle(name: str, rng: np.random.Generator) -> Thing:
    radius, half = float(rng.uniform(0.025, 0.04)), float(rng.uniform(0.05, 0.10))
    return can(name, _colour(rng), radius=radius, half_height=half)


def _mug(name: str, rng: np.random.Generator) -> Thing:
    colour = _colour(rng)
    body = Part("cylinder", (0.038, 0.045), colour=colour, texture="shell")
    inside = Part("cylinder", (0.033, 0.001), (0.0, 0.0, 0.0452), (0.12, 0.09, 0.07))
    handle = Part("box", (0.004, 0.016, 0.025), (0.0, 0.050, 0.0), colour)
    return Thing(name, (body, inside, handle), (0.038, 0.066, 0.045))


def _frame(name: str, _: np.random.Generator) -> Thing:
    """A picture in a frame, standing."""
    frame = Part("box", (0.006, 0.075, 0.095), colour=(0.25, 0.17, 0.10), texture="grain")
    picture = Part("box", (0.001, 0.062, 0.082), (-0.0065, 0.0, 0.0), texture="label")
    return Thing(name, (frame, picture), (0.007, 0.075, 0.095))


def _lamp(name: str, rng: np.random.Generator) -> Thing:
    shade = Part("ellipsoid", (0.07, 0.07, 0.055), (0.0, 0.0, 0.10), (0.94, 0.90, 0.78))
    stem = Part("cylinder", (0.008, 0.10), (0.0, 0.0, -0.05), _colour(rng))
    foot = Part("cylinder", (0.05, 0.008), (0.0, 0.0, -0.147), (0.3, 0.3, 0.3))
    return Thing(name, (shade, stem, foot), (0.07, 0.07, 0.155))


def _toolbox(name: str, rng: np.random.Generator) -> Thing:
    colour = _colour(rng)
    box = Part("box", (0.06, 0.10, 0.05), colour=colour, texture="grain")
    rim = Part("box", (0.062, 0.102, 0.006), (0.0, 0.0, 0.02), (0.08, 0.08, 0.09))
    grip = Part("box", (0.008, 0.05, 0.008), (0.0, 0.0, 0.065), (0.1, 0.1, 0.1))
    return Thing(name, (box, rim, grip), (0.062, 0.102, 0.05))


Maker = Callable[[str, np.random.Generator], Thing]
PROPS: dict[str, tuple[Maker, ...]] = {
    "study": (_carton, _books, _mug),
    "kitchen": (_bottle, _mug, _carton),
    "bedroom": (_frame, _lamp, _bottle),
    "workshop": (_toolbox, _bottle, _carton),
}
