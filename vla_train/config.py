"""What a training run is made of: every setting with its one default, and the presets."""

from dataclasses import dataclass, field, replace

from core.dataset.chunks import ChunkSettings
from core.errors import BadInputError


@dataclass(frozen=True, kw_only=True)
class HoldoutConfig:
    """Which frames training never sees, neither as observation nor as label.

    A dataset with at least ``min_episodes`` episodes gives whole episodes; a shorter one gives
    blocks of time, each ``block_chunks`` chunk durations long, in which only chunks that end inside
    are evaluated.
    """

    fraction: float = 0.2
    min_episodes: int = 4
    block_chunks: float = 1.5

    def __post_init__(self) -> None:
        if not 0.0 < self.fraction < 1.0:
            raise BadInputError(f"holdout fraction {self.fraction} is not between 0 and 1")
        if self.block_chunks <= 1.0:
            raise BadInputError(f"holdout block_chunks {self.block_chunks} is not > 1")


@dataclass(frozen=True, kw_only=True)
class SmallConfig:
    """The small policy: about a million weights, trains on a laptop's processor."""

    width: int = 96
    heads: int = 4
    observation_layers: int = 2
    expert_layers: int = 2
    steps_per_token: int = 5  # chunk steps that share one action token
    keypoints: int = 32  # soft keypoints per camera
    draws: int = 2  # noise draws per observation and step: the observation is encoded once
    dropout: float = 0.1
    camera_dropout: float = 0.1  # chance that a camera is hidden from a training sample
    trust: float = 1.0  # share of the learned change that is acted on; less for little data


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Image augmentation. Wrist views keep their geometry."""

    shift_fraction: float = 0.04
    brightness: float = 0.2
    contrast: float = 0.2
    saturation: float = 0.2
    state_noise: float = 0.02  # standard deviation, in normalised units


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One training run. Paths are local folders.

    steps or minutes: one of them is given. With ``minutes`` the first steps are timed and the
    number of steps is then fixed; only a run with ``steps`` resumes bit-exactly from before that
    moment.
    """

    datasets: tuple[str, ...]
    run: str
    policy: str = "small"
    model: SmallConfig = field(default_factory=SmallConfig)
    chunk: ChunkSettings = field(default_factory=ChunkSettings)
    holdout: HoldoutConfig = field(default_factory=HoldoutConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    history_s: tuple[float, ...] = ()  # moments before now whose poses the state holds too
    image_px: int = 96
    max_tokens: int = 48
    text_rows: int = 1024  # rows of the hashed word table
    human_fraction: float = 0.5  # of every batch; the rest is robots
    batch: int = 32
    steps: int | None = None
    minutes: float | None = None
    learning_rate: float = 1e-3
    warmup_steps: int = 50
    final_learning_rate: float = 0.02  # fraction of the peak
    weight_decay: float = 0.05
    clip_norm: float = 1.0
    ema_decay: float = 0.99  # 0 switches the moving average off
    seed: int = 0
    threads: int = 1  # the small policy is fastest on one; 0: every core this process may use
    log_every: int = 10
    checkpoint_every: int = 200
    keep_checkpoints: int = 2
    shuffle_labels: bool = False  # control: chunks exchanged among the training frames

    def __post_init__(self) -> None:
        if not self.datasets:
            raise BadInputError("training needs at least one dataset")
        if (self.steps is None) == (self.minutes is None):
            raise BadInputError("training needs either steps or minutes, not both or neither")
        if self.batch < 2 or self.image_px % 32 or self.image_px < 32:
            raise BadInputError(
                f"batch {self.batch} must be at least 2, image_px {self.image_px} a multiple of 32"
            )
        if self.checkpoint_every % self.log_every:
            next_multiple = -(-self.checkpoint_every // self.log_every) * self.log_every
            raise BadInputError(
                f"checkpoint_every {self.checkpoint_every} is no multiple of "
                f"log_every {self.log_every}; give --checkpoint-every {next_multiple}"
            )
        if any(ago <= 0.0 for ago in self.history_s):
            raise BadInputError(f"history_s {self.history_s} must lie before now: seconds > 0")
        if not 0.0 <= self.human_fraction <= 1.0:
            raise BadInputError(f"human_fraction {self.human_fraction} is not between 0 and 1")
        if self.chunk.steps % self.model.steps_per_token:
            raise BadInputError(
                f"chunk steps {self.chunk.steps} is no multiple of steps_per_token "
                f"{self.model.steps_per_token}"
            )


def demo(datasets: tuple[str, ...], run: str, *, minutes: float = 3.0) -> TrainConfig:
    """A few minutes on two cores with seconds of one person and a handful of robot episodes.

    So little is soon learned by heart: chunks and held-out blocks are short, images small and
    sometimes hidden, states blurred, the state says how the hands have just moved, and of what the
    network would change in going on and recalling a third is acted on.
    """
    return TrainConfig(
        datasets=datasets,
        run=run,
        minutes=minutes,
        chunk=ChunkSettings(steps=25, duration_s=0.5),
        holdout=HoldoutConfig(fraction=0.25, min_episodes=3),
        model=SmallConfig(dropout=0.2, camera_dropout=0.3, trust=0.3),
        augment=AugmentConfig(state_noise=0.1),
        history_s=(0.033, 0.1, 0.2),
        learning_rate=2e-3,
        image_px=64,
        batch=16,
    )


def debug(config: TrainConfig) -> TrainConfig:
    """The same run made small enough for a test: seconds, not minutes."""
    small = SmallConfig(
        width=64,
        heads=2,
        observation_layers=1,
        expert_layers=1,
        keypoints=8,
        draws=4,
        dropout=0.0,
        camera_dropout=0.0,
    )
    return replace(
        config,
        model=small,
        image_px=32,
        batch=16,
        learning_rate=1e-3,
        warmup_steps=20,
        checkpoint_every=10,
    )
