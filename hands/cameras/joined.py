"""The head's evidence joined with what other cameras' pictures show of the same hands."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import SIDES
from hands.cameras.bent_wrists import bent_in_turn, loose
from hands.cameras.carried import carried
from hands.cameras.look_again import OtherCameras, Readings
from hands.cameras.own_cameras import bent_as_read, mounts_of, seen_in_own
from hands.cameras.second_views import WRISTS, SecondView
from hands.cameras.several_views import Checked, checked, tick_evidence
from hands.cameras.size_from_straps import length_from_straps
from hands.cameras.size_from_views import length_from_views, seen_twice
from hands.cameras.strapped import hardly_read, held_alone, overruled, unseen_by_head
from hands.config import HandsConfig
from hands.model.bones import own_bones
from hands.model.evidence import MIRROR, Evidence
from hands.model.proportions import HandShape
from hands.model.usual_posture import usual_posture
from hands.reconstruct import HandTrack

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LOOK_S = 0.065  # between looks: the fit over time knows what lies between them
LEAST_FRAMES = 5  # of a hand; of fewer no other camera's pictures are worth it
PALM_SIGMA = 0.03  # of log lengths: how far palms differ in proportion at one hand length


@dataclass(frozen=True, eq=False)
class Joined:
    """evidence: left and right, with the views.   tracks: the head's, to start from.   shape: at
    the length that the views tell, where nobody measured it.   others: the cameras.   checked: by
    view's name.   asked_m: ``(K,)`` hand lengths that single frames ask for.   overruled: ``(T,2)``
    where the head's hand cannot be the one that carries the camera, or the head hardly reads it.
    """

    evidence: list[Evidence]
    tracks: list[HandTrack]
    shape: HandShape
    others: OtherCameras
    checked: dict[str, Checked]
    asked_m: Floats
    overruled: Bools
    unseen: Bools

    @property
    def helps(self) -> bool:
        """Whether any hand was seen by a second camera."""
        return any(one.views for one in self.evidence)

    def sources(self, head: str) -> NDArray[np.object_]:
        """``(T,2)`` who found the hand: the head's source, or the camera that it carries."""
        alone = self.overruled | self.unseen
        return np.where(alone, "wrist_camera", head).astype(object)


def joined(
    evidence: list[Evidence],
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    others: OtherCameras,
    times_s: Floats,
    config: HandsConfig,
) -> Joined:
    """tracks: left and right as the head alone gave them."""
    if shape.scale_source == "prior":
        tracks, shape = _sized(evidence, tracks, shape, others=others, config=config)
    evidence, tracks, wrong, unseen = _checked_on_cameras(
        evidence, tracks, shape, others=others, times_s=times_s, config=config
    )
    alone = wrong | unseen
    looks = _looked(tracks, shape, others=others, times_s=times_s, alone=alone)
    mounts = mounts_of(evidence, tracks, shape, others=others, config=config)
    tracks = bent_as_read(
        evidence,
        tracks,
        shape,
        looks=looks,
        mounts=mounts,
        others=others,
        alone=alone,
        config=config,
    )
    found = {
        view.name: checked(view, looks[view.name], tracks, shape=shape, sigma=config.landmark_sigma)
        for view in others.views
    }
    joint = _with_views(evidence, found, others=others, times_s=times_s, config=config)
    twice = [seen_twice(one) for one in joint if one.views]
    before = shape
    shape, asked = length_from_views(
        twice, shape, guess_sigma_m=config.guess_sigma_m, frames=config.bone_frames
    )
    if len(asked):
        shape = own_bones(
            twice,
            shape,
            guess_sigma_m=config.guess_sigma_m,
            frames=config.bone_frames,
            palm_sigma=PALM_SIGMA,
        )
        if shape.scale_source == "prior":
            shape = replace(shape, scale_source=_main_kind(others.views, found))
    tracks = [_at_length(track, shape.length_m / before.length_m) for track in tracks]
    mounts = mounts_of(joint, tracks, shape, others=others, config=config)
    joint = [
        replace(one, views=(*one.views, loose(mount, alone[:, s]))) if mount is not None else one
        for s, (one, mount) in enumerate(zip(joint, mounts, strict=True))
    ]
    joint = [
        carried(one, track, shape, times_s=times_s, config=config) if one.views else one
        for one, track in zip(joint, tracks, strict=True)
    ]
    return Joined(joint, tracks, shape, others, found, asked, wrong, unseen)


