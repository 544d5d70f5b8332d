"""`handoff report`: one page with pictures."""

import argparse
from pathlib import Path

from app.page import Page, add_command

PAGE = Page(
    name="report",
    summary="one HTML page with pictures: quality, path, hands, labels, training",
    about="Writes one self-contained page about a session: what is wrong with the take, the "
    "head's path, hands drawn over frames, palm speed with labels, what every stage did "
    "and, for synthetic sessions, the comparison with the truth. With --run also a training "
    "run: loss curves, errors against baselines, predicted chunks over frames. Every number "
    "is computed from the files as they are now.",
    examples=(
        "handoff report sessions/anna-0001",
        "handoff report sessions/anna-0001 --run runs/first --out report.html",
    ),
    writes=("<session>.report.html in the working folder, or --out FILE",),
    then=("open it in any browser", "handoff export sessions --name first"),
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parser = add_command(commands, PAGE, run=run)
    parser.add_argument("sessions", nargs="*", metavar="SESSION", help="session folders")
    parser.add_argument("--run", dest="training", type=Path, metavar="RUN", help="training run")
    parser.add_argument("--out", type=Path, metavar="FILE", help="the page to write")


def run(arguments: argparse.Namespace) -> int:
    from app.report import write_report
    from app.sessions import Bar, sessions_at
    from core.errors import BadInputError

    folders = sessions_at(arguments.sessions)
    if not folders and arguments.training is None:
        raise BadInputError("report: name a session folder, a training run with --run, or both")
    name = folders[0].name if folders else arguments.training.name
    out = arguments.out or Path(f"{name}.report.html")
    with Bar("report") as bar:
        write_report(folders, out, run_folder=arguments.training, progress=bar)
    print(f"{out} ({out.stat().st_size / 1e6:.1f} MB); open it in a browser")
    return 0
