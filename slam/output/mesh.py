"""A mesh of the room from depth pictures and their poses: truncated signed distances in sparse
blocks of voxels (Curless and Levoy 1996), then marching cubes.

To look at the scene, not to measure it: a voxel is a centimetre or two. Memory follows the surface.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from core.errors import MissingExtraError
from core.geometry.arrays import Ints
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3

SIDE = 8  # voxels along a block
TRUNCATION = 4.0  # voxels
MAX_WEIGHT = 50.0
MIN_WEIGHT = 2.0  # a voxel seen fewer times makes no surface
CHUNK = 16  # blocks along the cubes that are meshed at a time
OFFSETS = np.stack(np.meshgrid(*[np.arange(SIDE)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


@dataclass(frozen=True, eq=False)
class Mesh:
    """vertices ``(V,3)`` float32 metres, world frame.   faces ``(T,3)`` rows of vertices."""

    vertices: Any
    faces: Any


@dataclass(eq=False)
class Volume:
    """Signed distances, in truncation lengths, positive in front of surfaces. Grows."""

    voxel_m: float
    row_of: dict[tuple[int, int, int], int] = field(default_factory=dict)
    distance: Any = field(default_factory=lambda: np.zeros((64, SIDE**3), np.float32))
    weight: Any = field(default_factory=lambda: np.zeros((64, SIDE**3), np.float32))

    def add(self, depth_m: Any, camera: Camera, world_from_depth: SE3, *, max_m: float) -> None:
        """One depth picture ``(H,W)`` in metres, NaN where there is none, seen from there."""
        blocks = self._touched(depth_m, camera, world_from_depth, max_m=max_m)
        if not len(blocks):
            return
        rows = self._rows(blocks)
        centres = (blocks[:, None] * SIDE + OFFSETS + 0.5) * self.voxel_m
        in_depth = world_from_depth.inverse().apply(centres.reshape(-1, 3))
        uv, valid = camera.project(in_depth)
        height, width = depth_m.shape
        whole = np.rint(np.where(valid[:, None], uv, -1)).astype(np.int64)
        inside = np.all((whole >= 0) & (whole < [width, height]), axis=1)
        measured = np.full(len(whole), np.nan)
        measured[inside] = depth_m[whole[inside, 1], whole[inside, 0]]
        signed = (measured - in_depth[:, 2]) / (TRUNCATION * self.voxel_m)
        seen = (signed > -1) & (measured < max_m)
        new = np.where(seen, np.minimum(signed, 1), 0).reshape(len(rows), -1)
        one = seen.reshape(len(rows), -1).astype(np.float32)
        weight = self.weight[rows]
        total = np.maximum(weight + one, 1)
        self.distance[rows] = (self.distance[rows] * weight + new * one) / total
        self.weight[rows] = np.minimum(weight + one, MAX_WEIGHT)

    def mesh(self) -> Mesh:
        """Triangles where the distance changes sign between voxels that were seen."""
        measure = _load_measure()
        vertices: list[Any] = [np.zeros((0, 3), np.float32)]
        faces: list[Any] = [np.zeros((0, 3), np.int64)]
        count = 0
        keys = np.array(list(self.row_of), np.int64).reshape(-1, 3)
        for chunk in np.unique(keys // CHUNK, axis=0):
            levels = self._dense(chunk * CHUNK)
            known = np.isfinite(levels)
            if not known.any() or levels[known].min() >= 0 or levels[known].max() <= 0:
                continue
            found, triangles, _, _ = measure.marching_cubes(levels, 0.0)
            triangles = triangles[np.isfinite(found[triangles]).all(axis=(1, 2))]
            used, triangles = np.unique(triangles, return_inverse=True)
            found, triangles = found[used], triangles.reshape(-1, 3)
            vertices.append(((found + chunk * CHUNK * SIDE + 0.5) * self.voxel_m).astype("f4"))
            faces.append(triangles.astype(np.int64) + count)
            count += len(found)
        return Mesh(np.concatenate(vertices), np.concatenate(faces))

    def _touched(
        self, depth_m: Any, camera: Camera, world_from_depth: SE3, *, max_m: float
    ) -> Ints:
        """Blocks ``(B,3)`` within the truncation of a measured surface."""
        v, u = np.nonzero(np.isfinite(depth_m) & (depth_m < max_m))
        v, u = v[::2], u[::2]
        rays, valid = camera.unproject(np.stack([u, v], axis=1).astype(np.float64))
        depth = depth_m[v, u].astype(np.float64)
        reach = TRUNCATION * self.voxel_m
        keys = [np.zeros((0, 3), np.int64)]
        for shift in (-reach, 0.0, reach):
            points = world_from_depth.apply(
                rays[valid] * ((depth + shift)[valid] / rays[valid, 2])[:, None]
            )
            block = np.floor(points / (SIDE * self.voxel_m)).astype(np.int64)
            keys.append(np.unique(block, axis=0))
        return np.unique(np.concatenate(keys), axis=0)

    def _rows(self, blocks: Ints) -> Ints:
        rows = [self.row_of.setdefault(tuple(b), len(self.row_of)) for b in blocks.tolist()]
        while len(self.row_of) > len(self.distance):
            self.distance = np.concatenate([self.distance, np.zeros_like(self.distance)])
            self.weight = np.concatenate([self.weight, np.zeros_like(self.weight)])
        return np.array(rows, np.int64)

    def _dense(self, first: Ints) -> Any:
        """Distances in a cube of blocks and one voxel beyond it; NaN where too little was seen."""
        levels = np.full(((CHUNK + 1) * SIDE,) * 3, np.nan, np.float32)
        for offset in np.ndindex((CHUNK + 1,) * 3):
            row = self.row_of.get(tuple((first + offset).tolist()))
            if row is not None:
                at = tuple(slice(k * SIDE, (k + 1) * SIDE) for k in offset)
                seen = np.where(self.weight[row] >= MIN_WEIGHT, self.distance[row], np.nan)
                levels[at] = seen.reshape((SIDE,) * 3)
        cut = slice(CHUNK * SIDE + 1)
        return levels[cut, cut, cut]


def fuse(
    pictures: Iterable[tuple[Any, SE3]], camera: Camera, *, voxel_m: float, max_m: float
) -> Mesh:
    """The mesh of depth pictures ``(H,W)`` in metres and their world_from_depth."""
    volume = Volume(voxel_m)
    for depth_m, world_from_depth in pictures:
        volume.add(depth_m, camera, world_from_depth, max_m=max_m)
    return volume.mesh()


def mesh_ply(mesh: Mesh) -> bytes:
    """Binary little-endian PLY."""
    header = (
        "ply\nformat binary_little_endian 1.0\n"
        "comment surface of the scene in the world frame, metres\n"
        f"element vertex {len(mesh.vertices)}\n"
        "property float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\n"
        "property list uchar int vertex_indices\nend_header\n"
    )
    rows = np.zeros(len(mesh.faces), dtype=[("count", "u1"), ("at", "<i4", 3)])
    rows["count"], rows["at"] = 3, mesh.faces
    return header.encode("ascii") + mesh.vertices.astype("<f4").tobytes() + rows.tobytes()


def _load_measure() -> Any:
    try:
        from skimage import measure
    except ImportError as error:
        raise MissingExtraError(
            "a mesh needs scikit-image: pip install 'handoff-ego[mesh]'"
        ) from error
    return measure
