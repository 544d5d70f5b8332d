"""`handoff sim`: synthetic recordings with exact truth, and scripted robot episodes."""

import argparse
from pathlib import Path

from app.page import Page, PageFormatter, add_command

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


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=lambda _: _which(parser))
    kinds = parser.add_subparsers(title="what to make", metavar="KIND")
    record = kinds.add_parser(
        "record",
        help="a synthetic recording: rig folder and truth",
        description="Renders a recording of a person at a desk, with labels and exact truth.",
        epilog="example:\n  handoff sim record demo-recording --seconds 10 --seed 3\n\n"
        "next:\n  handoff ingest demo-recording",
        formatter_class=PageFormatter,
    )
    record.add_argument("out", type=Path, metavar="FOLDER", help="the rig folder to make")
    record.add_argument("--task", default="blocks_to_tray", help="what is done (blocks_to_tray)")
    record.add_argument("--seconds", type=float, default=10.0, help="length of the take (10)")
    record.add_argument("--seed", type=int, default=0, help="scene, task and noise (0)")
    record.set_defaults(run=run_record)
    robot = kinds.add_parser(
        "robot",
        help="scripted episodes of a two-gripper robot",
        description="Renders scripted episodes of a two-gripper robot as a LeRobot v3 dataset.",
        epilog="example:\n  handoff sim robot datasets/robot --episodes 4\n\n"
        "next:\n  handoff train datasets/first datasets/robot --run runs/both --minutes 5",
        formatter_class=PageFormatter,
    )
    robot.add_argument("out", type=Path, metavar="FOLDER", help="the dataset folder to make")
    robot.add_argument("--episodes", type=int, default=4, help="how many (4)")
    robot.add_argument("--seed", type=int, default=0, help="of the scenes (0)")
    robot.set_defaults(run=run_robot)


def _which(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def run_record(arguments: argparse.Namespace) -> int:
    """A rig folder with truth."""
    from app.extras import needing
    from app.sessions import Bar

    with needing("sim"):
        from sim.record import record
    with Bar("sim record") as bar:
        report = record(
            arguments.out,
            task=arguments.task,
            seconds=arguments.seconds,
            seed=arguments.seed,
            progress=bar,
        )
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
        from sim.robot_dataset import record_robot
    with Bar("sim robot") as bar:
        record_robot(arguments.out, episodes=arguments.episodes, seed=arguments.seed, progress=bar)
    print(f"{arguments.out}: {arguments.episodes} episodes")
    return 0
