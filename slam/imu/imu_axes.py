"""What is wrong with a gyro that contradicts the camera: its unit, its axes, or the lens.

The linear map from the gyro's turns to the camera's says it: its size is the unit, its sign the
handedness, its rotation the mounting. A right gyro's map is the identity.
"""

import numpy as np

from core.geometry.arrays import Floats, Ints
from core.geometry.rotations import nearest_rotation, rotvec_from_matrix
from slam.imu.imu_clock import LONGEST_S
from slam.imu.inertial import ImuData, deltas, integrate

DEG = 180 / np.pi
UNLIKE = 0.5  # of the camera's turns that even the best map may leave
LOOSE = 0.08  # that axes alone do not explain: pictures through a wrong lens tell wrong turns
# Of the camera's turns per interval, rms: below them nothing can be said, and nothing of the lens.
LEAST_TURN_RAD, CLEAR_TURN_RAD = 5e-3, 1e-2
AGREES_RAD = 5e-3  # rms per interval: a camera that hardly moves tells turns no better
SUSPECT_RAD = np.deg2rad(3.0)
LENS_OFF, LENS_SIGMAS = 0.03, 4.0  # share of the camera's turns, and how surely, that is named
AXES = "xyz"


def axes_doubt(imu: ImuData, times_ns: Ints, rotation: Floats) -> str | None:
    """One line about unit or axes of the gyro, with the cure; None where it agrees.

    times_ns ``(K,)``, rotation ``(K,3,3)``: world_from_camera of keyframes, seen without the IMU.
    """
    in_imu = rotation @ imu.camera_from_imu.rotation
    seen = rotvec_from_matrix(in_imu[:-1].transpose(0, 2, 1) @ in_imu[1:])
    felt = _felt(imu, times_ns)
    together = np.diff(times_ns) < LONGEST_S * 1e9  # maps joined across a pause are not so exact
    together &= imu.told(times_ns)
    seen, felt = seen[together], felt[together]
    if len(seen) < 10:
        return None
    turned_rad = float(np.sqrt(np.mean(seen**2)))
    if turned_rad < LEAST_TURN_RAD:
        return None
    felt, seen = felt - felt.mean(axis=0), seen - seen.mean(axis=0)
    best = np.linalg.lstsq(felt, seen, rcond=None)[0].T
    turn = rotvec_from_matrix(nearest_rotation(best))
    angle = float(np.linalg.norm(turn))
    mounted = angle < SUSPECT_RAD
    lens = _lens_doubt(felt, seen, imu.camera_from_imu.rotation) if mounted else None
    if np.sqrt(np.mean((seen - felt) ** 2)) < AGREES_RAD:
        return lens
    size = np.linalg.svd(best, compute_uv=False)
    left = np.linalg.norm(seen - felt @ best.T) / np.linalg.norm(seen)
    if left > UNLIKE or size[-1] < 0.2 * size[0]:
        return (
            "under no unit or axes does the gyro turn as the camera does: other recordings, a "
            "picture stabilised by the camera, or clocks more than 0.3 s apart (time_offset_ns)"
        )
    scale = float(np.cbrt(np.prod(size)))
    for factor, unit in ((1 / DEG, "deg/s"), (DEG, "rad/s")):
        if 0.8 < scale / factor < 1.25:
            return f'the gyro turns {1 / scale:.3g} times the camera: set gyro_unit = "{unit}"'
    if np.linalg.det(best) < 0:
        return f"the gyro's axes are mirrored: {_named(best)}; correct the signs in its file"
    if lens is not None:
        return lens
    if left > LOOSE and turned_rad > CLEAR_TURN_RAD:
        return (
            f"gyro and camera turn {left:.0%} apart under any axes: are focal length and the other "
            "intrinsics those of this video? slam.refine=focal finds a few per cent"
        )
    if mounted:
        return None
    return (
        f"head_from_imu seems {np.rad2deg(angle):.0f} degrees off ({_named(best)}); correct it, or "
        "set slam.refine=extrinsics where it is a few degrees"
    )


def _lens_doubt(felt: Floats, seen: Floats, camera_from_imu: Floats) -> str | None:
    """One line about a focal length that makes turns ``(n,3)`` about the image's sides too large or
    too small; None where it may be right. Other parts of the map give way too, so that it may be
    further off than the turns are.
    """
    x, y = ((turns @ camera_from_imu.T)[:, :2].ravel() for turns in (felt, seen))
    ratio = float(x @ y / (x @ x))
    sigma = float(np.linalg.norm(y - ratio * x) / np.sqrt(len(x) * (x @ x)))
    if abs(ratio - 1) < max(LENS_OFF, LENS_SIGMAS * sigma):
        return None
    return (
        f"pictures turn {ratio:.2f} times as far as the gyro: the focal length seems too "
        f"{'short' if ratio > 1 else 'long'}, by {abs(ratio - 1):.0%} or more; give the intrinsics "
        "of this video's size, zoom and mode"
    )


def _felt(imu: ImuData, times_ns: Ints) -> Floats:
    """Turns between these times, as vectors: integrated at a unit that keeps them small."""
    rate = float(np.quantile(np.linalg.norm(imu.gyro, axis=1), 0.95))
    unit = max(rate, 1e-9)
    slow = ImuData(imu.timestamps_ns, imu.gyro / unit * 0.3, imu.accel, imu.camera_from_imu)
    return rotvec_from_matrix(deltas(integrate(slow, times_ns)).rotation) * unit / 0.3


def _named(best: Floats) -> str:
    """Where the camera sees what the gyro calls x, y, z."""
    names = []
    for axis in range(3):
        column = best[:, axis]
        main = int(np.argmax(np.abs(column)))
        names.append(f"its {AXES[axis]} is {'-' if column[main] < 0 else ''}{AXES[main]}")
    return ", ".join(names)
