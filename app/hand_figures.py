"""What ``hands/report.json`` says, in words and rows: for the page and for the terminal."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from core.errors import BadInputError
from core.geometry.landmarks import SIDES
from core.session.documents import read_document
from core.session.layout import HANDS_REPORT
from core.session.storage import SessionFolder

SOURCES = {
    "measured": "as measured with a ruler",
    "marker": "measured beside a marker",
    "stereo": "from a second camera",
    "wrist_camera": "from wrist cameras",
    "prior": "a guess: the average of people",
}


@dataclass(frozen=True)
class HandFigures:
    """about: sentences on the whole session.   rows: (figure, left hand, right hand)."""

    about: list[str]
    rows: list[tuple[str, str, str]]

    def as_text(self) -> str:
        """Lines for a terminal."""
        wide = max(len(name) for name, _, _ in self.rows)
        table = [
            f"  {name:<{wide}}   {left:<22} {right}".rstrip() for name, left, right in self.rows
        ]
        return "\n".join([*(f"  {line}" for line in self.about), *table])


def hand_figures(folder: SessionFolder) -> HandFigures:
    """The report of a session's hands as people read it. Raises BadInputError for one of another
    version.
    """
    report = read_document(folder, HANDS_REPORT)
    try:
        left, right = (report["hands"][side] for side in SIDES)
        whys = sorted({*left["missing_reasons"], *right["missing_reasons"]})
        shown = [
            *_SHARES,
            *((f"missing: {why}", _reason(why, report["ticks"])) for why in whys),
            *_REST,
            *(_LOCATED if "from_detections_palms_median" in left else ()),
        ]
        rows = [(name, figure(left), figure(right)) for name, figure in shown]
        return HandFigures(_about(report), [("", *SIDES), *rows])
    except KeyError as error:
        raise BadInputError(
            f"{folder.place(HANDS_REPORT)}: has no {error}; run: handoff run {folder.url}"
        ) from error


def _about(report: dict[str, Any]) -> list[str]:
    known, rejected = report["operator_sessions"], report["rejected_detections"]
    rate = report["source_rate_hz"]
    others = {k: v for k, v in report["other_cameras"].items() if isinstance(v, dict)}
    return [
        f"hands from {report['source']}" + (f" at {rate:g} Hz" if rate else ""),
        _size(report) + (f"; bones from {len(known)} sessions of this operator" if known else ""),
        *_beside_marker(report.get("beside_marker")),
        f"both hands in {_percent(report['both_hands_share'])} of {report['ticks']} frames; of "
        f"{report['detections']} detections {sum(rejected.values())} left out{_counts(rejected)}, "
        f"{report['relabelled_detections']} given the other side",
        *(f"{name}: {_camera(found)}" for name, found in others.items()),
    ]


def _size(report: dict[str, Any]) -> str:
    source, sigma_mm = report["scale_source"], report["hand_length_sigma_mm"]
    within = "" if sigma_mm is None else f" ± {sigma_mm:.0f}"
    said = SOURCES.get(source, f"as {source} has it")
    return f"hand length {report['hand_length_mm']:.0f}{within} mm, {said}"


def _beside_marker(found: dict[str, Any] | None) -> list[str]:
    if found is None:
        return []
    length_mm, sigma_mm = found["length_mm"], found["sigma_mm"]
    return [f"beside a marker {length_mm:.0f} ± {sigma_mm:.0f} mm, of {found['pictures']} pictures"]


def _camera(found: dict[str, Any]) -> str:
    """What another camera did for the hands."""
    if "unused" in found:
        return f"not used: {found['unused']}"
    looked, used = (sum(found[key].values()) for key in ("looked_for", "used"))
    return (
        f"located in {_percent(found['located_share'])} of the frames; of {looked} looks for a "
        f"hand {used} used, {looked - used} not{_counts(found['rejected'])}"
    )


def _counts(reasons: dict[str, int]) -> str:
    """In brackets, the commonest first."""
    ordered = sorted(reasons.items(), key=lambda pair: -pair[1])
    return f" ({', '.join(f'{n} {why}' for why, n in ordered)})" if ordered else ""


def _percent(share: float | None) -> str:
    """Whole per cents; a little is not nothing, and nearly all is not all."""
    if share is None:
        return "none"
    digits = 0 if min(share, 1 - share) >= 0.01 or share in (0, 1) else 1
    return f"{100 * share:.{digits}f} %"


def _reason(why: str, ticks: int) -> Callable[[dict[str, Any]], str]:
    return lambda hand: _percent(hand["missing_reasons"].get(why, 0) / ticks)


def _share(key: str) -> Callable[[dict[str, Any]], str]:
    return lambda hand: _percent(hand[key])


def _values(*keys: str) -> Callable[[dict[str, Any]], str]:
    return lambda hand: _joined([hand[key] for key in keys])


def _joined(values: list[float | None]) -> str:
    if all(value is None for value in values):
        return "none"
    return " · ".join("none" if value is None else f"{value:g}" for value in values)


_Rows = tuple[tuple[str, Callable[[dict[str, Any]], str]], ...]
_SHARES: _Rows = (
    ("measured", _share("measured_share")),
    ("interpolated", _share("interpolated_share")),
    ("missing", _share("missing_share")),
)
_REST: _Rows = (
    ("landmarks inside the picture", _share("landmarks_in_view_share")),
    ("landmarks seen, of measured hands", _share("landmarks_visible_share")),
    ("reprojection, px: median · 95 %", _values("reprojection_px_median", "reprojection_px_p95")),
    ("bone lengths as the source has them vary by", _share("source_bone_spread")),
    ("palm speed, m/s: median · 99 %", _values("speed_m_s_median", "speed_m_s_p99")),
    ("palm jitter while calm: mm · °", _values("calm_jitter_mm", "calm_jitter_deg")),
    ("one sigma, mm: across · along the ray",
     _values("sigma_lateral_mm_median", "sigma_ray_mm_median")),
    ("thumb to index tip known", _share("aperture_share")),
    ("thumb to index tip, mm: 5 · 50 · 95 %",
     lambda hand: _joined(hand["aperture_mm_p05_p50_p95"])),
)  # fmt: skip
_LOCATED: _Rows = (  # of sources that place their hands themselves
    ("seen in the pictures, too", _share("detected_share")),
    ("apart from those, in palm lengths: median", _values("from_detections_palms_median")),
)
