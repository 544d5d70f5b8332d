"""session.json: who recorded what, where, with which streams. Written once, at ingest."""

import os
import re
from dataclasses import asdict, dataclass
from typing import Self

from core.errors import BadInputError, StorageError
from core.session.documents import Keys, located, read_document, write_document
from core.session.layout import SESSION_JSON
from core.session.storage import SessionFolder

SESSION_ID = re.compile(r"[a-z0-9-]{8,64}")
UNNAMED = "unnamed"  # an operator whom nobody named: not one person
STREAM_KINDS = ("video", "depth", "imu", "labels", "rig", "other")


def cure_of_hand_length(length_mm: float) -> str:
    """What to give instead of a length that no hand has; "" for one that hands have."""
    if 100.0 <= length_mm <= 300.0:
        return ""
    return "give millimetres from the wrist crease to the tip of the middle finger (100 to 300)"


@dataclass(frozen=True)
class Operator:
    """name: a pseudonym.   hand_length_mm: wrist crease to tip of the middle finger, where
    measured.
    """

    name: str
    hand_length_mm: float | None = None


@dataclass(frozen=True)
class StreamInfo:
    """One raw file. name: head, left_wrist, imu …   path: inside the session folder.   kind:
    STREAM_KINDS.
    """

    name: str
    path: str
    sha256: str
    kind: str


@dataclass(frozen=True)
class SessionInfo:
    """What is known about a session besides its pixels.

    id: ``[a-z0-9-]{8,64}``.   consent: what the operator agreed to ("research" …).
    clock_origin: nanoseconds on the session clock that count as second 0 in labels and displays.
    """

    id: str
    operator: Operator
    task: str
    scene: str
    device: str
    consent: str
    streams: tuple[StreamInfo, ...]
    clock_origin: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "streams", tuple(self.streams))
        if not SESSION_ID.fullmatch(self.id):
            raise BadInputError(
                f"session id {self.id!r}: use 8 to 64 of the characters a-z, 0-9 and '-'"
            )
        length = self.operator.hand_length_mm
        if length is not None and (cure := cure_of_hand_length(length)):
            raise BadInputError(f"session {self.id}: hand_length_mm is {length}; {cure}")
        names = [stream.name for stream in self.streams]
        for stream in self.streams:
            if names.count(stream.name) > 1:
                raise BadInputError(f"session {self.id}: two streams are named {stream.name!r}")
            if stream.kind not in STREAM_KINDS:
                raise BadInputError(
                    f"session {self.id}: stream {stream.name!r} is of kind {stream.kind!r}; "
                    f"known are {', '.join(STREAM_KINDS)}"
                )

    def stream(self, name: str) -> StreamInfo:
        """The stream of this name; BadInputError says which there are."""
        for stream in self.streams:
            if stream.name == name:
                return stream
        there = ", ".join(s.name for s in self.streams) or "none"
        raise BadInputError(f"session {self.id}: no stream {name!r}; it has: {there}")

    def has_stream(self, name: str) -> bool:
        """Is there a stream of this name?"""
        return any(stream.name == name for stream in self.streams)

    def write(self, folder: SessionFolder) -> str:
        """Write session.json; gives its path."""
        return write_document(folder, SESSION_JSON, asdict(self))

    @classmethod
    def read(cls, folder: SessionFolder) -> Self:
        """Read session.json. A folder without one is no session: BadInputError says so."""
        if folder.is_local and os.path.isdir(folder.url) and not os.access(folder.url, os.X_OK):
            raise StorageError(
                f"{folder.url}: cannot open: permission denied; change the owner or mode of the "
                "folder and run again"
            )
        if not folder.exists(SESSION_JSON):
            raise BadInputError(
                f"{folder.url}: not a session folder, it has no {SESSION_JSON}; "
                "make one with: handoff ingest"
            )
        keys = Keys(folder.place(SESSION_JSON), read_document(folder, SESSION_JSON))
        operator = keys.part("operator")
        length = operator.number("hand_length_mm") if "hand_length_mm" in operator else None
        streams = tuple(
            StreamInfo(**{key: s.text(key) for key in ("name", "path", "sha256", "kind")})
            for s in keys.items("streams")
        )
        with located(keys.place):
            return cls(
                id=keys.text("id"),
                operator=Operator(name=operator.text("name"), hand_length_mm=length),
                task=keys.text("task"),
                scene=keys.text("scene"),
                device=keys.text("device"),
                consent=keys.text("consent"),
                streams=streams,
                clock_origin=keys.integer("clock_origin"),
            )
