"""How two cameras on one head are turned against each other, where calibration got it wrong.

Glasses bend: by a degree on Aria, which moves corners several pixels off their epipolar curves. The
corners of a few pictures, looked for beside the curves as well, say the turn; but only where those
on the curves tell that something is wrong: a good calibration costs and changes nothing.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from core.geometry.arrays import Floats
from core.geometry.rotations import angle_between, matrix_from_rotvec
from slam.lengths.stereo import Matches, StereoPair

PICTURES, CORNERS = 6, 120  # pairs that are enough, and corners of each
DOUBTFUL_PX, FEW = 0.6, 0.1  # median miss on the curves, or share of corners found, that is wrong
FAR_PX, NEAR_PX = (-4.5, -3.0, -1.5, 0.0, 1.5, 3.0, 4.5), (-1.5, 0.0, 1.5)  # first, then
TURN_SIGMA_RAD = 0.01  # before looking
WORTH_TELLING_DEG = 0.2
LEAST_MATCHES = 40
SIGMA_PX = 0.5  # of a corner across its plane
ROUNDS, SETTLED_RAD = 4, 5e-4
HIDDEN = 2.0  # glasses that turn shift as well

Picture = tuple[Any, Any, Floats]  # grey, the second camera's grey, corners ``(N,2)``


def straightened(pair: StereoPair, pictures: Sequence[Picture]) -> StereoPair:
    """The pair with the turn that these pictures tell; itself where it was right, or nothing told.

    The sigma of the turn is that of its loosest axis, times what a calibration hides besides.
    """
    pictures = [(grey, second, _some(uv_px)) for grey, second, uv_px in pictures]
    if not pictures or not _doubtful(pair, pictures):
        return pair
    for round_ in range(ROUNDS):
        across_px = NEAR_PX if round_ else FAR_PX
        seen = [pair.matches(*picture, across_px=across_px) for picture in pictures]
        told = turn_of(seen)
        if told is None:
            return pair
        turn, covariance = told
        sigma_rad = HIDDEN * float(np.sqrt(np.linalg.eigvalsh(covariance)[-1]))
        pair = pair.with_turn(matrix_from_rotvec(turn), sigma_rad)
        if np.linalg.norm(turn) < SETTLED_RAD:
            break
    return pair


def _some(uv_px: Floats) -> Floats:
    return uv_px[np.unique(np.linspace(0, len(uv_px) - 1, CORNERS).astype(int))]


def bent(given: StereoPair, found: StereoPair, cameras: str) -> list[str]:
    """A warning where the second camera was turned away from its calibration."""
    off_deg = float(np.rad2deg(angle_between(given.place.rotation, found.place.rotation)))
    if off_deg < WORTH_TELLING_DEG:
        return []
    return [
        f"{cameras}: turned {off_deg:.1f} degrees away from head_from_camera, which is taken out; "
        "calibrate the two together again"
    ]


def _doubtful(pair: StereoPair, pictures: Sequence[Picture]) -> bool:
    seen = [pair.matches(*picture) for picture in pictures]
    good = np.concatenate([s.good for s in seen])
    if good.mean() < FEW:
        return True
    missed = np.concatenate([np.abs(s.slip_rad / s.rad_per_px) for s in seen])
    return bool(np.median(missed[good]) > DOUBTFUL_PX)


def turn_of(seen: Sequence[Matches]) -> tuple[Floats, Floats] | None:
    """Rotation vector ``(3,)`` that brings the second camera's rays into their epipolar planes, and
    its covariance ``(3,3)``; None where too few are seen."""
    towards, normals, slip, sigma = (
        np.concatenate([getattr(s, name)[s.good] for s in seen])
        for name in ("towards", "normals", "slip_rad", "rad_per_px")
    )
    if len(slip) < LEAST_MATCHES:
        return None
    slope, sigma = np.cross(towards, normals), SIGMA_PX * sigma
    turn, normal = np.zeros(3), np.eye(3)
    for _ in range(10):
        off = (slip + slope @ turn) / sigma
        weight = 1 / (sigma**2 * (1 + (off / 2) ** 2))
        normal = (slope * weight[:, None]).T @ slope + np.eye(3) / TURN_SIGMA_RAD**2
        turn = -np.linalg.solve(normal, slope.T @ (weight * slip))
    return np.asarray(turn), np.linalg.inv(normal)
