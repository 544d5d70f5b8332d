"""What the images say about one hand, in the form the fit takes it: rays with sigmas, and a shape
guess.

Everything is in a camera in which the hand is a right hand (left hands are mirrored at x = 0), and
in angles, so any camera model will do.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hands.model.kinematics import ANGLE_MEAN, joints_in_palm
from hands.model.proportions import HandShape
from hands.model.view_evidence import CameraEvidence

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

PARENTS = np.array([0, 0, 1, 2, 3, 0, 5, 6, 7, 0, 9, 10, 11, 0, 13, 14, 15, 0, 17, 18, 19])
MIRROR = np.array([-1.0, 1.0, 1.0])
NO_RAY = 1e3  # sigma where the lens model ends: such a landmark says nothing
BY_FRAME = (
    "rays", "sigma_rad", "guess", "seen", "distance", "distance_sigma", "palm_sigma", "posture",
)  # fmt: skip
MCP_BEYOND = 0.16  # of the proximal bone: where MediaPipe puts a finger's MCP
PALM_JOINTS = (1, 5, 9, 13, 17)  # the first joints; their bones lie in the palm


@dataclass(frozen=True, eq=False)
class Evidence:
    """N frames of one hand.

    rays: ``(N,21,3)`` unit.   sigma_rad: ``(N,21)``.   guess: ``(N,21,3)`` metres, the detector's
    own hand-centred points in the camera's axes, NaN where it gave none.   seen: ``(N,)``, False
    for frames without a detection (their numbers are not read).   distance: ``(N,)`` of the
    landmarks' middle, in hand lengths; distance_sigma: ``(N,)`` of its logarithm, infinite where
    nobody said.   palm_sigma: ``(N,5)`` of the guess's bones in the palm, in hand lengths, NaN
    where nobody said.   posture: ``(N,21)`` joint angles expected before anything is seen.   views:
    what other cameras say of the same frames.
    """

    rays: Floats
    sigma_rad: Floats
    guess: Floats
    seen: Bools
    distance: Floats
    distance_sigma: Floats
    palm_sigma: Floats
    posture: Floats
    views: tuple[CameraEvidence, ...] = ()

    @property
    def twice(self) -> Bools:
        """``(N,)`` frames in which another camera tells of the hand too."""
        return np.any([np.zeros(len(self), bool), *(v.seen for v in self.views)], axis=0)

    @property
    def read(self) -> Bools:
        """``(N,)`` whether the head's picture says anything of the hand."""
        return self.seen & (self.sigma_rad < NO_RAY).any(axis=1)

    @staticmethod
    def of(rays: Floats, sigma_rad: Floats, guess: Floats, *, seen: Bools) -> "Evidence":
        """Evidence that says nothing of the distance."""
        count = len(rays)
        distance, distance_sigma = np.ones(count), np.full(count, np.inf)
        palm_sigma = np.full((count, len(PALM_JOINTS)), np.nan)
        posture = np.tile(ANGLE_MEAN, (count, 1))
        return Evidence(rays, sigma_rad, guess, seen, distance, distance_sigma, palm_sigma, posture)

    def __len__(self) -> int:
        return len(self.rays)

    def __getitem__(self, index: Any) -> "Evidence":
        columns = {name: getattr(self, name)[index] for name in BY_FRAME}
        return replace(self, **columns, views=tuple(view[index] for view in self.views))

    @staticmethod
    def concat(parts: list["Evidence"]) -> "Evidence":
        """Frames one after the other; all parts have the same views."""
        columns = (np.concatenate([getattr(part, name) for part in parts]) for name in BY_FRAME)
        views = zip(*(part.views for part in parts), strict=True)
        return Evidence(*columns, views=tuple(type(view[0]).concat(list(view)) for view in views))


