"""The things of the paper's four tasks: bussing, spices on a rack, a dresser, eggs into cartons.

Where each stands, where it goes, and the words for it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sim.tasks.things import Part, Thing, Vector, block, can, egg, lid, tray

SPICES: dict[str, dict[str, Vector]] = {
    "spices": {
        "paprika": (0.75, 0.16, 0.08),
        "turmeric": (0.90, 0.68, 0.10),
        "oregano": (0.30, 0.42, 0.18),
    },
    "herbs": {
        "basil": (0.16, 0.50, 0.20),
        "lavender": (0.52, 0.44, 0.72),
        "saffron": (0.88, 0.36, 0.06),
    },
}
DISHES: dict[str, tuple[str, ...]] = {
    "dinnerware": ("cup", "bowl", "saucer", "jar"),
    "kitchen_tools": ("measuring cup", "whisk", "spatula", "ladle"),
}
RUBBISH = ("can", "wrapper", "carton", "paper ball", "lid")
EGGS: dict[str, Vector] = {"white": (0.94, 0.93, 0.90), "brown": (0.72, 0.48, 0.32)}
CUP_M = 0.052  # from one egg to the next
CARTON_HALF = (1.5 * CUP_M + 0.004, CUP_M + 0.004, 0.011)
CARTON_AT = (0.30, 0.19)  # x, and y to either side
LID_HEIGHT_M = 0.052
GREY: Vector = (0.60, 0.62, 0.58)
LID_OPEN_RAD = float(np.radians(125.0))

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


def spices(rng: np.random.Generator, spots: list[tuple[float, float]], objects: str) -> list[Laid]:
    """Three bottles for the rack; ``spots``: where they start."""
    laid = []
    colours = SPICES[objects]
    names = [str(n) for n in rng.permutation(list(colours))]
    for i, (name, (x, y)) in enumerate(zip(names, spots, strict=True)):
        bottle = replace(can(f"{name}_bottle", colours[name], radius=0.019), start=(x, y, 0.035))
        goal = (0.375, 0.07 * (1 - i), 0.006 + 0.035)
        laid.append((bottle, f"{name} bottle", f"put the {name} bottle on the rack", goal))
    return laid


def dirty_table(
    rng: np.random.Generator, spots: list[tuple[float, float]], objects: str
) -> list[Laid]:
    """Nine things: dishes for the tray in the middle, rubbish for the bins at the sides."""
    laid: list[Laid] = []
    thrown = {1.0: 0, -1.0: 0}
    for i, (name, (x, y)) in enumerate(zip((*DISHES[objects], *RUBBISH), spots, strict=True)):
        red, green, blue = (float(c) for c in rng.uniform(0.25, 0.95, 3))
        thing = replace(_item(name, (red, green, blue)), yaw=float(rng.uniform(-0.5, 0.5)))
        thing = replace(thing, start=(x, y, thing.half[2]))
        height = 0.006 + thing.half[2]
        if name in DISHES[objects]:
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
    if name in {"whisk", "spatula", "ladle"}:
        return _tool(name, colour)
    if name == "measuring cup":
        cup = can(key, colour, radius=0.024, half_height=0.026)
        handle = Part("box", (0.014, 0.005, 0.003), (0.036, 0.0, 0.018), colour)
        return replace(cup, parts=(cup.parts[0], handle))
    if name in {"cup", "jar", "can"}:
        return can(key, colour, radius=0.024, half_height=0.032)
    if name == "paper ball":
        ball = Part("sphere", (0.02,), colour=(0.9, 0.9, 0.88), texture="shell")
        return Thing(key, (ball,), (0.02, 0.02, 0.02))
    if name in {"bowl", "saucer", "lid"}:
        part = Part("cylinder", (0.026, 0.014), colour=colour, texture="shell")
        return Thing(key, (part,), (0.026, 0.026, 0.014))
    return block(key, colour, (0.026, 0.018, 0.017))


def _tool(name: str, colour: Vector) -> Thing:
    """A short kitchen tool lying down, taken by its handle in the middle."""
    steel: Vector = (0.72, 0.73, 0.75)
    handle = Part("box", (0.030, 0.011, 0.011), (0.0, 0.0, 0.0), colour, "grain")
    heads = {
        "whisk": Part("ellipsoid", (0.020, 0.013, 0.011), (0.046, 0, 0), steel, "shell", 0.75),
        "spatula": Part("box", (0.018, 0.017, 0.002), (0.046, 0.0, -0.006), steel),
        "ladle": Part("cylinder", (0.016, 0.009), (0.044, 0.0, -0.001), steel, "shell"),
    }
    return Thing(name, (handle, heads[name]), (0.030, 0.011, 0.011))


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
    (x, y), (hx, hy, _) = CARTON_AT, CARTON_HALF
    half_back = LID_HEIGHT_M / 2
    boxes = []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        low = tray(f"{side}_carton", GREY, half=CARTON_HALF)
        back = Part("box", (hx, 0.003, half_back), (0.0, sign * hy, half_back), GREY)
        boxes.append(replace(low, parts=(*low.parts, back), start=(x, sign * y, 0.0)))
    return tuple(boxes)


def lids() -> tuple[Thing, ...]:
    """The cartons' lids, open, hinged along their outer edges: high enough for eggs under them."""
    x, y = CARTON_AT
    hx, hy, _ = CARTON_HALF
    return tuple(
        replace(
            lid(f"{side}_lid", GREY, half=(hx, hy), start_rad=LID_OPEN_RAD),
            start=(x, sign * (y + hy), LID_HEIGHT_M),
            yaw=np.pi if sign > 0 else 0.0,
        )
        for side, sign in (("left", 1.0), ("right", -1.0))
    )


