"""Corners and inertial samples as another calibration would have them."""

from dataclasses import replace

import numpy as np

from core.geometry.arrays import Floats, unit
from core.geometry.cameras import Camera
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData
from slam.sight.rays import rays_of
from slam.sight.tracks import Tracks


def refocused(tracks: Tracks, camera: Camera, factor: float, *, before: float = 1.0) -> Tracks:
    """The same corners seen through a lens whose focal length is ``factor`` times the camera's.

    before: the factor of the rays as they are. What turned them since (a rolling shutter) stays.
    """
    old, _, seen = rays_of(camera, _shrunk(camera, tracks.uv_px, before))
    new, rad_per_px, valid = rays_of(camera, _shrunk(camera, tracks.uv_px, factor))
    good = seen & valid
    rays = tracks.rays.copy()
    rays[good] = unit(np.einsum("nij,nj->ni", _swing(old[good], new[good]), rays[good]))
    return replace(
        tracks, rays=rays, rad_per_px=np.where(good, rad_per_px / factor, tracks.rad_per_px)
    )


def moved_camera(imu: ImuData, moved_m: Floats, turned_rad: Floats | None = None) -> ImuData:
    """The same samples with the camera moved, and turned about the IMU, along the IMU's axes."""
    turn = np.eye(3) if turned_rad is None else matrix_from_rotvec(turned_rad)
    moved = SE3(turn, np.asarray(moved_m)) @ imu.camera_from_imu.inverse()
    return replace(imu, camera_from_imu=moved.inverse())


def _shrunk(camera: Camera, uv_px: Floats, factor: float) -> Floats:
    """Where the calibrated lens would have to be looked through: every model is a focal length
    times a shape around the optical axis."""
    centre, _ = camera.project(np.array([[0.0, 0.0, 1.0]]))
    return np.asarray(centre + (uv_px - centre) / factor)


def _swing(source: Floats, target: Floats) -> Floats:
    """``(N,3,3)`` shortest rotations from rays to rays that lie near them."""
    axis = np.cross(source, target)
    sine = np.linalg.norm(axis, axis=1)
    angle = np.arctan2(sine, np.sum(source * target, axis=1))
    return matrix_from_rotvec(axis * (angle / np.maximum(sine, 1e-15))[:, None])
