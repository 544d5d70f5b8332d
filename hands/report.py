"""What a person should know about a session's hands: ``hands/report.json``."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import FINGERS, INDEX
from core.geometry.rotations import rotvec_from_matrix
from hands.cross_check import apart_palms
from hands.described import WearerHand
from hands.model.evidence import PARENTS, landmark_mixing
from hands.sources.protocol import SourceHands
from hands.wearer import Wearer

Floats = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]
BATCH = 2000  # hands that are projected at once
CALM_M_S = 0.05  # jitter is told of moments slower than this


def hands_report(
    wearer: Wearer,
    *,
    camera: Camera,
    timestamps_ns: NDArray[np.int64],
    source: str,
    located_hz: float | None = None,
    seen: SourceHands | None = None,
) -> dict[str, Any]:
    """Figures per hand and of the whole. ``located_hz``: rows per second of a source that places
    its hands itself; None where hands were found in the images. ``seen``: what the detector found,
    to compare a source with that places its hands itself.
    """
    hands, shape, association = wearer.hands, wearer.shape, wearer.association
    both = np.logical_and(*(hand.state != "missing" for hand in hands.values()))
    return {
        "source": source,
        "source_rate_hz": _figure(located_hz, 1) if located_hz is not None else None,
        "scale_source": shape.scale_source,
        "hand_length_mm": round(shape.length_m * 1e3, 1),
        "hand_length_sigma_mm": _figure(shape.length_sigma_m * 1e3, 1),
        "bones_mm": {
            finger: [_figure(1e3 * bone, 1) for bone in bones]
            for finger, bones in zip(("thumb", *FINGERS), shape.bones_m.tolist(), strict=True)
        },
        "ticks": len(timestamps_ns),
        "both_hands_share": _share(both),
        "detections": len(association.reason),
        "rejected_detections": _counts(association.reason[association.reason != ""]),
        "relabelled_detections": association.relabelled,
        "undecided_ticks": association.undecided,
        "hands": {
            side: {
                **_of_hand(hand, camera, timestamps_ns),
                "source_bone_spread": _rounded(
                    np.mean, bone_spread(hand.raw21 if located_hz is None else hand.joints), 4
                ),
                **({} if seen is None else _beside_detections(hand, seen, camera)),
            }
            for side, hand in hands.items()
        },
    }


def _of_hand(hand: WearerHand, camera: Camera, timestamps_ns: NDArray[np.int64]) -> dict[str, Any]:
    missed_px = reprojection_px(hand, camera)
    measured, there = hand.state == "measured", hand.state != "missing"
    in_view = [_in_view(hand.landmarks[rows], camera) for rows in _batches(there)]
    return {
        "measured_share": _share(measured),
        "interpolated_share": _share(hand.state == "interpolated"),
        "missing_share": _share(~there),
        "missing_reasons": _counts(hand.reason[~there]),
        "landmarks_in_view_share": _share(np.concatenate(in_view)),
        "landmarks_visible_share": _share(hand.visible[measured]),
        "reprojection_px_median": _rounded(np.median, missed_px, 2),
        "reprojection_px_p95": _rounded(lambda v: np.quantile(v, 0.95), missed_px, 2),
        **motion(hand, timestamps_ns),
        "sigma_lateral_mm_median": _rounded(np.median, 1e3 * hand.sigma_lateral_m[there], 1),
        "sigma_ray_mm_median": _rounded(np.median, 1e3 * hand.sigma_ray_m[there], 1),
        "aperture_share": _share(np.isfinite(hand.aperture_m)),
        "aperture_mm_p05_p50_p95": [
            _rounded(lambda v, q=q: np.quantile(v, q), 1e3 * hand.aperture_m, 1)
            for q in (0.05, 0.5, 0.95)
        ],
    }


def _beside_detections(hand: WearerHand, seen: SourceHands, camera: Camera) -> dict[str, Any]:
    apart = apart_palms(hand, seen, camera)
    return {
        "detected_share": _share(np.isfinite(apart)),
        "from_detections_palms_median": _rounded(np.median, apart, 3),
    }


def _in_view(points: Reals, camera: Camera) -> NDArray[np.bool_]:
    uv_px, valid = camera.project(points)
    return np.asarray(valid & camera.in_image(np.where(np.isfinite(uv_px), uv_px, -1e6)))


def reprojection_px(hand: WearerHand, camera: Camera) -> Floats:
    """Distances of fitted to detected landmarks in measured ticks, ``(K,)``."""
    apart = []
    for rows in _batches(hand.state == "measured"):
        uv_px, _ = camera.project(landmark_mixing() @ hand.joints[rows])
        apart.append(np.linalg.norm(uv_px - hand.raw21_px[rows], axis=-1).ravel())
    distance = np.concatenate(apart)
    return np.asarray(distance[np.isfinite(distance)])


def _batches(mask: NDArray[np.bool_]) -> list[NDArray[np.intp]]:
    """The rows of a mask, in parts of bounded length."""
    rows = np.flatnonzero(mask)
    return np.array_split(rows, 1 + len(rows) // BATCH)


def bone_spread(points: Floats) -> Floats:
    """How much the lengths of bones vary over ``(T,21,3)``, as a fraction ``(20,)``: of a
    detector's own 3D hands (the fitted ones' do not) or of a device's. NaN for unknown joints.
    """
    rows = points[np.isfinite(points[:, 0]).all(axis=1)]
    if len(rows) < 2:
        return np.zeros(0)
    bones = np.linalg.norm(rows[:, 1:] - rows[:, PARENTS[1:]], axis=-1)
    return np.asarray(bones.std(axis=0) / bones.mean(axis=0))


def motion(hand: WearerHand, timestamps_ns: NDArray[np.int64]) -> dict[str, Any]:
    """Palm speed, and jitter (second differences over √6) in calm moments; head frame."""
    palm = hand.landmarks[:, INDEX["palm"]]
    dt = np.diff(timestamps_ns) / 1e9
    speed = np.linalg.norm(np.diff(palm, axis=0), axis=1) / dt
    second = palm[2:] - 2 * palm[1:-1] + palm[:-2]
    rotation = hand.head_from_palm.rotation
    turn = rotvec_from_matrix(np.swapaxes(rotation[:-1], 1, 2) @ rotation[1:])
    second_turn = np.linalg.norm(np.diff(turn, axis=0), axis=1)
    calm = (speed[1:] < CALM_M_S) & (speed[:-1] < CALM_M_S)
    linear = np.linalg.norm(second, axis=1)[calm] / np.sqrt(6)
    return {
        "speed_m_s_median": _rounded(np.median, speed, 3),
        "speed_m_s_p99": _rounded(lambda v: np.quantile(v, 0.99), speed, 3),
        "calm_jitter_mm": _rounded(np.median, 1e3 * linear, 2),
        "calm_jitter_deg": _rounded(np.median, np.degrees(second_turn[calm]) / np.sqrt(6), 2),
    }


def _share(mask: NDArray[Any]) -> float | None:
    return round(float(np.mean(mask)), 4) if mask.size else None


def _counts(values: NDArray[np.object_]) -> dict[str, int]:
    names, counts = np.unique(values.astype(str), return_counts=True)
    return dict(zip(names.tolist(), counts.tolist(), strict=True))


def _figure(value: float, digits: int) -> float | None:
    """The value; None where it is not known."""
    return round(value, digits) if np.isfinite(value) else None


def _rounded(figure: Any, values: Floats, digits: int) -> float | None:
    """A figure of the finite values; None if there are none."""
    finite = values[np.isfinite(values)]
    return round(float(figure(finite)), digits) if finite.size else None
