"""The help page of a command: what it does, an example, what it writes, what comes next."""

import argparse
import textwrap
from collections.abc import Callable
from dataclasses import dataclass

WIDTH = 98


@dataclass(frozen=True)
class Page:
    """One command as people meet it.

    summary: one line for the map.   about: what it does; empty lines split paragraphs.
    examples: command lines.   writes: what is on disk afterwards.
    then: what people usually do next.
    """

    name: str
    summary: str
    about: str
    examples: tuple[str, ...]
    writes: tuple[str, ...]
    then: tuple[str, ...]

    def description(self) -> str:
        """`about`, filled to the page's width; a paragraph with its own line breaks keeps them."""
        paragraphs = self.about.split("\n\n")
        return "\n\n".join(p if "\n" in p else textwrap.fill(p, WIDTH) for p in paragraphs)

    def epilog(self) -> str:
        """The part of the help page below the options."""
        parts = {"example": self.examples, "what it writes": self.writes, "next": self.then}
        blocks = [
            "\n".join([f"{title}:", *(f"  {line}" for line in lines)])
            for title, lines in parts.items()
        ]
        return "\n\n".join(blocks)


class PageFormatter(argparse.RawDescriptionHelpFormatter):
    """Keeps our line breaks and gives options room."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=WIDTH)


Run = Callable[[argparse.Namespace], int]


def add_command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", page: Page, *, run: Run
) -> argparse.ArgumentParser:
    """A parser for one command, with its page and the function that does it."""
    parser = commands.add_parser(
        page.name,
        help=page.summary,
        description=page.description(),
        epilog=page.epilog(),
        formatter_class=PageFormatter,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_json(parser: argparse.ArgumentParser) -> None:
    """The switch for scripts."""
    parser.add_argument("--json", action="store_true", help="print one JSON document, for scripts")
