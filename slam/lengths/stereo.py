"""Depth from a second camera beside the first: corners found again along their epipolar curves.

The second picture is first turned into what the first camera would see from the second one's place,
so any two lenses compare, wide ones too, and only the baseline is left between them. About 0.1 s of
a processor per pair of VGA pictures; only keyframes are compared.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from core.geometry.arrays import Bools, Floats, unit
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.sight.rays import rays_of
from slam.sight.tracks import Observed, Ranges, Tracks

SIGMA_PX = 0.4  # of a corner found in the other picture
MAX_SIGMA_SHARE = 0.05  # ranges less certain than this share of themselves are not told
NEAREST_M = 0.2
STEP_PX, MAX_STEPS = 1.5, 160  # of the search along the curve
PATCH_PX = 11
MIN_LIKENESS, CLEARLY = 0.8, 0.04  # correlation of the best place; by how much others are worse
ROUND_TRIP_PX, EPIPOLAR_PX = 0.5, 2.5
LEAST_BASELINE_M = 0.01
# What a good calibration leaves, of the baseline's length and of the turn between the cameras.
BASELINE_SHARE, TURN_SIGMA_RAD = 0.003, 5e-4
DOUBTFUL_SHARE = 0.02  # by which all distances may be off together: worth a warning


def told_by_stereo(
    tracks: Observed, pictures: Iterable[tuple[int, Any, Any]], pair: "StereoPair"
) -> dict[int, Ranges]:
    """The ranges of all corners of these frames, as far as the other camera tells them.

    pictures: row of the frame, its grey image and the second camera's of the same time.
    """
    found = {}
    for frame, grey, second_grey in pictures:
        seen = tracks.of_frames([frame])
        if len(seen.frame):
            found[frame] = pair.both_ways(grey, second_grey, seen)
    if not found:
        return {}
    range_m, _, slip_rad = (np.concatenate(column) for column in zip(*found.values(), strict=True))
    known = np.isfinite(range_m)
    bias_share = pair.bias_share(range_m[known], slip_rad[known]) if known.any() else 0.0
    return {
        frame: Ranges(range_m, sigma_m, bias_share, "stereo")
        for frame, (range_m, sigma_m, _) in found.items()
    }


def stereo_doubts(told: Mapping[int, Ranges], cameras: str) -> list[str]:
    """Warnings about a pair of cameras, which ``cameras`` names, after `told_by_stereo`."""
    if not any(np.isfinite(ranges.range_m).any() for ranges in told.values()):
        return [
            f"{cameras}: no corner was found in both; do their pictures overlap, are they taken "
            "at the same time, is head_from_camera right? The second camera is left out"
        ]
    bias_share = next(iter(told.values())).bias_share
    if bias_share < DOUBTFUL_SHARE:
        return []
    return [
        f"{cameras}: distances may all be {bias_share:.1%} off; calibrate the two together "
        "again, or mount them further apart"
    ]


@dataclass(frozen=True, eq=False)
class Matches:
    """Corners of one picture found again in the other, all in the first camera's axes.

    rays, towards ``(N,3)``: from the first and the second camera.   rad_per_px ``(N,)``.
    normals ``(N,3)``: of the epipolar planes.   slip_rad ``(N,)``: by which the second ray misses
    its plane.   good ``(N,)``: where one place, and only one, looks like the corner.
    """

    rays: Floats
    towards: Floats
    rad_per_px: Floats
    normals: Floats
    slip_rad: Floats
    good: Bools


class StereoPair:
    """Two cameras. camera: the one whose corners are followed.   second: the other one's model.

    camera_from_second: its place in the first one's frame.
    """

    def __init__(self, camera: Camera, second: Camera, camera_from_second: SE3) -> None:
        self._camera, self._second, self.place = camera, second, camera_from_second
        self._turn_sigma_rad = TURN_SIGMA_RAD
        self.baseline = camera_from_second.translation
        width, height = camera.size_wh
        v, u = np.mgrid[0:height, 0:width]
        rays, valid = camera.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(np.float64))
        uv, seen = second.project(rays @ camera_from_second.rotation)
        seen &= valid & second.in_image(uv)
        uv = np.where(seen[:, None], uv, -1e4).astype(np.float32)
        self._source, self._common = uv.reshape(height, width, 2), seen.reshape(height, width)

    @property
    def second_size_wh(self) -> tuple[int, int]:
        """Of the second camera's pictures."""
        return self._second.size_wh

    def turned(self, second_grey: Any) -> Any:
        """The second picture as the first camera would see it, standing at the second's place."""
        return cv2.remap(second_grey, self._source, None, cv2.INTER_LINEAR)

    def ranges(self, grey: Any, second_grey: Any, uv_px: Floats) -> tuple[Floats, Floats, Floats]:
        """Metres from the first camera along the rays of its pixels ``(N,2)``, their sigma and by
        what angle they missed their epipolar planes ``(N,)``; NaN where nothing is told."""
        seen = self.matches(grey, second_grey, uv_px)
        range_m, sigma_m = self._triangulated(seen.rays, seen.towards, seen.rad_per_px)
        good = seen.good & (np.abs(seen.slip_rad) < EPIPOLAR_PX * seen.rad_per_px)
        good &= (range_m > 0) & (sigma_m < MAX_SIGMA_SHARE * range_m)
        range_m, sigma_m, slip_rad = np.where(good, [range_m, sigma_m, seen.slip_rad], np.nan)
        return range_m, sigma_m, slip_rad

    def both_ways(self, grey: Any, second_grey: Any, seen: Tracks) -> tuple[Floats, Floats, Floats]:
        """The same of one frame's corners, those that the second camera saw looked for in the first
        one's picture."""
        told = np.full((3, len(seen.frame)), np.nan)
        own = seen.own
        if own.any():
            told[:, own] = self.ranges(grey, second_grey, seen.uv_px[own])
        if not own.all():
            told[:, ~own] = self._back.ranges(second_grey, grey, seen.uv_px[~own])
        return told[0], told[1], told[2]

    @cached_property
    def _back(self) -> "StereoPair":
        return StereoPair(self._second, self._camera, self.place.inverse())

    def matches(
        self, grey: Any, second_grey: Any, uv_px: Floats, *, across_px: tuple[float, ...] = (0.0,)
    ) -> "Matches":
        """Pixels ``(N,2)`` found again, also this far beside their epipolar curves."""
        rays, rad_per_px, valid = rays_of(self._camera, uv_px)
        other = self.turned(second_grey)
        guess, found = self._search(grey, other, uv_px=uv_px, rays=rays, across_px=across_px)
        there, good = _refined(grey, other, uv_px=uv_px, guess=guess)
        towards, _, seen = rays_of(self._camera, there.astype(np.float64))
        across = np.cross(rays, unit(self.baseline))
        normals = across / np.linalg.norm(across, axis=1, keepdims=True)
        slip_rad = np.sum(towards * normals, axis=1)
        good &= found & valid & seen
        return Matches(rays, towards, rad_per_px, normals, slip_rad, good)

    def with_turn(self, turn: Floats, sigma_rad: float) -> "StereoPair":
        """The same two cameras, the second turned by ``(3,3)`` in the first one's axes."""
        place = SE3(turn @ self.place.rotation, self.place.translation)
        pair = StereoPair(self._camera, self._second, place)
        pair._turn_sigma_rad = max(sigma_rad, TURN_SIGMA_RAD)
        return pair

    def bias_share(self, range_m: Floats, slip_rad: Floats) -> float:
        """By which all these ranges may be wrong together.

        A wrong turn between the cameras shows across the epipolar planes; along them, where it
        changes the ranges, it does not, and is taken to be as large.
        """
        turn = np.hypot(self._turn_sigma_rad, np.median(slip_rad))
        length = np.linalg.norm(self.baseline)
        return float(np.hypot(BASELINE_SHARE, turn * np.median(range_m) / length))

    def _search(
        self, grey: Any, other: Any, *, uv_px: Floats, rays: Floats, across_px: tuple[float, ...]
    ) -> tuple[Floats, Bools]:
        """Where on its curve every corner looks most alike, and whether one place clearly does."""
        curve, inside = self._places(rays)
        common = np.flatnonzero(inside.any(axis=1))
        found, guess = np.zeros(len(rays), bool), curve[:, 0].copy()
        if not len(common):
            return guess, found
        curve, inside = curve[common], inside[common]
        here = _patches(grey, uv_px[common, None].astype(np.float32))
        heights, curves = [], []
        for offset_px in across_px:
            places = curve + offset_px * _normals(curve) if offset_px else curve
            there = _patches(other, places.astype(np.float32))
            likeness = np.einsum("nkp,np->nk", there, here[:, 0])
            likeness[~inside] = -1
            heights.append(_peaks(likeness))
            curves.append(places)
        height, places = np.concatenate(heights, axis=1), np.concatenate(curves, axis=1)
        best = height.argmax(axis=1)
        rows = np.arange(len(best))
        top = height[rows, best]
        apart = np.linalg.norm(places - places[rows, best][:, None], axis=2) > PATCH_PX / 2
        second = np.where(apart, height, -1).max(axis=1)
        guess[common] = places[rows, best]
        found[common] = (top > MIN_LIKENESS) & (top - second > CLEARLY)
        return guess, found

    def _places(self, rays: Floats) -> tuple[Floats, Bools]:
        """Pixels ``(N,K,2)`` of points along the rays, infinity first, and which are in sight."""
        spread = float(np.linalg.norm(self.baseline)) / NEAREST_M
        _, rad_per_px, _ = rays_of(self._camera, np.array(self._camera.size_wh)[None] / 2)
        steps = int(np.clip(spread / (STEP_PX * rad_per_px[0]), 8, MAX_STEPS))
        inverse = np.linspace(0, 1 / NEAREST_M, steps)
        towards = rays[:, None] - inverse[:, None] * self.baseline
        uv, valid = self._camera.project(towards.reshape(-1, 3))
        uv = np.nan_to_num(uv)
        valid &= self._camera.in_image(uv)
        column, row = np.clip(np.rint(uv).astype(int), 0, np.array(self._camera.size_wh) - 1).T
        valid &= self._common[row, column]
        return uv.reshape(len(rays), steps, 2), valid.reshape(len(rays), steps)

    def _triangulated(
        self, rays: Floats, towards: Floats, rad_per_px: Floats
    ) -> tuple[Floats, Floats]:
        normal = np.cross(rays, towards)
        sine = np.linalg.norm(normal, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            from_second = np.cross(self.baseline, towards)
            range_m = np.sum(from_second * normal, axis=1) / sine**2
            distance = np.linalg.norm(range_m[:, None] * rays - self.baseline, axis=1)
            ahead = np.sum((range_m[:, None] * rays - self.baseline) * towards, axis=1) > 0
            sigma_m = distance * SIGMA_PX * rad_per_px / sine
        return np.where(ahead, range_m, np.nan), sigma_m


def _normals(curve: Floats) -> Floats:
    """``(N,K,2)`` unit vectors across curves of pixels."""
    along = np.gradient(curve, axis=1)
    length = np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
    return np.asarray(np.stack([-along[..., 1], along[..., 0]], axis=2) / length)


def _peaks(likeness: Floats) -> Floats:
    """``(N,K)`` how high the parabola through three steps reaches at every local maximum; elsewhere
    the values themselves. A look-alike must not seem worse for lying between two steps."""
    height = likeness.copy()
    before, here, after = likeness[:, :-2], likeness[:, 1:-1], likeness[:, 2:]
    bend = 2 * here - before - after
    peak = (here >= before) & (here >= after) & (bend > 0) & (np.minimum(before, after) > -1)
    rise = np.divide((after - before) ** 2, 8 * bend, out=np.zeros_like(here), where=peak)
    height[:, 1:-1] += rise
    return height


def _patches(grey: Any, uv_px: Any) -> Floats:
    """``(N,K,P)`` patches around pixels ``(N,K,2)``: mean taken out, of length 1."""
    n, k = uv_px.shape[:2]
    reach = np.arange(PATCH_PX, dtype=np.float32) - PATCH_PX // 2
    offsets = np.stack(np.meshgrid(reach, reach), axis=-1).reshape(1, -1, 2)
    rows = np.empty((n, k, PATCH_PX**2), np.float32)
    for index in range(n):  # remap takes no more than 32767 rows at a time
        at = uv_px[index][:, None] + offsets
        rows[index] = cv2.remap(grey, at, None, cv2.INTER_LINEAR)
    rows -= rows.mean(axis=2, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=2, keepdims=True), 1e-3)


def _refined(grey: Any, other: Any, *, uv_px: Floats, guess: Floats) -> tuple[Floats, Bools]:
    """Corners' places to a fraction of a pixel, and whether the way back ends where it began."""

    def flow(pictures: tuple[Any, Any], uv: Floats, near: Floats) -> tuple[Floats, Bools]:
        moved, status, _ = cv2.calcOpticalFlowPyrLK(
            *pictures,
            np.ascontiguousarray(uv, np.float32),
            np.array(near, np.float32),
            winSize=(PATCH_PX + 4,) * 2,
            maxLevel=0,
            criteria=(cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 20, 0.01),
            flags=cv2.OPTFLOW_USE_INITIAL_FLOW,
        )
        return moved.reshape(-1, 2), status.reshape(-1).astype(bool)

    there, found = flow((grey, other), uv_px, guess)
    back, found_back = flow((other, grey), there, uv_px)
    good = found & found_back & (np.linalg.norm(back - uv_px, axis=1) < ROUND_TRIP_PX)
    return there, good & (np.linalg.norm(there - guess, axis=1) < 2 * STEP_PX)
