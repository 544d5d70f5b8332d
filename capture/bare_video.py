"""A rig.toml for one video file whose intrinsics came on the command line."""

import json
from collections.abc import Sequence
from pathlib import Path

from capture.upright import file_turn
from core.errors import BadInputError
from core.geometry.cameras import PinholeRadtan, pinhole, pinhole_from_fov
from core.session.video import probe_video

SUFFIXES = (".mp4", ".mov", ".m4v", ".mkv", ".webm", ".avi")


def bare_video_rig(
    path: Path,
    *,
    focal_px: float | None,
    intrinsics: Sequence[float] | None,
    fov_deg: float | None,
) -> tuple[str, str]:
    """The text of a rig.toml and the name the file gets in raw/.

    The options speak of the picture as players show it. A file that asks to be turned is recorded
    otherwise: the calibration written here is the recorded picture's, with the turn beside it.
    """
    info = probe_video(path)
    turn = file_turn(path, info)
    size = info.size_wh if turn % 180 == 0 else info.size_wh[::-1]
    shown = _camera(path, size, focal_px=focal_px, intrinsics=intrinsics, fov_deg=fov_deg)
    recorded = shown.rotated((360 - turn) % 360)
    suffix = path.suffix.lower()
    raw_name = f"head{suffix if suffix in SUFFIXES else '.mp4'}"
    camera = recorded.to_dict()
    lines = [
        "# made by handoff ingest from the options on its command line",
        "[streams.head]",
        f"file = {json.dumps(raw_name)}",
        *(f"{key} = {json.dumps(camera[key])}" for key in ("model", "params", "size_wh")),
        f"rotate = {turn}",
    ]
    return "\n".join(lines) + "\n", raw_name


def _camera(
    path: Path,
    size_wh: tuple[int, ...],
    *,
    focal_px: float | None,
    intrinsics: Sequence[float] | None,
    fov_deg: float | None,
) -> PinholeRadtan:
    width, height = size_wh
    given = [v for v in (focal_px, intrinsics, fov_deg) if v is not None]
    if len(given) != 1:
        raise BadInputError(
            f"{path}: {len(given) or 'no'} kinds of intrinsics given; one video needs exactly one "
            "of --focal-px F, --intrinsics fx,fy,cx,cy or --fov-deg D (width of the picture)"
        )
    if focal_px is not None:
        return pinhole(focal_px, (width, height))
    if fov_deg is not None:
        return pinhole_from_fov(fov_deg, (width, height))
    assert intrinsics is not None
    if len(intrinsics) != 4:
        raise BadInputError(
            f"{path}: --intrinsics has {len(intrinsics)} numbers; give four: fx,fy,cx,cy in pixels"
        )
    fx, fy, cx, cy = intrinsics
    if not (0 <= cx < width and 0 <= cy < height):
        raise BadInputError(
            f"{path}: --intrinsics puts the centre at {cx:g},{cy:g}, outside the {width}x{height} "
            "picture; give the calibration of this resolution"
        )
    return PinholeRadtan(params=(fx, fy, cx, cy, 0, 0, 0, 0), size_wh=(width, height))
