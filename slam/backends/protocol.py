"""What another way to the head's path has to offer."""

from typing import Protocol

from slam.config import SlamConfig
from slam.recording import Recording
from slam.result import Estimate


class Backend(Protocol):
    """One way from a recording to a path. Holds no state; same recording, same result.

    The stage writes every file: a backend returns arrays.
    """

    @property
    def name(self) -> str:
        """What `backend` in the configuration calls it."""
        ...

    def inputs(self, config: SlamConfig) -> list[str]:
        """Files of the session it reads besides the video, the IMU and the hands found in it."""
        ...

    def estimate(self, recording: Recording) -> Estimate:
        """A pose or a reason for every tick, in a world as `slam.output.world.settle` leaves it.

        Raises BadInputError with one line where the recording cannot be used.
        """
        ...
