"""Settings of the stage ``capture``."""

from dataclasses import dataclass

from core.errors import BadInputError


@dataclass(frozen=True)
class CaptureConfig:
    """How frames are judged. Nothing here changes a frame's time."""

    gap_factor: float = 1.6  # a step longer than this many local periods means dropped frames
    pause_s: float = 2.0  # a longer step is a pause: it is reported, not filled with dropped rows
    local_steps: int = 31  # the local period is the median of so many steps around
    decode_all: bool = (
        True  # decode every picture to prove that it can be; False: first and last only
    )
    samples: int = 64  # pictures per stream judged for blur and brightness

    def __post_init__(self) -> None:
        if self.gap_factor <= 1:
            raise BadInputError(f"capture.gap_factor is {self.gap_factor}; it must be above 1")
        if self.pause_s <= 0 or self.samples < 1 or self.local_steps < 3:
            raise BadInputError(
                f"capture: pause_s {self.pause_s}, samples {self.samples}, local_steps "
                f"{self.local_steps}; they must be at least 0.1, 1 and 3"
            )
