"""The small policy: images, text and state in, a flow-matched action chunk out, on a processor.

The shape of pi0.5 in miniature: observation tokens attend to each other and never see the actions;
an action expert attends to both, conditioned on the flow time by adaptive norms; 32 shared slots
with masks; nothing tells it which body it moves but what it sees and which slots are asked for.
Legend: B samples, H steps, D = 32 slots, N action tokens, M observation tokens, W width, K draws.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from core.dataset.slots import SLOT_WIDTH
from vla_train.config import SmallConfig
from vla_train.flow import EULER_STEPS, draw_times, integrate, masked_flow_loss, noisy
from vla_train.layers import ExpertBlock, KeysValues, ObservationBlock, time_features
from vla_train.policy import Batch
from vla_train.state import ARMS
from vla_train.text import PADDING
from vla_train.vision import ImageTokens

FIRST_STEP = 0.1  # share of the last step's reach that the first ones have
SHORTEST_TIME = 1.0 / EULER_STEPS  # sampling never asks for less


@dataclass(frozen=True, eq=False)
class Memory:
    """What the expert knows of an observation, made once per chunk.

    prior: ``(B, H, 32)``.   summary: ``(B, W)``.   valid: ``(B, M)``.
    layers: keys and values per expert block.
    """

    prior: Tensor
    summary: Tensor
    layers: list[KeysValues]
    valid: Tensor

    def repeated(self, times: int) -> "Memory":
        """The same observations several times over, along the batch."""
        layers = [(k.repeat(times, 1, 1, 1), v.repeat(times, 1, 1, 1)) for k, v in self.layers]
        prior, summary = self.prior.repeat(times, 1, 1), self.summary.repeat(times, 1)
        return Memory(prior, summary, layers, self.valid.repeat(times, 1))


class SmallPolicy(nn.Module):
    """See `vla_train.policy.Policy`."""

    ramp: Tensor

    def __init__(
        self,
        config: SmallConfig,
        *,
        arm_width: int,
        chunk_steps: int,
        image_px: int,
        text_rows: int,
        max_tokens: int,
    ) -> None:
        super().__init__()
        self.config = config
        width = config.width
        self.vision = ImageTokens(image_px, width, config.keypoints)
        self.words = nn.Embedding(text_rows, width, padding_idx=PADDING)
        self.word_place = nn.Parameter(torch.randn(max_tokens, width) * 0.02)
        self.state = nn.Linear(2 * arm_width, width)
        self.arm_place = nn.Parameter(torch.randn(ARMS, width) * 0.02)
        self.observation = nn.ModuleList(
            ObservationBlock(width, config.heads, config.dropout)
            for _ in range(config.observation_layers)
        )
        self.observation_norm = nn.LayerNorm(width)
        patch = config.steps_per_token * SLOT_WIDTH
        self.action_in = nn.Linear(2 * patch, width)
        self.step_place = nn.Parameter(
            torch.randn(chunk_steps // config.steps_per_token, width) * 0.02
        )
        self.time = nn.Sequential(
            nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width), nn.SiLU()
        )
        self.summary = nn.Linear(ARMS * width, width)
        self.expert = nn.ModuleList(
            ExpertBlock(width, config.heads, config.dropout) for _ in range(config.expert_layers)
        )
        self.expert_norm = nn.LayerNorm(width)
        self.action_out = nn.Linear(width, patch)
        nn.init.zeros_(self.action_out.weight)
        nn.init.zeros_(self.action_out.bias)
        ramp = torch.linspace(0.0, 1.0, chunk_steps + 1)[1:]
        self.register_buffer("ramp", ramp.clamp(min=FIRST_STEP), persistent=False)

    def encode(self, batch: Batch) -> Memory:
        """See the observation once: tokens among themselves, then what each expert block needs."""
        seen = self._camera_valid(batch.camera_valid)
        images = self.vision(batch.images)
        images_valid = seen.repeat_interleave(self.vision.tokens_per_camera, dim=1)
        words = self.words(batch.tokens) + self.word_place[: batch.tokens.shape[1]]
        valid = batch.state_valid.to(batch.state.dtype)
        arms = torch.cat(
            [(batch.state * valid).unflatten(1, (ARMS, -1)), valid.unflatten(1, (ARMS, -1))], dim=-1
        )
        states = self.state(arms) + self.arm_place
        tokens = torch.cat([states, words, images], dim=1)
        # the two state tokens always exist: their own mask says what they know
        states_valid = torch.ones_like(batch.state_valid[:, :ARMS])
        tokens_valid = torch.cat([states_valid, batch.tokens != PADDING, images_valid], dim=1)
        for block in self.observation:
            tokens = block(tokens, tokens_valid)
        tokens = self.observation_norm(tokens)
        layers = [block.attention.keys_values(tokens) for block in self.expert]
        summary = self.summary(tokens[:, :ARMS].flatten(1))
        return Memory(batch.prior, summary, layers, tokens_valid)

    def velocity(
        self, x_BHD: Tensor, times_B: Tensor, *, mask_BHD: Tensor, memory: Memory
    ) -> Tensor:
        """Flow velocity at ``x``, zero outside the mask.

        The network names the clean chunk and the velocity follows as ``(x - clean) / t``: a chunk
        is smooth and lies on few dimensions, the noise does not and would not fit through a narrow
        network (Li and He 2025, "Back to basics: let denoising generative models denoise"). It is
        named as a change from going on as before that can grow with the step, as motion does.
        """
        mask = mask_BHD.to(x_BHD.dtype)
        patched = (x_BHD.shape[1] // self.config.steps_per_token, -1)
        entering = torch.cat([x_BHD * mask, mask], dim=-1).unflatten(1, patched).flatten(2)
        tokens = self.action_in(entering) + self.step_place
        condition = self.time(time_features(times_B, self.config.width)) + memory.summary
        for block, seen in zip(self.expert, memory.layers, strict=True):
            tokens = block(tokens, condition, memory=seen, valid_BM=memory.valid)
        leaving = self.action_out(self.expert_norm(tokens))
        change = leaving.unflatten(2, (-1, SLOT_WIDTH)).flatten(1, 2)
        trust = 1.0 if self.training else self.config.trust
        clean = memory.prior + trust * self.ramp[:, None] * change
        return (x_BHD - clean) / times_B.clamp(min=SHORTEST_TIME)[:, None, None] * mask

    def loss(self, batch: Batch) -> dict[str, Tensor]:
        """Flow-matching loss per sample, over ``draws`` noises for one encoded observation.

        Weighted by t squared, which makes it the error of the clean chunk. Without the weight,
        times near 0, where the noisy chunk itself gives the answer away, would drown those near 1,
        where only the observation can.
        """
        draws = self.config.draws
        memory = self.encode(batch).repeated(draws)
        actions = batch.actions.repeat(draws, 1, 1)
        mask = batch.action_mask.repeat(draws, 1, 1)
        noise, times = torch.randn_like(actions), draw_times(len(actions), device=actions.device)
        velocity = self.velocity(noisy(actions, noise, times), times, mask_BHD=mask, memory=memory)
        per_draw = (
            masked_flow_loss(velocity, noise - actions, mask)
            * times.clamp(min=SHORTEST_TIME).square()
        )
        return {"per_sample": per_draw.unflatten(0, (draws, -1)).mean(dim=0)}

    @torch.no_grad()
    def sample(self, batch: Batch, noise: Tensor) -> Tensor:
        """Normalised chunk ``(B, H, 32)`` by ten Euler steps, zero outside ``batch.owned``."""
        memory = self.encode(batch)
        mask = batch.owned[:, None].expand_as(noise)
        masked = noise * mask
        return integrate(lambda x, t: self.velocity(x, t, mask_BHD=mask, memory=memory), masked)

    def _camera_valid(self, camera_valid: Tensor) -> Tensor:
        """In training, cameras vanish at random so that none is indispensable."""
        if not self.training or self.config.camera_dropout == 0.0:
            return camera_valid
        kept = (
            torch.rand(camera_valid.shape, device=camera_valid.device) >= self.config.camera_dropout
        )
        return camera_valid & kept
