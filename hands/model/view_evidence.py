"""What a second camera says of one hand: its rays, where it stood, and how sure its place is; and
where a hand sits in the camera that it carries.
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class CameraEvidence:
    """N frames of a camera that is not the head's; mirrored like `Evidence`.

    rotation: ``(N,3,3)`` camera_from_head.   position: ``(N,3)`` of the same, metres.
    seen: ``(N,)`` whether it says anything; the other numbers of the other frames are not read,
    but are finite.   pose_sigma_m, pose_sigma_rad: ``(N,)`` per axis, of the camera's place in the
    head.
    """

    rotation: Floats
    position: Floats
    seen: Bools
    pose_sigma_m: Floats
    pose_sigma_rad: Floats

    def __len__(self) -> int:
        return len(self.seen)

    def __getitem__(self, index: Any) -> Self:
        return type(self)(**{name: value[index] for name, value in vars(self).items()})

    @classmethod
    def concat(cls, parts: list[Self]) -> Self:
        """Frames one after the other."""
        return cls(**{
            name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])
        })


@dataclass(frozen=True, eq=False, kw_only=True)
class ViewEvidence(CameraEvidence):
    """A hand read in the camera's picture. rays: ``(N,21,3)`` unit, in the camera.
    sigma_rad: ``(N,21)``.
    """

    rays: Floats
    sigma_rad: Floats


@dataclass(frozen=True, eq=False, kw_only=True)
class MountEvidence(CameraEvidence):
    """Where the hand sits in the camera that is strapped to it, whatever its picture shows.

    palm: ``(N,3,3)`` camera_from_palm.   wrist: ``(N,3)`` in the camera, metres.   sigma_m:
    ``(N,)`` per axis.   sigma_rad: ``(N,3)`` about the palm's axes.
    """

    palm: Floats
    wrist: Floats
    sigma_m: Floats
    sigma_rad: Floats
