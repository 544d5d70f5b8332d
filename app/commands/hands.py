"""`handoff hands`: hands against data sets of the user's own, and drawn over a session's video."""

import argparse
import json
import sys
from shlex import join
from typing import TYPE_CHECKING

from app.numbers import at_least_one, hand_length_mm
from app.page import Page, add_command, add_json

if TYPE_CHECKING:
    from core.session.storage import SessionFolder

PAGE = Page(
    name="hands",
    summary="how hands came out, drawn over the video; an operator's hand; data sets",
    about="Says how a session's hands came out, draws them over its video, estimates an operator's "
    "hand from all their sessions, or runs detection and reconstruction on the pictures of a hand "
    "data set as people have it on disk and measures them against its truth. Needs the extra "
    "`hands`.",
    examples=(
        "handoff hands report sessions/desk-0001",
        "handoff hands overlay sessions/desk-0001 --out desk.mp4",
        "handoff hands operator sessions",
        "handoff hands evaluate data/FreiHAND_pub_v2 --limit 500",
    ),
    writes=("nothing, or the video, operators or contact sheet asked for",),
    then=(
        "handoff hands report --help",
        "handoff hands overlay --help",
        "handoff hands operator --help",
        "handoff hands evaluate --help",
    ),
)
REPORT = Page(
    name="report",
    summary="how the hands of sessions came out: shares, reasons, errors in the picture, sigmas",
    about="For each hand: in how many frames it was measured, interpolated or missing and why; how "
    "far fitted landmarks lie from those in the picture; how steady bones and palms are; speed; "
    "sigmas; where the size comes from; what other cameras told. hands/report.json and the page of "
    "`handoff report` hold the same; docs/hands.md says what to make of it.",
    examples=("handoff hands report sessions/desk-0001", "handoff hands report sessions --json"),
    writes=("nothing",),
    then=("handoff hands overlay sessions/desk-0001 --out desk.mp4",),
)
OVERLAY = Page(
    name="overlay",
    summary="a video of the session with both hands drawn in",
    about="Left blue, right orange, paler where interpolated. A landmark is a disc where it is "
    "seen and a ring where it is inferred; white points are what the detector saw; palm axes are "
    "x red, y green, z blue; a dotted line is the thumb-finger aperture. Time, state, reason "
    "and aperture stand at the top. Redacted parts stay redacted. H.264, as browsers play it.",
    examples=(
        "handoff hands overlay sessions/desk-0001 --out desk.mp4",
        "handoff hands overlay sessions/desk-0001 --out small.mp4 --width 640",
    ),
    writes=("FILE.mp4",),
    then=("handoff view sessions/desk-0001   (the same in 3D)",),
)
OPERATOR = Page(
    name="operator",
    summary="estimate each operator's hand once, from all their sessions, and keep it",
    about="Bone lengths from frames of all sessions of a person together, and the hand's length "
    "from the best that any of them tells: a ruler (--hand-length-mm at ingest), a printed marker, "
    "a second camera. `handoff run` then uses it for every session of that operator in the same "
    "folder, those to come too (--set hands.kept_hand=false does not); sessions that were done are "
    "stale until then. Sessions whose operator nobody named are left out.",
    examples=("handoff hands operator sessions", "handoff hands operator sessions/anna-*"),
    writes=("operators/NAME.json beside the sessions",),
    then=("handoff run sessions",),
)
EVALUATE = Page(
    name="evaluate",
    summary="errors on FreiHAND, HOT3D, InterHand2.6M, FPHA, hand-graph",
    about="FOLDER is a data set as it is unpacked; its files tell which:\n"
    "  hot3d      HOT3D-Clips: clip-*.tar, or the same files unpacked; or full Aria recordings\n"
    "  freihand   training_xyz.json, training_K.json, training/rgb (or evaluation_…)\n"
    "  interhand  InterHand2.6M: annotations/…_{data,camera,joint_3d}.json, images/\n"
    "  fpha       Hand_pose_annotation_v1/…/skeleton.txt, Video_files/…/color/\n"
    "  handgraph  truth.npz, images/\n"
    "  keypoints  one COCO .json with 21 keypoints per hand, pictures beside it: 2D only\n\n"
    "Every picture stands by itself. A true hand counts as found when a detection lies on it (mean "
    "landmark miss up to half its box diagonal); errors are means over joints of found hands: in "
    "the camera, with the wrists laid on each other, and after Procrustes alignment. One camera "
    "cannot see how large a hand is: without --hand-length-mm the average hand is assumed, and "
    "the absolute error shows it. 21 joints are compared, fewer where the set has fewer (HOT3D "
    "knows no thumb CMC).",
    examples=(
        "handoff hands evaluate data/FreiHAND_pub_v2 --limit 500 --sheet freihand.png",
        "handoff hands evaluate data/hot3d/train_aria --split 214-1 --limit 300 --json",
    ),
    writes=("nothing, or the contact sheet asked for with --sheet",),
    then=("handoff run sessions/desk-0001   (the same hands on a take of your own)",),
)
KINDS = ("hot3d", "freihand", "interhand", "fpha", "handgraph", "keypoints")


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=lambda _: _which(parser))
    kinds = parser.add_subparsers(title="what to do", metavar="WHAT")
    report = add_command(kinds, REPORT, run=run_report)
    report.add_argument(
        "sessions", metavar="SESSION", nargs="+", help="sessions whose hands are done, or a folder"
    )
    add_json(report)
    _add_overlay(kinds)
    operator = add_command(kinds, OPERATOR, run=run_operator)
    operator.add_argument(
        "sessions", metavar="SESSION", nargs="+", help="sessions whose hands are done, or a folder"
    )
    add_json(operator)
    command = add_command(kinds, EVALUATE, run=run)
    command.add_argument("folder", metavar="FOLDER", help="the data set")
    command.add_argument("--layout", choices=KINDS, help="instead of looking")
    command.add_argument(
        "--split", metavar="NAME", help="a part: training, test, Subject_1, a stream of HOT3D"
    )
    command.add_argument(
        "--limit", type=at_least_one, metavar="N", help="so many pictures, evenly spread"
    )
    command.add_argument(
        "--hand-length-mm",
        type=hand_length_mm,
        metavar="MM",
        help="of the hand, where it is one and known",
    )
    command.add_argument("--sheet", metavar="FILE.png", help="draw truth and ours over pictures")
    add_json(command)


