"""The hands room on single pictures with true hands: find, lay on the truth, reconstruct.

N: true hands. Every picture stands by itself; nothing is learnt from one for the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from core.geometry.cameras import Camera
from core.session.stage import Progress
from hands.config import HandsConfig, HandsDetectConfig
from hands.detection.model_file import hand_model_path
from hands.detection.views import FoundHand
from hands.model.evidence import MIRROR, Evidence
from hands.model.lifter import lifted
from hands.model.proportions import HandShape
from hands.reconstruct import reconstruct_stills
from hands.stills import StillDetector
from hands.truth_layouts.picture import JOINTS, TrueHand, TruePicture

Floats = NDArray[np.float64]

ON_THE_HAND = 0.5  # mean landmark miss, of the true hand's box diagonal, up to which it is found
CONFIDENCE = 0.3  # a single picture is known to hold a hand: ask for less than in a video
FORWARD = np.array([0.0, 0.0, 1.0])
NO_RAY_SIGMA = 1e3  # where the lens model ends a landmark says nothing


@dataclass(frozen=True, eq=False)
class TruthRow:
    """One true hand and what was found of it (None: not found)."""

    picture: int
    name: str
    camera: Camera | None
    truth: TrueHand
    found: FoundHand | None

    @property
    def side(self) -> str:
        """The true side; where the set does not say, what the detector calls it."""
        return self.truth.side or (self.found.side if self.found else "right")


@dataclass(frozen=True, eq=False)
class Findings:
    """rows: one per true hand.   pictures: looked at.   invented: found where there is no hand, in
    ``complete`` pictures, those whose set names every hand.
    """

    rows: list[TruthRow] = field(default_factory=list)
    pictures: int = 0
    complete: int = 0
    invented: int = 0


def find_hands(
    pictures: Sequence[TruePicture], chosen: NDArray[np.int64], progress: Progress
) -> Findings:
    """Look into the chosen pictures."""
    rows: list[TruthRow] = []
    complete = invented = 0
    progress.total(len(chosen), "pictures")
    config = HandsDetectConfig(
        min_detection_confidence=CONFIDENCE, min_tracking_confidence=CONFIDENCE
    )
    detector = StillDetector(hand_model_path(), config)
    for index in chosen:
        picture = pictures[int(index)]
        found = detector.detect(picture.load())
        matches = laid_on(found, picture.hands)
        rows += [
            TruthRow(int(index), picture.name, picture.camera, truth, None if k < 0 else found[k])
            for truth, k in zip(picture.hands, matches, strict=True)
        ]
        if picture.complete:
            complete += 1
            invented += len(found) - sum(k >= 0 for k in matches)
        progress.advance()
    return Findings(rows, len(chosen), complete, invented)


def laid_on(found: Sequence[FoundHand], truths: Sequence[TrueHand]) -> list[int]:
    """For each true hand the found one that lies on it, -1 for none; no two share one."""
    matches = [-1] * len(truths)
    if not found or not truths:
        return matches
    cost = np.full((len(truths), len(found)), 1e6)
    for i, truth in enumerate(truths):
        known = np.isfinite(truth.px).all(axis=1)
        if not known.any():
            continue
        diagonal = float(np.linalg.norm(np.ptp(truth.px[known], axis=0)))
        for k, hand in enumerate(found):
            miss = np.linalg.norm(hand.raw21_px[known] - truth.px[known], axis=1).mean()
            cost[i, k] = miss / max(diagonal, 1.0)
    for i, k in zip(*linear_sum_assignment(cost), strict=True):
        if cost[i, k] <= ON_THE_HAND:
            matches[int(i)] = int(k)
    return matches


def reconstructed(rows: Sequence[TruthRow], shape: HandShape) -> Floats:
    """Joints ``(N,21,3)`` in each picture's camera; NaN where nothing was found or no camera is
    known.
    """
    config = HandsConfig()
    count = len(rows)
    rays = np.broadcast_to(FORWARD, (count, JOINTS, 3)).copy()
    guess, sigma = np.full((count, JOINTS, 3), np.nan), np.ones((count, JOINTS))
    seen = np.array([row.found is not None and row.camera is not None for row in rows], dtype=bool)
    mirror = np.array([MIRROR if row.side == "left" else np.ones(3) for row in rows])
    for k, row in enumerate(rows):
        if row.found is None or row.camera is None:
            continue
        px = row.found.raw21_px
        seen_rays, valid = row.camera.unproject(px)
        palm_px = max(
            float(np.linalg.norm(px[9] - px[0])), 1.4 * float(np.linalg.norm(px[5] - px[17]))
        )
        palm_rad = palm_px / row.camera.focal_px
        rays[k] = np.where(valid[:, None], seen_rays, FORWARD) * mirror[k]
        sigma[k] = np.where(valid, config.landmark_sigma * palm_rad, NO_RAY_SIGMA)
        guess[k] = row.found.raw21_in_hand * mirror[k]
    if not seen.any():
        return np.full((count, JOINTS, 3), np.nan)
    evidence = lifted(Evidence.of(rays, sigma, guess, seen=seen))
    track = reconstruct_stills(evidence, shape, config=config)
    joints = track.poses.joints(shape) * mirror[:, None]
    return np.where(seen[:, None, None], joints, np.nan)
