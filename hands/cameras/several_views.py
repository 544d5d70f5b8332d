"""What other cameras' pictures showed of the hands, checked, and as evidence at the head's ticks.

A hand was read where the head's fit says that it must be. What was read is held against that, the
errors of both and of the camera's place in mind: it may be something else. Pictures of other
moments than the ticks' are brought to them along the line to the next one.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from core.geometry.landmarks import SIDES
from hands.cameras.look_again import Readings
from hands.cameras.second_views import WRISTS, SecondView
from hands.detection.views import is_same, palm_size_px
from hands.model.evidence import MIRROR, NO_RAY, Evidence, landmark_mixing, normalised
from hands.model.lifter import lifted
from hands.model.proportions import HandShape
from hands.model.view_evidence import ViewEvidence
from hands.model.view_terms import ViewTerms, explained
from hands.reconstruct import HandTrack

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NOT_READ, CONTRADICTS, OTHER_HAND = "not seen", "contradicts the head camera", "the other hand"
HEAD_SINGLE_M = 0.008  # error of single landmarks that the head alone leaves
HEAD_DISTANCE = 0.05  # and of the whole hand's distance, beside the sigma of its size
MISFIT = 2.0  # sigmas of what all landmarks miss together, or of half of them by themselves
UNUSUAL = 4.0  # how much worse hands are read from beside another hand than from a head or a palm
THUMB = slice(1, 5)  # imagined, 20 degrees off and more, where its own wrist camera looks
NEIGHBOUR_S = 0.11  # readings so near in time can be interpolated
MIDDLE_OF_RAYLEIGH = 1.177  # median length of a vector with two normal parts


@dataclass(frozen=True, eq=False)
class Checked:
    """Readings of one view. used: ``(T,2)``.   reason: ``(T,2)`` why a hand that must be in the
    picture was not used, "" for the rest.
    """

    readings: Readings
    used: Bools
    reason: NDArray[np.object_]


def checked(
    view: SecondView, readings: Readings, tracks: list[HandTrack], *, shape: HandShape, sigma: float
) -> Checked:
    """tracks: left and right as the head alone gave them.   sigma: of landmarks, in palms."""
    read = np.isfinite(readings.raw21_px).all(axis=(-1, -2))
    misfit = np.full(read.shape, np.inf)
    for s in range(2):
        rows = np.flatnonzero(read[:, s])
        misfit[rows, s] = _misfit(
            one_side(view, readings, side=s, sigma=sigma)[rows], tracks[s], shape, rows=rows
        )
    reason = np.full(read.shape, "", dtype=object)
    reason[readings.looked & ~read] = NOT_READ
    reason[read & (misfit > MISFIT)] = CONTRADICTS
    for tick in np.flatnonzero(read.all(axis=1)):
        if is_same(*readings.raw21_px[tick]):
            worse = int(np.argmax(misfit[tick]))
            reason[tick, worse] = reason[tick, worse] or OTHER_HAND
    return Checked(readings, read & (reason == ""), reason)


def one_side(view: SecondView, readings: Readings, *, side: int, sigma: float) -> ViewEvidence:
    """A row for every tick, as a right hand's; at the pictures' own times."""
    px = readings.raw21_px[:, side]
    count, seen = len(px), np.isfinite(px).all(axis=(1, 2))
    mirror = MIRROR if side == 0 else np.ones(3)
    rays, sigma_rad = np.tile([0.0, 0.0, 1.0], (count, 21, 1)), np.ones((count, 21))
    if seen.any():
        ahead, valid = view.camera.unproject(px[seen])
        palm_rad = np.array([palm_size_px(one) for one in px[seen]]) / view.camera.focal_px
        inside = valid & view.camera.in_image(px[seen])  # beyond the edge they are made up
        rays[seen] = np.where(valid[..., None], ahead, rays[seen]) * mirror
        carried_by = WRISTS.get(view.name)
        if carried_by == SIDES[side]:
            inside[:, THUMB] = False
        unusual = carried_by not in (None, SIDES[side])
        own = sigma * (UNUSUAL if unusual else 1.0) * palm_rad[:, None]
        sigma_rad[seen] = np.where(inside, own, NO_RAY)
    rotation, position, there = camera_in_mirror(view, side)
    return ViewEvidence(
        rotation=rotation,
        position=position,
        rays=rays,
        sigma_rad=sigma_rad,
        seen=seen & there,
        pose_sigma_m=view.pose_sigma_m,
        pose_sigma_rad=view.pose_sigma_rad,
    )


def camera_in_mirror(view: SecondView, side: int) -> tuple[Floats, Floats, Bools]:
    """camera_from_head, rotation ``(T,3,3)`` and position ``(T,3)``, as the side's mirror shows it,
    and where ``(T,)`` it is known.
    """
    mirror = MIRROR if side == 0 else np.ones(3)
    pose, flip = view.head_from_camera.inverse(), np.diag(mirror)
    rotation = np.where(pose.finite[:, None, None], flip @ pose.rotation @ flip, np.eye(3))
    return rotation, np.where(pose.finite[:, None], pose.translation * mirror, 0.0), pose.finite


def tick_evidence(
    view: SecondView, found: Checked, *, side: int, times_s: Floats, sigma: float, lift: bool
) -> ViewEvidence:
    """What was used of one side, brought to the ticks' times."""
    used = found.used[:, side]
    px = np.where(used[:, None, None], found.readings.raw21_px[:, side], np.nan)
    px, speed_px_s = at_ticks(px, times_s + view.late_s, times_s)
    moved = replace(found.readings, raw21_px=np.stack([px, px], axis=1))
    evidence = one_side(view, moved, side=side, sigma=sigma)
    if lift and view.kind == "stereo":  # the lifter knows hands as heads see them
        guess = found.readings.raw21_in_hand[:, side] * (MIRROR if side == 0 else 1.0)
        better = lifted(Evidence.of(evidence.rays, evidence.sigma_rad, guess, seen=evidence.seen))
        evidence = replace(evidence, rays=better.rays)
    doubt_rad = speed_px_s * np.abs(view.late_s) / view.camera.focal_px
    return replace(evidence, sigma_rad=np.hypot(evidence.sigma_rad, doubt_rad[:, None]))


