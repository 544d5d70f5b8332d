"""A rig.toml for one video file: its lens from the command line or from what an action camera's
file says of itself, and the inertial samples that such a file carries.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from capture.gopro import GoProFacts, read_facts
from capture.gopro_lens import WIDE, estimated_lens, mode_name
from capture.gopro_motion import body_motion, firmware_of
from capture.gpmf import read_packets
from capture.rig import VIDEO_SUFFIXES
from capture.upright import file_turn
from core.errors import BadInputError
from core.geometry.cameras import Camera, camera_from_dict, pinhole, pinhole_from_fov
from core.session.video import VideoInfo, probe_video


@dataclass(frozen=True)
class GivenLens:
    """Intrinsics from the command line, of the picture as players show it. One kind, or none.

    intrinsics: fx, fy, cx, cy and the distortion of ``model``.   fov_deg: over the width.
    """

    focal_px: float | None = None
    intrinsics: Sequence[float] | None = None
    fov_deg: float | None = None
    model: str = "pinhole_radtan"

    @property
    def kinds(self) -> int:
        """How many are given."""
        return sum(v is not None for v in (self.focal_px, self.intrinsics, self.fov_deg))


@dataclass(frozen=True)
class BareRig:
    """text: of the rig.toml.   raw_name: of the file in raw/.   notes: what its owner must know."""

    text: str
    raw_name: str
    notes: tuple[str, ...]


def bare_video_rig(path: Path, lens: GivenLens) -> BareRig:
    """The rig of one video file.

    The options speak of the picture as players show it. A file that asks to be turned is recorded
    otherwise: the calibration written here is the recorded picture's, with the turn beside it.
    """
    info = probe_video(path)
    if info.n < 2:
        raise BadInputError(f"{path}: holds a single picture; give a recording")
    turn = file_turn(path, info)
    facts, motion, notes = _telemetry(path, info)
    if info.tracks > 1:
        size = "x".join(map(str, info.size_wh))
        notes.append(f"holds {info.tracks} video tracks; the first ({size}) is taken")
    estimated = ""
    if lens.kinds == 0:
        guess = estimated_lens(facts, info.size_wh) if facts else None
        if guess is None:
            raise _no_lens(path, facts)
        camera, estimated = guess
        notes.append(f"the lens is estimated ({estimated}); calibrate it for exact lengths")
    else:
        size = info.size_wh if turn % 180 == 0 else (info.size_wh[1], info.size_wh[0])
        if info.pixel_aspect != 1 and lens.intrinsics is None:
            raise BadInputError(
                f"{path}: its pixels are {info.pixel_aspect:.3g} times as wide as high, which one "
                "focal length or field of view does not say; give --intrinsics fx,fy,cx,cy"
            )
        camera = _camera(path, size, lens).rotated((360 - turn) % 360)
        if facts and facts.lens == WIDE and lens.intrinsics is None:
            notes.append(
                "its Wide lens bends lines, and a focal length or field of view does not say how; "
                "leave the option out to get an estimate of that lens, or give --intrinsics"
            )
    suffix = path.suffix.lower()
    raw_name = f"head{suffix if suffix in VIDEO_SUFFIXES else '.mp4'}"
    described = camera.to_dict()
    lines = [
        "# made by handoff ingest from the file and the options on its command line",
        *([f"[session]\ndevice = {json.dumps(facts.model)}"] if facts and facts.model else []),
        "[streams.head]",
        f"file = {json.dumps(raw_name)}",
        *(f"{key} = {json.dumps(described[key])}" for key in ("model", "params", "size_wh")),
        f"rotate = {turn}",
        *([f"estimated = {json.dumps(estimated)}"] if estimated else []),
        *([f"readout_ms = {facts.readout_ms:.3f}"] if facts and facts.readout_ms else []),
    ]
    if motion:
        lines += [
            "[imu]  # beside the lens, in the camera's axes: how far beside is not in the file",
            f"file = {json.dumps(raw_name)}",
            "head_from_imu = [0, 0, 0, 1, 0, 0, 0]",
        ]
    return BareRig("\n".join(lines) + "\n", raw_name, tuple(notes))


def _telemetry(path: Path, info: VideoInfo) -> tuple[GoProFacts | None, bool, list[str]]:
    """What an action camera's file says, whether its inertial samples can be used, and notes.

    Telemetry that cannot be right never keeps the pictures out.
    """
    try:
        packets = read_packets(path)
        facts = read_facts(path, packets)
    except BadInputError as error:
        return None, False, [f"telemetry left out: {error}"]
    if not packets:
        return (facts if facts.model else None), False, []
    notes = []
    if facts.stabilised:
        notes.append(
            f"the picture was stabilised by the camera ({facts.stabilised}): it no longer turns "
            "with the inertial sensor; record with stabilisation off to get metres and up"
        )
    if facts.held not in {"", "U"}:
        notes.append(
            f"the camera was held turned (OREN {facts.held}); whether its telemetry turns along is "
            "not known: slam compares it with the pictures"
        )
    try:
        body_motion(packets, info, firmware=firmware_of(path))
    except BadInputError as error:
        return facts, False, [*notes, f"telemetry left out: {error}"]
    return facts, True, notes


def _no_lens(path: Path, facts: GoProFacts | None) -> BadInputError:
    ask = (
        "one video needs exactly one of --focal-px F, --intrinsics fx,fy,cx,cy or --fov-deg D "
        "(width of the picture)"
    )
    if facts is None:
        return BadInputError(f"{path}: says nothing of its lens; {ask}")
    mode = f"lens mode {mode_name(facts)}" if facts.lens else "no lens mode in its file"
    camera = f"{facts.model or 'an action camera'} with {mode}"
    return BadInputError(f"{path}: {camera}: no intrinsics known for it; {ask}")


def _camera(path: Path, size_wh: tuple[int, int], lens: GivenLens) -> Camera:
    width, height = size_wh
    if lens.kinds != 1:
        raise BadInputError(
            f"{path}: {lens.kinds} kinds of intrinsics given; one video needs exactly one of "
            "--focal-px F, --intrinsics fx,fy,cx,cy or --fov-deg D (width of the picture)"
        )
    if lens.focal_px is not None:
        return pinhole(lens.focal_px, (width, height))
    if lens.fov_deg is not None:
        return pinhole_from_fov(lens.fov_deg, (width, height))
    assert lens.intrinsics is not None
    given = list(lens.intrinsics)
    if len(given) < 4:
        raise BadInputError(
            f"{path}: --intrinsics has {len(given)} numbers; give four: fx,fy,cx,cy in pixels, and "
            "the lens's distortion after them where you have it"
        )
    cx, cy = given[2:4]
    if not (0 <= cx < width and 0 <= cy < height):
        raise BadInputError(
            f"{path}: --intrinsics puts the centre at {cx:g},{cy:g}, outside the {width}x{height} "
            "picture; give the calibration of this resolution"
        )
    params = given if len(given) > 4 else [*given, 0, 0, 0, 0]
    try:
        return camera_from_dict({"model": lens.model, "params": params, "size_wh": size_wh})
    except BadInputError as error:
        raise BadInputError(f"{path}: --intrinsics: {error}") from error
