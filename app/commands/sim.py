"""`handoff sim`: synthetic recordings with exact truth, and scripted robot episodes."""

import argparse
import dataclasses
import json
from typing import Any

from app.numbers import at_least_one, named_value
from app.page import Page, add_command, add_json
from core.errors import BadInputError

PAGE = Page(
    name="sim",
    summary="make a synthetic recording with exact truth, or robot episodes",
    about="`record` renders a person at a textured desk: three cameras, an inertial sensor, two "
    "hands that reach for and move objects, as a rig folder with the exact truth beside it. "
    "`robot` renders scripted episodes of a two-gripper robot in the same scene as a "
    "LeRobot v3 dataset. Needs the extra `sim`.",
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
    examples=("handoff sim record demo-recording --seconds 10 --seed 3",),
    writes=("FOLDER: videos, imu.csv, rig.toml, labels.csv, truth/",),
    then=("handoff ingest demo-recording", "handoff evaluate sessions/<id>   (after handoff run)"),
)
ROBOT = Page(
    name="robot",
    summary="scripted episodes of a two-gripper robot",
    about="Renders scripted episodes of a two-gripper robot as a LeRobot v3 dataset.",
    examples=("handoff sim robot datasets/robot --episodes 4",),
    writes=("FOLDER: a LeRobot v3 dataset",),
    then=("handoff train datasets/first datasets/robot --run runs/both --minutes 5",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=lambda _: _which(parser))
    kinds = parser.add_subparsers(title="what to make", metavar="KIND")
    record = add_command(kinds, RECORD, run=run_record)
    record.add_argument("out", metavar="FOLDER", help="the rig folder to make")
    record.add_argument("--seconds", type=float, metavar="S", help="length of the take (10)")
    record.add_argument(
        "--rig", metavar="NAME",
        help="default (head and wrists), small (wrists 320x240), fisheye (150 degrees on "
        "the head), stereo, rgbd (a depth camera beside the head's), or head, fisheye-head, "
        "stereo-head, rgbd-head without wrists",
    )  # fmt: skip
    record.add_argument("--preset", metavar="NAME", help="sensors: clean, default or harsh")
    record.add_argument(
        "--sensor", action="append", type=named_value, metavar="NAME=VALUE",
        help="one figure of the preset, again for more: drop (share of frames), late, slow "
        "(variable rate), imu_offset_ms, wrist_offset_ms, wrist_drift_ppm, noise, …",
    )  # fmt: skip
    record.add_argument(
        "--calibration-error", nargs="+", metavar="WRONG",
        help="rig.toml is wrong by a known amount: small, large, or NAME=VALUE … of "
        "focal_percent, centre_px, distortion, extrinsic_deg, extrinsic_mm, imu_time_ms",
    )  # fmt: skip
    robot = add_command(kinds, ROBOT, run=run_robot)
    robot.add_argument("out", metavar="FOLDER", help="the dataset folder to make")
    robot.add_argument("--episodes", type=at_least_one, metavar="N", help="how many (4)")
    robot.add_argument("--robot", metavar="NAME", help="its build: alder or birch (alder)")
    robot.add_argument("--fps", type=at_least_one, metavar="N", help="frames per second (10)")
    for kind in (record, robot):
        kind.add_argument("--task", metavar="NAME", help="what is done (blocks_to_tray)")
        kind.add_argument("--seed", type=int, metavar="N", help="scene, task and noise (0)")
        add_json(kind)


def _which(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def _asked(arguments: argparse.Namespace, *names: str) -> dict[str, Any]:
    """The options that were given; the rest keeps the room's own defaults."""
    given = {name: getattr(arguments, name) for name in ("task", "seed", *names)}
    return {name: value for name, value in given.items() if value is not None}


def _amount(words: list[str]) -> str | dict[str, float]:
    """What is asked of a calibration error: one name, or figures."""
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    try:
        return dict(named_value(word) for word in words)
    except argparse.ArgumentTypeError as error:
        raise BadInputError(f"--calibration-error: {error}") from error


def run_record(arguments: argparse.Namespace) -> int:
    """A rig folder with truth."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.record import record
    with Bar("sim record", quiet=arguments.json) as bar, needing("sim"):
        asked = _asked(arguments, "seconds", "rig", "preset")
        if arguments.sensor:
            asked["sensor"] = dict(arguments.sensor)
        if arguments.calibration_error:
            asked["calibration_error"] = _amount(arguments.calibration_error)
        report = record(arguments.out, **asked, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report)))
        return 0
    pictures = ", ".join(f"{n} {stream}" for stream, n in report.frames.items())
    print(f"{report.folder}: {report.task}, {report.seconds:g} s, pictures: {pictures}")
    print(f"{report.episodes} episodes, {report.subtasks} subtasks labelled")
    print(f"next: handoff ingest {arguments.out}")
    return 0


def run_robot(arguments: argparse.Namespace) -> int:
    """A dataset of robot episodes."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.robot import record_robot
    with Bar("sim robot", quiet=arguments.json) as bar, needing("sim"):
        asked = _asked(arguments, "episodes", "robot", "fps")
        report = record_robot(arguments.out, **asked, progress=bar)
    if arguments.json:
        print(json.dumps(dataclasses.asdict(report)))
        return 0
    print(f"{report.root}: {report.robot}, {report.task}: ", end="")
    print(f"{report.episodes} episodes, {report.frames} frames")
    print(f"next: handoff train datasets/first {report.root} --run runs/both --minutes 5")
    return 0
