"""Options of `handoff sim` that say which cameras record, how well, and how well they are known."""

import argparse
import os
from typing import Any

from app.numbers import at_least_one, named_value
from core.errors import BadInputError

RIGS = (
    "default (head and wrists), small (wrists 320x240), fisheye (150 degrees on the head), stereo "
    "(a second head camera), rgbd (a depth camera beside the head's); head, fisheye-head, "
    "stereo-head, rgbd-head: the same without wrists; aria-head (two fisheyes 64 degrees apart)"
)


def add_rig_options(parser: argparse.ArgumentParser) -> None:
    """--rig, --preset, --sensor, --calibration-error, --workers."""
    group = parser.add_argument_group("cameras and other sensors")
    group.add_argument("--rig", metavar="NAME", help=RIGS)
    group.add_argument("--preset", metavar="NAME", help="sensors: clean, default or harsh")
    group.add_argument(
        "--sensor", action="append", type=named_value, metavar="NAME=VALUE",
        help="one figure of the preset, again for more: drop (share of frames), late, slow "
        "(variable rate), imu_offset_ms, wrist_offset_ms, wrist_drift_ppm, noise, …",
    )  # fmt: skip
    group.add_argument(
        "--calibration-error", action="append", metavar="WRONG",
        help="rig.toml is wrong by a known amount: small, large, or NAME=VALUE, again for more, of "
        "focal_percent, centre_px, distortion, extrinsic_deg, extrinsic_mm, imu_time_ms",
    )  # fmt: skip
    group.add_argument(
        "--workers", type=at_least_one, metavar="N",
        help="processes that draw, a camera each (as many as there are processors)",
    )  # fmt: skip


def rig_options(arguments: argparse.Namespace) -> dict[str, Any]:
    """Those that were given, by the names the recorders know."""
    asked: dict[str, Any] = {"workers": arguments.workers or os.cpu_count() or 1}
    for name in ("rig", "preset"):
        if getattr(arguments, name) is not None:
            asked[name] = getattr(arguments, name)
    if arguments.sensor:
        asked["sensor"] = dict(arguments.sensor)
    if arguments.calibration_error:
        asked["calibration_error"] = _amount(arguments.calibration_error)
    return asked


def _amount(words: list[str]) -> str | dict[str, float]:
    """What is asked of a calibration error: one name, or figures."""
    if len(words) == 1 and "=" not in words[0]:
        return words[0]
    try:
        return dict(named_value(word) for word in words)
    except argparse.ArgumentTypeError as error:
        raise BadInputError(f"--calibration-error: {error}") from error
