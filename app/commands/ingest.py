"""`handoff ingest`: a recording becomes a session."""

import argparse
import json
import sys
from pathlib import Path
from shlex import quote

from app.numbers import numbers
from app.page import Page, add_command, add_json

PAGE = Page(
    name="ingest",
    summary="make a session of a rig folder or a single video",
    about="Checks a recording and copies it into a session folder, byte for byte; nothing ever "
    "changes it there. The recording is a folder with rig.toml (cameras, inertial sensor, "
    "who and what), or one video file whose intrinsics are given here or, roughly, told by an "
    "action camera's file; inertial samples in that file are used (docs/single-video.md).",
    examples=(
        "handoff ingest recordings/take-07",
        "handoff ingest walk.mp4 --fov-deg 90 --task 'sort eggs' --operator anna",
        "handoff ingest walk.mp4 --intrinsics 612.4,612.1,320.2,239.7",
        "handoff ingest GX010042.MP4     (GoPro: lens mode, gyro and accelerometer from the file)",
    ),
    writes=("sessions/<id>/session.json and raw/ (docs/rig-folder.md, docs/session-folder.md)",),
    then=("handoff run sessions/<id>",),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("source", metavar="SOURCE", help="folder with rig.toml, or a video file")
    parser.add_argument(
        "--into", default="sessions", metavar="FOLDER", help="where sessions live (sessions)"
    )
    parser.add_argument("--session-id", metavar="ID", help="8 to 64 of a-z 0-9 -, else made")
    lens = parser.add_argument_group("one video file needs one of these, unless it knows its lens")
    lens.add_argument("--focal-px", type=float, metavar="F", help="focal length in pixels")
    lens.add_argument("--intrinsics", type=numbers, metavar="FX,FY,CX,CY", help="in pixels")
    lens.add_argument("--fov-deg", type=float, metavar="D", help="field of view over the width")
    lens.add_argument(
        "--model",
        choices=("pinhole_radtan", "kannala_brandt"),
        default="pinhole_radtan",
        help="of --intrinsics with k1,k2,p1,p2 (the default) or k1,k2,k3,k4 after cy",
    )
    about = parser.add_argument_group("who, what, where (wins over rig.toml)")
    about.add_argument("--operator", metavar="NAME", help="pseudonym of the person")
    about.add_argument(
        "--hand-length-mm", type=float, metavar="MM", help="wrist crease to middle fingertip"
    )
    about.add_argument("--task", metavar="TEXT", help="what is done")
    about.add_argument("--scene", metavar="TEXT", help="where")
    about.add_argument("--device", metavar="TEXT", help="with which cameras")
    about.add_argument("--consent", metavar="TEXT", help="what the person agreed to")
    add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from capture.ingest import ingest

    check_labels(Path(arguments.source))
    notes: list[str] = []
    folder = ingest(
        arguments.source,
        arguments.into,
        session_id=arguments.session_id,
        focal_px=arguments.focal_px,
        intrinsics=arguments.intrinsics,
        fov_deg=arguments.fov_deg,
        model=arguments.model,
        operator=arguments.operator,
        hand_length_mm=arguments.hand_length_mm,
        task=arguments.task,
        scene=arguments.scene,
        device=arguments.device,
        consent=arguments.consent,
        say=(lambda _: None) if arguments.json else print,
        warn=notes.append,
    )
    if arguments.json:
        print(json.dumps({"session": folder.name, "url": folder.url, "warnings": notes}))
    else:
        for note in notes:
            print(f"warning: {note}", file=sys.stderr)
        print(f"next: handoff run {quote(folder.url)}")
    return 0


def check_labels(source: Path) -> None:
    """Refuse a rig folder whose labels cannot be read, while its author is still at the rig."""
    from annotate.labels import parse_labels
    from capture.rig import LABELS_CSV, RIG_TOML

    path = source / LABELS_CSV
    if (source / RIG_TOML).is_file() and path.is_file():
        parse_labels(path.read_bytes(), str(path), origin_ns=0)
