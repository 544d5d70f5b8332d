"""The command line `handoff`: a thin skin over the rooms, one module per command.

Exit codes: 0 done, 1 something is wrong (one line on stderr says what and the cure), 2 the command
line itself is wrong, 130 stopped with Ctrl-C. Importing this module loads nothing heavy.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from app.commands import (
    annotate,
    doctor,
    evaluate,
    export,
    hands,
    ingest,
    predict,
    report,
    run,
    sim,
    slam,
    status,
    train,
    view,
)
from app.page import PageFormatter
from core.errors import HandoffError

WAY = (ingest, run, status, annotate, view, report, export, train, predict)
BESIDE = (sim, evaluate, slam, hands, doctor)
STOPPED = 130

ABOUT = """Handoff turns recordings of people working with their hands into data
that a robot policy can be trained on, and trains it."""


def build_parser() -> argparse.ArgumentParser:
    """The parser of every command; its defaults come from the rooms' own configurations."""
    parser = argparse.ArgumentParser(
        prog="handoff", description=ABOUT, formatter_class=PageFormatter
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for module in (*WAY, *BESIDE):
        module.add(commands)
    return parser


def map_of_the_way() -> str:
    """What `handoff` alone prints: the commands in the order in which people need them."""
    lines = [ABOUT, "", "The way from a recording to a policy:"]
    lines += [f"  {n}. {_line(module)}" for n, module in enumerate(WAY, start=1)]
    lines += ["", "Beside the way:"]
    lines += [f"     {_line(module)}" for module in BESIDE]
    lines += [
        "",
        "First time here?    handoff doctor            is everything installed?",
        "                    handoff sim record demo   a synthetic recording to try",
        "Learn a command:    handoff COMMAND --help",
    ]
    return "\n".join(lines)


def _line(module: object) -> str:
    page = module.PAGE  # type: ignore[attr-defined]  # every command module has one
    return f"handoff {page.name:<9} {page.summary}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit code."""
    parser = build_parser()
    arguments, unknown = parser.parse_known_args(argv)
    if unknown:  # argparse would show the usage of `handoff` alone
        getattr(arguments, "parser", parser).error(f"unrecognized arguments: {' '.join(unknown)}")
    if not hasattr(arguments, "run"):
        print(map_of_the_way())
        return 0
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
    except HandoffError as error:
        print(f"handoff: {one_line(error)}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nhandoff: stopped; the same command goes on where it was", file=sys.stderr)
        return STOPPED
    except BrokenPipeError:  # the reader of a pipe (`| head`) went away: not an error
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # a full disk, a read-only folder: nothing of ours to debug
        place = f"{error.filename}: " if error.filename else ""
        why = error.strerror or type(error).__name__
        print(f"handoff: {place}{why}; check the path, its rights, free space", file=sys.stderr)
        return 1
    return code


def one_line(error: Exception) -> str:
    """An error's message on a single line."""
    return " ".join(str(error).split()) or type(error).__name__


if __name__ == "__main__":
    sys.exit(main())