def twelve_eggs(
    rng: np.random.Generator, spots: list[tuple[float, float]], *, by_colour: bool = True
) -> list[Laid]:
    """Twelve eggs in the middle of the desk, and the cup each one goes into.

    by_colour: white ones left, brown ones right; otherwise each into the nearer carton.
    """
    laid: list[Laid] = []
    order = [str(c) for c in rng.permutation([c for c in EGGS for _ in range(6)])]
    leftmost = set(np.argsort([-y for _, y in spots])[:6].tolist())
    used = {"left": 0, "right": 0}
    for i, (colour, (x, y)) in enumerate(zip(order, spots, strict=True)):
        to_left = colour == "white" if by_colour else i in leftmost
        side, sign = ("left", 1.0) if to_left else ("right", -1.0)
        row, column = divmod(used[side], 3)
        used[side] += 1
        thing = replace(egg(f"{colour}_egg_{i}", EGGS[colour]), start=(x, y, 0.0215))
        goal = (0.30 + (1 - column) * CUP_M, sign * (0.19 + (row - 0.5) * CUP_M), 0.006 + 0.0215)
        words = f"{colour} egg" if by_colour else "egg"
        laid.append((thing, words, f"put the {words} in the {side} carton", goal))
    return laid


def dresser_top(rng: np.random.Generator) -> tuple[Thing, Thing]:
    """(jewelry box with its lid up, organizer with compartments), at the back, either way round."""
    left = 1.0 if rng.random() < 0.5 else -1.0
    wood = (0.42, 0.24, 0.14)
    hx, hy, hz = 0.055, 0.075, 0.020
    chest = tray("jewelry_box", wood, half=(hx, hy, hz))
    up = Part("box", (0.004, hy, 0.05), (hx + 0.004, 0.0, 2 * hz + 0.035), wood, "grain")
    velvet = Part("box", (hx - 0.004, hy - 0.004, 0.002), (0, 0, 0.005), (0.45, 0.06, 0.14))
    chest = replace(chest, parts=(*chest.parts, up, velvet), start=(0.385, left * 0.115, 0.0))
    clear = (0.80, 0.86, 0.88)
    rows = tray("organizer", clear, half=(0.055, 0.090, 0.016))
    walls = tuple(Part("box", (0.055, 0.002, 0.016), (0, y, 0.016), clear) for y in (-0.03, 0.03))
    rows = replace(rows, parts=(*rows.parts, *walls), start=(0.385, -left * 0.115, 0.0))
    return chest, rows


