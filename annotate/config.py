"""What the annotation stage may be told."""

from dataclasses import dataclass

from core.errors import BadInputError


@dataclass(frozen=True)
class AnnotateConfig:
    """Machine proposals of boundaries; people's labels are taken as they are."""

    propose: bool = True  # propose boundaries on tracks that nobody has labelled
    smoothing_s: float = 0.12  # Gaussian over the palm speed
    start_speed_m_s: float = 0.10  # a hand faster than this begins to move …
    stop_speed_m_s: float = 0.05  # … and has stopped when it is slower than this
    min_pause_s: float = 0.5  # shorter stops (a grasp, a release) do not end a movement
    min_segment_s: float = 0.5  # shorter movements are joined to their neighbour or dropped
    max_segment_s: float = 6.0  # longer movements are cut at their deepest speed minimum
    max_gap_s: float = 0.3  # a hand that is unseen for longer ends its movement
    episode_pause_s: float = 3.0  # both hands still or absent for longer ends an episode
    edge_s: float = 0.1  # labels may overshoot the recording by this much; they are clipped

    def __post_init__(self) -> None:
        for name in ("smoothing_s", "stop_speed_m_s", "min_segment_s", "max_gap_s"):
            if getattr(self, name) <= 0:
                raise BadInputError(f"annotate.{name} = {getattr(self, name)}: must be above 0")
        if self.start_speed_m_s < self.stop_speed_m_s:
            raise BadInputError(
                f"annotate.start_speed_m_s = {self.start_speed_m_s}: must not be below "
                f"stop_speed_m_s = {self.stop_speed_m_s}"
            )
        if self.max_segment_s < 2 * self.min_segment_s:
            raise BadInputError(
                f"annotate.max_segment_s = {self.max_segment_s}: must be at least twice "
                f"min_segment_s = {self.min_segment_s}"
            )
