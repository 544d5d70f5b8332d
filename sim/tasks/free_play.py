"""Free manipulation as a task: hands lift, turn and hand over one thing, cross, and leave the view.

Not a task of the paper: it exercises what pick and place does not show.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.tasks.things import Part, Thing, Vector

HALF_LENGTH_M = 0.085
GRIP_M = 0.060


def toys() -> tuple[Thing, ...]:
    """Long things that two hands can hold, lying along y, still without a place."""
    wood, dark, red = (0.72, 0.52, 0.30), (0.12, 0.12, 0.14), (0.70, 0.14, 0.12)
    parcel = Part("box", (0.020, HALF_LENGTH_M, 0.020), colour=(0.76, 0.60, 0.42), texture="label")
    remote = (
        Part("box", (0.021, HALF_LENGTH_M, 0.013), colour=dark),
        *(
            Part("cylinder", (0.0045, 0.001), (x, y, 0.0135), red if y > 0.05 else (0.6, 0.6, 0.6))
            for x in (-0.010, 0.0, 0.010)
            for y in (-0.05, -0.03, -0.01, 0.01, 0.03, 0.06)
        ),
    )
    plank = (
        Part("box", (0.016, HALF_LENGTH_M, 0.016), colour=wood, texture="grain"),
        Part("box", (0.022, 0.012, 0.022), colour=red, texture="grain"),
    )
    return (
        _long("parcel", (parcel,), (0.020, HALF_LENGTH_M, 0.020)),
        _long("remote control", remote, (0.021, HALF_LENGTH_M, 0.013)),
        _long("wooden bar", plank, (0.016, HALF_LENGTH_M, 0.022)),
    )


def _long(words: str, parts: tuple[Part, ...], half: Vector) -> Thing:
    return Thing(words.replace(" ", "_"), parts, half, grip_m=GRIP_M)


def laid_out(thing: Thing, rng: np.random.Generator) -> Thing:
    """The thing on the desk in front of the person, its ends left and right."""
    x, y = float(rng.uniform(0.22, 0.28)), float(rng.uniform(-0.03, 0.03))
    return replace(thing, start=(x, y, thing.half[2]), yaw=float(rng.uniform(-0.25, 0.25)))