def ornaments(
    rng: np.random.Generator,
    spots: list[tuple[float, float]],
    *,
    boxes: tuple[Thing, Thing],
    objects: str,
) -> list[Laid]:
    """A necklace for the jewelry box and a hair clip for the organizer; or bracelet and comb."""
    chest, rows = boxes
    clip_yaw = float(rng.uniform(-0.5, 0.5))
    turn = float(rng.uniform(-0.6, 0.6))
    red, green, blue = (float(c) for c in rng.uniform(0.1, 0.8, 3))
    jewel, clip = ("necklace", "hair clip") if objects == "jewelry" else ("bracelet", "comb")
    make = hair_clip if objects == "jewelry" else comb
    pieces = (
        (replace(beads(jewel), yaw=turn), chest, jewel, "jewelry box"),
        (replace(make((red, green, blue)), yaw=clip_yaw), rows, clip, "organizer"),
    )
    laid: list[Laid] = []
    for (thing, into, name, where), (x, y) in zip(pieces, spots, strict=True):
        thing = replace(thing, start=(x, y, thing.half[2]))
        goal = (into.start[0] - 0.005, into.start[1], 0.008 + thing.half[2])
        laid.append((thing, name, f"put the {name} in the {where}", goal))
    return laid


def beads(name: str) -> Thing:
    """A string of beads: a necklace lies in two coils with its pendant in the middle, a bracelet
    in one. It keeps that shape.
    """
    gold, pearl = (0.80, 0.62, 0.22), (0.93, 0.91, 0.86)
    radius, bead = (0.019, 0.0048) if name == "necklace" else (0.020, 0.0062)
    parts = []
    heights = (-0.5, 0.5) if name == "necklace" else (0.0,)
    for coil, height in enumerate(heights):
        turns = np.arange(18) * (2 * np.pi / 18) + 0.17 * coil
        parts += [
            Part(
                "sphere",
                (bead,),
                (radius * float(np.cos(a)), radius * float(np.sin(a)), height * 2 * bead * 0.9),
                gold if k % 3 == 0 else pearl,
            )
            for k, a in enumerate(turns)
        ]
    if name == "necklace":
        stone = (0.1, 0.25, 0.6)
        parts.append(Part("ellipsoid", (0.008, 0.006, 0.004), (0.004, 0, -0.004), stone))
    outer, height_m = radius + bead, bead * (1.9 if name == "necklace" else 1.0)
    return Thing(name, tuple(parts), (outer, outer, height_m))


def comb(colour: Vector) -> Thing:
    """A comb lying on its back: a thick spine and teeth."""
    half = (0.036, 0.012, 0.008)
    spine = Part("box", (0.036, 0.008, 0.008), (0.0, -0.004, 0.0), colour, "shell")
    xs = np.linspace(-0.033, 0.033, 12)
    teeth = [Part("box", (0.0014, 0.010, 0.004), (float(x), 0.014, 0.0), colour) for x in xs]
    return Thing("comb", (spine, *teeth), half)


def hair_clip(colour: Vector) -> Thing:
    """A claw clip: two toothed halves meeting at a spring."""
    half = (0.032, 0.013, 0.013)
    parts = (
        Part("box", (0.032, 0.011, 0.007), (0, 0, 0.006), colour, "shell"),
        *(
            Part("box", (0.0035, 0.002, 0.0065), (x, y, -0.0065), colour)
            for x in (-0.027, -0.009, 0.009, 0.027)
            for y in (-0.009, 0.009)
        ),
        Part("cylinder", (0.004, 0.002), (0, 0, 0.013), (0.75, 0.75, 0.78)),
    )
    return Thing("hair_clip", parts, half)
