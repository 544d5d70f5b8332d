"""One operator's hand: estimated once, from all their sessions, and kept beside these.

``operators/<name>.json`` in the folder that holds the sessions. Bones that a session of a minute
leaves open are settled by many, and a length that was measured in one of them counts in all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Self
from urllib.parse import quote

import numpy as np

from core.errors import BadInputError
from core.geometry.landmarks import FINGERS
from core.session.calibration import Calibration
from core.session.documents import Keys, located, read_document, write_document
from core.session.info import UNNAMED, Operator, SessionInfo
from core.session.layout import DETECTIONS, HANDS_REPORT, OPERATORS
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.config import HandsConfig
from hands.model.bones import FEWEST_FRAMES, own_bones
from hands.model.evidence import Evidence
from hands.model.proportions import HandShape, hand_shape, scaled_shape
from hands.sources.registry import source_named
from hands.wearer import evidence_in

SURE = ("measured", "marker", "stereo", "wrist_camera", "prior")  # sources of a length, best first
MOST_APART_MM = 6.0  # of lengths that a ruler gave for one hand
BONES_MM = (3.0, 150.0)


@dataclass(frozen=True, eq=False)
class OperatorHand:
    """name: the operator's pseudonym.   shape: with bones that are known.   sessions: the ids of
    those it rests on.
    """

    name: str
    shape: HandShape
    sessions: tuple[str, ...]

    def shape_for(self, operator: Operator) -> HandShape:
        """The hand in a session, at the length given with it, if one is."""
        if operator.hand_length_mm is None:
            return self.shape
        given = hand_shape(operator.hand_length_mm)
        return replace(
            scaled_shape(self.shape, given.length_m),
            length_sigma_m=given.length_sigma_m,
            scale_source=given.scale_source,
        )

    def document(self) -> dict[str, Any]:
        """What the file holds."""
        bones_mm = np.round(1e3 * self.shape.bones_m, 2).tolist()
        return {
            "operator": self.name,
            "hand_length_mm": round(1e3 * self.shape.length_m, 2),
            "hand_length_sigma_mm": round(1e3 * self.shape.length_sigma_m, 2),
            "scale_source": self.shape.scale_source,
            "bones_mm": dict(zip(("thumb", *FINGERS), bones_mm, strict=True)),
            "sessions": list(self.sessions),
        }

    def words(self) -> str:
        """The same in a line for people."""
        shape = self.shape
        average = hand_shape(1e3 * shape.length_m).bones_m
        apart = 100 * (shape.bones_m / average - 1)
        return (
            f"{1e3 * shape.length_m:.0f} ± {1e3 * shape.length_sigma_m:.0f} mm "
            f"({shape.scale_source}), bones {apart.min():+.0f} to {apart.max():+.0f} % of average, "
            f"from {len(self.sessions)} session{'s' if len(self.sessions) > 1 else ''}"
        )

    def write(self, operators: SessionFolder) -> str:
        """Into the folder of operators; gives the file's name."""
        return write_document(operators, file_of(self.name), self.document())

    @classmethod
    def read(cls, operators: SessionFolder, name: str) -> Self:
        """Raises BadInputError naming file, key and value."""
        keys = Keys(operators.place(file_of(name)), read_document(operators, file_of(name)))
        bones = keys.part("bones_mm")
        with located(keys.place):
            bones_mm = np.array([bones.numbers(finger, 4) for finger in ("thumb", *FINGERS)])
            if not ((bones_mm > BONES_MM[0]) & (bones_mm < BONES_MM[1])).all():
                raise keys.refuse("bones_mm", "millimetres of a hand's bones are needed")
            source = keys.text("scale_source")
            if source not in SURE:
                raise keys.refuse("scale_source", f"known are {', '.join(SURE)}")
            shape = replace(
                hand_shape(_positive(keys, "hand_length_mm", least=100.0)),
                bones_m=bones_mm / 1e3,
                length_sigma_m=_positive(keys, "hand_length_sigma_mm") / 1e3,
                scale_source=source,
                bones_known=True,
            )
            return cls(name, shape, tuple(keys.get("sessions", list, "a list of ids is needed")))


def _positive(keys: Keys, key: str, *, least: float = 0.0) -> float:
    value = keys.number(key)
    if not least < value <= 300.0:
        raise keys.refuse(key, f"millimetres from {least:g} to 300 are needed")
    return value


def file_of(name: str) -> str:
    """The file of an operator in the folder of operators."""
    return f"{quote(name, safe='')}.json"


def operators_of(session: SessionFolder) -> SessionFolder:
    """The folder of operators beside a session."""
    return SessionFolder(f"{session.url.rsplit('/', 1)[0]}/{OPERATORS}")


