"""From a task to two timelines: what each arm does when, and who holds which thing.

An arm's timeline is a list of steps, each a smooth motion between two poses of hand or tool. The
same planner serves people and robots; a `Body` says how it takes a thing, where it waits, and how
fast it is. Here a task's moves are put in order, repeated and undone; `acts` does each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from sim.motion.acts import ACTS
from sim.motion.manner import STEADY, Manner
from sim.motion.planner import RELEASE_S, Body, Label, Planner
from sim.motion.timeline import Hold, Step
from sim.motion.two_hands import TWO_HANDED
from sim.tasks.task import Move, Task
from sim.tasks.things import Thing

Array = NDArray[np.float64]

START_S = 0.6  # nobody moves in the first instants of a take
SHORTEST_MOVE_S = 3.4  # a move is begun only when this much time is left
GLANCE_AT = np.array([1.1, 0.9, 0.25])  # where the eyes go when they leave the work; y either way


@dataclass(frozen=True, eq=False)
class Plan:
    """Everything that happens in a take.

    steps: per arm, without gaps.  holds: per movable thing, by time.  labels: subtasks.
    gaze: (seconds, point in the desk frame) the person looks at from then on.
    episodes: (start_s, end_s, success).
    """

    seconds: float
    steps: dict[str, list[Step]]
    holds: dict[str, list[Hold]]
    labels: list[Label]
    gaze: list[tuple[float, Array]]
    episodes: list[tuple[float, float, bool]]


def make_plan(
    task: Task,
    body: Body,
    *,
    seconds: float,
    rng: np.random.Generator,
    manner: Manner = STEADY,
) -> Plan:
    """Plan a take: the task, then its undoing, again and again, as an operator repeats it."""
    planner = Planner(task, body, seconds=seconds, rng=rng, manner=manner)
    episodes: list[tuple[float, float, bool]] = []
    starts = {t.name: t for t in task.things}
    start = START_S
    while start < seconds:
        done = _run_task(planner, task, start)
        if not done:
            break
        end = planner.both_free_at()
        whole = done == len(task.moves) and max(x.end_s for x in planner.labels) <= seconds
        episodes.append((start, min(end, seconds), whole and not planner.misplaced))
        if task.returns:
            start = end + 0.1
            continue
        labels = list(planner.labels)
        back = [_undo(m, starts[m.thing]) for m in reversed(task.moves[:done])]
        undone = _run_moves(planner, back, end + 0.4)
        planner.labels = labels  # putting things back is not part of an episode
        if undone < len(back):
            break
        start = max(planner.free_at(m.arm) for m in back) + 0.5
    return _finish(planner, episodes, until_s=seconds)


def make_episode(
    task: Task, body: Body, *, rng: np.random.Generator, manner: Manner = STEADY
) -> Plan:
    """Plan the task once, as long as it takes."""
    planner = Planner(task, body, seconds=1e9, rng=rng, manner=manner)
    _run_task(planner, task, 0.2)
    end = planner.both_free_at()
    return _finish(planner, [(0.0, end, not planner.misplaced)], until_s=end + 0.2)


def _finish(planner: Planner, episodes: list[tuple[float, float, bool]], *, until_s: float) -> Plan:
    for side in planner.steps:
        planner.wait(side, until_s + 1.0)
    labels = [replace(x, end_s=min(x.end_s, until_s)) for x in planner.labels]
    labels = sorted((x for x in labels if x.start_s < x.end_s), key=lambda x: x.start_s)
    gaze = sorted(planner.gaze, key=lambda look: look[0])
    gaze = _glances(gaze, planner, until_s)
    return Plan(until_s, planner.steps, planner.holds, labels, gaze, episodes)


def _glances(
    gaze: list[tuple[float, Array]], planner: Planner, until_s: float
) -> list[tuple[float, Array]]:
    """Between two looks at the work the eyes sometimes go elsewhere, and come back."""
    chance = planner.chance
    seen = list(gaze)
    for (at, point), (following, _) in zip(gaze, [*gaze[1:], (until_s, gaze[-1][1])], strict=True):
        away = float(chance.uniform(0.7, 1.3))
        free = following - at - away - 1.2
        if free <= 0 or not planner.happens(planner.manner.glances_per_min * (following - at) / 60):
            continue
        begin = at + 0.6 + float(chance.uniform(0.0, free))
        aside = GLANCE_AT * [1.0, chance.choice([-1.0, 1.0]), 1.0] + chance.normal(0, 0.12, 3)
        seen += [(begin, aside), (begin + away, point)]
    return sorted(seen, key=lambda look: look[0])


def _undo(move: Move, thing: Thing) -> Move:
    if thing.hinge:
        text = f"open the {move.object}"
        return replace(move, angle_rad=thing.hinge.start_rad, text=text, verb="open")
    return replace(move, target=thing.start, text=f"put the {move.object} back", verb="return")


def _run_task(planner: Planner, task: Task, start_s: float) -> int:
    """A task's moves, one after another or both arms at once; gives how many there was time for."""
    if not task.together:
        return _run_moves(planner, task.moves, start_s)
    return sum(
        _run_moves(planner, [m for m in task.moves if m.arm == side], start_s)
        for side in planner.steps
    )


def _run_moves(planner: Planner, moves: Sequence[Move], start_s: float) -> int:
    """Do moves while there is time; gives how many. The next arm starts as the last lets go."""
    for done, move in enumerate(moves):
        if start_s + SHORTEST_MOVE_S * planner.task.pace > planner.seconds:
            return done
        begin = max(start_s, planner.free_at(move.arm))
        if move.kind in TWO_HANDED:
            start_s = TWO_HANDED[move.kind](planner, move, begin)
            continue
        let_go = ACTS[move.kind](planner, move, begin)
        if done + 1 < len(moves) and moves[done + 1].arm == move.arm:
            start_s = let_go + RELEASE_S
        else:
            planner.retreat(move.arm)
            start_s = let_go + float(planner.rng.uniform(0.0, 0.2))
    return len(moves)
