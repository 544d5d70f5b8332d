"""The head's evidence joined with what other cameras' pictures show of the same hands."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import SIDES
from hands.cameras.look_again import OtherCameras
from hands.cameras.second_views import WRISTS, SecondView
from hands.cameras.several_views import Checked, checked, tick_evidence
from hands.cameras.size_from_views import length_from_views, seen_twice
from hands.cameras.strapped import strapped
from hands.config import HandsConfig
from hands.model.bones import own_bones
from hands.model.evidence import MIRROR, Evidence
from hands.model.proportions import HandShape
from hands.reconstruct import HandTrack

Floats = NDArray[np.float64]

PALM_SIGMA = 0.03  # of log lengths: how far palms differ in proportion at one hand length


@dataclass(frozen=True, eq=False)
class Joined:
    """evidence: left and right, with the views.   shape: at the length that the views tell, where
    nobody measured it.   others: the cameras.   checked: by view's name.   asked_m: ``(K,)`` hand
    lengths that single frames ask for.
    """

    evidence: list[Evidence]
    shape: HandShape
    others: OtherCameras
    checked: dict[str, Checked]
    asked_m: Floats

    @property
    def helps(self) -> bool:
        """Whether any hand was seen by a second camera."""
        return any(one.views for one in self.evidence)


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
    lift = config.source == "mediapipe" and config.lifter
    sigma = config.landmark_sigma
    joints = np.stack([_in_head(tracks[s], s, shape) for s in range(len(SIDES))], axis=1)
    with ThreadPoolExecutor(len(others.views)) as pool:  # the network works outside Python's lock
        looks = list(pool.map(lambda view: others.look(view, joints), others.views))
    found = {
        view.name: checked(view, readings, tracks, shape=shape, sigma=sigma)
        for view, readings in zip(others.views, looks, strict=True)
    }
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
    joint = [one if _any_seen(one) else replace(one, views=()) for one in joint]
    twice = [seen_twice(one) for one in joint if one.views]
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
    joint = [
        _on_its_camera(one, tracks[s], shape, others=others, side=s, config=config)
        for s, one in enumerate(joint)
    ]
    return Joined(joint, shape, others, found, asked)


def _on_its_camera(
    evidence: Evidence,
    track: HandTrack,
    shape: HandShape,
    *,
    others: OtherCameras,
    side: int,
    config: HandsConfig,
) -> Evidence:
    """The evidence with where the hand sits in the camera that it carries."""
    for view in others.views:
        if WRISTS.get(view.name) == SIDES[side]:
            mount = strapped(evidence, track, shape, view=view, side=side, config=config)
            if mount is not None:
                return replace(evidence, views=(*evidence.views, mount))
    return evidence


def _any_seen(evidence: Evidence) -> bool:
    return any(view.seen.any() for view in evidence.views)


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
