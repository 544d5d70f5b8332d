"""What is to be done on the desk: the things, where they start, and who moves what where.

One description serves the human and the robot, so that both learn the same words. Desk frame.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from sim.tasks.clutter import clutter
from sim.tasks.free_play import laid_out, toys
from sim.tasks.paper import (
    Laid,
    bins,
    cartons,
    dirty_table,
    dresser_top,
    lids,
    ornaments,
    rack,
    spices,
    twelve_eggs,
)
from sim.tasks.things import Thing, Vector, block, can, tray
from sim.variation import AS_IT_COMES, SCENES, Variation, chosen

COLOURS: dict[str, Vector] = {
    "red": (0.82, 0.10, 0.10),
    "green": (0.10, 0.55, 0.20),
    "blue": (0.12, 0.25, 0.75),
    "yellow": (0.92, 0.78, 0.12),
}
REACH_X = (0.20, 0.36)


@dataclass(frozen=True)
class Move:
    """One thing to be done with one thing: a pick and place, or the turning of a lid.

    target: where the thing's origin ends, desk frame.  kind: what is done, a name in
    `motion.acts.ACTS` or `motion.two_hands.TWO_HANDED`.  angle_rad: where a hinged thing ends (0
    closed).
    """

    arm: str
    thing: str
    target: Vector
    text: str
    object: str
    verb: str = "put"
    kind: str = "place"
    angle_rad: float = 0.0


@dataclass(frozen=True)
class Task:
    """A task laid out. things include what never moves; moves come in order.

    together: the arms work at the same time, each through its own moves.
    returns: the last moves put everything back where it was, so a repetition needs no undoing.
    pace: factor on durations.
    """

    name: str
    text: str
    things: tuple[Thing, ...]
    moves: tuple[Move, ...]
    together: bool = False
    returns: bool = False
    pace: float = 1.0

    def thing(self, name: str) -> Thing:
        """A thing by name."""
        return next(t for t in self.things if t.name == name)


def scatter(
    rng: np.random.Generator, count: int, *, x: tuple[float, float], y: tuple[float, float]
) -> list[tuple[float, float]]:
    """Places in a rectangle, as far apart as two hundred draws allow."""
    best: list[tuple[float, float]] = []
    widest = -1.0
    for _ in range(200):
        places = np.stack([rng.uniform(*x, count), rng.uniform(*y, count)], 1)
        gaps = np.linalg.norm(places[:, None] - places, axis=-1) + np.eye(count) * 9
        if gaps.min() > widest:
            widest = float(gaps.min())
            best = [(float(a), float(b)) for a, b in places]
    return best


def spread(
    rng: np.random.Generator, count: int, *, x: tuple[float, float], y: tuple[float, float]
) -> list[tuple[float, float]]:
    """Many places in a rectangle: each the farthest of four hundred from those before it."""
    places = np.array([[rng.uniform(*x), rng.uniform(*y)]])
    while len(places) < count:
        tries = np.stack([rng.uniform(*x, 400), rng.uniform(*y, 400)], 1)
        gaps = np.linalg.norm(tries[:, None] - places, axis=-1).min(1)
        places = np.concatenate([places, tries[gaps.argmax()][None]])
    return [(float(a), float(b)) for a, b in places]


def _arm_for(y: float) -> str:
    return "left" if y > 0 else "right"


def _piece(objects: str, colour: str) -> tuple[Thing, str]:
    """(a painted block or a tin to be moved, its words)."""
    if objects == "tins":
        return can(f"{colour}_tin", COLOURS[colour], radius=0.021, half_height=0.020), (
            f"{colour} tin"
        )
    return block(f"{colour}_block", COLOURS[colour], (0.020,) * 3), f"{colour} block"


def blocks_to_tray(rng: np.random.Generator, objects: str, variant: str) -> Task:
    """Painted blocks from both sides of the desk into a tray in the middle."""
    names = [str(n) for n in rng.permutation(list(COLOURS))[: 1 if variant == "one" else 3]]
    first = "left" if rng.random() < 0.5 else "right"
    sides = [first, "right" if first == "left" else "left", first]
    tray_at = (float(rng.uniform(0.30, 0.34)), float(rng.uniform(-0.03, 0.03)), 0.0)
    box = replace(tray("tray", (0.45, 0.47, 0.52)), start=tray_at)
    things, moves = [], []
    spots = {"left": [], "right": []}  # type: dict[str, list[tuple[float, float]]]
    for side, sign in (("left", 1), ("right", -1)):
        y = (0.16, 0.27) if sign > 0 else (-0.27, -0.16)
        spots[side] = scatter(rng, 2, x=(0.19, 0.33), y=y)
    for i, (name, side) in enumerate(zip(names, sides, strict=False)):
        x, y = spots[side].pop()
        thing, words = _piece(objects, name)
        half = thing.half[2]
        things.append(replace(thing, start=(x, y, half), yaw=float(rng.uniform(-0.6, 0.6))))
        sign = 1 if side == "left" else -1
        goal = (tray_at[0] + (i - 1) * 0.05, tray_at[1] + sign * 0.045, 0.006 + half)
        moves.append(Move(side, thing.name, goal, f"put the {words} in the tray", words))
    text = moves[0].text if variant == "one" else f"put the {objects} in the tray"
    return Task("blocks_to_tray", text, (*things, box), tuple(moves))


def there_and_back(rng: np.random.Generator, objects: str, _: str) -> Task:
    """Each hand puts its block in the tray and takes it out again: short, so often repeated."""
    tray_at = (float(rng.uniform(0.28, 0.31)), 0.0, 0.0)
    things: list[Thing] = []
    moves: list[Move] = []
    for side, sign, name in (("left", 1, "red"), ("right", -1, "blue")):
        x, y = float(rng.uniform(0.22, 0.28)), sign * float(rng.uniform(0.19, 0.24))
        thing, words = _piece(objects, name)
        half = thing.half[2]
        there = (tray_at[0], sign * 0.045, 0.006 + half)
        thing = replace(thing, start=(x, y, half))
        things.append(thing)
        into, out = f"put the {words} in the tray", f"take the {words} out of the tray"
        moves += [
            Move(side, thing.name, there, into, words),
            Move(side, thing.name, thing.start, out, words, verb="take"),
        ]
    box = replace(tray("tray", (0.45, 0.47, 0.52)), start=tray_at)
    return Task(
        "there_and_back",
        f"put the {objects} in the tray and take them out again",
        (*things, box),
        tuple(moves),
        together=True,
        returns=True,
        pace=0.8,
    )


def spice_rack(rng: np.random.Generator, objects: str, variant: str) -> Task:
    """Spice bottles onto a rack."""
    count = 1 if variant == "one" else 3
    laid = spices(rng, scatter(rng, 3, x=(0.18, 0.29), y=(-0.24, 0.24)), objects)[:count]
    moves = [_move(_arm_for(one[0].start[1]), one) for one in laid]
    things = (*(one[0] for one in laid), rack((0.375, 0.0, 0.0)))
    text = "put the spice bottle on the rack" if count == 1 else "put the spice bottles on the rack"
    return Task("spice_rack", text, things, tuple(moves))


def bus_table(rng: np.random.Generator, objects: str, variant: str) -> Task:
    """Nine things off the table: dishes into the tray, rubbish into the bins."""
    laid = dirty_table(rng, spread(rng, 9, x=(0.13, 0.28), y=(-0.25, 0.25)), objects)
    wanted = {"all": ("put", "throw"), "dishes": ("put",), "rubbish": ("throw",)}[variant]
    moves = [_move(_arm_for(one[0].start[1]), one) for one in laid]
    things = (*(one[0] for one in laid), *bins())
    text = {"all": "clear the table", "dishes": "put the dishes in the tray"}
    moves = [move for move in moves if move.verb in wanted]
    return Task("bus_table", text.get(variant, "throw the rubbish away"), things, tuple(moves))


def sort_eggs(rng: np.random.Generator, _: str, variant: str) -> Task:
    """Six white and six brown eggs into two cartons, by colour or as they come; then closed."""
    spots = spread(rng, 12, x=(0.12, 0.38), y=(-0.10, 0.10))
    laid = twelve_eggs(rng, spots, by_colour=variant != "pack")
    moves = [_move("left" if "left" in one[2] else "right", one) for one in laid]
    covers = lids()
    if variant == "sort_and_close":
        moves += [_close(arm, lid) for arm, lid in zip(("left", "right"), covers, strict=True)]
    things = (*(one[0] for one in laid), *covers, *cartons())
    texts = {
        "sort_and_close": "sort the eggs into the cartons and close them",
        "sort": "sort the eggs into the cartons",
        "pack": "put the eggs in the cartons",
    }
    return Task("sort_eggs", texts[variant], things, tuple(moves))


def dresser(rng: np.random.Generator, objects: str, variant: str) -> Task:
    """A necklace into the jewelry box and a hair clip into the organizer."""
    spots = scatter(rng, 2, x=(0.17, 0.27), y=(-0.20, 0.20))
    boxes = dresser_top(rng)
    laid = ornaments(rng, spots, boxes=boxes, objects=objects)
    moves = [_move(_arm_for(one[0].start[1]), one) for one in laid]
    order = [int(i) for i in rng.permutation(len(moves))]
    if variant != "both":
        order = [0 if variant == "jewelry_box" else 1]
    things = (*(one[0] for one in laid), *boxes)
    text = "tidy the dresser" if variant == "both" else moves[order[0]].text
    return Task("dresser", text, things, tuple(moves[i] for i in order))


def free_play(rng: np.random.Generator, objects: str, _: str) -> Task:
    """Both hands at one thing: lifted, turned, handed over; hands cross and leave the view."""
    pick = [toy for toy in toys() if objects in {"any", toy.name}]
    thing = laid_out(pick[int(rng.integers(len(pick)))], rng)
    words = thing.name.replace("_", " ")

    def do(kind: str, arm: str, text: str) -> Move:
        air = (0.23, 0.0, float(rng.uniform(0.15, 0.18)))
        target = air if kind == "lift" else thing.start
        return Move(arm, thing.name, target, text, words, text.split(" ", 1)[0], kind=kind)

    def phrases(first: str) -> list[list[Move]]:
        second = "right" if first == "left" else "left"
        lift, down = f"pick up the {words}", f"put the {words} down"
        return [
            [
                do("lift", first, lift),
                do("turn", first, f"turn the {words}"),
                do("give", first, f"hand the {words} to the {second} hand"),
                do("turn", second, f"turn the {words}"),
                do("down", second, down),
            ],
            [
                do("lift", second, lift),
                do("together", second, f"turn the {words} with both hands"),
                do("down", second, down),
            ],
            [do("cross", first, "cross the hands")],
            [do("show", second, "turn the hand over"), do("away", first, "take the hand away")],
        ]

    order = phrases("left" if rng.random() < 0.5 else "right")
    moves = [move for k in rng.permutation(len(order)) for move in order[int(k)]]
    text = f"play with the {words}"
    return Task("free_play", text, (thing,), tuple(moves), returns=True)


def _close(arm: str, lid: Thing) -> Move:
    carton = f"{arm} carton"
    return Move(arm, lid.name, lid.start, f"close the {carton}", carton, "close", kind="hinge")


def _move(arm: str, laid: Laid) -> Move:
    thing, words, text, goal = laid
    return Move(arm, thing.name, goal, text, words, verb=text.split(" ", 1)[0])


TASKS: dict[str, Callable[[np.random.Generator, str, str], Task]] = {
    "blocks_to_tray": blocks_to_tray,
    "bus_table": bus_table,
    "dresser": dresser,
    "free_play": free_play,
    "sort_eggs": sort_eggs,
    "spice_rack": spice_rack,
    "there_and_back": there_and_back,
}


def make_task(
    name: str,
    rng: np.random.Generator,
    *,
    variation: Variation = AS_IT_COMES,
    scene: str = SCENES[0],
) -> Task:
    """A task by name, laid out from a seed among a scene's clutter.

    BadInputError lists the names there are.
    """
    objects, variant = chosen(name, variation)
    task = TASKS[name](rng, objects, variant)
    return replace(task, things=(*task.things, *clutter(rng, scene)))
