"""The inertial sensor's clock and mounting against the camera's, from how both of them turned.

Between two keyframes camera and gyro must tell the same turn. What a wrong clock leaves grows with
angular acceleration, a gyro's bias with time, a wrong mounting with the turn itself: one linear
least-squares problem, solved anew a few times with what does not fit weighted down.
"""

from dataclasses import dataclass, replace

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.rotations import matrix_from_rotvec, rotvec_from_matrix
from core.geometry.se3 import SE3
from slam.imu.inertial import ImuData, deltas, integrate

SEARCH_S, STEP_S = 0.3, 0.01  # clocks further apart than this are left to the recorder
CLEARLY = 0.8  # of the disagreement without an offset that the best one may leave
OFFSET_SIGMA_S = 0.02  # before looking: holds the offset where nothing turns
TURN_SIGMA_RAD = 0.02  # of the mounting, where that is asked for
BIAS_SIGMA_RAD_S = 0.1
ROUNDS = 5
LEAST_SIGMA_RAD = 1e-4  # camera turns are not better than this
LEAST_OFFSET_SIGMA_S = 2.5e-4  # a twentieth of a sample at 200 Hz: linear between samples
LEAST_SHARE = 0.25  # of the sigma that unrelated intervals would give
LONGEST_S = 0.6  # intervals beyond this tell of the gyro's drift rather than of its clock


@dataclass(frozen=True, eq=False)
class ImuClock:
    """offset_s: to add to inertial stamps; one standard deviation ``sigma_s``.

    camera_from_imu_turn ``(3,3)``: right-multiplied onto the mounting's rotation; its sigma in
    radians, None where the mounting was taken as calibrated.
    """

    offset_s: float
    sigma_s: float
    turn: Floats
    turn_sigma_rad: float | None = None

    def applied(self, imu: ImuData) -> ImuData:
        """The same samples on the camera's clock, in the refined mounting."""
        mounting = imu.camera_from_imu
        return replace(
            imu,
            timestamps_ns=imu.timestamps_ns + round(self.offset_s * 1e9),
            camera_from_imu=SE3(mounting.rotation @ self.turn, mounting.translation),
        )


def fit_clock(
    imu: ImuData, times_ns: Ints, rotation: Floats, *, mounting: bool = False
) -> ImuClock:
    """Clock offset (and mounting) that make gyro and camera agree.

    times_ns ``(K,)``, rotation ``(K,3,3)``: world_from_camera of keyframes, seen without the IMU.
    """
    pairs = np.flatnonzero((np.diff(times_ns) < LONGEST_S * 1e9) & imu.told(times_ns))
    offset_s, bias = _search(imu, times_ns, rotation, pairs=pairs), np.zeros(3)
    turn, sigmas = np.eye(3), np.array([OFFSET_SIGMA_S, TURN_SIGMA_RAD])
    if len(pairs) < 3:
        return ImuClock(0.0, OFFSET_SIGMA_S, turn, TURN_SIGMA_RAD if mounting else None)
    for _ in range(ROUNDS):
        now = ImuClock(offset_s, 0.0, turn).applied(imu)
        rows = _Rows(now.without_bias(bias, np.zeros(3)), times_ns, rotation, pairs=pairs)
        believed = (offset_s, turn, bias)
        step, sigmas = rows.solve(believed, mounting=mounting)
        offset_s, bias = offset_s + step[0], bias + step[1:4]
        turn = turn @ matrix_from_rotvec(step[4:])
    return ImuClock(float(offset_s), float(sigmas[0]), turn, float(sigmas[1]) if mounting else None)


