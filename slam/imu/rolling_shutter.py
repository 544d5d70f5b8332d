"""Rolling shutter: turns every observed ray to the time its picture stands for, with the gyro.

A picture's time is that of its middle row; the others are read up to half a readout earlier or
later. The turning in between is taken out here, once, behind the front end: everything after it
sees a global shutter. How far the camera travels within a readout is left in: 2 mm at 0.2 m/s and
25 ms, seen only by what is very close.
"""

from dataclasses import replace
from typing import TypeVar

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from slam.imu.inertial import ImuData, integrate
from slam.sight.followed import Followed
from slam.sight.rolling import Shutter, by_motion
from slam.sight.tracks import Tracks

STEPS = 8  # turns are integrated at this many rows and interpolated between them
Changing = TypeVar("Changing", Followed, Tracks)
BLOCK = 1000  # frames integrated at a time, so that long recordings need no more memory


def unrolled(tracks: Changing, shutter: Shutter, imu: ImuData | None) -> Changing:
    """The same tracks with rays as a global shutter would have seen them; without an IMU by the
    corners' own motion."""
    if not shutter.readout_s:
        return tracks
    if imu is None:
        return tracks.changed(by_motion(tracks, shutter))
    return tracks.changed(_Unroller(tracks.timestamps_ns, shutter, imu))


class _Unroller:
    """Does it to any of the frames at ``times_ns``; the gyro is integrated once for all. Frames
    without inertial samples beside them stay as they are."""

    def __init__(self, times_ns: Ints, shutter: Shutter, imu: ImuData) -> None:
        self._times_ns, self._shutter = times_ns, shutter
        blocks = np.array_split(times_ns, max(len(times_ns) // BLOCK, 1))
        self._turns = np.concatenate([_turns(some, imu, shutter.readout_s) for some in blocks])
        told = imu.told(times_ns)
        self._turns[~(np.append(told, False) | np.append(False, told))] = 0

    def __call__(self, tracks: Tracks) -> Tracks:
        place = (self._shutter.parts(tracks.uv_px) + 0.5) * STEPS
        low = np.minimum(place.astype(np.int64), STEPS - 1)
        part = (place - low)[:, None]
        frame = np.searchsorted(self._times_ns, tracks.timestamps_ns)[tracks.frame]
        rotvec = (1 - part) * self._turns[frame, low] + part * self._turns[frame, low + 1]
        turned = np.einsum("nij,nj->ni", matrix_from_rotvec(rotvec), tracks.rays)
        return replace(tracks, rays=turned)


def _turns(times_ns: Ints, imu: ImuData, readout_s: float) -> Floats:
    """``(F,STEPS+1,3)`` rotation vectors picture_from_row in camera axes, evenly over the readout.

    Where there are no inertial samples they mean nothing.
    """
    delays_ns = np.round((np.arange(STEPS + 1) / STEPS - 0.5) * readout_s * 1e9).astype(np.int64)
    wanted = times_ns[:, None] + delays_ns
    query = np.unique(np.concatenate([wanted.ravel(), times_ns]))
    rotation = integrate(imu, query).rotation @ imu.camera_from_imu.rotation.T
    rows = rotation[np.searchsorted(query, wanted)]
    picture = rotation[np.searchsorted(query, times_ns)]
    return rotvec_from_matrix(picture[:, None].swapaxes(-1, -2) @ rows)
