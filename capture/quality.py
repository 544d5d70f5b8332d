"""First quality facts of a session: figures, a traffic light, and reasons in plain words.

Red: a later stage will not get what it needs. Amber: it will, but worse. Thresholds stand beside
each rule.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from capture.pictures import PictureFacts
from core.geometry.clock import gaps, median_period_ns
from core.geometry.se3 import SE3
from core.session.tables import Frames, Imu, Ticks

GRAVITY_M_S2 = 9.81
# the dullest usable head video seen measures 14; with 25 px of motion blur added 3, defocused 2
BLURRED = 5.0
# A camera that looks this steeply down or up does not show which side of its picture is up.
LEAST_LEVEL, TURNED_DEG = 0.5, 60.0
RANK = {"green": 0, "amber": 1, "red": 2}


@dataclass(frozen=True)
class Finding:
    """One thing that is not right. about: the stream.   text: a sentence with the figure and the
    cure.
    """

    light: str
    about: str
    text: str


def light_of(findings: list[Finding]) -> str:
    """The worst light; green when nothing was found."""
    return max((f.light for f in findings), key=RANK.__getitem__, default="green")


def stream_figures(frames: Frames, pictures: PictureFacts) -> dict[str, Any]:
    """Rate, gaps, losses and picture quality of one camera."""
    reasons = frames.reason
    decoded = int(np.sum(frames.frame_index >= 0))
    counts = {r: int(np.sum(reasons == r)) for r in ("dropped", "duplicate", "late")}
    kept = frames.timestamp_ns[~frames.valid_of("reason")]
    span_s = float(kept[-1] - kept[0]) / 1e9
    return {
        "pictures": decoded,
        "duration_s": round(span_s, 3),
        "rate_hz": round((len(kept) - 1) / span_s, 3) if span_s > 0 else 0.0,
        **counts,
        "dropped_share": round(counts["dropped"] / max(decoded + counts["dropped"], 1), 4),
        "longest_gap_s": round(float(np.diff(kept).max(initial=0)) / 1e9, 3),
        "damaged": pictures.damaged,
        "sharpness_median": round(float(np.median(pictures.sharpness)), 2),
        "brightness_mean": round(float(np.mean(pictures.brightness)), 1),
        "underexposed_share": round(float(np.mean(pictures.dark)), 4),
        "overexposed_share": round(float(np.mean(pictures.bright)), 4),
    }


def stream_findings(
    name: str, figures: dict[str, Any], *, pause_s: float, estimated: str = ""
) -> list[Finding]:
    """What is wrong with one camera. estimated: where its lens was guessed from."""
    found: list[tuple[str, str]] = []
    if estimated:
        text = f"the lens is estimated ({estimated}); calibrate it for exact lengths"
        found.append(("amber", text))
    share = figures["dropped_share"]
    if share > 0.01:
        cure = "use a faster card or a lower resolution"
        text = f"{100 * share:.1f} % of the pictures are missing; {cure}"
        found.append(("red" if share > 0.1 else "amber", text))
    if figures["longest_gap_s"] > pause_s:
        found.append(("amber", f"a pause of {figures['longest_gap_s']:.1f} s in the recording"))
    if figures["late"] > 0.01 * figures["pictures"]:
        found.append(("amber", f"late pictures: {figures['late']}; they are left out"))
    if figures["damaged"]:
        light = "red" if figures["damaged"] > 0.02 * figures["pictures"] else "amber"
        found.append((light, f"damaged pictures: {figures['damaged']}; copy the file again"))
    if figures["duplicate"]:
        found.append((
            "amber",
            f"pictures that repeat a time: {figures['duplicate']}; they are left out",
        ))
    if figures["rate_hz"] > 1000:
        rate = f"{figures['rate_hz']:.0f} pictures/s cannot be: are the stamps in nanoseconds?"
        found.append(("red", rate))
    if 0 < figures["rate_hz"] < 15:
        rate = f"{figures['rate_hz']:.1f} pictures/s is slow for hands; record at 30 or more"
        found.append(("amber", rate))
    if figures["brightness_mean"] < 25:
        level = figures["brightness_mean"]
        found.append(("red", f"nearly black (mean grey level {level:.0f} of 255); add light"))
    elif figures["underexposed_share"] > 0.5 or figures["overexposed_share"] > 0.25:
        found.append(("amber", "large parts are under- or overexposed; change the light"))
    if figures["sharpness_median"] < BLURRED:
        value = figures["sharpness_median"]
        found.append((
            "amber",
            f"blurred or featureless (Laplacian variance {value:.1f}, {BLURRED} wanted)",
        ))
    return [Finding(light, name, f"{name}: {text}") for light, text in found]


def imu_figures(imu: Imu, head_from_imu: SE3) -> dict[str, Any]:
    """Rate, gaps, saturation and plausibility of the inertial samples."""
    times = imu.timestamp_ns
    _, missing = gaps(times)
    period = median_period_ns(times)
    return {
        "samples": len(imu),
        "rate_hz": round(1e9 / period, 2) if period else 0.0,
        "gaps": len(missing),
        "missing_samples": int(missing.sum()),
        "longest_gap_s": round(float(np.diff(times).max(initial=0)) / 1e9, 4),
        "gravity_m_s2": round(float(np.median(np.linalg.norm(imu.accel_m_s2, axis=1))), 3),
        "up_off_deg": _up_off_deg(head_from_imu.rotate(imu.accel_m_s2)),
        "gyro_p95_rad_s": round(
            float(np.percentile(np.linalg.norm(imu.gyro_rad_s, axis=1), 95)), 3
        ),
        "accel_saturated_share": round(_stuck_at_limit(imu.accel_m_s2, least=15.0), 5),
        "gyro_saturated_share": round(_stuck_at_limit(imu.gyro_rad_s, least=4.0), 5),
    }


def _up_off_deg(force_in_head: NDArray[np.float64]) -> float | None:
    """Degrees clockwise from the top of the picture to where up is, by the specific forces
    ``(N,3)``; None where the camera looks too steeply to tell.
    """
    up = np.median(force_in_head, axis=0)
    if np.hypot(up[0], up[1]) < LEAST_LEVEL * np.linalg.norm(up):
        return None
    return round(float(np.rad2deg(np.arctan2(up[0], -up[1]))) % 360, 1) % 360


def _stuck_at_limit(values: NDArray[np.float64], *, least: float) -> float:
    """Share of samples that repeat their axis's largest magnitude, where that is at least
    ``least``.
    """
    size = np.abs(values)
    top = size.max(axis=0)
    at_top = (size >= top * (1 - 1e-9)) & (top >= least)
    stuck = at_top[1:] & at_top[:-1]
    return float(stuck.any(axis=1).mean()) if len(stuck) else 0.0


def _unit_cure(key: str, unit: str) -> str:
    return f'set {key} = "{unit}" under [imu] in the recording\'s rig.toml and ingest it again'


def _upright(off_deg: float) -> list[tuple[str, str]]:
    """What gravity says of a picture whose up is so many degrees clockwise from its top."""
    if not TURNED_DEG < off_deg < 360 - TURNED_DEG:
        return []
    turn = -90 * round(off_deg / 90) % 360
    signs = "the accelerometer's signs (at rest it reads +9.8 upwards) or " if turn == 180 else ""
    text = (
        f"up is {off_deg:.0f} degrees clockwise from the top of the head's picture: turn it {turn} "
        f"further (rotate under [streams.head]), or correct {signs}head_from_imu"
    )
    return [("amber", text)]


def imu_findings(
    figures: dict[str, Any], *, noise_given: bool, stabilised: str = ""
) -> list[Finding]:
    """What is wrong with the inertial samples. stabilised: how the camera turned its pictures."""
    found: list[tuple[str, str]] = []
    gravity = figures["gravity_m_s2"]
    if abs(gravity - 1.0) < 0.15:
        text = (
            f"median acceleration is {gravity:.2f}: that is in g; {_unit_cure('accel_unit', 'g')}"
        )
        found.append(("red", text))
    elif abs(gravity - GRAVITY_M_S2) > 1.5:
        cure = "check units, axes"
        if gravity < 3:
            cure = "is gravity taken out? record the raw accelerometer"
        text = f"median acceleration is {gravity:.2f} m/s², not near {GRAVITY_M_S2}; {cure}"
        found.append(("red", text))
    else:
        found += _upright(figures["up_off_deg"] or 0.0)
    if figures["gyro_p95_rad_s"] > 15:
        turn = figures["gyro_p95_rad_s"]
        cure = _unit_cure("gyro_unit", "deg/s")
        if np.deg2rad(turn) > 15:
            cure = "write rad/s or deg/s into its file"
        text = f"turns at {turn:.0f} rad/s: too fast for a head; {cure}"
        found.append(("red", text))
    if 0 < figures["rate_hz"] < 90:
        rate = figures["rate_hz"]
        found.append(("amber", f"{rate:.0f} samples/s is slow; 200 or more are wanted"))
    if figures["missing_samples"]:
        lost = figures["missing_samples"]
        share = lost / (figures["samples"] + lost)
        text = f"{lost} samples missing in {figures['gaps']} gaps"
        found.append(("red" if share > 0.05 else "amber", text))
    for kind in ("accel", "gyro"):
        share = figures[f"{kind}_saturated_share"]
        if share > 0:
            text = f"{kind} is at its limit in {100 * share:.2f} % of the samples; widen its range"
            found.append(("red" if share > 0.01 else "amber", text))
    if stabilised:
        found.append((
            "amber",
            f"the picture was stabilised by the camera ({stabilised}) and no longer turns with the "
            "sensor; record with stabilisation off",
        ))
    if not noise_given:
        found.append(("amber", "noise figures are assumed; give the four in rig.toml"))
    return [Finding(light, "imu", f"imu: {text}") for light, text in found]


def sync_figures(ticks: Ticks, imu: Imu | None) -> dict[str, Any]:
    """Shares of the head's ticks that the other streams cover."""
    figures: dict[str, Any] = {}
    for wrist in ("left_wrist", "right_wrist"):
        valid = getattr(ticks, f"{wrist}_frame_valid")
        if valid.any():
            figures[f"{wrist}_share"] = round(float(valid.mean()), 4)
    if imu is not None:
        times = ticks.timestamp_ns
        inside = (times >= imu.timestamp_ns[0]) & (times <= imu.timestamp_ns[-1])
        figures["imu_share"] = round(float(inside.mean()), 4)
    return figures


def sync_findings(figures: dict[str, Any]) -> list[Finding]:
    """Streams that do not cover the head's recording."""
    found = []
    for key, share in figures.items():
        if share < 0.98:
            name = key.removesuffix("_share")
            text = f"{name}: covers {100 * share:.0f} % of the head frames; start and stop together"
            found.append(Finding("red" if share < 0.5 else "amber", name, text))
    return found
