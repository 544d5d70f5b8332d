"""slam/calibration.json: the calibration that the path was made with, where it is not the given."""

from dataclasses import replace

from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from slam.map.self_calibration import Calibrated


def refined_calibration(
    given: Calibration, stream: str, found: Calibrated | None
) -> Calibration | None:
    """With the stream's focal length and the IMU's pose as they were found; None where nothing was
    changed."""
    if found is None or (found.focal_factor == 1.0 and found.camera_from_imu is None):
        return None
    known = given.stream(stream)
    lens = replace(known, camera=known.camera.refocused(found.focal_factor))
    imu = given.imu
    if imu is not None and found.camera_from_imu is not None:
        head_from_camera = known.head_from_camera or SE3.identity()
        imu = replace(imu, head_from_imu=head_from_camera @ found.camera_from_imu)
    source = f"{given.source}, refined by slam"
    return replace(given, streams={**given.streams, stream: lens}, imu=imu, source=source)
