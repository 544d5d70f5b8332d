"""Hands that came with their places: read at the ticks, masked, described as fitted ones are.

Between a source's rows its points are interpolated. Rows that follow each other at the source's
usual step are measured; where rows are missing, gaps up to the stated length are marked
interpolated and longer ones stay empty. Nothing is smoothed: devices have done that.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.cameras import Camera
from core.geometry.landmarks import (
    INDEX,
    SIDES,
    landmarks17_from_mediapipe21,
)
from core.geometry.palm import TEMPLATE_INDICES, fit_palm_template, palm_template
from core.geometry.se3 import SE3
from hands.association import Association
from hands.config import HandsConfig
from hands.described import WearerHand
from hands.model.proportions import HandShape, hand_shape
from hands.model.visibility import visible_landmarks
from hands.reconstruct import TOO_FAR
from hands.sources.protocol import LocatedHands
from hands.wearer import Wearer

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

USUAL_STEP = 1.5  # rows further apart than this many usual steps have lost some between them
SAME_MOMENT_NS = 100_000  # a tick this near to a row needs no second one
PALM_M = (0.05, 0.14)  # wrist to middle MCP; other lengths are no hand
NO_ROW = "not seen"


@dataclass(frozen=True, eq=False)
class _AtTicks:
    """One side at T ticks. joints, raw: ``(T,21,3)``, NaN where state is missing."""

    joints: Floats
    raw: Floats
    state: NDArray[np.object_]
    reason: NDArray[np.object_]


def located_wearer(
    found: LocatedHands, *, ticks_ns: Ints, camera: Camera, source: str, config: HandsConfig
) -> Wearer:
    """Both hands at the ticks. BadInputError where the source's rows lie in another time."""
    _require_overlap(found, ticks_ns, source=source)
    found = without_outliers(found, farthest_m=config.farthest_m)
    sides = [_at_ticks(found, side, ticks_ns=ticks_ns, config=config) for side in range(2)]
    hands = {
        name: _described(sides[k], sides[1 - k].joints, side=name, camera=camera, found=found)
        for k, name in enumerate(SIDES)
    }
    rejected = found.reason[~np.equal(found.reason, None) & (found.reason != NO_ROW)]
    nothing_chosen = np.full((len(ticks_ns), 2), -1, dtype=np.int64)
    association = Association(nothing_chosen, rejected, relabelled=0)
    return Wearer(hands, shape_of(found.joints, source), association)


def _require_overlap(found: LocatedHands, ticks_ns: Ints, *, source: str) -> None:
    if not len(ticks_ns):
        return
    rows = found.timestamps_ns
    if not len(rows) or rows[-1] < ticks_ns[0] or rows[0] > ticks_ns[-1]:
        spans = [f"{t[0] * 1e-9:.3f} to {t[-1] * 1e-9:.3f} s" for t in (rows, ticks_ns) if len(t)]
        raise BadInputError(
            f"hands: source {source!r} has no row at any frame (rows, frames: "
            f"{'; '.join(spans)}); set hands.source_offset_ns"
        )


def without_outliers(found: LocatedHands, *, farthest_m: float) -> LocatedHands:
    """Hands that no wearer can have taken out, with the reason."""
    wrist, knuckle = found.joints[:, :, 0], found.joints[:, :, 9]
    palm = np.linalg.norm(knuckle - wrist, axis=-1)
    reason = found.reason.copy()
    there = np.equal(reason, None)
    reason[there & ~((palm > PALM_M[0]) & (palm < PALM_M[1]))] = "outlier"
    there = np.equal(reason, None)
    reason[there & (np.linalg.norm(wrist, axis=-1) > farthest_m)] = TOO_FAR
    there = np.equal(reason, None)[..., None, None]
    joints, raw = (np.where(there, points, np.nan) for points in (found.joints, found.raw))
    return LocatedHands(found.timestamps_ns, joints, raw, reason, found.sigma_m)


