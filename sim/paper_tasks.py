"""Three of the paper's tasks as moves of things: bussing, spices on a rack, eggs into cartons.

Simplified where a pick and place is not enough: cartons stand open and stay open.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.things import Part, Thing, Vector, block, can, egg, tray

SPICES: dict[str, Vector] = {
    "paprika": (0.75, 0.16, 0.08),
    "turmeric": (0.90, 0.68, 0.10),
    "oregano": (0.30, 0.42, 0.18),
}
DISHES = ("cup", "bowl", "saucer", "jar")
RUBBISH = ("can", "wrapper", "carton", "paper ball", "lid")
EGGS: dict[str, Vector] = {"white": (0.94, 0.93, 0.90), "brown": (0.72, 0.48, 0.32)}
CUP_M = 0.052  # from one egg to the next

Laid = tuple[Thing, str, str, Vector]  # (thing, its name in words, the text, where it goes)


def rack(at: Vector) -> Thing:
    """A low spice rack: a board with a back and two ends."""
    colour = (0.62, 0.45, 0.28)
    parts = (
        Part("box", (0.035, 0.12, 0.003), (0, 0, 0.003), colour, "grain"),
        Part("box", (0.003, 0.12, 0.03), (0.035, 0, 0.03), colour, "grain"),
        Part("box", (0.035, 0.003, 0.012), (0, 0.12, 0.012), colour),
        Part("box", (0.035, 0.003, 0.012), (0, -0.12, 0.012), colour),
    )
    return Thing("rack", parts, (0.035, 0.12, 0.03), at, movable=False)


def spices(rng: np.random.Generator, spots: list[tuple[float, float]]) -> list[Laid]:
    """Three bottles for the rack; ``spots``: where they start."""
    laid = []
    names = [str(n) for n in rng.permutation(list(SPICES))]
    for i, (name, (x, y)) in enumerate(zip(names, spots, strict=True)):
        bottle = replace(can(f"{name}_bottle", SPICES[name], radius=0.019), start=(x, y, 0.035))
        goal = (0.375, 0.07 * (1 - i), 0.006 + 0.035)
        laid.append((bottle, f"{name} bottle", f"put the {name} bottle on the rack", goal))
    return laid


def dirty_table(rng: np.random.Generator, spots: list[tuple[float, float]]) -> list[Laid]:
    """Nine things: dishes for the tray in the middle, rubbish for the bins at the sides."""
    laid: list[Laid] = []
    thrown = {1.0: 0, -1.0: 0}
    for i, (name, (x, y)) in enumerate(zip((*DISHES, *RUBBISH), spots, strict=True)):
        red, green, blue = (float(c) for c in rng.uniform(0.25, 0.95, 3))
        thing = replace(_item(name, (red, green, blue)), yaw=float(rng.uniform(-0.5, 0.5)))
        thing = replace(thing, start=(x, y, thing.half[2]))
        height = 0.006 + thing.half[2]
        if name in DISHES:
            laid.append((
                thing,
                name,
                f"put the {name} in the tray",
                (0.39, 0.12 - 0.08 * i, height),
            ))
            continue
        side = 1.0 if y > 0 else -1.0
        row, column = divmod(thrown[side], 3)
        thrown[side] += 1
        goal = (0.145 + (column - 1) * 0.05, side * 0.36 + (row - 0.5) * 0.05, height)
        laid.append((thing, name, f"throw the {name} in the bin", goal))
    return laid


def _item(name: str, colour: Vector) -> Thing:
    """Something that stands on a dirty table."""
    key = name.replace(" ", "_")
    if name in {"cup", "jar", "can"}:
        return can(key, colour, radius=0.024, half_height=0.032)
    if name == "paper ball":
        ball = Part("sphere", (0.02,), colour=(0.9, 0.9, 0.88), texture="shell")
        return Thing(key, (ball,), (0.02, 0.02, 0.02))
    if name in {"bowl", "saucer", "lid"}:
        part = Part("cylinder", (0.026, 0.014), colour=colour, texture="shell")
        return Thing(key, (part,), (0.026, 0.026, 0.014))
    return block(key, colour, (0.026, 0.018, 0.017))


def bins() -> tuple[Thing, ...]:
    """A tray for dishes and a bin on either side for rubbish."""
    shelf = tray("tray", (0.5, 0.5, 0.55), half=(0.07, 0.17, 0.012))
    boxes = [
        replace(
            tray(f"bin_{side}", (0.15, 0.16, 0.18), half=(0.075, 0.055, 0.022)),
            start=(0.145, sign * 0.36, 0.0),
        )
        for side, sign in (("left", 1.0), ("right", -1.0))
    ]
    return (replace(shelf, start=(0.39, 0.0, 0.0)), *boxes)


def cartons() -> tuple[Thing, ...]:
    """An open carton for six eggs on either side."""
    half = (1.5 * CUP_M + 0.004, CUP_M + 0.004, 0.011)
    grey = (0.60, 0.62, 0.58)
    return tuple(
        replace(tray(f"{side}_carton", grey, half=half), start=(0.30, sign * 0.19, 0.0))
        for side, sign in (("left", 1.0), ("right", -1.0))
    )


def twelve_eggs(rng: np.random.Generator, spots: list[tuple[float, float]]) -> list[Laid]:
    """White eggs for the left carton, brown ones for the right, in the middle of the desk."""
    laid: list[Laid] = []
    order = [str(c) for c in rng.permutation([c for c in EGGS for _ in range(6)])]
    used = dict.fromkeys(EGGS, 0)
    for i, (colour, (x, y)) in enumerate(zip(order, spots, strict=True)):
        side, sign = ("left", 1.0) if colour == "white" else ("right", -1.0)
        row, column = divmod(used[colour], 3)
        used[colour] += 1
        thing = replace(egg(f"{colour}_egg_{i}", EGGS[colour]), start=(x, y, 0.0215))
        goal = (0.30 + (1 - column) * CUP_M, sign * (0.19 + (row - 0.5) * CUP_M), 0.006 + 0.0215)
        laid.append((thing, f"{colour} egg", f"put the {colour} egg in the {side} carton", goal))
    return laid
