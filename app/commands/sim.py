"""`handoff sim`: synthetic recordings with exact truth, and scripted robot episodes."""

import argparse
import dataclasses
import json
import sys
from typing import Any

from app.commands.sim_rollout import add_rollout, robot_names
from app.numbers import at_least_one, from_zero, size_wh, whole_numbers
from app.page import Page, add_command, add_json
from app.rig_options import add_rig_options, rig_options
from app.scene_options import add_scene_options, scene_options

PAGE = Page(
    name="sim",
    summary="make a synthetic recording with exact truth, robot episodes, or score a policy",
    about="`record` renders a person at a textured desk: three cameras, an inertial sensor, two "
    "hands that reach for and move objects, as a rig folder with the exact truth beside it. "
    "`board` renders a calibration board before the same cameras. `robot` renders scripted "
    "episodes of a two-gripper robot in the same scene as a LeRobot v3 dataset. Needs the extra "
    "`sim`.",
    examples=(
        "handoff sim record demo-recording --seconds 10",
        "handoff sim robot datasets/robot --episodes 4",
        "handoff sim record --help",
    ),
    writes=("a rig folder with truth/, or a dataset folder",),
    then=("handoff ingest demo-recording",),
)

RECORD = Page(
    name="record",
    summary="a synthetic recording: rig folder and truth",
    about="Renders a recording of a person at a desk, with labels and exact truth. The same seed "
    "gives the same take.",
    examples=(
        "handoff sim record demo-recording --seconds 10 --seed 3",
        "handoff sim record takes --seeds 1-20 --task dresser --scene bedroom --seconds 60",
    ),
    writes=(
        "FOLDER: videos, imu.csv, rig.toml, labels.csv, truth/",
        "with --seeds: FOLDER/seed-0001 and so on",
    ),
    then=("handoff ingest demo-recording", "handoff evaluate sessions/<id>   (after handoff run)"),
)
BOARD = Page(
    name="board",
    summary="a recording of a calibration board",
    about="Renders a ChArUco board shown to every camera of a rig, near and far, tilted, all over "
    "the picture, while the rig sways: for intrinsics, for extrinsics of cameras on the head and "
    "for the inertial sensor. The board's measures and poses lie in truth/sim.",
    examples=("handoff sim board board-recording --rig stereo-head --seconds 40",),
    writes=("FOLDER: videos, imu.csv, rig.toml, truth/",),
    then=("handoff ingest board-recording",),
)
ROBOT = Page(
    name="robot",
    summary="scripted episodes of a two-gripper robot",
    about="Renders episodes of a scripted two-gripper robot as a LeRobot v3 dataset: joints, "
    "tools, jaws, base, subtasks, and whether it succeeded. Some grasps fail and are done again; "
    "some episodes fail.",
    examples=("handoff sim robot datasets/robot --episodes 4",),
    writes=("FOLDER: a LeRobot v3 dataset",),
    then=(
        "handoff train datasets/first datasets/robot --run runs/both --minutes 5",
        "handoff sim rollout --policy runs/both --task blocks_to_tray --out rollouts/both",
    ),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=lambda _: _which(parser))
    kinds = parser.add_subparsers(title="what to make", metavar="KIND")
    record = add_command(kinds, RECORD, run=run_record)
    _add_folder(record, "the rig folder to make")
    record.add_argument("--seconds", type=float, metavar="S", help="length of the take (10)")
    seeds = record.add_mutually_exclusive_group()
    seeds.add_argument("--seed", type=from_zero, metavar="N", help="scene, task and noise (0)")
    seeds.add_argument(
        "--seeds", type=whole_numbers, metavar="A-B",
        help="many takes, as 1-20 or 3,5,9: a folder each in FOLDER, --workers of them at a time; "
        "finished ones are kept, unfinished ones made again",
    )  # fmt: skip
    add_scene_options(record, hands=True)
    record.add_argument("--bystanders", type=int, metavar="N", help="faces in view, 0 to 3 (0)")
    record.add_argument("--screens", type=int, metavar="N", help="screens in view, 0 to 3 (0)")
    add_rig_options(record)
    add_json(record)
    board = add_command(kinds, BOARD, run=run_board)
    _add_folder(board, "the rig folder to make")
    board.add_argument("--seconds", type=float, metavar="S", help="length of the recording (40)")
    board.add_argument("--seed", type=from_zero, metavar="N", help="motion and noise (0)")
    add_rig_options(board)
    add_json(board)
    robot = add_command(kinds, ROBOT, run=run_robot)
    _add_folder(robot, "the dataset folder to make")
    robot.add_argument("--episodes", type=at_least_one, metavar="N", help="how many (4)")
    robot.add_argument("--robot", metavar="NAME", help=f"its build: {robot_names()} (alder)")
    robot.add_argument("--fps", type=at_least_one, metavar="N", help="frames per second (10)")
    robot.add_argument(
        "--size", dest="size_wh", type=size_wh, metavar="WxH", help="pictures (320x240)"
    )
    robot.add_argument("--seed", type=from_zero, metavar="N", help="scene, task and noise (0)")
    add_scene_options(robot, hands=False)
    add_json(robot)
    add_rollout(kinds)


