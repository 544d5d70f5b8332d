"""Both hands in the cameras that they carry: where they sit there, and how their pictures have them
bent.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import SIDES
from hands.cameras.bent_wrists import as_read
from hands.cameras.look_again import OtherCameras, Readings
from hands.cameras.second_views import WRISTS, SecondView
from hands.cameras.several_views import one_side
from hands.cameras.strapped import Sightings, sightings, strapped
from hands.config import HandsConfig
from hands.model.evidence import Evidence
from hands.model.proportions import HandShape
from hands.model.view_evidence import MountEvidence
from hands.reconstruct import HandTrack

Bools = NDArray[np.bool_]


def mounts_of(
    evidence: list[Evidence],
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    others: OtherCameras,
    config: HandsConfig,
) -> list[MountEvidence | None]:
    """Left and right in the cameras that they carry; None without one that tells."""
    seen = seen_in_own(evidence, tracks, shape, others=others, config=config)
    views = _own_cameras(others)
    return [
        strapped(seen[s], shape, view=views[side], side=s) if side in views else None
        for s, side in enumerate(SIDES)
    ]


def seen_in_own(
    evidence: list[Evidence],
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    others: OtherCameras,
    config: HandsConfig,
) -> list[Sightings | None]:
    """Left and right as the cameras that they carry have them; None without one, or for too few
    frames.
    """
    views = _own_cameras(others)
    return [
        sightings(evidence[s], tracks[s], shape, view=views[side], side=s, config=config)
        if side in views
        else None
        for s, side in enumerate(SIDES)
    ]


def _own_cameras(others: OtherCameras) -> dict[str, SecondView]:
    """By the side that carries it."""
    return {WRISTS[view.name]: view for view in others.views if view.name in WRISTS}


def bent_as_read(
    evidence: list[Evidence],
    tracks: list[HandTrack],
    shape: HandShape,
    *,
    looks: dict[str, Readings],
    mounts: list[MountEvidence | None],
    others: OtherCameras,
    alone: Bools,
    config: HandsConfig,
) -> list[HandTrack]:
    """The tracks, wrists bent as their own cameras show them where nobody else sees the hand."""
    views, tracks = _own_cameras(others), list(tracks)
    for s, mount in enumerate(mounts):
        if mount is None or not alone[:, s].any():
            continue
        own = views[SIDES[s]]
        read = one_side(own, looks[own.name], side=s, sigma=config.landmark_sigma)
        poses = as_read(
            tracks[s].poses, evidence[s], shape,
            view=read, mount=mount, rows=alone[:, s], config=config,
        )  # fmt: skip
        tracks[s] = replace(tracks[s], poses=poses)
    return tracks
