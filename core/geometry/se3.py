"""Rigid transforms, batched. ``world_from_palm = world_from_head @ head_from_palm``: neighbours
cancel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from core.errors import BadInputError
from core.geometry import rotations
from core.geometry.arrays import Bools, Floats, frozen_floats


@dataclass(frozen=True, eq=False)
class SE3:
    """A batch of rigid transforms ``target_from_source``.

    rotation: ``(…,3,3)`` float64.   translation: ``(…,3)`` metres, source's origin in the target
    frame.
    The two batch shapes are broadcast to one. NaN stands for "no pose" and passes through every
    operation.
    """

    rotation: Floats
    translation: Floats

    def __post_init__(self) -> None:
        rotation, translation = np.asarray(self.rotation), np.asarray(self.translation)
        if rotation.shape[-2:] != (3, 3) or translation.shape[-1:] != (3,):
            raise BadInputError(
                f"SE3: expected rotation (…,3,3) and translation (…,3), found {rotation.shape} and "
                f"{translation.shape}"
            )
        batch = np.broadcast_shapes(rotation.shape[:-2], translation.shape[:-1])
        object.__setattr__(
            self, "rotation", frozen_floats(np.broadcast_to(rotation, (*batch, 3, 3)))
        )
        object.__setattr__(
            self, "translation", frozen_floats(np.broadcast_to(translation, (*batch, 3)))
        )

    # --- making ---------------------------------------------------------------------------------

    @staticmethod
    def identity(batch: tuple[int, ...] = ()) -> "SE3":
        """No motion, repeated over ``batch``."""
        return SE3(np.broadcast_to(np.eye(3), (*batch, 3, 3)), np.zeros((*batch, 3)))

    @staticmethod
    def from_matrix(matrix: ArrayLike) -> "SE3":
        """From ``(…,4,4)`` (or ``(…,3,4)``) homogeneous matrices."""
        m = np.asarray(matrix, dtype=np.float64)
        return SE3(m[..., :3, :3], m[..., :3, 3])

    @staticmethod
    def from_pose7(pose: ArrayLike) -> "SE3":
        """From ``(…,7)``: x, y, z in metres, then the unit quaternion w, x, y, z. Rows of NaN stay
        NaN.
        """
        pose = np.asarray(pose, dtype=np.float64)
        if pose.shape[-1:] != (7,):
            raise BadInputError(f"pose: expected 7 numbers x y z qw qx qy qz, found {pose.shape}")
        off = np.abs(np.linalg.norm(pose[..., 3:], axis=-1) - 1)
        if np.any(off > 1e-3):
            raise BadInputError(
                f"pose: quaternion of length {1 + np.nanmax(off):.4g}; write unit qw qx qy qz last"
            )
        return SE3(rotations.matrix_from_quat_wxyz(pose[..., 3:]), pose[..., :3])

    @staticmethod
    def from_vec6(vec6: ArrayLike) -> "SE3":
        """From ``(…,6)``: translation, then rotation vector (not a twist)."""
        v = np.asarray(vec6, dtype=np.float64)
        return SE3(rotations.matrix_from_rotvec(v[..., 3:]), v[..., :3])

    @staticmethod
    def exp(twist: ArrayLike) -> "SE3":
        """Exponential of a twist ``(…,6)``: linear part first, then angular."""
        twist = np.asarray(twist, dtype=np.float64)
        rotvec = twist[..., 3:]
        moved = _left_jacobian(rotvec) @ twist[..., :3, None]
        return SE3(rotations.matrix_from_rotvec(rotvec), moved[..., 0])

    @staticmethod
    def stack(transforms: Sequence["SE3"]) -> "SE3":
        """A list of equal-shaped transforms as one batch, new axis first."""
        return SE3(
            np.stack([t.rotation for t in transforms]),
            np.stack([t.translation for t in transforms]),
        )

    # --- reading --------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The batch shape; ``()`` for a single transform."""
        return self.translation.shape[:-1]

    @property
    def finite(self) -> Bools:
        """``(…)``: where a pose is known."""
        known = np.isfinite(self.translation).all(-1) & np.isfinite(self.rotation).all((-2, -1))
        return np.asarray(known)

    def __len__(self) -> int:
        return self.translation.shape[0] if self.shape else 1

    def __getitem__(self, index: Any) -> "SE3":
        rotation, translation = self.rotation[index], self.translation[index]
        return SE3(rotation, translation)

    def matrix(self) -> Floats:
        """``(…,4,4)`` homogeneous matrices."""
        m = np.zeros((*self.shape, 4, 4))
        m[..., :3, :3], m[..., :3, 3], m[..., 3, 3] = self.rotation, self.translation, 1.0
        return m

    def to_pose7(self) -> Floats:
        """``(…,7)``; quaternions are hemisphere-continuous along axis 0, and w >= 0 in a single
        pose.
        """
        quat = rotations.quat_wxyz_from_matrix(self.rotation)
        return np.concatenate([self.translation, rotations.hemisphere_continuous(quat)], axis=-1)

    def to_vec6(self) -> Floats:
        """``(…,6)``: translation, then rotation vector."""
        return np.concatenate(
            [self.translation, rotations.rotvec_from_matrix(self.rotation)], axis=-1
        )

    def log(self) -> Floats:
        """The twist ``(…,6)`` whose exponential this is."""
        rotvec = rotations.rotvec_from_matrix(self.rotation)
        linear = np.linalg.solve(_left_jacobian(rotvec), self.translation[..., None])[..., 0]
        return np.concatenate([linear, rotvec], axis=-1)

    # --- doing ----------------------------------------------------------------------------------

    def inverse(self) -> "SE3":
        """``source_from_target``."""
        back = np.swapaxes(self.rotation, -1, -2)
        return SE3(back, -(back @ self.translation[..., None])[..., 0])

    def __matmul__(self, other: "SE3") -> "SE3":
        moved = (self.rotation @ other.translation[..., None])[..., 0] + self.translation
        return SE3(self.rotation @ other.rotation, moved)

    def apply(self, points: ArrayLike) -> Floats:
        """Points in the source frame to the target frame.

        ``(…,3)``; a batch ``(T,)`` takes ``(T,3)`` or ``(T,K,3)``, a single transform takes any
        shape.
        """
        points = np.asarray(points, dtype=np.float64)
        if not self.shape:
            return np.asarray(points @ self.rotation.T + self.translation)
        extra = max(points.ndim - 1 - len(self.shape), 0)
        rotation = self.rotation.reshape(*self.shape, *(1,) * extra, 3, 3)
        translation = self.translation.reshape(*self.shape, *(1,) * extra, 3)
        return np.asarray((rotation @ points[..., None])[..., 0] + translation)

    def rotate(self, vectors: ArrayLike) -> Floats:
        """Directions (no translation) from the source frame to the target frame; shapes as
        ``apply``.
        """
        return SE3(self.rotation, np.zeros(3)).apply(vectors)