def kept_hand(session: SessionFolder, name: str) -> OperatorHand | None:
    """What is known of the operator of a session; None where nothing was estimated yet."""
    operators = operators_of(session)
    return OperatorHand.read(operators, name) if operators.exists(file_of(name)) else None


def kept_digest(session: SessionFolder, name: str) -> dict[str, str]:
    """The operator's file and its SHA-256; nothing where there is none."""
    operators = operators_of(session)
    if not operators.exists(file_of(name)):
        return {}
    return {f"{OPERATORS}/{file_of(name)}": operators.sha256(file_of(name))}


def by_operator(
    sessions: Sequence[SessionFolder],
) -> tuple[dict[tuple[str, str], list[SessionFolder]], list[SessionFolder]]:
    """Sessions by (operator, folder of operators), and those whose operator nobody named."""
    people: dict[tuple[str, str], list[SessionFolder]] = {}
    unnamed = []
    for folder in sessions:
        name = SessionInfo.read(folder).operator.name
        if name == UNNAMED:
            unnamed.append(folder)
        else:
            people.setdefault((name, operators_of(folder).url), []).append(folder)
    return people, unnamed


def operator_hand(name: str, sessions: Sequence[SessionFolder]) -> OperatorHand:
    """Estimate one operator's hand from sessions whose hands are done. Raises BadInputError where
    they are not, where lengths contradict each other, or where hands were hardly ever seen.
    """
    config = HandsConfig()
    evidence = [one for folder in sessions for one in _evidence(folder, config)]
    seen = sum(int(one.seen.sum()) for one in evidence)
    if seen < FEWEST_FRAMES:
        raise BadInputError(
            f"{sessions[0].url}: {seen} hands of {name} in {len(sessions)} sessions; their bones "
            f"need {FEWEST_FRAMES}"
        )
    shape = own_bones(
        evidence,
        _length(sessions),
        guess_sigma_m=config.guess_sigma_m,
        frames=config.bone_frames,
        sessions=len(sessions),
    )
    return OperatorHand(
        name, replace(shape, bones_known=True), tuple(sorted(s.name for s in sessions))
    )


def hands_done(folder: SessionFolder) -> bool:
    """Has a session what an estimate needs?"""
    return folder.exists(DETECTIONS) and folder.exists(HANDS_REPORT)


def _evidence(folder: SessionFolder, config: HandsConfig) -> list[Evidence]:
    if not hands_done(folder):
        raise BadInputError(f"{folder.url}: its hands are not done; run: handoff run {folder.url}")
    ticks = Ticks.read(folder)
    camera = Calibration.refined(folder).stream("head").camera
    found = source_named("mediapipe").read(folder, ticks, config=config, progress=NO_PROGRESS)
    return evidence_in(found, ticks=len(ticks), camera=camera, config=config)[2]


def _length(sessions: Sequence[SessionFolder]) -> HandShape:
    """The average hand at the mean of the lengths of the best source, as sure as the surest of
    them: what a source does wrong it does in every session.
    """
    told = [_told(folder) for folder in sessions]
    best = min((shape.scale_source for shape in told), key=SURE.index)
    of_best = [shape for shape in told if shape.scale_source == best]
    lengths_mm = 1e3 * np.array([shape.length_m for shape in of_best])
    if best == "measured" and np.ptp(lengths_mm) > MOST_APART_MM:
        given = [folder for folder, s in zip(sessions, told, strict=True) if s.scale_source == best]
        least, most = (given[int(at(lengths_mm))] for at in (np.argmin, np.argmax))
        raise BadInputError(
            f"one operator's hand_length_mm is given as {lengths_mm.min():.0f} in {least.url} and "
            f"{lengths_mm.max():.0f} in {most.url}; ingest one of them anew with the right one, or "
            "give two people two names"
        )
    sigma_m = np.array([shape.length_sigma_m for shape in of_best])
    mean_mm = np.average(lengths_mm, weights=1.0 / sigma_m**2)
    return replace(hand_shape(float(mean_mm)), length_sigma_m=sigma_m.min(), scale_source=best)


def _told(folder: SessionFolder) -> HandShape:
    """What one session says of the length: its operator's measure, or what its hands found."""
    given = SessionInfo.read(folder).operator.hand_length_mm
    if given is not None:
        return hand_shape(given)
    report = Keys(folder.place(HANDS_REPORT), read_document(folder, HANDS_REPORT))
    source = report.text("scale_source")
    if source not in SURE or "hand_length_sigma_mm" not in report:  # a device that says none
        return hand_shape(None)
    return replace(
        hand_shape(_positive(report, "hand_length_mm", least=100.0)),
        length_sigma_m=_positive(report, "hand_length_sigma_mm") / 1e3,
        scale_source=source,
    )
