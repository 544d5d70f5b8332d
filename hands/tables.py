"""The wearer's hands as the two tables of the session folder."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import SIDES
from core.session.tables import EndEffectors, Hands, Ticks
from hands.described import WearerHand


def hands_table(
    hands: dict[str, WearerHand], ticks: Ticks, source: NDArray[np.object_] | str
) -> Hands:
    """One row per tick and side, ticks rising, left before right. source: of all, or ``(T,2)``."""
    there = _interleaved(hands, "state") != "missing"
    raw = _interleaved(hands, "raw21").reshape(-1, 63)
    aperture = _interleaved(hands, "aperture_m")
    return Hands(
        tick=ticks.tick.repeat(2),
        timestamp_ns=ticks.timestamp_ns.repeat(2),
        side=_sides(len(ticks)),
        landmarks_in_head=_f32(_interleaved(hands, "landmarks").reshape(-1, 51)),
        landmarks_in_head_valid=there,
        sigma_lateral_m=_f32(_interleaved(hands, "sigma_lateral_m")),
        sigma_ray_m=_f32(_interleaved(hands, "sigma_ray_m")),
        visible=_interleaved(hands, "visible"),
        raw21_in_head=_f32(raw),
        raw21_in_head_valid=np.isfinite(raw).all(axis=1),
        state=_interleaved(hands, "state"),
        reason=_interleaved(hands, "reason"),
        source=np.broadcast_to(np.asarray(source, dtype=object), (len(ticks), 2)).ravel(),
        aperture_m=_f32(aperture),
        aperture_m_valid=np.isfinite(aperture),
    )


def end_effectors_table(hands: dict[str, WearerHand], ticks: Ticks) -> EndEffectors:
    """The palm frames, rows as in `hands_table`."""
    poses = np.stack([hands[side].head_from_palm.to_pose7() for side in SIDES], axis=1)
    there = _interleaved(hands, "state") != "missing"
    return EndEffectors(
        tick=ticks.tick.repeat(2),
        timestamp_ns=ticks.timestamp_ns.repeat(2),
        side=_sides(len(ticks)),
        head_from_palm=np.where(there[:, None], poses.reshape(-1, 7), np.nan),
        head_from_palm_valid=there,
        sigma_m=_f32(_interleaved(hands, "palm_sigma_m")),
        sigma_rad=_f32(_interleaved(hands, "palm_sigma_rad")),
        state=_interleaved(hands, "state"),
        reason=_interleaved(hands, "reason"),
    )


def _interleaved(hands: dict[str, WearerHand], name: str) -> NDArray[Any]:
    """``(T,…)`` of the left and of the right to ``(2 T,…)``."""
    both = np.stack([getattr(hands[side], name) for side in SIDES], axis=1)
    return both.reshape(-1, *both.shape[2:])


def _sides(count: int) -> NDArray[np.object_]:
    return np.array(list(SIDES) * count, dtype=object)


def _f32(values: NDArray[Any]) -> NDArray[np.float32]:
    return values.astype(np.float32, copy=False)