def _add_overlay(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    command = add_command(kinds, OVERLAY, run=run_overlay)
    command.add_argument("session", metavar="SESSION", help="a session whose hands are done")
    command.add_argument("--out", metavar="FILE.mp4", required=True, help="the video to write")
    command.add_argument(
        "--width", type=at_least_one, metavar="PX", help="shrink wider pictures to this width"
    )
    add_json(command)


def _which(parser: argparse.ArgumentParser) -> int:
    parser.print_help()
    return 2


def run_report(arguments: argparse.Namespace) -> int:
    """Read every session's report, put it in words; say which pictures to look at."""
    from app.hand_figures import hand_figures
    from app.sessions import sessions_at
    from core.session.documents import read_document
    from core.session.layout import HANDS_REPORT
    from core.session.marks import finished, require_output

    given = sessions_at(arguments.sessions)
    sessions = [session for session in given if finished(session, HANDS_REPORT)]
    if not sessions:
        require_output(given[0], HANDS_REPORT)  # says why not
    _say_left_out(given, sessions, "its hands are not done")
    if arguments.json:
        reports = {session.name: read_document(session, HANDS_REPORT) for session in sessions}
        print(json.dumps(reports, indent=2))
        return 0
    for session in sessions:
        print(f"{session.name}\n{hand_figures(session).as_text()}")
        sheets = [path for path in session.ls("hands") if path.endswith(".png")]
        print("".join(f"  look at {session.place(path)}\n" for path in sheets))
    return 0


def run_overlay(arguments: argparse.Namespace) -> int:
    """Draw, encode, say where it is."""
    from pathlib import Path

    from app.sessions import Bar, session_at
    from app.whole_file import refuse_raw
    from hands.pictures.overlay_video import write_overlay_video

    session, path = session_at(arguments.session), Path(arguments.out)
    refuse_raw(path, option="--out")
    with Bar("hands overlay", quiet=arguments.json) as bar:
        frames = write_overlay_video(session, path, width=arguments.width, progress=bar)
    if arguments.json:
        print(json.dumps({"session": session.url, "video": str(path), "frames": frames}, indent=2))
    else:
        print(f"{path}: {frames} frames of {session.name}")
    return 0


def _say_left_out(given: "list[SessionFolder]", kept: "list[SessionFolder]", why: str) -> None:
    for session in given:
        if session not in kept:
            print(f"{session.url}: left out: {why}", file=sys.stderr)


def run_operator(arguments: argparse.Namespace) -> int:
    """Group by operator, estimate, keep, say what was found."""
    from app.sessions import Bar, sessions_at
    from core.errors import BadInputError
    from hands.operator_hand import by_operator, hands_done, operator_hand, operators_of

    given = sessions_at(arguments.sessions)
    done = [session for session in given if hands_done(session)] or given
    _say_left_out(given, done, "its hands are not done")
    people, unnamed = by_operator(done)
    _say_left_out(unnamed, [], "nobody named its operator")
    if not people:
        raise BadInputError("no session names its operator: handoff ingest … --operator NAME")
    kept, failed = [], []
    with Bar("hands operator", quiet=arguments.json) as bar:
        bar.total(len(people), "operator")
        for (name, _), sessions in people.items():
            bar.note(name)
            bar.advance()
            try:
                hand = operator_hand(name, sessions)
            except BadInputError as error:  # of one person; the others are kept
                failed.append(f"handoff: {error}")
                continue
            operators = operators_of(sessions[0])
            kept.append((hand, operators.place(hand.write(operators))))
    print("\n".join(failed), end="\n" if failed else "", file=sys.stderr)
    if arguments.json:
        print(json.dumps([{"file": place, **hand.document()} for hand, place in kept], indent=2))
        return 1 if failed else 0
    for hand, place in kept:
        print(f"{hand.name}: {hand.words()}\n  {place}")
    if kept:
        folders = {place.rsplit("/", 2)[0] for _, place in kept}
        print("next, so that their sessions use it: handoff run " + join(sorted(folders)))
    return 1 if failed else 0


def run(arguments: argparse.Namespace) -> int:
    """Look into every picture, measure, print."""
    from pathlib import Path

    import numpy as np

    from app.evaluate.figures import as_text
    from app.evaluate.hand_picture_errors import hand_errors
    from app.evaluate.hand_pictures import find_hands, reconstructed
    from app.evaluate.hand_sheet import draw_sheet
    from app.quiet import quiet_libraries
    from app.sessions import Bar
    from core.errors import BadInputError
    from hands.model.proportions import hand_shape
    from hands.truth_layouts.layouts import open_layout

    if arguments.sheet and not arguments.sheet.endswith(".png"):
        raise BadInputError(
            f"{arguments.sheet}: the sheet is a picture; give a name ending in .png"
        )
    pictures = open_layout(Path(arguments.folder), layout=arguments.layout, split=arguments.split)
    count = min(arguments.limit or len(pictures), len(pictures))
    chosen = np.linspace(0, len(pictures) - 1, count).round().astype(np.int64)
    with quiet_libraries(), Bar("hands evaluate", quiet=arguments.json) as bar:
        findings = find_hands(pictures, chosen, bar)
    if not findings.rows:
        raise BadInputError(f"{arguments.folder}: no true hand in the {count} pictures looked at")
    shape = hand_shape(arguments.hand_length_mm)
    joints = reconstructed(findings.rows, shape)
    errors = hand_errors(findings.rows, joints)
    if arguments.sheet:
        draw_sheet(pictures, findings.rows, joints, path=arguments.sheet)
    figures, per_joint = errors.figures(findings), errors.per_joint()
    if arguments.json:
        document = {
            "folder": arguments.folder,
            "layout": pictures.name,
            "pictures": findings.pictures,
            "figures": [figure.to_dict() for figure in figures],
            "joints_mm": per_joint,
        }
        print(json.dumps(document, indent=2))
        return 0
    size = (
        "as given" if arguments.hand_length_mm else "a guess: the average; it is in absolute errors"
    )
    print(
        f"{arguments.folder}: {pictures.name}, {count} of {len(pictures)} pictures; "
        f"hands {1e3 * shape.length_m:.0f} mm long ({size})\n"
    )
    print(as_text(figures))
    print(_joint_table(per_joint))
    if arguments.sheet:
        print(f"\n{arguments.sheet}: truth green, ours orange, missed hands framed in red")
    return 0


def _joint_table(per_joint: dict[str, dict[str, float | None]]) -> str:
    """Joint by joint; empty for sets without depth."""
    if all(value is None for means in per_joint.values() for value in means.values()):
        return ""
    lines = [f"\n{'joint, mm':<14}{'camera':>9}{'wrist':>9}{'Procrustes':>12}"]
    for name, means in per_joint.items():
        shown = ["none" if value is None else f"{value:.1f}" for value in means.values()]
        lines.append(f"  {name:<12}{shown[0]:>9}{shown[1]:>9}{shown[2]:>12}")
    return "\n".join(lines)
