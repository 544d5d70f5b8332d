"""`handoff sim rollout`: a policy, the expert or chance at a task in the simulator, scored."""

import argparse
import dataclasses
import json
from typing import Any

from app.numbers import above_zero, at_least_one, from_zero
from app.page import Page, add_command, add_json
from app.scene_options import add_scene_options, scene_options

PAGE = Page(
    name="rollout",
    summary="let a policy, the expert or chance do a task, and score it",
    about="Runs episodes of a task in the simulator's closed loop: three cameras and the robot's "
    "posture in, action chunks out, the first part of each done before the next is asked for. "
    "Scored by the paper's rules: bus_table n/9, spice_rack and dresser 0 or 1, sort_eggs n/14; "
    "mean and standard error over episodes. Scenes differ from those of `sim robot` with any "
    "seed. What is scored already is not run again. A policy needs the extra `train`.",
    examples=(
        "handoff sim rollout --policy expert --task bus_table --out rollouts/expert --videos",
        "handoff sim rollout --policy runs/both --task blocks_to_tray --out rollouts/both",
        "handoff sim rollout --policy random --task dresser --robot cedar --out rollouts/chance",
    ),
    writes=("OUT: report.json, episodes/, and with --videos: videos/, contact_sheet.jpg",),
    then=("handoff sim rollout --policy random --task bus_table --out rollouts/chance",),
)


def robot_names() -> str:
    """The robots there are, in words."""
    from sim.robots.builds import BUILDS

    *names, last = BUILDS
    return f"{', '.join(names)} or {last}"


def add_rollout(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The command and its options."""
    parser = add_command(kinds, PAGE, run=run)
    parser.add_argument(
        "--policy", metavar="NAME", required=True, help="a training run's folder, expert or random"
    )
    parser.add_argument("--out", metavar="FOLDER", required=True, help="where results go")
    add_scene_options(parser, hands=False)
    parser.add_argument(
        "--robot", metavar="NAME", default="alder", help=f"its build: {robot_names()} (alder)"
    )
    parser.add_argument(
        "--seed", type=from_zero, metavar="N", default=0, help="scenes and chance (0)"
    )
    parser.add_argument(
        "--episodes", type=at_least_one, metavar="N", default=20, help="how many (20)"
    )
    parser.add_argument(
        "--execute", type=above_zero, metavar="S", default=0.3, help="seconds done of a chunk (0.3)"
    )
    parser.add_argument(
        "--limit",
        type=above_zero,
        metavar="S",
        help="an episode's longest time (by number of moves)",
    )  # fmt: skip
    parser.add_argument(
        "--text", choices=("subtask", "task"), default="subtask",
        help="what a policy is told: the next subtask too, from the truth, or the task alone "
        "(subtask)",
    )  # fmt: skip
    parser.add_argument("--videos", action="store_true", help="film every episode")
    parser.add_argument(
        "--workers", type=at_least_one, metavar="N", default=1, help="processes (1)"
    )
    parser.add_argument(
        "--max-seconds", type=above_zero, metavar="S", help="begin no episode after this long"
    )
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    """Scores in the closed loop."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.robots.rollout import RolloutSettings, rollout
    make, found = _controller(arguments.policy, arguments.robot)
    settings = RolloutSettings(
        **found,
        **({"task": "blocks_to_tray"} | scene_options(arguments)),
        robot=arguments.robot,
        seed=arguments.seed,
        execute_s=arguments.execute,
        limit_s=arguments.limit,
        oracle_text=arguments.text == "subtask",
    )
    with Bar("sim rollout", quiet=arguments.json) as bar, needing("sim"):
        report = rollout(
            arguments.out,
            make,
            settings,
            episodes=arguments.episodes,
            workers=arguments.workers,
            videos=arguments.videos,
            max_seconds=arguments.max_seconds,
            progress=bar,
        )
    print(json.dumps(dataclasses.asdict(report)) if arguments.json else as_table(report))
    return 0 if report.episodes else 1


def _controller(policy: str, robot: str) -> tuple[Any, dict[str, Any]]:
    """What makes the controller, and the settings that come with it."""
    from app.extras import needing
    from sim.robots.controller import Aimless
    from sim.robots.expert import Expert

    scripted: dict[str, Any] = {"expert": Expert, "random": Aimless}
    if policy in scripted:
        return scripted[policy], {"policy": policy}
    with needing("train"):
        from app.trained_controller import FromRun, data_of, name_of
    fps, size_wh = data_of(policy, robot)
    return FromRun(policy), {"policy": name_of(policy), "fps": fps, "size_wh": size_wh}


def as_table(report: Any) -> str:
    """One line per episode, then the mean."""
    lines = [f"{'episode':>7} {'points':>7} {'score':>6} {'seconds':>8} {'grasps':>7} {'again':>6}"]
    for one in report.episodes:
        points = f"{one.points}/{one.out_of}"
        lines.append(
            f"{one.index:>7} {points:>7} {one.value:>6.2f} {one.seconds:>8.1f} {one.grasps:>7} "
            f"{one.failed_tries:>6}" + "".join(f"  cannot: {text}" for text in one.unreachable)
        )
    settings, done = report.settings, len(report.episodes)
    about = f"{settings.policy} on {settings.task}, {settings.robot}, {done} episodes"
    about += f" of {report.asked} (time was up)" if done < report.asked else ""
    if report.mean is None:
        return f"{report.out}: {about}"
    error = "" if report.standard_error is None else f" ± {report.standard_error:.3f}"
    lines.append(f"{report.out}: {about}: score {report.mean:.3f}{error} (1 standard error)")
    return "\n".join(lines)
