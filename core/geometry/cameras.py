"""The camera models by name, and maps between them for resampling pictures."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.arrays import Floats
from core.geometry.camera_model import Camera
from core.geometry.fisheye import Fisheye624, KannalaBrandt
from core.geometry.pinhole import PinholeRadtan
from core.geometry.rotations import matrix_from_rotvec

__all__ = [
    "MODELS",
    "Camera",
    "Fisheye624",
    "KannalaBrandt",
    "PinholeRadtan",
    "camera_from_dict",
    "pinhole",
    "pinhole_from_fov",
    "turn_rotation",
    "undistort_maps",
]

MODELS: dict[str, type[Camera]] = {
    kind.model: kind for kind in (PinholeRadtan, KannalaBrandt, Fisheye624)
}


def camera_from_dict(fields: Mapping[str, Any]) -> Camera:
    """A camera from ``model``, ``params`` and ``size_wh``; BadInputError names what is wrong."""
    absent = [key for key in ("model", "params", "size_wh") if key not in fields]
    if absent:
        raise BadInputError(f"camera: {', '.join(absent)} missing; give model, params and size_wh")
    kind = MODELS.get(str(fields["model"]))
    if kind is None:
        known = ", ".join(MODELS)
        raise BadInputError(f"camera model {fields['model']!r}: expected one of {known}")
    try:
        params = tuple(float(p) for p in fields["params"])
        width, height = (int(s) for s in fields["size_wh"])
    except (TypeError, ValueError) as error:
        raise BadInputError(
            f"camera {kind.model}: params {fields['params']!r}, size_wh {fields['size_wh']!r}; "
            "expected a list of numbers and [width, height]"
        ) from error
    return kind(params=params, size_wh=(width, height))


def pinhole(
    focal_px: float, size_wh: tuple[int, int], *, centre_px: tuple[float, float] | None = None
) -> PinholeRadtan:
    """A camera without distortion; the principal point is the picture's centre unless given."""
    cx, cy = centre_px or ((size_wh[0] - 1) / 2, (size_wh[1] - 1) / 2)
    return PinholeRadtan(params=(focal_px, focal_px, cx, cy, 0, 0, 0, 0), size_wh=size_wh)


def pinhole_from_fov(fov_deg: float, size_wh: tuple[int, int]) -> PinholeRadtan:
    """A camera without distortion whose picture is ``fov_deg`` degrees wide, edge to edge."""
    if not 0 < fov_deg < 179:
        raise BadInputError(f"field of view {fov_deg:g}°: expected the width in degrees, 1 to 179")
    return pinhole(size_wh[0] / 2 / float(np.tan(np.radians(fov_deg) / 2)), size_wh)


def turn_rotation(degrees: int) -> Floats:
    """``(3,3)`` turned_from_sensor: what ``Camera.rotated(degrees)`` does to the camera's axes."""
    return np.round(matrix_from_rotvec([0.0, 0.0, np.radians(degrees)]))


def undistort_maps(
    camera: Camera, target: Camera
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """``map_x, map_y`` ``(H,W)`` of the target for ``cv2.remap`` of the camera's picture.

    Where the camera has no picture of a target pixel the maps hold -2, outside every picture.
    """
    width, height = target.size_wh
    v, u = np.mgrid[0:height, 0:width].astype(np.float64)
    rays, seen = target.unproject(np.stack([u, v], axis=-1))
    uv, valid = camera.project(np.where(seen[..., None], rays, [0.0, 0.0, 1.0]))
    maps = np.where((valid & seen)[..., None], uv, -2.0).astype(np.float32)
    return np.ascontiguousarray(maps[..., 0]), np.ascontiguousarray(maps[..., 1])
