"""Cameras beside the head's: which there are, where they were at the ticks, when they looked.

Rigid ones (a second eye, Aria's SLAM cameras) have a place in the calibration. Wrist cameras have
one where `slam` located them. A camera of which nobody knows the place is left out, with a reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.geometry.cameras import Camera
from core.geometry.clock import median_period_ns, resample_indices
from core.geometry.landmarks import SIDES
from core.geometry.se3 import SE3, interpolate
from core.session.calibration import Calibration, StreamCalibration
from core.session.info import SessionInfo
from core.session.marks import finished
from core.session.storage import SessionFolder
from core.session.tables import Frames, Ticks, Trajectory

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

HEAD = "head"
WRISTS = {f"{side}_wrist": side for side in SIDES}
RIGID_SIGMA_M, RIGID_SIGMA_RAD = 0.001, 0.002  # of a factory's or a board's calibration
LOCATED_SIGMA_M, LOCATED_SIGMA_RAD = 0.002, 0.004  # no estimate of a moving camera is surer
BRIDGED_NS = 250_000_000  # gaps in a wrist camera's path up to this are bridged
SWUNG_M_S2, SWUNG_RAD_S2 = 3.0, 30.0  # how arms accelerate
NO_PLACE = "its place is not known: slam did not locate it in metres"


@dataclass(frozen=True, eq=False)
class SecondView:
    """One camera over T ticks.

    kind: ``stereo`` or ``wrist_camera``.   head_from_camera: ``(T,)``, NaN where it is not known.
    pose_sigma_m, pose_sigma_rad: ``(T,)`` per axis.   picture: ``(T,)`` frame_index of the picture
    that belongs to the tick, -1 where none does.   late_s: ``(T,)`` its time minus the tick's.
    """

    name: str
    kind: str
    camera: Camera
    head_from_camera: SE3
    pose_sigma_m: Floats
    pose_sigma_rad: Floats
    picture: Ints
    late_s: Floats


def second_cameras(info: SessionInfo, calibration: Calibration) -> list[str]:
    """Streams that could be views: calibrated, in colour or grey, on the head or a wrist."""
    return [
        name
        for name, known in calibration.streams.items()
        if name != HEAD
        and info.has_stream(name)
        and known.depth_unit_m is None
        and (known.head_from_camera is not None or name in WRISTS)
    ]


def read_second_views(
    folder: SessionFolder, ticks: Ticks, names: Sequence[str]
) -> tuple[list[SecondView], dict[str, str]]:
    """Those of the named streams that can be used, and why others cannot, by stream."""
    calibration, frames = Calibration.read(folder), Frames.read(folder)
    path = Trajectory.read(folder) if finished(folder, Trajectory.path) else None
    views, unused = [], dict[str, str]()
    for name in names:
        known = calibration.stream(name)
        view = _view(name, known, frames=frames, ticks=ticks, path=path)
        if (view.head_from_camera.finite & (view.picture >= 0)).any():
            views.append(view)
        else:
            unused[name] = NO_PLACE
    return views, unused


def _view(
    name: str,
    known: StreamCalibration,
    *,
    frames: Frames,
    ticks: Ticks,
    path: Trajectory | None,
) -> SecondView:
    mine = frames.take((frames.stream == name) & (frames.frame_index >= 0))
    picture = _pictures(mine, ticks, name)
    late, there = np.zeros(len(ticks)), picture >= 0
    time_of = dict(zip(mine.frame_index.tolist(), mine.timestamp_ns.tolist(), strict=True))
    at_ns = np.array([time_of[index] for index in picture[there].tolist()], dtype=np.int64)
    late[there] = (at_ns - ticks.timestamp_ns[there]) / 1e9
    if known.head_from_camera is not None:
        place, sigma_m, sigma_rad = _rigid(known.head_from_camera, len(ticks))
    else:
        place, sigma_m, sigma_rad = _located(path, ticks, WRISTS[name])
    kind = "stereo" if known.head_from_camera is not None else "wrist_camera"
    return SecondView(name, kind, known.camera, place, sigma_m, sigma_rad, picture, late)


def _pictures(mine: Frames, ticks: Ticks, stream: str) -> Ints:
    """``(T,)`` frame_index of the picture that belongs to a tick, -1 where none does."""
    if stream in WRISTS:
        index, valid = getattr(ticks, f"{stream}_frame"), getattr(ticks, f"{stream}_frame_valid")
        return np.where(valid & np.isin(index, mine.frame_index), index, -1).astype(np.int64)
    good = mine.take(~mine.valid_of("reason"))
    period = max(median_period_ns(t) for t in (ticks.timestamp_ns, good.timestamp_ns))
    row, near = resample_indices(
        good.timestamp_ns, ticks.timestamp_ns, max_distance_ns=period // 2 + 1
    )
    return np.where(near, good.frame_index[row], -1) if len(good) else row


def _rigid(head_from_camera: SE3, count: int) -> tuple[SE3, Floats, Floats]:
    same = SE3(
        np.tile(head_from_camera.rotation, (count, 1, 1)),
        np.tile(head_from_camera.translation, (count, 1)),
    )
    return same, np.full(count, RIGID_SIGMA_M), np.full(count, RIGID_SIGMA_RAD)


def _located(path: Trajectory | None, ticks: Ticks, side: str) -> tuple[SE3, Floats, Floats]:
    """A wrist camera in the head at the ticks; NaN where either is not known in metres, for longer
    than a moment.
    """
    count = len(ticks)
    if path is None or not len(path):
        nowhere = SE3(np.full((count, 3, 3), np.nan), np.full((count, 3), np.nan))
        return nowhere, np.zeros(count), np.zeros(count)
    name = f"world_from_{side}_wrist_camera"
    sigma_m = getattr(path, f"{side}_wrist_camera_sigma_m").astype(np.float64)
    sigma_rad = getattr(path, f"{side}_wrist_camera_sigma_rad").astype(np.float64)
    known = path.world_from_head_valid & getattr(path, f"{name}_valid")
    known &= np.isfinite(sigma_m).all(axis=1) & np.isfinite(sigma_rad).all(axis=1)
    row = np.searchsorted(path.tick, ticks.tick).clip(0, len(path) - 1)
    known = known[row] & (path.tick[row] == ticks.tick)
    world_from_head = SE3.from_pose7(path.world_from_head[row])
    pose = world_from_head.inverse() @ SE3.from_pose7(getattr(path, name)[row])
    place = SE3(
        np.where(known[:, None, None], pose.rotation, np.nan),
        np.where(known[:, None], pose.translation, np.nan),
    )
    sigmas = (
        _at_least(sigma_m[row], LOCATED_SIGMA_M),
        _at_least(sigma_rad[row], LOCATED_SIGMA_RAD),
    )
    return _bridged(place, sigmas, times_ns=ticks.timestamp_ns)


def _bridged(
    place: SE3, sigmas: tuple[Floats, Floats], *, times_ns: Ints
) -> tuple[SE3, Floats, Floats]:
    """The same with short gaps on the straight way between their ends, which arms leave as they
    accelerate.
    """
    known = np.flatnonzero(place.finite)
    if len(known) < 2:
        return place, *sigmas
    times = times_ns[known]
    place, _ = interpolate(times, place[known], times_ns, max_gap_ns=BRIDGED_NS)
    after = np.searchsorted(times, times_ns).clip(1, len(times) - 1)
    apart_s = np.stack([times_ns - times[after - 1], times[after] - times_ns]) / 1e9
    off_s2 = apart_s.clip(0.0).prod(axis=0) / 2
    sigma_m, sigma_rad = (
        np.hypot(np.interp(times_ns, times, sigma[known]), swung * off_s2)
        for sigma, swung in zip(sigmas, (SWUNG_M_S2, SWUNG_RAD_S2), strict=True)
    )
    return place, sigma_m, sigma_rad


def _at_least(sigma: Floats, least: float) -> Floats:
    """Root mean square over the axes ``(T,)``, with ``least`` on top."""
    mean_square = np.mean(np.where(np.isfinite(sigma), sigma, 0.0) ** 2, axis=1)
    return np.asarray(np.sqrt(mean_square + least**2))
