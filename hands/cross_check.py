"""Hands that a source placed, laid over the hands that the detector saw in the same pictures.

The two know nothing of each other. Where they lie apart, the extrinsics, the clock or the
calibration of the source is wrong more often than either of them.
"""

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from hands.described import WearerHand
from hands.detection.views import palm_size_px
from hands.model.evidence import landmark_mixing
from hands.sources.protocol import SourceHands

Floats = NDArray[np.float64]

SAME = 3.0  # palms; a detection farther away is another hand
APART = 0.5  # palms; more is no matter of two opinions on where joints lie


def apart_palms(hand: WearerHand, seen: SourceHands, camera: Camera) -> Floats:
    """Per measured tick the mean distance of landmarks to the nearest detection, in its palms;
    NaN where there is none. Joints that the source does not know are left out.
    """
    rows = np.flatnonzero(hand.state == "measured")
    px, valid = camera.project(hand.joints[rows])
    px = _as_landmarks(np.where(valid[..., None], px, np.nan))
    result = np.full(len(rows), np.nan)
    for k, row in enumerate(rows.tolist()):
        for found in seen.raw21_px[seen.row == row]:
            known = np.isfinite(px[k]).all(axis=1)
            if known.any():
                miss = np.linalg.norm(px[k, known] - found[known], axis=1).mean()
                result[k] = np.fmin(result[k], miss / palm_size_px(found))
    return np.where(result < SAME, result, np.nan)


def _as_landmarks(px: Floats) -> Floats:
    """Joints ``(N,21,2)`` where MediaPipe puts its landmarks (`landmark_mixing`); NaN stays where
    it is.
    """
    mixing = landmark_mixing()
    mixed = np.einsum("jk,nkd->njd", mixing, np.nan_to_num(px))
    needs = np.einsum("jk,nk->nj", mixing, (~np.isfinite(px)).any(axis=2).astype(float)) > 0
    return np.where(needs[..., None], np.nan, mixed)