def _checked_on_cameras(
    evidence: list[Evidence],
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    others: OtherCameras,
    times_s: Floats,
    config: HandsConfig,
) -> tuple[list[Evidence], list[HandTrack], Bools, Bools]:
    """Both hands without what they cannot be, by the places of the cameras that they carry, and
    with what only those know.   Also where ``(T,2)`` they were overruled, and where unseen.
    """
    evidence, tracks = list(evidence), list(tracks)
    wrong, unseen = np.zeros((2, len(evidence[0]), len(SIDES)), dtype=bool)
    for last in (False, True):  # what is wrong spoils the first idea of the mount
        for s, mount in enumerate(mounts_of(evidence, tracks, shape, others=others, config=config)):
            more = overruled(evidence[s], tracks[s].poses, mount=mount) if mount else None
            if mount is None or more is None:
                continue
            more |= hardly_read(evidence[s]) & mount.seen
            wrong[:, s] |= more
            if last:
                unseen[:, s] = unseen_by_head(
                    evidence[s], mount=mount, wrong=wrong[:, s], times_s=times_s
                )
            rows = more | unseen[:, s]
            evidence[s], poses = held_alone(
                evidence[s], tracks[s].poses, shape, mount=mount, rows=rows
            )
            state = np.where(rows, "measured", tracks[s].state)
            tracks[s] = replace(tracks[s], poses=poses, state=state)
    for s, alone in enumerate((wrong | unseen).T):
        evidence[s], tracks[s] = _postured(evidence[s], tracks[s], rows=alone, times_s=times_s)
    return evidence, tracks, wrong, unseen


def _postured(
    evidence: Evidence, track: HandTrack, *, rows: Bools, times_s: Floats
) -> tuple[Evidence, HandTrack]:
    """The same, but in some rows fingers are as the head's other frames make one expect."""
    angles = track.poses.angles
    known = evidence.read & (track.state == "measured")
    usual = usual_posture(angles, known, times_s)
    usual, angles = (np.where(rows[:, None], usual, one) for one in (evidence.posture, angles))
    poses = replace(track.poses, angles=angles)
    return replace(evidence, posture=usual), replace(track, poses=poses)


def _sized(
    evidence: list[Evidence],
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    others: OtherCameras,
    config: HandsConfig,
) -> tuple[list[HandTrack], HandShape]:
    """Hands of the size that the cameras they carry tell, so that they are looked for in pictures
    where they are.
    """
    pairs = seen_in_own(evidence, tracks, shape, others=others, config=config)
    seen = [one for one in pairs if one is not None]
    if not seen:
        return tracks, shape
    sized = length_from_straps(seen, shape)
    return [_at_length(track, sized.length_m / shape.length_m) for track in tracks], sized


def _looked(
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    others: OtherCameras,
    times_s: Floats,
    alone: Bools,
) -> dict[str, Readings]:
    """By the view's name, what its pictures show where the tracks have the hands. alone: ``(T,2)``
    where only the camera that it carries knows of the hand, but not how the wrist is bent.
    """
    slots = np.floor(times_s / LOOK_S).astype(np.int64)
    expected = [
        replace(track, poses=bent_in_turn(track.poses, slots, rows=alone[:, s]))
        for s, track in enumerate(tracks)
    ]
    joints = np.stack([_in_head(one, s, shape) for s, one in enumerate(expected)], axis=1)
    joints[np.diff(slots, prepend=-1) == 0] = np.nan

    return {
        view.name: others.look(view, _without_known(joints, view, others)) for view in others.views
    }


def _without_known(joints: Floats, view: SecondView, others: OtherCameras) -> Floats:
    """The hands ``(T,2,21,3)`` that are worth a look in a wrist camera: the other hand only while
    its own camera is not located.
    """
    asked = joints.copy()
    for own in others.views:
        if own is not view and view.name in WRISTS and own.name in WRISTS:
            asked[own.head_from_camera.finite, SIDES.index(WRISTS[own.name])] = np.nan
    return asked


def _with_views(
    evidence: list[Evidence],
    found: dict[str, Checked],
    *,
    others: OtherCameras,
    times_s: Floats,
    config: HandsConfig,
) -> list[Evidence]:
    lift, sigma = config.source == "mediapipe" and config.lifter, config.landmark_sigma
    joint = [
        replace(
            one,
            views=tuple(
                tick_evidence(
                    view, found[view.name], side=s, times_s=times_s, sigma=sigma, lift=lift
                )
                for view in others.views
            ),
        )
        for s, one in enumerate(evidence)
    ]
    return [one if one.twice.sum() >= LEAST_FRAMES else replace(one, views=()) for one in joint]


def _at_length(track: HandTrack, factor: float) -> HandTrack:
    """The track of a hand that is larger, seen from the head: farther."""
    poses = replace(track.poses, position=track.poses.position * factor)
    return replace(track, poses=poses)


def _in_head(track: HandTrack, side: int, shape: HandShape) -> Floats:
    """``(T,21,3)``, NaN where the hand was not seen."""
    joints = track.poses.joints(shape) * (MIRROR if side == 0 else 1.0)
    return np.where((track.state == "measured")[:, None, None], joints, np.nan)


def _main_kind(views: Sequence[SecondView], found: dict[str, Checked]) -> str:
    """The kind of the views that saw most."""
    used: dict[str, int] = {}
    for view in views:
        used[view.kind] = used.get(view.kind, 0) + int(found[view.name].used.sum())
    return max(used, key=lambda kind: used[kind])