class _Rows:
    """Residuals and slopes of every interval, at the present clock, bias and mounting."""

    def __init__(self, imu: ImuData, times_ns: Ints, rotation: Floats, *, pairs: Ints) -> None:
        moved = deltas(integrate(imu, times_ns))
        in_imu = rotation @ imu.camera_from_imu.rotation
        seen = (in_imu[:-1].transpose(0, 2, 1) @ in_imu[1:])[pairs]
        felt = moved.rotation[pairs]
        back = felt.transpose(0, 2, 1)
        rate = _rates(imu, times_ns)
        self.off = rotvec_from_matrix(back @ seen)
        later, earlier = rate[pairs + 1], rate[pairs]
        by_offset = later - np.einsum("nij,nj->ni", back, earlier)
        by_bias = moved.seconds[pairs, None, None] * np.eye(3)
        by_turn = np.eye(3) - seen.transpose(0, 2, 1)
        self.slope = np.concatenate([by_offset[..., None], by_bias, by_turn], axis=2)

    def solve(
        self, believed: tuple[float, Floats, Floats], *, mounting: bool
    ) -> tuple[Floats, Floats]:
        """Step ``(7,)`` in offset, bias, turn; and the sigmas of offset and turn."""
        length = np.linalg.norm(self.off, axis=1)
        sigma = max(float(np.median(length)) / 1.54, LEAST_SIGMA_RAD)  # of a 3-vector's axes
        weight = 1 / (sigma**2 * (1 + (length / (3 * sigma)) ** 2))
        flat = self.slope.reshape(-1, 7)
        weights = np.repeat(weight, 3)
        offset_s, turn, bias = believed
        wide = [
            OFFSET_SIGMA_S,
            *[BIAS_SIGMA_RAD_S] * 3,
            *[TURN_SIGMA_RAD if mounting else 1e-9] * 3,
        ]
        prior = 1 / np.array(wide) ** 2
        so_far = np.concatenate([[offset_s], bias, rotvec_from_matrix(turn)])
        normal = (flat * weights[:, None]).T @ flat + np.diag(prior)
        right = -(flat * weights[:, None]).T @ self.off.ravel() - prior * so_far
        inverse = np.linalg.inv(normal)
        pull = np.einsum("n,nij,ni->nj", weight, self.slope, self.off)
        spread = inverse @ (np.diag(prior) + _scatter(pull)) @ inverse
        variance = np.maximum(np.diagonal(spread), LEAST_SHARE**2 * np.diagonal(inverse))
        variance[0] += LEAST_OFFSET_SIGMA_S**2
        return inverse @ right, np.sqrt([variance[0], variance[4:].mean()])


def _scatter(pull: Floats) -> Floats:
    """Covariance of the sum of what intervals ``(n,7)`` pull by. Neighbours share a keyframe: what
    one of them gets wrong the next takes back."""
    beside = pull[:-1].T @ pull[1:]
    return np.asarray(pull.T @ pull + beside + beside.T)


def _rates(imu: ImuData, times_ns: Ints) -> Floats:
    """Angular velocity ``(K,3)`` at these times, smoothed over three samples."""
    smooth = imu.gyro.copy()
    smooth[1:-1] = (imu.gyro[:-2] + imu.gyro[1:-1] + imu.gyro[2:]) / 3
    start = imu.timestamps_ns[0]
    seconds, wanted = (imu.timestamps_ns - start) * 1e-9, (times_ns - start) * 1e-9
    return np.stack([np.interp(wanted, seconds, smooth[:, k]) for k in range(3)], axis=1)


def _search(imu: ImuData, times_ns: Ints, rotation: Floats, *, pairs: Ints) -> float:
    """The offset on a coarse grid, small turns taken as vectors that add up."""
    if len(pairs) < 3:
        return 0.0
    in_imu = rotation @ imu.camera_from_imu.rotation
    seen = rotvec_from_matrix(in_imu[:-1].transpose(0, 2, 1) @ in_imu[1:])[pairs]
    start = imu.timestamps_ns[0]
    seconds, wanted = (imu.timestamps_ns - start) * 1e-9, (times_ns - start) * 1e-9
    steps = (imu.gyro[1:] + imu.gyro[:-1]) / 2 * np.diff(seconds)[:, None]
    total = np.concatenate([np.zeros((1, 3)), np.cumsum(steps, axis=0)])

    def cost(offset_s: float) -> float:
        at = [np.interp(wanted - offset_s, seconds, total[:, k]) for k in range(3)]
        off = np.linalg.norm(np.diff(np.stack(at, axis=1), axis=0)[pairs] - seen, axis=1)
        return float(np.mean(np.minimum(off, 0.05)))

    offsets = np.arange(-SEARCH_S, SEARCH_S + STEP_S / 2, STEP_S)
    costs = np.array([cost(float(offset_s)) for offset_s in offsets])
    clearly = costs.min() < CLEARLY * cost(0.0)
    return float(offsets[costs.argmin()]) if clearly else 0.0
