"""Settings of an export."""

from dataclasses import dataclass

from core.dataset.episode import CAMERAS
from core.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class ExportConfig:
    """How sessions become episodes."""

    fps: int = 30  # of the dataset; sources are resampled by time
    cameras: tuple[str, ...] = CAMERAS  # wanted; those that no session has are left out
    image_size: tuple[int, int] = (640, 480)  # width, height that pictures are shrunk to fit
    max_gap_s: float = 0.12  # poses farther apart are not interpolated
    max_empty_s: float = 1.0  # a longer stretch without either hand cuts the episode in two
    min_episode_s: float = 0.5  # what is shorter after cutting is dropped and counted
    trim: bool = True  # leave out frames at both ends in which neither hand is valid

    def __post_init__(self) -> None:
        if not isinstance(self.fps, int) or self.fps <= 0:
            raise BadInputError(f"fps is {self.fps}; upstream LeRobot needs a whole number above 0")
        unknown = sorted(set(self.cameras) - set(CAMERAS))
        if unknown or "head" not in self.cameras:
            raise BadInputError(
                f"cameras are {', '.join(self.cameras)}; choose among {', '.join(CAMERAS)}, "
                "and keep head"
            )
        if min(self.image_size) < 16:
            raise BadInputError(
                f"image_size is {self.image_size}; at least 16x16 pixels are needed"
            )
        for name in ("max_gap_s", "max_empty_s", "min_episode_s"):
            if not getattr(self, name) > 0:
                raise BadInputError(f"{name} is {getattr(self, name)}; it must be positive")
