"""From hands in images to evidence in the head frame: rays, their sigmas, first distances."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from hands.association import Association, Candidates
from hands.model.evidence import MIRROR, NO_RAY, Evidence, placed_guess
from hands.model.proportions import HandShape, hand_shape
from hands.sources import SourceHands

Floats = NDArray[np.float64]

BATCH = 2000  # hands that are placed at once
FORWARD = np.array([0.0, 0.0, 1.0])
IMAGINED = 5.0  # times as wrong: landmarks beyond the picture's edge
CUT = 10.0  # how much wronger the rest of a hand is of which all is beyond the edge


def candidates(hands: SourceHands, camera: Camera) -> Candidates:
    """What the association looks at. Distances are those of an average hand of this size in the
    image.
    """
    distance = np.zeros(len(hands))
    for start in range(0, len(hands), BATCH):
        part = slice(start, start + BATCH)
        rays, valid = camera.unproject(hands.raw21_px[part])
        rays = np.where(valid[..., None], rays, FORWARD)
        placed = placed_guess(rays, hands.raw21_in_hand[part], hand_shape(None))
        distance[part] = np.linalg.norm(placed[:, 0], axis=-1)
    found = Candidates(
        row=hands.row,
        left_label=hands.left_label,
        raw21_px=hands.raw21_px,
        points=hands.raw21_in_hand,
        depth_m=distance,
        width_px=camera.size_wh[0],
    )
    without = hand_shape(None).bones_m[2, 0] * camera.focal_px / found.palm_px
    return replace(found, depth_m=np.where(np.isfinite(distance), distance, without))


def evidence_of(
    found: Candidates, association: Association, *, side: int, camera: Camera, landmark_sigma: float
) -> Evidence:
    """The chosen detections of one side (0 left, 1 right), a row per tick, as a right hand's."""
    chosen = association.chosen[:, side]
    seen = chosen >= 0
    count = len(chosen)
    rays = np.broadcast_to(FORWARD, (count, 21, 3)).copy()
    guess = np.full((count, 21, 3), np.nan)
    sigma = np.ones((count, 21))
    if not seen.any():
        return Evidence.of(rays, sigma, guess, seen=seen)
    mine = chosen[seen]
    seen_rays, valid = camera.unproject(found.raw21_px[mine])
    palm_rad = found.palm_px[mine] / camera.focal_px
    mirror = MIRROR if side == 0 else np.ones(3)
    rays[seen] = np.where(valid[..., None], seen_rays, FORWARD) * mirror
    sigma[seen] = np.where(valid, landmark_sigma * palm_rad[:, None], NO_RAY)
    guess[seen] = found.points[mine] * mirror
    return Evidence.of(rays, sigma, guess, seen=seen)


def cut_by_the_edge(
    evidence: Evidence, found: Candidates, association: Association, *, side: int, camera: Camera
) -> Evidence:
    """Landmarks beyond the picture's edge count for little: the detector imagines them, mostly too
    near to the rest. What it reads of the rest of such a hand, and how far that is, is the less
    sure the more is outside.
    """
    chosen = association.chosen[:, side]
    seen = chosen >= 0
    outside = np.zeros(evidence.sigma_rad.shape, dtype=bool)
    outside[seen] = ~camera.in_image(found.raw21_px[chosen[seen]])
    cut = 1.0 + CUT * outside.mean(axis=1)
    return replace(
        evidence,
        sigma_rad=evidence.sigma_rad * np.where(outside, IMAGINED, 1.0) * cut[:, None],
        distance_sigma=evidence.distance_sigma * cut,
    )


def raw_in_head(evidence: Evidence, shape: HandShape) -> Floats:
    """``(T,21,3)`` the source's own hand at the person's size, on its rays; NaN where unseen."""
    points = np.full(evidence.rays.shape, np.nan)
    rows = evidence.seen
    points[rows] = placed_guess(evidence.rays[rows], evidence.guess[rows], shape)
    return points
