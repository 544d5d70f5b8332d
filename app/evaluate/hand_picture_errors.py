"""How far hands in single pictures are from the truth. N: true hands, of 21 joints each."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.figures import Figure, mean, median
from app.evaluate.hand_pictures import Findings, TruthRow
from core.geometry.landmarks import RAW21_MEDIAPIPE, landmarks17_from_mediapipe21
from core.geometry.metrics import point_errors, procrustes, rotation_error_deg, wrist_relative
from core.geometry.palm import palm_frame
from core.geometry.se3 import SE3

Floats = NDArray[np.float64]

MM = 1e3
LEAST_JOINTS = 4  # fewer can be laid on anything


@dataclass(frozen=True, eq=False)
class HandErrors:
    """Joint errors ``(N,21)`` in metres, NaN where the hand was not found or the set has no such
    joint: absolute, with the wrists laid on each other, and after Procrustes alignment.

    flat: absolute, with every wrist at the truth's median depth.   pixels ``(N,21)``.
    palm_m, palm_deg ``(N,)``.   rows: the hands themselves.
    """

    rows: Sequence[TruthRow]
    absolute: Floats
    relative: Floats
    aligned: Floats
    flat: Floats
    pixels: Floats
    palm_m: Floats
    palm_deg: Floats

    def figures(self, findings: Findings) -> list[Figure]:
        """The numbers people compare."""
        found = [row for row in self.rows if row.found is not None]
        sided = [row for row in found if row.truth.side is not None]
        right = [row.found is not None and row.found.side == row.truth.side for row in sided]
        measured = int(np.isfinite(self.relative).any(axis=1).sum())
        hands = f"{measured} hands"
        per = findings.complete
        figures = [
            Figure("hands", "found", _share(len(found), len(self.rows)), "share",
                   f"of {len(self.rows)} true hands in {findings.pictures} pictures"),
            Figure("hands", "side is right", mean(right), "share",
                   f"of {len(sided)} found whose side is known"),
            Figure("hands", "invented", float(findings.invented) if per else float("nan"), "",
                   f"in {per} pictures whose hands are all in the truth"),
            Figure("hands", "pixel error", mean(_finite(self.pixels)), "px", "the detector's own"),
        ]  # fmt: skip
        if not measured:
            return figures
        return [
            *figures,
            Figure("hands", "MPJPE", _mm(self.absolute), "mm", f"in the camera, {hands}"),
            Figure("hands", "MPJPE at one depth", _mm(self.flat), "mm",
                   "every wrist at the truth's median depth"),
            Figure("hands", "MPJPE wrist-relative", _mm(self.relative), "mm", hands),
            Figure("hands", "MPJPE Procrustes", _mm(self.aligned), "mm", hands),
            Figure("hands", "palm position", MM * median(_finite(self.palm_m)), "mm", "median"),
            Figure("hands", "palm rotation", median(_finite(self.palm_deg)), "deg", "median"),
        ]  # fmt: skip

    def per_joint(self) -> dict[str, dict[str, float | None]]:
        """Mean errors in millimetres of every joint by name; None where the set has none."""
        kinds = {"absolute": self.absolute, "relative": self.relative, "aligned": self.aligned}
        table: dict[str, dict[str, float | None]] = {}
        for joint, name in enumerate(RAW21_MEDIAPIPE):
            means = {kind: MM * mean(_finite(errors[:, joint])) for kind, errors in kinds.items()}
            table[name] = {kind: None if np.isnan(v) else v for kind, v in means.items()}
        return table


def hand_errors(rows: Sequence[TruthRow], joints: Floats) -> HandErrors:
    """Errors of reconstructed joints ``(N,21,3)``."""
    truth = np.array([row.truth.joints_in_camera for row in rows]).reshape(-1, 21, 3)
    depth = np.median(_finite(truth[:, 0, 2])) if np.isfinite(truth[:, 0, 2]).any() else np.nan
    flat = joints * (depth / joints[:, :1, 2:])
    palm_m, palm_deg = _palms(rows, joints, truth)
    return HandErrors(
        rows=rows,
        absolute=point_errors(joints, truth),
        relative=point_errors(wrist_relative(joints), wrist_relative(truth)),
        aligned=aligned_errors(joints, truth),
        flat=point_errors(flat, truth),
        pixels=np.array([_pixels(row) for row in rows]).reshape(-1, 21),
        palm_m=palm_m,
        palm_deg=palm_deg,
    )


def aligned_errors(joints: Floats, truth: Floats) -> Floats:
    """``(N,21)`` after the best rotation, translation and scale, hand by hand, over the joints that
    both have.
    """
    errors = np.full(joints.shape[:2], np.nan)
    known = np.isfinite(joints).all(-1) & np.isfinite(truth).all(-1)
    for pattern in np.unique(known, axis=0):
        if pattern.sum() < LEAST_JOINTS:
            continue
        rows = np.flatnonzero((known == pattern).all(axis=1))
        place = np.ix_(rows, np.flatnonzero(pattern))
        errors[place] = point_errors(procrustes(joints[place], truth[place]), truth[place])
    return errors


def _palms(rows: Sequence[TruthRow], joints: Floats, truth: Floats) -> tuple[Floats, Floats]:
    sides = np.array([row.side for row in rows], dtype=object)
    metres, degrees = np.full(len(rows), np.nan), np.full(len(rows), np.nan)
    for side in ("left", "right"):
        mine = np.flatnonzero(sides == side)
        ours, exact = (_frames(points[mine], side) for points in (joints, truth))
        both = ours.finite & exact.finite
        mine, ours, exact = mine[both], ours[both], exact[both]
        metres[mine] = point_errors(ours.translation, exact.translation)
        degrees[mine] = rotation_error_deg(ours.rotation, exact.rotation)
    return metres, degrees


def _frames(points: Floats, side: str) -> SE3:
    return palm_frame(landmarks17_from_mediapipe21(points), side)


def _pixels(row: TruthRow) -> Floats:
    if row.found is None:
        return np.full(21, np.nan)
    return np.asarray(np.linalg.norm(row.found.raw21_px - row.truth.px, axis=1))


def _finite(values: Any) -> Floats:
    values = np.asarray(values, dtype=np.float64)
    return np.asarray(values[np.isfinite(values)])


def _mm(errors: Floats) -> float:
    return MM * mean(_finite(errors))


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