def _skew(vectors: Floats) -> Floats:
    x, y, z = np.moveaxis(vectors, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def _left_jacobian(rotvec: Floats) -> Floats:
    """V of the SE(3) exponential: I + (1 - cos a)/a² [w] + (a - sin a)/a³ [w]²."""
    angle = np.linalg.norm(rotvec, axis=-1)
    square = angle**2
    small = angle < 1e-2
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 0.5 - square / 24 + square**2 / 720, (1 - np.cos(safe)) / safe**2)
    second = np.where(
        small, 1 / 6 - square / 120 + square**2 / 5040, (safe - np.sin(safe)) / safe**3
    )
    k = _skew(rotvec)
    return np.asarray(np.eye(3) + first[..., None, None] * k + second[..., None, None] * (k @ k))


def interpolate(
    times_ns: ArrayLike, poses: SE3, query_ns: ArrayLike, *, max_gap_ns: int | None = None
) -> tuple[SE3, Bools]:
    """Poses ``(N,)`` at strictly rising ``times_ns``, read at ``query_ns`` ``(Q,)``: linear and
    slerp.

    Returns the poses ``(Q,)`` and where they are valid. Never extrapolates: outside the times, next
    to a NaN pose, or inside a gap longer than ``max_gap_ns`` the pose is NaN and the mask False.
    """
    times = np.asarray(times_ns, dtype=np.int64)
    query = np.asarray(query_ns, dtype=np.int64)
    if len(times) == 0:
        nothing = SE3(np.full((len(query), 3, 3), np.nan), np.full((len(query), 3), np.nan))
        return nothing, np.zeros(len(query), dtype=bool)
    after = np.clip(np.searchsorted(times, query, side="left"), 0, len(times) - 1)
    exact = times[after] == query
    before = np.where(exact, after, np.maximum(after - 1, 0))
    span = times[after] - times[before]
    fraction = np.where(span > 0, (query - times[before]) / np.maximum(span, 1), 0.0)
    start, end = poses[before], poses[after]
    valid = (query >= times[0]) & (query <= times[-1]) & start.finite & end.finite
    if max_gap_ns is not None:
        valid &= span <= max_gap_ns
    quat = rotations.slerp(
        rotations.quat_wxyz_from_matrix(start.rotation),
        rotations.quat_wxyz_from_matrix(end.rotation),
        fraction,
    )
    position = start.translation + fraction[:, None] * (end.translation - start.translation)
    rotation = np.where(valid[:, None, None], rotations.matrix_from_quat_wxyz(quat), np.nan)
    return SE3(rotation, np.where(valid[:, None], position, np.nan)), valid
