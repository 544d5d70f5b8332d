"""Our own visual-inertial estimation: `slam.sight.follow`, then `slam.estimate`."""

from slam.config import SlamConfig
from slam.estimate import estimate
from slam.recording import Recording
from slam.result import Estimate


class Builtin:
    """Every frame tracked; metric and level with an IMU."""

    name = "builtin"

    def inputs(self, config: SlamConfig) -> list[str]:
        """Nothing besides the recording."""
        return []

    def estimate(self, recording: Recording) -> Estimate:
        """Raises BadInputError for intrinsics that do not fit the image."""
        tracks, places = recording.follow()
        return estimate(
            tracks,
            recording.config,
            camera=recording.camera,
            shutter=None if recording.readout_ns else recording.shutter,
            imu=recording.imu,
            places=places,
            sightings=recording.sightings,
            camera_from_head=recording.head_from_camera.inverse(),
            progress=recording.progress,
        )


BUILTIN = Builtin()
