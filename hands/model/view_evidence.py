"""What a second camera says of one hand: its rays, where it stood, and how sure its place is."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ViewEvidence:
    """N frames of one hand in a camera that is not the head's; mirrored like `Evidence`.

    rotation: ``(N,3,3)`` camera_from_head.   position: ``(N,3)`` of the same, metres.
    rays: ``(N,21,3)`` unit, in the camera.   sigma_rad: ``(N,21)``.   seen: ``(N,)``; the other
    numbers of unseen frames are not read, but are finite.   pose_sigma_m, pose_sigma_rad: ``(N,)``
    per axis, of the camera's place in the head.
    """

    rotation: Floats
    position: Floats
    rays: Floats
    sigma_rad: Floats
    seen: Bools
    pose_sigma_m: Floats
    pose_sigma_rad: Floats

    def __len__(self) -> int:
        return len(self.rays)

    def __getitem__(self, index: Any) -> "ViewEvidence":
        return ViewEvidence(*(value[index] for value in vars(self).values()))

    @staticmethod
    def concat(parts: list["ViewEvidence"]) -> "ViewEvidence":
        """Frames one after the other."""
        columns = zip(*(vars(part).values() for part in parts), strict=True)
        return ViewEvidence(*(np.concatenate(column) for column in columns))
