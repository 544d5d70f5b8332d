"""What is told of the wearer's hands at every tick: joints, palms, sigmas, what is visible."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import INDEX, SIDES, landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from core.geometry.se3 import SE3
from hands.config import HandsConfig
from hands.lift import raw_in_head
from hands.model.evidence import MIRROR, Evidence
from hands.model.proportions import HandShape
from hands.model.visibility import SURE, SURE_UNPLACED, visible_landmarks
from hands.reconstruct import NOT_A_HAND_OF_THE_WEARER, HandTrack

Floats = NDArray[np.float64]
Reals = NDArray[np.floating[Any]]

TOO_UNCERTAIN = "too uncertain"
BY_ROW = (
    "joints", "landmarks", "raw21", "raw21_px", "sigma_lateral_m", "sigma_ray_m", "palm_sigma_m",
    "palm_sigma_rad", "aperture_m", "offset",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class WearerHand:
    """One side over T ticks, in the head frame. Rows are NaN where state is missing; visible is a
    fact of the picture, told of hands whose place is known too badly, too.

    joints: ``(T,21,3)``.   landmarks: ``(T,17,3)``.   raw21: ``(T,21,3)`` the source's own,
    measured rows.
    sigma_lateral_m, sigma_ray_m: ``(T,17)``.   visible: ``(T,17)``.   head_from_palm: ``(T,)``.
    palm_sigma_m, palm_sigma_rad: ``(T,3)``.   aperture_m: ``(T,)`` thumb tip to index tip, NaN
    unless both are seen.
    state, reason, offset: see `hands.reconstruct.HandTrack`.   raw21_px: ``(T,21,2)`` image
    evidence.
    """

    side: str
    joints: Reals
    landmarks: Reals
    raw21: Reals
    raw21_px: Reals
    sigma_lateral_m: Reals
    sigma_ray_m: Reals
    visible: NDArray[np.bool_]
    head_from_palm: SE3
    palm_sigma_m: Reals
    palm_sigma_rad: Reals
    aperture_m: Reals
    state: NDArray[np.object_]
    reason: NDArray[np.object_]
    offset: Reals

    def stored(self, rows: slice) -> "WearerHand":
        """Some ticks, in single precision, as tables hold them."""
        columns = {name: getattr(self, name)[rows].astype(np.float32) for name in BY_ROW}
        return replace(
            self,
            **columns,
            visible=self.visible[rows],
            head_from_palm=self.head_from_palm[rows],
            state=self.state[rows],
            reason=self.reason[rows],
        )

    @staticmethod
    def concat(parts: Sequence["WearerHand"]) -> "WearerHand":
        """Ticks one after the other."""
        palms = [part.head_from_palm for part in parts]
        columns = {
            name: np.concatenate([getattr(part, name) for part in parts])
            for name in (*BY_ROW, "visible", "state", "reason")
        }
        return replace(
            parts[0],
            **columns,
            head_from_palm=SE3(
                np.concatenate([palm.rotation for palm in palms]),
                np.concatenate([palm.translation for palm in palms]),
            ),
        )


def described(
    evidence: Sequence[Evidence],
    tracks: Sequence[HandTrack],
    shape: HandShape,
    *,
    px: Floats,
    camera: Camera,
    config: HandsConfig,
) -> dict[str, WearerHand]:
    """Both hands, left and right.   px: ``(T,2,21,2)`` what was found in the pictures."""
    result, pictured = {}, {}
    for s, side in enumerate(SIDES):
        hand = _described(side, evidence[s], tracks[s], shape=shape, px=px[:, s])
        most_rad = np.radians(config.most_sigma_deg)
        result[side] = known_well(hand, most_m=config.most_sigma_m, most_rad=most_rad)
        pictured[side] = _pictured(side, tracks[s], evidence[s].read, shape=shape)
    return _with_visibility(result, pictured, camera)


def _described(
    side: str, evidence: Evidence, track: HandTrack, *, shape: HandShape, px: Floats
) -> WearerHand:
    there, measured = (track.state != "missing")[:, None, None], track.state == "measured"
    mirror = MIRROR if side == "left" else np.ones(3)
    joints = np.where(there, track.poses.joints(shape) * mirror, np.nan)
    landmarks = landmarks17_from_mediapipe21(joints)
    read = (measured & evidence.read)[:, None, None]
    raw = raw_in_head(evidence, shape) * mirror
    return WearerHand(
        side=side,
        joints=joints,
        landmarks=landmarks,
        raw21=np.where(measured[:, None, None], raw, np.nan),
        raw21_px=np.where(read, px, np.nan),
        sigma_lateral_m=track.sigmas.lateral_m,
        sigma_ray_m=track.sigmas.ray_m,
        visible=np.zeros(landmarks.shape[:2], dtype=bool),
        head_from_palm=palm_frame(landmarks, side),
        palm_sigma_m=track.sigmas.palm_m,
        palm_sigma_rad=track.sigmas.palm_rad,
        aperture_m=np.linalg.norm(
            landmarks[:, INDEX["thumb_tip"]] - landmarks[:, INDEX["index_tip"]], axis=1
        ),
        state=track.state,
        reason=track.reason,
        offset=track.offset,
    )


def known_well(hand: WearerHand, *, most_m: float, most_rad: float) -> WearerHand:
    """The same hand without the rows whose palm is known no better than this along or about any
    axis: somewhere in that direction, turned somehow, is no pose.
    """
    lost = (hand.palm_sigma_m > most_m).any(axis=1) | (hand.palm_sigma_rad > most_rad).any(axis=1)
    if not lost.any():
        return hand
    columns = {name: getattr(hand, name) for name in BY_ROW}
    blank = {
        name: np.where(np.expand_dims(lost, tuple(range(1, values.ndim))), np.nan, values)
        for name, values in columns.items()
    }
    palm = hand.head_from_palm
    return replace(
        hand,
        **blank,
        head_from_palm=SE3(
            np.where(lost[:, None, None], np.nan, palm.rotation),
            np.where(lost[:, None], np.nan, palm.translation),
        ),
        state=np.where(lost, "missing", hand.state),
        reason=np.where(lost, TOO_UNCERTAIN, hand.reason),
    )


def _pictured(side: str, track: HandTrack, read: NDArray[np.bool_], *, shape: HandShape) -> Floats:
    """``(T,21,3)`` joints where the head's picture shows the hand, placed well or not; else NaN."""
    shown = read & ~np.isin(track.reason.astype(str), NOT_A_HAND_OF_THE_WEARER)
    mirror = MIRROR if side == "left" else np.ones(3)
    return np.where(shown[:, None, None], track.poses.joints(shape) * mirror, np.nan)


def _with_visibility(
    hands: dict[str, WearerHand], pictured: dict[str, Floats], camera: Camera
) -> dict[str, WearerHand]:
    result = {}
    for side, other in (SIDES, SIDES[::-1]):
        hand, joints = hands[side], pictured[side]
        measured = hand.state == "measured"
        visible = visible_landmarks(
            joints,
            landmarks17_from_mediapipe21(joints),
            hands[other].joints,
            camera=camera,
            sure=np.where(measured, SURE, SURE_UNPLACED),
        )
        tips = measured & visible[:, INDEX["thumb_tip"]] & visible[:, INDEX["index_tip"]]
        result[side] = replace(
            hand, visible=visible, aperture_m=np.where(tips, hand.aperture_m, np.nan)
        )
    return result