def landmark_mixing() -> Floats:
    """``(21,21)``: MediaPipe's landmarks as mixtures of joint centres.

    Its finger MCPs sit a sixth of the proximal bone beyond the joint (`MCP_BEYOND`). This is the
    difference between its own metric hand's proportions and those of `hands.model.proportions`, the
    same on every recording.
    """
    mixing = np.eye(21)
    for mcp in (5, 9, 13, 17):
        mixing[mcp, [mcp, mcp + 1]] = 1 - MCP_BEYOND, MCP_BEYOND
    return mixing


def tangents(rays: Floats) -> Floats:
    """``(…,2,3)``: two unit vectors across each ray, so that an offset over depth is an angle."""
    down = np.broadcast_to(np.array([0.0, 1.0, 0.0]), rays.shape)
    right = np.cross(down, rays)
    right /= np.linalg.norm(right, axis=-1, keepdims=True)
    return np.stack([right, np.cross(rays, right)], axis=-2)


def turn_to(directions: Floats) -> Floats:
    """``(N,3,3)`` smallest rotations that bring the optical axis onto unit ``directions``
    ``(N,3)``.
    """
    x, y, z = directions[:, 0], directions[:, 1], directions[:, 2]
    k = 1.0 / (1.0 + z)
    rows = [[1 - k * x * x, -k * x * y, x], [-k * x * y, 1 - k * y * y, y], [-x, -y, z]]
    return np.moveaxis(np.array(rows), 2, 0)


def scaled_guess(evidence: Evidence, shape: HandShape) -> Floats:
    """The detector's hands with the person's bones, turned to where they are seen, centred
    ``(N,21,3)``. Where it gave no 3D hand: the picture's, flat across the view.
    """
    known = np.isfinite(evidence.guess).all(axis=(1, 2))
    turn = turn_to(normalised(evidence.rays.mean(axis=1)))
    flat = evidence.rays @ turn * [1.0, 1.0, 0.0]  # across the view, axes as the guess's
    points = np.where(known[:, None, None], evidence.guess, flat)
    points = with_bones(points @ np.swapaxes(turn, 1, 2), shape)
    return np.asarray(points - points.mean(axis=1, keepdims=True))


def with_bones(points: Floats, shape: HandShape) -> Floats:
    """The same bone directions ``(N,21,3)`` with the person's lengths, wrist at the origin."""
    model = landmark_mixing() @ joints_in_palm(np.zeros(21), shape)
    wanted = np.linalg.norm(model[1:] - model[PARENTS[1:]], axis=-1)
    result = np.zeros_like(points)
    for joint in range(1, 21):
        bone = points[:, joint] - points[:, PARENTS[joint]]
        result[:, joint] = result[:, PARENTS[joint]] + wanted[joint - 1] * normalised(bone)
    return result


def normalised(vectors: Floats) -> Floats:
    """Unit vectors."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))


def placed_guess(rays: Floats, guess: Floats, shape: HandShape) -> Floats:
    """The detector's hands ``(N,21,3)`` at the person's overall size, shifted onto their rays
    (linear PnP); NaN where it gave none.
    """
    turn = turn_to(normalised(rays.mean(axis=1)))
    model = landmark_mixing() @ joints_in_palm(np.zeros(21), shape)
    wanted = np.linalg.norm(model[1:] - model[PARENTS[1:]], axis=-1).sum()
    found = np.linalg.norm(guess[:, 1:] - guess[:, PARENTS[1:]], axis=-1).sum(axis=1)
    points = guess @ np.swapaxes(turn, 1, 2) * (wanted / found)[:, None, None]
    return np.asarray(points + shift_onto_rays(points, tangents(rays))[:, None])


def shift_onto_rays(points: Floats, across: Floats) -> Floats:
    """``(N,3)`` shift that brings points ``(N,21,3)`` nearest to their rays; across: `tangents`."""
    rows = across.reshape(len(points), 2 * points.shape[1], 3)
    values = -(across @ points[..., None]).reshape(len(points), rows.shape[1])
    normal = np.swapaxes(rows, 1, 2) @ rows
    solved: Floats = np.linalg.solve(normal, np.swapaxes(rows, 1, 2) @ values[..., None])
    return solved[..., 0]