def _at_ticks(found: LocatedHands, side: int, *, ticks_ns: Ints, config: HandsConfig) -> _AtTicks:
    """Straight lines between the rows on either side of each tick."""
    rows = np.flatnonzero(np.equal(found.reason[:, side], None))
    count = len(ticks_ns)
    state = np.full(count, "missing", dtype=object)
    reason = _why_missing(found, side, ticks_ns)
    joints, raw = np.full((2, count, 21, 3), np.nan)
    if not len(rows):
        return _AtTicks(joints, raw, state, reason)
    times = found.timestamps_ns[rows]
    before = np.clip(np.searchsorted(times, ticks_ns, side="right") - 1, 0, len(rows) - 1)
    after = np.clip(before + 1, 0, len(rows) - 1)
    after = np.where(np.abs(times[before] - ticks_ns) <= SAME_MOMENT_NS, before, after)
    before = np.where(np.abs(times[after] - ticks_ns) <= SAME_MOMENT_NS, after, before)
    span = times[after] - times[before]
    inside = (times[before] - SAME_MOMENT_NS <= ticks_ns) & (
        ticks_ns <= times[after] + SAME_MOMENT_NS
    )
    usual = usual_step_ns(found)
    state[inside & (span <= config.max_gap_s * 1e9)] = "interpolated"
    state[inside & (span <= USUAL_STEP * usual)] = "measured"
    there = state != "missing"
    reason[there] = None
    part = np.where(span > 0, (ticks_ns - times[before]) / np.maximum(span, 1), 0.0)
    weight = part[there, None, None]
    for points, at in ((found.joints, joints), (found.raw, raw)):
        mine = points[rows, side]
        at[there] = (1 - weight) * mine[before[there]] + weight * mine[after[there]]
    return _AtTicks(joints, raw, state, reason)


def usual_step_ns(found: LocatedHands) -> float:
    """Median time between rows, 0 for fewer than two."""
    return float(np.median(np.diff(found.timestamps_ns))) if len(found) > 1 else 0.0


def rate_hz(found: LocatedHands) -> float:
    """Rows per second at the usual step; NaN for fewer than two."""
    step_ns = usual_step_ns(found)
    return 1e9 / step_ns if step_ns else float("nan")


def _why_missing(found: LocatedHands, side: int, ticks_ns: Ints) -> NDArray[np.object_]:
    """What the row nearest to each tick says; `not seen` where it has a hand or lies elsewhere."""
    times = found.timestamps_ns
    after = np.clip(np.searchsorted(times, ticks_ns), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    nearer = np.abs(times[before] - ticks_ns) < np.abs(times[after] - ticks_ns)
    nearest = np.where(nearer, before, after)
    said = found.reason[nearest, side]
    near = np.abs(times[nearest] - ticks_ns) <= USUAL_STEP * usual_step_ns(found)
    return np.where(near & ~np.equal(said, None), said, NO_ROW).astype(object)


def _described(
    hand: _AtTicks, others: Floats, *, side: str, camera: Camera, found: LocatedHands
) -> WearerHand:
    there, measured = hand.state != "missing", hand.state == "measured"
    landmarks = landmarks17_from_mediapipe21(hand.joints)
    visible = np.zeros(landmarks.shape[:2], dtype=bool)
    seen = visible_landmarks(
        hand.joints[measured], landmarks[measured], others[measured], camera=camera
    )
    visible[measured] = seen
    palm = SE3(np.full((len(there), 3, 3), np.nan), np.full((len(there), 3), np.nan))
    if there.any():
        template = palm_template(landmarks[there], side)
        palm = fit_palm_template(template, landmarks[:, TEMPLATE_INDICES])
    tips = [landmarks[:, INDEX[f"{finger}_tip"]] for finger in ("thumb", "index")]
    both_tips = visible[:, INDEX["thumb_tip"]] & visible[:, INDEX["index_tip"]]
    sigma = np.where(there, found.sigma_m, np.nan)
    return WearerHand(
        side=side,
        joints=hand.joints,
        landmarks=landmarks,
        raw21=hand.raw,
        raw21_px=np.full((len(there), 21, 2), np.nan),  # no image evidence
        sigma_lateral_m=np.tile(sigma[:, None], (1, 17)),
        sigma_ray_m=np.tile(sigma[:, None], (1, 17)),
        visible=visible,
        head_from_palm=palm,
        palm_sigma_m=np.tile(sigma[:, None], (1, 3)),
        palm_sigma_rad=np.tile(np.where(there, np.inf, np.nan)[:, None], (1, 3)),
        aperture_m=np.where(both_tips, np.linalg.norm(tips[0] - tips[1], axis=1), np.nan),
        state=hand.state,
        reason=hand.reason,
        offset=np.full(len(there), np.nan),
    )


def shape_of(joints: Floats, source: str) -> HandShape:
    """Median bone lengths over rows and both sides; NaN where the source has no such joint."""
    hands = joints.reshape(-1, 21, 3)
    hands = hands[np.isfinite(hands[:, [0, 9]]).all(axis=(1, 2))]
    average = hand_shape(None)
    if not len(hands):
        return HandShape(
            average.bones_m, average.first_joint_directions, average.length_m, np.inf, source
        )
    first = np.arange(1, 21, 4)
    chains = [
        hands[:, first] - hands[:, :1],
        *(hands[:, first + k] - hands[:, first + k - 1] for k in (1, 2, 3)),
    ]
    bones = np.median(np.linalg.norm(np.stack(chains, axis=2), axis=-1), axis=0)
    return HandShape(bones, average.first_joint_directions, float(bones[2].sum()), np.inf, source)
