"""Points as a PLY file, which MeshLab, CloudCompare, Open3D and Blender open."""

import numpy as np

from core.errors import BadInputError
from core.session.tables import MapPoints

_NUMBERS = [("position", "<f4", 3), ("color", "u1", 3), ("map_id", "<i4"), ("observations", "<i4")]
_HEADER = """ply
format binary_little_endian 1.0
comment points of the scene in the world frame, z up where gravity is known
element vertex {count}
property float x
property float y
property float z
property uchar red
property uchar green
property uchar blue
property int map_id
property int observations
end_header
"""
GREY = 160  # of a point whose colour is not known


def ply_bytes(points: MapPoints) -> bytes:
    """Binary little-endian PLY: position, colour (grey where unknown), map and how often seen."""
    rows = np.zeros(len(points), dtype=_NUMBERS)
    rows["position"] = points.point_in_world
    known = points.color_rgb_valid[:, None]
    rows["color"] = np.where(known, points.color_rgb, GREY).astype(np.uint8)
    rows["map_id"], rows["observations"] = points.map_id, points.observations
    return _HEADER.format(count=len(points)).encode("ascii") + rows.tobytes()


def read_ply(data: bytes, *, source: str) -> np.ndarray:
    """The rows that `ply_bytes` wrote, as a structured array; BadInputError for any other PLY."""
    head, found, body = data.partition(b"end_header\n")
    count = next((line for line in head.splitlines() if line.startswith(b"element vertex ")), b"")
    words = count.split()
    if not found or len(words) != 3 or _HEADER.format(count=int(words[2])).encode() != head + found:
        raise BadInputError(f"{source}: not a points.ply of the slam stage; run the stage again")
    if len(body) != int(words[2]) * np.dtype(_NUMBERS).itemsize:
        raise BadInputError(f"{source}: cut short; run the slam stage again")
    return np.frombuffer(body, dtype=_NUMBERS)
