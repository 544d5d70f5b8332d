"""One episode in a closed loop: observe, ask for a chunk, do its first part, look again."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from core.dataset.episode import CAMERAS
from sim.robots.builds import SIDES, Build
from sim.robots.controller import Controller, MakeController, Observation, Setting, standing
from sim.robots.expert import DRIVE_WORDS, first_base
from sim.robots.film import RobotFilm
from sim.robots.scoring import Outcome, Score, outcome_of, remaining, score
from sim.robots.workcell import Body, Command, Snapshot, Workcell
from sim.scene.model import SceneLook, random_look
from sim.tasks.task import Task, make_task
from sim.variation import AS_IT_COMES, Variation

SECONDS_PER_MOVE = 9.0  # an episode may last: a patient robot's time
SECONDS_MORE = 8.0
DOCKED_M = 0.03


@dataclass(frozen=True)
class EpisodeSettings:
    """What makes an episode besides its controller.

    entropy: seeds task, room and controller.  execute_s: how much of a chunk is done before the
    next.  limit_s: None takes it from the number of moves.  oracle_text: whether the policy is told
    what to do next, as its training was; else only the task.
    """

    task: str
    robot: str
    entropy: tuple[int, ...]
    fps: int = 10
    size_wh: tuple[int, int] = (320, 240)
    execute_s: float = 0.3
    limit_s: float | None = None
    oracle_text: bool = True
    variation: Variation = AS_IT_COMES


@dataclass(frozen=True, eq=False)
class Tick:
    """One tick: posture and looks at its beginning, and the command it then got."""

    body: Body
    snapshot: Snapshot
    command: Command
    subtasks: dict[str, str]


@dataclass(frozen=True, eq=False)
class Played:
    """An episode as it went. controller: as it was left."""

    task: Task
    build: Build
    ticks: tuple[Tick, ...]
    score: Score
    cell: Workcell
    controller: Controller


@dataclass(frozen=True, eq=False)
class Stage:
    """A laid-out episode. film_rng: for its pictures.  look: of its room."""

    task: Task
    cell: Workcell
    setting: Setting
    film_rng: np.random.Generator
    look: SceneLook


def lay_out(settings: EpisodeSettings, build: Build) -> Stage:
    """Task, work cell and generators of an episode; the same for every controller."""
    seeds = np.random.SeedSequence(settings.entropy).spawn(4)
    layout, base, own, film = (np.random.default_rng(seed) for seed in seeds)
    look = random_look(film, settings.variation)
    task = make_task(settings.task, layout, variation=settings.variation, scene=look.scene)
    cell = Workcell(task, build, base=first_base(base) if build.mobile else None)
    setting = Setting(task=task, build=build, fps=settings.fps, cell=cell, rng=own)
    return Stage(task, cell, setting, film, look)


def film_of(stage: Stage, settings: EpisodeSettings) -> RobotFilm:
    """What draws an episode that was laid out."""
    return RobotFilm(
        stage.task,
        stage.setting.build,
        look=stage.look,
        size_wh=settings.size_wh,
        rng=stage.film_rng,
    )


def play(settings: EpisodeSettings, build: Build, make: MakeController) -> Played:
    """Run one episode to its end or time limit."""
    stage = lay_out(settings, build)
    controller = make(stage.setting)
    if not controller.sees:
        return _run(settings, stage, controller, film=None)
    with film_of(stage, settings) as film:
        return _run(settings, stage, controller, film=film)


def _run(
    settings: EpisodeSettings, stage: Stage, controller: Controller, *, film: RobotFilm | None
) -> Played:
    task, cell, fps = stage.task, stage.cell, settings.fps
    limit = settings.limit_s or SECONDS_PER_MOVE * len(task.moves) * task.pace + SECONDS_MORE
    whole = max(1, round(settings.execute_s * fps))
    ticks: list[Tick] = []
    bodies = [cell.body()]
    command = standing(bodies[0])
    while cell.seconds < limit - 1e-9 and not _over(stage, controller):
        told = told_next(task, cell, oracle=settings.oracle_text)
        images = film.draw(cell.snapshot(), CAMERAS) if film else {}
        seen = Observation(
            fps=fps, bodies=tuple(bodies), images=images, task=task.text, subtasks=told
        )
        targets = controller.act(seen)
        said = dict(getattr(controller, "subtasks", told))
        start = command
        for k in range(1, 1 + min(whole, max(1, round(float(targets.seconds[-1]) * fps)))):
            command = targets.at(k / fps, start)
            ticks.append(Tick(bodies[-1], cell.snapshot(), command, said))
            cell.step(command, 1 / fps)
            bodies.append(cell.body())
    found = score(task, outcome_of(cell))
    return Played(task, stage.setting.build, tuple(ticks), found, cell, controller)


def _over(stage: Stage, controller: Controller) -> bool:
    """Everything is done and rests, or the controller has nothing more to do."""
    if getattr(controller, "finished", False):
        return True
    outcome: Outcome = outcome_of(stage.cell)
    idle = getattr(controller, "finished", None) is None
    return idle and not outcome.held and not remaining(stage.task, outcome)


def told_next(task: Task, cell: Workcell, *, oracle: bool) -> dict[str, str]:
    """What each arm is to do next, in the words of its training; "" for nothing."""
    if not oracle:
        return dict.fromkeys(SIDES, "")
    if cell.build.mobile and np.linalg.norm(cell.base.translation) > DOCKED_M:
        return dict.fromkeys(SIDES, DRIVE_WORDS)
    left = remaining(task, outcome_of(cell))
    texts = dict.fromkeys(SIDES, "")
    for move in left if task.together else left[:1]:
        texts[move.arm] = texts[move.arm] or move.text
    return texts
