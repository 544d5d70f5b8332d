"""Follows one wrist camera through its pictures, from a pose that is known.

Optical flow on the points found last says about where the camera is now; the map's points are then
looked for from there, so errors do not add up. A frame counts only where many points agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.cameras import Camera
from core.geometry.rotations import rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.sight.localise import View, ransac_pose, refine_pose
from slam.sight.rays import rays_of
from slam.wrist.bridging import Bridge
from slam.wrist.landmarks import Landmarks, project
from slam.wrist.search import MOST_POINTS, search
from slam.wrist.sighting import Sighting, sighting_of

LEAST_INLIERS, LEAST_SHARE = 30, 0.55  # agreeing points, and their share of those found
START_POINTS = 320  # looked for where nothing is known of what is in view
WELL_SEEN, ENOUGH_POINTS = 60, 120  # agreed the last time: then so many are looked for
OUTLIER_PX, SIGMA_PX = 4.0, 1.5
START_RADII_PX, WIDE_RADII_PX, RADII_PX = (24, 12, 6), (20, 10, 6), (7,)
WIDE_PX = 16  # from this radius on the points found are sampled, not averaged
ROUNDS = 4  # of refining a pose that is nearly right
LOOK_EVERY = 3  # frames between are posed by flow alone
LOOK_AGAIN = 6  # the same where the map was not found the last time: by corners of its own
MOST_MISSED = 4  # frames in a row that may show too little before the camera is lost
MOST_DRIFT_M = 0.012  # along any axis: a camera that was carried on for too long is lost
APART_SHARE, APART_RAD = 0.08, 0.06  # flow and map: of the points' distance, and turned
LEAST_FLOW, MOST_FLOW, ROUND_TRIP_PX = 8, 80, 1.0  # points: looked for, they come well spread
NONE = np.zeros(0, np.int64)
FLOW: dict[str, Any] = {
    "winSize": (21, 21),
    "maxLevel": 3,
    "criteria": (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.02),
    "flags": cv2.OPTFLOW_USE_INITIAL_FLOW,
}


@dataclass(frozen=True, eq=False)
class _Known:
    """A posed frame: rows of the landmarks found last, and pixels ``(N,2)`` and places of those
    that were found in this very frame."""

    camera_from_world: SE3
    row: Ints
    uv_px: Floats
    points: Floats
    sighting: Sighting


class Tracker:
    """One camera's pictures over a stretch, and the landmarks around.

    times_ns: of the pictures.   landmark_ns: of the pictures that the landmarks' patches are from.
    """

    def __init__(
        self,
        camera: Camera,
        pictures: Sequence[Any],
        landmarks: Landmarks,
        *,
        bridge: Bridge,
        times_ns: Ints,
        landmark_ns: Ints,
    ) -> None:
        self._bridge = bridge
        self._camera, self._pictures, self._landmarks = camera, pictures, landmarks
        self._times_ns, self._landmark_ns = times_ns, landmark_ns

    def settle(self, frame: int, proposed: SE3) -> Sighting | None:
        """A proposed world_from_camera made exact; None where the map's points deny it."""
        found = self._look(frame, proposed.inverse(), START_RADII_PX)
        return None if found is None else found.sighting

    def follow(
        self, frame: int, start: Sighting, *, step: int, seen: dict[int, Sighting]
    ) -> dict[int, Sighting]:
        """On from ``frame``, whose pose is known, forward (step 1) or back (-1).

        Ends where the camera is lost or a frame that was seen is reached.
        """
        run: dict[int, Sighting] = {}
        known = self._look(frame, start.world_from_camera.inverse(), RADII_PX)
        known, missed = known or _unseen(start, NONE), 0
        moved = SE3.identity()  # now_from_before: the camera is taken to move on as it did
        while missed <= MOST_MISSED:
            before, frame = known, frame + step
            if not 0 <= frame < len(self._pictures) or frame in seen:
                break
            found, counts = self._step(before, moved, (frame - step, frame), lost=missed > 0)
            if found is None:
                break
            known, missed = found, 0 if counts else missed + 1
            moved = known.camera_from_world @ before.camera_from_world.inverse()
            if counts:
                run[frame] = known.sighting
                self._bridge.told({frame: known.sighting})
        return run

    def _step(
        self, before: _Known, moved: SE3, frames: tuple[int, int], *, lost: bool
    ) -> tuple[_Known | None, bool]:
        """The next frame, and whether it counts: not where flow alone says so for want of points.

        frames: before and now.   lost: the frame before did not count.
        """
        guess, unseen = moved @ before.camera_from_world, before.sighting.unseen + 1
        flowed = self._flow(before, guess, frames)
        far = lost or unseen > LOOK_EVERY
        carried = self._carried(before, guess, frames) if far or flowed is None else None
        near = carried or flowed
        if near is not None and not lost and frames[1] % (LOOK_AGAIN if far else LOOK_EVERY):
            return near, carried is not None or near.sighting.inliers >= LEAST_INLIERS
        wide = far or near is None
        guess_now = guess if near is None else near.camera_from_world
        radii_px = WIDE_RADII_PX if wide else RADII_PX
        found = self._look(frames[1], guess_now, radii_px, wanted=before.row)
        if found is not None and (near is None or _agree(found.sighting, near.sighting)):
            return found, True
        carried = carried or self._carried(before, guess, frames)
        return carried or flowed, carried is not None

    def _carried(self, before: _Known, guess: SE3, frames: tuple[int, int]) -> _Known | None:
        """The next frame by the wrist's own corners alone, while they say well enough where."""
        found = self._bridge.pose(frames[1], guess, step=frames[1] - frames[0])
        if found is None or found.sigma_m > MOST_DRIFT_M:
            return None
        return _unseen(replace(found, unseen=before.sighting.unseen + 1), before.row)

    def _look(
        self, frame: int, guess: SE3, radii_px: Sequence[int], *, wanted: Ints = NONE
    ) -> _Known | None:
        """The pose from the map's points, looked for within ever smaller radii around a guessed
        camera_from_world.   wanted: landmarks to look for first, seen just before."""
        away = np.abs(self._landmark_ns - self._times_ns[frame])
        away[wanted] = -1
        rows = np.argsort(away, kind="stable")
        most = MOST_POINTS if len(wanted) else START_POINTS
        known = None
        for radius in radii_px:
            found = search(
                self._pictures[frame],
                self._landmarks,
                rows,
                camera=self._camera,
                camera_from_world=guess,
                radius_px=radius,
                most=most if len(wanted) < WELL_SEEN else ENOUGH_POINTS,
            )
            if len(found.row) < LEAST_INLIERS:
                return None
            if radius >= WIDE_PX:
                guess = ransac_pose(found.view, outlier_px=OUTLIER_PX) or guess
            known = _posed(found.view, (found.row, found.uv_px), guess)
            if known.sighting.inliers < LEAST_SHARE * len(found.row) and radius == radii_px[-1]:
                return None
            guess, rows = known.camera_from_world, found.row
        enough = known is not None and known.sighting.inliers >= LEAST_INLIERS
        return known if enough else None

    def _flow(self, known: _Known, guess: SE3, frames: tuple[int, int]) -> _Known | None:
        """The next frame by optical flow alone, from a guessed camera_from_world; None where too
        few points moved alike."""
        before, after = (self._pictures[frame] for frame in frames)
        start, points = known.uv_px[:MOST_FLOW].astype(np.float32), known.points[:MOST_FLOW]
        row = known.row[:MOST_FLOW]
        if len(start) < LEAST_FLOW:
            return None
        ahead, inside = project(self._camera, guess, points)
        ahead = np.where(inside[:, None], ahead, start).astype(np.float32)
        moved, status, _ = cv2.calcOpticalFlowPyrLK(before, after, start, ahead, **FLOW)
        back, status_back, _ = cv2.calcOpticalFlowPyrLK(after, before, moved, start.copy(), **FLOW)
        good = (status & status_back).ravel() > 0
        good &= np.linalg.norm(back - start, axis=1) < ROUND_TRIP_PX
        uv = moved[good].astype(np.float64)
        rays, rad_per_px, valid = rays_of(self._camera, uv)
        view = View(points[good][valid], rays[valid], rad_per_px[valid])
        if valid.sum() < LEAST_FLOW:
            return None
        found = _posed(view, (row[good][valid], uv[valid]), guess)
        if found.sighting.inliers < max(LEAST_FLOW, 0.5 * len(view.points)):
            return None
        return replace(found, sighting=replace(found.sighting, unseen=known.sighting.unseen + 1))


