"""What can be chosen of a take besides its task and its sensors, by name."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Variation:
    """How the task is done. manner: one of `sim.manner.MANNERS`."""

    manner: str = "natural"


AS_IT_COMES = Variation()