def at_ticks(px: Floats, own_s: Floats, times_s: Floats) -> tuple[Floats, Floats]:
    """Pixels ``(T,21,2)`` of pictures taken at ``own_s`` moved to ``times_s``, along the line to
    the reading on the tick's other side; and the speed ``(T,)`` in px/s that stays in doubt where
    there is none.
    """
    moved, doubt = px.copy(), np.zeros(len(px))
    rows = np.flatnonzero(np.isfinite(px).all(axis=(1, 2)))
    if len(rows) < 2:
        return moved, doubt
    late = own_s[rows] - times_s[rows]
    other = np.clip(np.arange(len(rows)) + np.where(late > 0, -1, 1), 0, len(rows) - 1)
    span = own_s[rows[other]] - own_s[rows]
    near = (span != 0) & (np.abs(span) < NEIGHBOUR_S)
    part = np.where(near, -late / np.where(near, span, 1.0), 0.0)
    step = px[rows[other]] - px[rows]
    moved[rows] += part[:, None, None] * step
    speeds = np.linalg.norm(step, axis=-1).mean(axis=1)[near] / np.abs(span[near])
    doubt[rows[~near]] = np.median(speeds) if len(speeds) else 0.0
    return moved, doubt


def _misfit(view: ViewEvidence, track: HandTrack, shape: HandShape, *, rows: Ints) -> Floats:
    """``(N,)`` how many sigmas readings miss the hand that the head alone knows."""
    terms = ViewTerms.of(view)
    points = landmark_mixing() @ track.poses.rows(rows).joints(shape)
    here = terms.in_camera(points)
    depth = np.maximum(np.sum(here * view.rays, axis=-1), 0.02)
    distance = np.linalg.norm(points.mean(axis=1), axis=-1)
    sigma_m = distance * np.hypot(HEAD_DISTANCE, shape.length_sigma_m / shape.length_m)
    along = np.einsum("nij,nj->ni", view.rotation, normalised(points.mean(axis=1)))
    farther = (terms.across @ (along * sigma_m[:, None])[:, None, :, None])[..., 0]
    modes = np.concatenate(
        [terms.modes(points), (farther / depth[..., None]).reshape(-1, 42, 1)], axis=-1
    )
    known = view.sigma_rad < NO_RAY
    sigma = np.where(known, np.hypot(view.sigma_rad, HEAD_SINGLE_M / depth), NO_RAY)
    told = explained(terms.offsets(points), sigma, modes)
    single = np.nanmedian(np.where(known, told.own, np.nan), axis=1) / MIDDLE_OF_RAYLEIGH
    together = np.sqrt(np.sum(told.shared**2, axis=1) / 3)  # rarely more than three matter
    return np.asarray(np.maximum(single, together))