def _add_folder(parser: argparse.ArgumentParser, what: str) -> None:
    """Where results go: by place, or by name as `rollout` has it."""
    folder = parser.add_mutually_exclusive_group(required=True)
    folder.add_argument("folder", metavar="FOLDER", nargs="?", help=what)
    folder.add_argument("--out", metavar="FOLDER", help="the same, by name")


def _folder(arguments: argparse.Namespace) -> str:
    return str(arguments.folder or arguments.out)


def _which(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _asked(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; the rest keeps the room's own defaults."""
    given = {name: getattr(arguments, name) for name in ("seed", *names)}
    return {name: value for name, value in given.items() if value is not None}


def run_record(arguments: argparse.Namespace) -> int:
    """A rig folder with truth."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.record import record
    if arguments.seeds is not None:
        return _run_batch(arguments)
    with Bar("sim record", quiet=arguments.json) as bar, needing("sim"):
        asked = (
            _asked(arguments, "seconds", "bystanders", "screens")
            | scene_options(arguments)
            | rig_options(arguments)
        )
        report = record(_folder(arguments), **asked, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report)))
        return 0
    pictures = ", ".join(f"{n} {stream}" for stream, n in report.frames.items())
    print(f"{report.folder}: {report.task}, {report.seconds:g} s, pictures: {pictures}")
    print(f"{report.episodes} episodes, {report.subtasks} subtasks labelled")
    print(f"next: handoff ingest {_folder(arguments)}")
    return 0


def _run_batch(arguments: argparse.Namespace) -> int:
    """A take per seed; fails when one of them did."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.batch import record_batch
    asked_for = {n: getattr(arguments, n) for n in ("seconds", "bystanders", "screens")}
    given = {name: value for name, value in asked_for.items() if value is not None}
    with Bar("sim record", quiet=arguments.json) as bar, needing("sim"):
        asked = given | scene_options(arguments) | rig_options(arguments)
        report = record_batch(_folder(arguments), arguments.seeds, **asked, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report)))
        return 1 if report.failed else 0
    print(f"{report.folder}: {len(report.made)} takes made, {len(report.kept)} kept from before")
    for name, reason in report.failed.items():
        print(f"{name} failed: {reason}", file=sys.stderr)
    if report.failed:
        return 1
    print(f"next: handoff ingest {report.folder}/*")
    return 0


def run_board(arguments: argparse.Namespace) -> int:
    """A rig folder of a calibration board with truth."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.board_take import record_board
    with Bar("sim board", quiet=arguments.json) as bar, needing("sim"):
        asked = _asked(arguments, "seconds") | rig_options(arguments)
        report = record_board(_folder(arguments), **asked, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report)))
        return 0
    pictures = ", ".join(f"{n} {stream}" for stream, n in report.frames.items())
    print(f"{report.folder}: a calibration board, {report.seconds:g} s, pictures: {pictures}")
    print(f"next: handoff ingest {_folder(arguments)}")
    return 0


def run_robot(arguments: argparse.Namespace) -> int:
    """A dataset of robot episodes."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.robots.dataset import record_robot
    with Bar("sim robot", quiet=arguments.json) as bar, needing("sim"):
        asked = _asked(arguments, "episodes", "robot", "fps", "size_wh") | scene_options(arguments)
        report = record_robot(_folder(arguments), **asked, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report)))
        return 0
    print(f"{report.root}: {report.robot}, {report.task}: ", end="")
    print(f"{report.episodes} episodes, {report.frames} frames")
    print(f"next: handoff train datasets/first {report.root} --run runs/both --minutes 5")
    return 0
