"""The inertial samples in an action camera's telemetry, in camera axes on the pictures' clock.

GoPro names the body's axes X left, Y back, Z up, seen from behind the camera, and ORIN says in
which order and with which sign they are stored (HERO5 and HERO6 do not say; theirs are known).
Checked on a HERO7 and a HERO5 recording: gravity, and the turns that the pictures show.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import median_filter, uniform_filter1d

from capture.gpmf import Packet, Stream, read_packets, text_of
from core.errors import BadInputError
from core.session.documents import located
from core.session.video import VideoInfo, opened_video

UNITS = {"ACCL": "m/s²", "GYRO": "rad/s"}
AXES_OF_FIRMWARE = {"HD5": "ZXY", "HD6": "YxZ"}  # where the streams have no ORIN
CAMERA_FROM_BODY = np.array([[-1.0, 0, 0], [0, 0, -1], [0, -1, 0]])  # x right, y down, z forward
PER_PICTURE = ("SHUT", "ISOE", "ISOG", "CORI")  # streams whose first sample is the first picture's
DRIFT_PACKETS = 31  # the sensor's clock is taken as steady over half a minute
LONGEST_STEP = 5.0  # sample periods; accelerations are not interpolated across more


@dataclass(frozen=True, eq=False)
class BodyMotion:
    """times_ns: ``(N,)`` on the video's own clock.   gyro_rad_s, accel_m_s2: ``(N,3)``, camera axes
    of the recorded picture.
    """

    times_ns: NDArray[np.int64]
    gyro_rad_s: NDArray[np.float64]
    accel_m_s2: NDArray[np.float64]


def read_body_motion(path: Path, info: VideoInfo) -> BodyMotion:
    """The inertial samples in a video file. BadInputError when it has none that can be used."""
    with located(f"{path}"):
        packets = read_packets(path)
        if not packets:
            raise BadInputError("no telemetry track; give the inertial samples as imu.csv")
        return body_motion(packets, info, firmware=firmware_of(path))


def firmware_of(path: Path) -> str:
    """The camera's firmware as the container names it, "" where it does not."""
    with opened_video(path) as (container, _):
        return str(container.metadata.get("firmware", ""))


def body_motion(packets: list[Packet], info: VideoInfo, *, firmware: str = "") -> BodyMotion:
    """The inertial samples of the telemetry, gyro and accelerometer at the gyro's times.

    firmware: as the container names it; it tells the axes where the streams do not.
    Raises BadInputError without a file name: what is missing or cannot be right.
    """
    gyro_ns, gyro = _samples("GYRO", packets, info, firmware=firmware)
    accel_ns, accel = _samples("ACCL", packets, info, firmware=firmware)
    after = np.searchsorted(accel_ns, gyro_ns)
    between = np.clip(after, 1, len(accel_ns) - 1)
    near = np.diff(accel_ns)[between - 1] <= LONGEST_STEP * np.median(np.diff(accel_ns))
    inside = np.isin(gyro_ns, accel_ns) | ((after > 0) & (after < len(accel_ns)) & near)
    times = gyro_ns[inside]
    if len(times) < 2:
        raise BadInputError("gyro and accelerometer have no time in common")
    at_gyro = np.stack([np.interp(times, accel_ns, axis) for axis in accel.T], axis=1)
    return BodyMotion(times, gyro[inside], at_gyro)


