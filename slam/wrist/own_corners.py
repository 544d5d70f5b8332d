"""Corners of a wrist camera's own pictures, followed as far as is asked for."""

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from core.geometry.cameras import Camera
from slam.config import SlamConfig
from slam.sight.follow import Follower
from slam.sight.pictures import tracked_camera
from slam.sight.tracks import Tracks

FOLLOWING = SlamConfig(
    tracked_side_px=320,
    target_tracks=200,
    flow_levels=3,
    flow_window_px=11,
    epipolar_px=1e3,  # no check: most of a picture may move with the hand
    loop_closure=False,
)
FURTHER = 8  # pictures beyond the one that is asked for, followed with it
NEAR = 30  # pictures: a trail that ends no farther off is led on, not begun anew


class Trail:
    """Corners from one picture on, followed forward (step 1) or back (-1) as far as is asked for.

    pictures: grey ones; they are made small first.   begin: the first one's row.
    """

    def __init__(self, pictures: Sequence[Any], camera: Camera, *, begin: int, step: int) -> None:
        self._pictures, self._small = pictures, tracked_camera(camera, FOLLOWING)
        self._begin, self._step = begin, step
        self._follower = Follower(self._small, FOLLOWING)
        self._length = 0
        self._tracks: Tracks | None = None

    def leads(self, first: int, last: int, *, step: int) -> bool:
        """Whether it goes this way through these pictures, or nearly up to them."""
        begun, further = self.frame_of(first) >= 0, self.frame_of(last) - self._length
        return step == self._step and begun and further <= NEAR

    def frame_of(self, picture: int) -> int:
        """The tracks' frame that a picture is."""
        return (picture - self._begin) * self._step

    def to(self, picture: int) -> Tracks:
        """Tracks with a frame for every picture up to this one, at least."""
        tracks, frame = self._tracks, self.frame_of(picture)
        if tracks is None or frame >= self._length:
            last = len(self._pictures) - 1 if self._step > 0 else 0
            end = min(frame + FURTHER, self.frame_of(last)) + 1
            for k in range(self._length, end):
                grey = self._pictures[self._begin + k * self._step]
                small = cv2.resize(grey, self._small.size_wh, interpolation=cv2.INTER_AREA)
                self._follower.add(small)
            self._length, frames = end, np.arange(end)
            tracks = self._tracks = self._follower.tracks(frames).of_frames(frames)
        return tracks
