"""Aria's VRS files, read with projectaria-tools."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, MissingExtraError
from core.geometry.cameras import Fisheye624
from core.geometry.se3 import SE3
from hands.quiet import quiet_library


def open_vrs(path: Path) -> Any:
    """projectaria-tools' provider. MissingExtraError without it, BadInputError for other files."""
    try:
        from projectaria_tools.core import data_provider
    except ImportError as error:
        raise MissingExtraError(
            "Aria files need projectaria-tools: pip install --no-deps projectaria-tools==2.3.0 "
            "(its dependencies, not needed here, are a whole Jupyter)"
        ) from error
    with quiet_library():
        try:
            provider = data_provider.create_vrs_data_provider(str(path))
        except RuntimeError as error:
            raise BadInputError(f"{path}: not a readable VRS file ({error})") from error
    if provider is None:
        raise BadInputError(f"{path}: not a readable VRS file; copy it from the device again")
    return provider


def camera_of(provider: Any, label: str) -> tuple[Fisheye624, SE3]:
    """The factory's lens of a camera and device_from_camera."""
    calibration = provider.get_device_calibration().get_camera_calib(label)
    width, height = calibration.get_image_size()
    camera = Fisheye624(
        params=tuple(calibration.get_projection_params()), size_wh=(int(width), int(height))
    )
    return camera, SE3.from_matrix(calibration.get_transform_device_camera().to_matrix())


def rgb_picture(record: Any) -> NDArray[np.uint8]:
    """``(H,W,3)`` of an image record; grey cameras three times the same."""
    image = record.to_numpy_array()
    image = np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image
    return np.ascontiguousarray(image)
