"""Transformer pieces of the small policy. Legend: B samples, N tokens, M memory tokens, W width."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

KeysValues = tuple[Tensor, Tensor]


def time_features(times_B: Tensor, width: int) -> Tensor:
    """Sines and cosines of the flow time, ``(B, width)``; periods 4e-3 to 4 as in openpi."""
    fraction = torch.linspace(0.0, 1.0, width // 2, dtype=torch.float64, device=times_B.device)
    periods = 4e-3 * (4.0 / 4e-3) ** fraction
    angles = 2.0 * math.pi * times_B.double()[:, None] / periods
    return torch.cat([angles.sin(), angles.cos()], dim=-1).to(times_B.dtype)


class Attention(nn.Module):
    """Multi-head attention of queries over keys, of which some may be absent."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def keys_values(self, tokens_BMW: Tensor) -> KeysValues:
        """What others may attend to, per head: two tensors ``(B, heads, M, W / heads)``."""
        keys, values = self.key_value(tokens_BMW).chunk(2, dim=-1)
        return self._split(keys), self._split(values)

    def forward(self, queries_BNW: Tensor, seen: KeysValues, valid_BM: Tensor) -> Tensor:
        """Every query sees the keys where ``valid_BM``; at least one per sample must be."""
        query = self._split(self.query(queries_BNW))
        mask = valid_BM[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, *seen, attn_mask=mask)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def _split(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)


def feed_forward(width: int, dropout: float) -> nn.Sequential:
    """Two layers, four times as wide inside."""
    return nn.Sequential(
        nn.Linear(width, 4 * width), nn.GELU(), nn.Dropout(dropout), nn.Linear(4 * width, width)
    )


class ObservationBlock(nn.Module):
    """Pre-norm self-attention among observation tokens; they never see the actions."""

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention, self.norm_forward = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.forward_part = feed_forward(width, dropout)
        self.dropout = nn.Dropout(dropout)

    def forward(self, tokens_BNW: Tensor, valid_BN: Tensor) -> Tensor:
        normed = self.norm_attention(tokens_BNW)
        tokens_BNW = tokens_BNW + self.dropout(
            self.attention(normed, self.attention.keys_values(normed), valid_BN)
        )
        return tokens_BNW + self.dropout(self.forward_part(self.norm_forward(tokens_BNW)))


class ExpertBlock(nn.Module):
    """Action tokens attend to the observation and to each other; the flow time scales and gates.

    The gates start at zero, so every block starts as the identity.
    """

    def __init__(self, width: int, heads: int, dropout: float) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width, elementwise_affine=False)
        self.norm_forward = nn.LayerNorm(width, elementwise_affine=False)
        self.attention = Attention(width, heads)
        self.forward_part = feed_forward(width, dropout)
        self.modulation = nn.Linear(width, 6 * width)
        nn.init.zeros_(self.modulation.weight)
        nn.init.zeros_(self.modulation.bias)

    def forward(
        self, actions_BNW: Tensor, condition_BW: Tensor, *, memory: KeysValues, valid_BM: Tensor
    ) -> Tensor:
        """``memory`` are this block's keys and values of the observation, made once per chunk."""
        parts = self.modulation(condition_BW)[:, None].chunk(6, dim=-1)
        scale, shift, gate, scale_forward, shift_forward, gate_forward = parts
        normed = self.norm_attention(actions_BNW) * (1 + scale) + shift
        own = self.attention.keys_values(normed)
        seen = (torch.cat([memory[0], own[0]], dim=2), torch.cat([memory[1], own[1]], dim=2))
        own_valid = torch.ones(actions_BNW.shape[:2], dtype=torch.bool, device=valid_BM.device)
        valid = torch.cat([valid_BM, own_valid], dim=1)
        actions_BNW = actions_BNW + gate * self.attention(normed, seen, valid)
        normed = self.norm_forward(actions_BNW) * (1 + scale_forward) + shift_forward
        return actions_BNW + gate_forward * self.forward_part(normed)
