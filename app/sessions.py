"""Which session folders the words on the command line mean, and how far a long step is."""

import os
import re
from collections.abc import Sequence

from tqdm import tqdm

from core.errors import BadInputError
from core.session.layout import OPERATORS, SESSION_JSON
from core.session.storage import SessionFolder


def sessions_at(addresses: Sequence[str]) -> list[SessionFolder]:
    """Each address is a session folder or a folder of them; the folder of operators, which
    ``sessions/*`` names too, is passed by. Raises BadInputError for others.
    """
    found: list[SessionFolder] = []
    for address in addresses:
        folder = SessionFolder(address)
        inside = [folder] if folder.exists(SESSION_JSON) else _children(folder)
        if not inside and folder.name == OPERATORS and len(addresses) > 1:
            continue
        if not inside:
            raise BadInputError(
                f"{address}: no session here (no {SESSION_JSON}); make one with: handoff ingest"
            )
        found += [session for session in inside if session not in found]
    return found


def session_at(address: str) -> SessionFolder:
    """The one session at an address. Raises BadInputError for none or several."""
    found = sessions_at([address])
    if len(found) > 1:
        names = ", ".join(session.name for session in found[:4])
        raise BadInputError(f"{address}: holds {len(found)} sessions ({names} …); name one of them")
    return found[0]


def _children(folder: SessionFolder) -> list[SessionFolder]:
    marks = [name for name in folder.ls() if name.endswith(f"/{SESSION_JSON}")]
    names = [name.split("/")[0] for name in marks if name.count("/") == 1]
    return [SessionFolder(folder.place(name)) for name in sorted({*names, *_closed(folder)})]


def _closed(folder: SessionFolder) -> list[str]:
    """Subfolders named like sessions that this user may not open: to be reported, not passed by."""
    if not folder.is_local or not os.path.isdir(folder.url):
        return []
    with os.scandir(folder.url) as entries:
        named = [e for e in entries if re.fullmatch(r"[a-z0-9-]{8,64}", e.name) and e.is_dir()]
    return [entry.name for entry in named if not os.access(entry.path, os.R_OK | os.X_OK)]


class Bar:
    """A progress bar on stderr for commands that do one long thing. A context manager."""

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self._title, self._quiet = title, quiet
        self._bar: tqdm[None] | None = None

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, *error: object) -> None:
        if self._bar is not None:
            self._bar.close()

    def total(self, n: int, unit: str) -> None:
        """There will be n steps of this unit; starts again from zero."""
        if self._bar is not None:
            self._bar.close()
        hidden = True if self._quiet else None  # None: shown on a terminal only
        self._bar = tqdm(total=n, unit=unit, desc=self._title, disable=hidden, leave=False)

    def advance(self, k: int = 1) -> None:
        """k more steps are done."""
        if self._bar is not None:
            self._bar.update(k)

    def note(self, text: str) -> None:
        """A short word beside the bar."""
        if self._bar is not None:
            self._bar.set_postfix_str(text)