def _posed(view: View, seen: tuple[Ints, Floats], guess: SE3) -> _Known:
    """The pose that most points of a view agree on, near a guessed camera_from_world.

    seen: the points' rows among the landmarks, and their pixels.
    """
    row, uv_px = seen
    found = refine_pose(view, guess, sigma_px=SIGMA_PX, outlier_px=OUTLIER_PX, rounds=ROUNDS)
    sighting, agree = sighting_of(found, view), found.inlier
    camera_from_world = sighting.world_from_camera.inverse()
    return _Known(camera_from_world, row[agree], uv_px[agree], view.points[agree], sighting)


def _unseen(sighting: Sighting, row: Ints) -> _Known:
    """A frame in which no landmark was found. row: of those found last."""
    none = np.zeros((0, 2)), np.zeros((0, 3))
    return _Known(sighting.world_from_camera.inverse(), row, *none, sighting)


def _agree(first: Sighting, second: Sighting) -> bool:
    """Whether two ways to one frame's pose lead to the same."""
    one, other = first.world_from_camera, second.world_from_camera
    turn = np.linalg.norm(rotvec_from_matrix(one.rotation.T @ other.rotation))
    apart = np.linalg.norm(one.translation - other.translation)
    return bool(apart < APART_SHARE * first.depth and turn < APART_RAD)
