"""Both hands of the wearer over a session: arrays in, arrays out, head frame = head camera."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.landmarks import INDEX, SIDES, landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from core.geometry.se3 import SE3
from hands.association import Association, Candidates, associate
from hands.cameras.joined import Joined, joined
from hands.cameras.look_again import OtherCameras
from hands.config import HandsConfig
from hands.lift import candidates, cut_by_the_edge, evidence_of, raw_in_head
from hands.model.bones import own_bones
from hands.model.evidence import MIRROR, Evidence
from hands.model.lifter import lifted
from hands.model.proportions import HandShape
from hands.model.uncertainty import sigmas
from hands.model.visibility import SURE, SURE_UNPLACED, visible_landmarks
from hands.reconstruct import NOT_A_HAND_OF_THE_WEARER, HandTrack, reconstruct
from hands.sources import SourceHands

Floats = NDArray[np.float64]

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
    joints: Floats
    landmarks: Floats
    raw21: Floats
    raw21_px: Floats
    sigma_lateral_m: Floats
    sigma_ray_m: Floats
    visible: NDArray[np.bool_]
    head_from_palm: SE3
    palm_sigma_m: Floats
    palm_sigma_rad: Floats
    aperture_m: Floats
    state: NDArray[np.object_]
    reason: NDArray[np.object_]
    offset: Floats


@dataclass(frozen=True, eq=False)
class Wearer:
    """hands: by side.   shape: the operator's hand as it was fitted.   association: what became of
    every detection.   joined: what other views added; None without them.
    """

    hands: dict[str, WearerHand]
    shape: HandShape
    association: Association
    joined: Joined | None = None


def wearer_hands(
    hands: SourceHands,
    *,
    timestamps_ns: NDArray[np.int64],
    camera: Camera,
    shape: HandShape,
    config: HandsConfig,
    others: OtherCameras | None = None,
) -> Wearer:
    """Associate, estimate bones, fit, smooth and describe both hands. ``shape``: before the bones
    are known.   others: cameras whose pictures are fitted together with the head's.
    """
    found, association, evidence = evidence_in(
        hands, ticks=len(timestamps_ns), camera=camera, config=config
    )
    times_s = (timestamps_ns - timestamps_ns[0]) / 1e9 if len(timestamps_ns) else np.zeros(0)
    shape = own_bones(
        evidence, shape, guess_sigma_m=config.guess_sigma_m, frames=config.bone_frames
    )
    tracks = _fitted(evidence, shape, times_s=times_s, config=config)
    together = None
    if others is not None and others.views:
        together = joined(evidence, tracks, shape, others=others, times_s=times_s, config=config)
        evidence, shape = together.evidence, together.shape
    if together is not None and together.helps:
        tracks = _fitted(evidence, shape, times_s=times_s, config=config, earlier=together.tracks)
    result, pictured = {}, {}
    for s, side in enumerate(SIDES):
        track = tracks[s]
        px = np.full((len(times_s), 21, 2), np.nan)
        seen = association.chosen[:, s] >= 0
        px[seen] = found.raw21_px[association.chosen[seen, s]]
        px[~evidence[s].read] = np.nan
        raw = raw_in_head(evidence[s], shape)
        hand = _described(side, track, shape=shape, times_s=times_s, raw21=raw, raw21_px=px)
        result[side] = known_well(hand, most_sigma_m=config.most_sigma_m)
        pictured[side] = _pictured(side, track, evidence[s].read, shape=shape)
    return Wearer(_with_visibility(result, pictured, camera), shape, association, together)


def _fitted(
    evidence: list[Evidence],
    shape: HandShape,
    *,
    times_s: Floats,
    config: HandsConfig,
    earlier: Sequence[HandTrack | None] = (None, None),
) -> list[HandTrack]:
    """Both sides beside each other: numpy lets go of the interpreter while it works."""

    def one(side: int) -> HandTrack:
        track = earlier[side]
        start = track.poses if track else None
        return reconstruct(evidence[side], shape, times_s=times_s, config=config, start=start)

    with ThreadPoolExecutor(len(SIDES)) as threads:
        return list(threads.map(one, range(len(SIDES))))


def evidence_in(
    hands: SourceHands, *, ticks: int, camera: Camera, config: HandsConfig
) -> tuple[Candidates, Association, list[Evidence]]:
    """What was found, whose each of it is, and what it says of the left and the right hand."""
    found = candidates(hands, camera)
    association = associate(found, ticks, farthest_m=config.farthest_m)
    evidence = []
    for side in range(len(SIDES)):
        one = evidence_of(
            found,
            association,
            side=side,
            camera=camera,
            landmark_sigma=config.landmark_sigma,
        )
        if config.source == "mediapipe" and config.lifter:
            one = lifted(one)
        evidence.append(cut_by_the_edge(one, found, association, side=side, camera=camera))
    return found, association, evidence


def _described(
    side: str,
    track: HandTrack,
    *,
    shape: HandShape,
    times_s: Floats,
    raw21: Floats,
    raw21_px: Floats,
) -> WearerHand:
    there = track.state != "missing"
    measured = track.state == "measured"
    mirror = MIRROR if side == "left" else np.ones(3)
    joints = np.where(there[:, None, None], track.poses.joints(shape) * mirror, np.nan)
    landmarks = landmarks17_from_mediapipe21(joints)
    nearest = _nearest(measured, there)
    count, rows = len(there), np.flatnonzero(there)
    lateral, ray = np.full((count, 17), np.nan), np.full((count, 17), np.nan)
    palm_m, palm_rad = np.full((count, 3), np.nan), np.full((count, 3), np.nan)
    for part in np.array_split(rows, max(1, len(rows) // 400)):
        if not len(part):
            continue
        found = sigmas(
            track.poses.rows(part),
            track.information[nearest[part]],
            shape,
            unseen_s=np.abs(times_s[part] - times_s[nearest[part]]),
            twice=track.twice[nearest[part]],
            over_time=len(times_s) > 2,
        )
        lateral[part], ray[part] = found.lateral_m, found.ray_m
        palm_m[part], palm_rad[part] = found.palm_m, found.palm_rad
    return WearerHand(
        side=side,
        joints=joints,
        landmarks=landmarks,
        raw21=np.where(measured[:, None, None], raw21 * mirror, np.nan),
        raw21_px=np.where(measured[:, None, None], raw21_px, np.nan),
        sigma_lateral_m=lateral,
        sigma_ray_m=ray,
        visible=np.zeros((count, 17), dtype=bool),
        head_from_palm=palm_frame(landmarks, side),
        palm_sigma_m=palm_m,
        palm_sigma_rad=palm_rad,
        aperture_m=np.linalg.norm(
            landmarks[:, INDEX["thumb_tip"]] - landmarks[:, INDEX["index_tip"]], axis=1
        ),
        state=track.state,
        reason=track.reason,
        offset=track.offset,
    )


def known_well(hand: WearerHand, *, most_sigma_m: float) -> WearerHand:
    """The same hand without the rows whose palm is known no better than ``most_sigma_m`` along any
    axis: somewhere in that direction is no pose.
    """
    lost = (hand.palm_sigma_m > most_sigma_m).any(axis=1)
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


def _nearest(measured: NDArray[np.bool_], there: NDArray[np.bool_]) -> NDArray[np.int64]:
    """For each row the nearest measured row (itself, for measured rows)."""
    rows = np.flatnonzero(measured)
    every = np.arange(len(measured))
    if not len(rows):
        assert not there.any()
        return every
    after = np.clip(np.searchsorted(rows, every), 0, len(rows) - 1)
    before = np.clip(after - 1, 0, None)
    closer = np.abs(rows[before] - every) < np.abs(rows[after] - every)
    return rows[np.where(closer, before, after)]


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


def still_sigmas(track: HandTrack, shape: HandShape) -> tuple[Floats, Floats]:
    """Lateral and ray sigmas ``(N,17)`` of unrelated pictures; NaN where no hand was seen."""
    rows = np.flatnonzero(track.state == "measured")
    lateral, ray = np.full((len(track.state), 17), np.nan), np.full((len(track.state), 17), np.nan)
    found = sigmas(
        track.poses.rows(rows),
        track.information[rows],
        shape,
        unseen_s=np.zeros(len(rows)),
        twice=track.twice[rows],
        over_time=False,
    )
    lateral[rows], ray[rows] = found.lateral_m, found.ray_m
    return lateral, ray
