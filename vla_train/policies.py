"""Names of policies to models. A new architecture is one more entry here."""

from collections.abc import Callable

from torch import nn

from core.errors import BadInputError
from vla_train.config import TrainConfig
from vla_train.small import SmallPolicy
from vla_train.state import arm_width


def _small(config: TrainConfig) -> nn.Module:
    return SmallPolicy(
        config.model,
        arm_width=arm_width(config.history_s),
        chunk_steps=config.chunk.steps,
        image_px=config.image_px,
        text_rows=config.text_rows,
        max_tokens=config.max_tokens,
    )


POLICIES: dict[str, Callable[[TrainConfig], nn.Module]] = {"small": _small}


def make_policy(config: TrainConfig) -> nn.Module:
    """A freshly initialised model that offers what `vla_train.policy.Policy` asks."""
    if config.policy not in POLICIES:
        raise BadInputError(f"policy {config.policy!r} is not known; there are {sorted(POLICIES)}")
    return POLICIES[config.policy](config)