def _samples(
    key: str, packets: list[Packet], info: VideoInfo, *, firmware: str
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Times ``(N,)`` and values ``(N,3)`` in camera axes of one sensor."""
    blocks = [(p, s) for p in packets if (s := p.stream(key)) is not None and s[key].data]
    if not blocks:
        raise BadInputError(f"no {key} samples in the telemetry track")
    stream = blocks[0][1]
    unit = text_of(stream, "SIUN")
    if unit != UNITS[key]:
        raise BadInputError(f"{key} is in {unit or 'no unit'!r}, not {UNITS[key]}")
    values = [_scaled(s, key) for _, s in blocks]
    counts = np.array([len(v) for v in values])
    before = np.cumsum(counts) - counts
    if all("TSMP" in s for _, s in blocks):
        before = np.array([s["TSMP"].integer() for _, s in blocks]) - counts
    back = np.flatnonzero(np.diff(before) < counts[:-1])
    if len(back):
        start = blocks[back[0] + 1][0].start_ns / 1e9
        raise BadInputError(
            f"{key} samples at {start:.3f} s are counted before those above them: packets are "
            "interleaved or repeated"
        )
    starts = _block_starts([s for _, s in blocks], packets, info)
    if starts is None:
        starts = np.array([p.start_ns for p, _ in blocks])
    number = np.concatenate([np.arange(b, b + n) for b, n in zip(before, counts, strict=True)])
    times = _sample_times(number, before, starts, counts=counts)
    camera_from_stored = CAMERA_FROM_BODY @ _body_from_stored(stream, firmware)
    return times, np.concatenate(values) @ camera_from_stored.T


def _scaled(stream: Stream, key: str) -> NDArray[np.float64]:
    values = stream[key].numbers()
    if values.shape[1] != 3:
        raise BadInputError(f"{key} has {values.shape[1]} axes, not 3")
    if "SCAL" not in stream:
        return values
    scale = stream["SCAL"].numbers().ravel()
    if len(scale) not in {1, 3} or not np.all(scale != 0):
        raise BadInputError(f"{key} is scaled by {scale.tolist()}; one or three numbers, not 0")
    return values / scale


def _body_from_stored(stream: Stream, firmware: str) -> NDArray[np.float64]:
    """The permutation with signs that ORIN names: ``YxZ`` is Y, then -X, then Z."""
    order = text_of(stream, "ORIN") or AXES_OF_FIRMWARE.get(firmware[:3], "")
    if sorted(order.upper()) != ["X", "Y", "Z"]:
        raise BadInputError(
            f"the axes of its sensor are not known (ORIN {order!r}, firmware {firmware!r})"
        )
    matrix = np.zeros((3, 3))
    for stored, letter in enumerate(order):
        matrix["XYZ".index(letter.upper()), stored] = 1.0 if letter.isupper() else -1.0
    return matrix


def _block_starts(
    blocks: list[Stream], packets: list[Packet], info: VideoInfo
) -> NDArray[np.int64] | None:
    """Times by the camera's own stamps (STMP, from HERO8 on), the first picture's being known."""
    pictures = (packets[0].stream(key) for key in PER_PICTURE)
    origin = next((s["STMP"].integer() for s in pictures if s and "STMP" in s), None)
    if origin is None or not all("STMP" in s for s in blocks):
        return None
    stamps_us = np.array([s["STMP"].integer() for s in blocks]) - origin
    return np.asarray(info.timestamps_ns[0] + stamps_us * 1000)


def _sample_times(
    number: NDArray[np.int64],
    before: NDArray[np.int64],
    starts_ns: NDArray[np.int64],
    *,
    counts: NDArray[np.int64],
) -> NDArray[np.int64]:
    """A time per sample ``(N,)``: packets are cut with some jitter, the sensor's clock is steady.

    number: ``(N,)`` of the sample since the start.   before, starts_ns, counts: ``(B,)`` samples
    before a block, its time, and how many it holds.
    """
    if len(before) < 3:
        raise BadInputError(f"{len(before)} telemetry packets are too few to tell the sample rate")
    start, first = starts_ns - starts_ns[0], before - before[0]
    used = np.ones(len(first), dtype=bool)
    for _ in range(4):  # the first packet of a recording is often cut short
        slope, offset = np.polyfit(first[used], start[used], 1)
        left = start - offset - slope * first
        used = np.abs(left) <= max(4.5 * float(np.median(np.abs(left[used]))), 1e6)
    if slope <= 0 or np.abs(left).max() > 2e9:
        raise BadInputError("the telemetry's times and sample counts do not fit together")
    width = min(DRIFT_PACKETS, len(left))
    drift = uniform_filter1d(median_filter(left, width, mode="mirror"), width, mode="mirror")
    here = number - before[0]
    times = offset + slope * here + np.interp(here, first, drift)
    if not np.all(np.diff(times) > 0):
        raise BadInputError("the telemetry's times run backwards")
    return np.asarray(starts_ns[0] + np.rint(times), dtype=np.int64)
