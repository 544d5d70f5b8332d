"""Points of the head's map with the head's picture around each: what a wrist camera can look for
from anywhere, since the surface's slant says how a piece of the picture looks from there.

Map points are too few where a hand works, so keyframes give more corners where the map shows that
they lie on one of its planes: the table, the wall, the paper.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import cv2
import numpy as np
from scipy.spatial import cKDTree

from core.geometry.arrays import Bools, Floats, Ints, unit
from core.geometry.cameras import Camera
from core.geometry.se3 import SE3
from slam.sight.rays import rays_of, tangent_rotations
from slam.wrist.surfaces import Surfaces

STEP = 1e-3  # of the distance: where a projection is differentiated
MORE_CORNERS, MORE_APART_PX = 500, 9.0
NEIGHBOURS, NEIGHBOUR_PX = 3, 60.0  # map points around a corner that must share its plane


@dataclass(frozen=True, eq=False)
class Landmarks:
    """P points, in the order of the frames whose pictures show them.

    points ``(P,3)`` world.   along ``(P,3,2)``: two unit directions on the surface.   frame
    ``(P,)``: row of the tick.   uv_px ``(P,2)``: in its picture.   head_from_surface ``(P,2,2)``:
    pixels there per unit along the surface.   pictures: grey, by row of the tick.
    """

    points: Floats
    along: Floats
    frame: Ints
    uv_px: Floats
    head_from_surface: Floats
    pictures: dict[int, Any]

    def __len__(self) -> int:
        return len(self.points)

    @classmethod
    def joined(cls, parts: Sequence["Landmarks"]) -> "Landmarks":
        """All of them, at least one part."""
        names = [field.name for field in fields(cls)][:-1]
        arrays = [np.concatenate([getattr(p, name) for p in parts]) for name in names]
        return cls(*arrays, {k: grey for part in parts for k, grey in part.pictures.items()})


def project(camera: Camera, camera_from_world: SE3, points: Floats) -> tuple[Floats, Bools]:
    """Pixels ``(N,2)`` of world points and which of them are in the picture."""
    uv, valid = camera.project(camera_from_world.apply(points))
    return uv, valid & camera.in_image(np.where(valid[:, None], uv, -1.0))


def pixels_per_surface(
    camera: Camera, camera_from_world: SE3, where: tuple[Floats, Floats]
) -> tuple[Floats, Bools]:
    """``(N,2,2)`` how pixels move with a point along its surface. where: points and along."""
    points, along = where
    away = np.linalg.norm(camera_from_world.apply(points), axis=1)
    step = STEP * np.maximum(away, 1e-6)
    valid = np.ones(len(points), bool)
    columns = []
    for k in range(2):
        shift = step[:, None] / 2 * along[:, :, k]
        after, good_after = camera.project(camera_from_world.apply(points + shift))
        before, good_before = camera.project(camera_from_world.apply(points - shift))
        columns.append((after - before) / step[:, None])
        valid &= good_after & good_before
    return np.stack(columns, axis=2), valid


@dataclass(frozen=True, eq=False)
class Picture:
    """A keyframe's picture. keyframe: its row in the scene.   tick: its row among the frames.

    free ``(H,W)``: where no hand is; None for everywhere.
    """

    keyframe: int
    tick: int
    grey: Any
    free: Bools | None = None


@dataclass(frozen=True, eq=False)
class _Corners:
    """Corners of one keyframe: pixels, world points and normals towards the camera."""

    uv_px: Floats
    points: Floats
    normals: Floats


def landmarks_in(
    surfaces: Surfaces, camera: Camera, picture: Picture, *, without: Bools
) -> tuple[Landmarks, Ints]:
    """The map points that a keyframe sees and further corners on the map's planes; and the tracks
    of those map points. without: tracks to leave out."""
    scene = surfaces.scene_map.scene
    _, rows = scene.view_of(picture.keyframe)
    rows = rows[scene.used[rows] & scene.views.own[rows]]
    fresh = rows[~without[scene.views.track[rows]]]
    corners = [_of_map(surfaces, fresh), _further(surfaces, camera, picture, around=rows)]
    pose = scene.world_from_camera[picture.keyframe].inverse()
    parts = [_as_seen(c, picture, camera=camera, camera_from_world=pose) for c in corners]
    return Landmarks.joined(parts), scene.views.track[fresh]


def _of_map(surfaces: Surfaces, rows: Ints) -> _Corners:
    """Map points; those on a plane are moved onto it along their ray, others face the camera."""
    scene = surfaces.scene_map.scene
    track = scene.views.track[rows]
    points, viewers = scene.points[track], scene.position[scene.views.frame[rows]]
    rays = unit(points - viewers)
    normals = -rays
    for k, plane in enumerate(surfaces.planes):
        met, good = plane.meet(viewers, rays)
        good &= surfaces.plane_of[track] == k
        points[good], normals[good] = met[good], plane.towards(viewers[good])
    return _Corners(scene.views.uv_px[rows], points, normals)


def _further(surfaces: Surfaces, camera: Camera, picture: Picture, *, around: Ints) -> _Corners:
    """Corners of a keyframe's picture whose neighbours in the map all lie on one plane.

    around: observations of map points in that picture.
    """
    scene, planes = surfaces.scene_map.scene, surfaces.planes
    mask = None if picture.free is None else picture.free.astype(np.uint8)
    spots = cv2.goodFeaturesToTrack(picture.grey, MORE_CORNERS, 0.01, MORE_APART_PX, mask=mask)
    if spots is None or len(around) < NEIGHBOURS or not planes:
        return _Corners(np.zeros((0, 2)), np.zeros((0, 3)), np.zeros((0, 3)))
    uv = spots.reshape(-1, 2).astype(np.float64)
    away, near = cKDTree(scene.views.uv_px[around]).query(uv, k=NEIGHBOURS)
    owner = surfaces.plane_of[scene.views.track[around]][near]
    same = (owner == owner[:, :1]).all(axis=1) & (owner[:, 0] >= 0) & (away[:, -1] < NEIGHBOUR_PX)
    uv, owner = uv[same], owner[same, 0]
    rays, _, valid = rays_of(camera, uv)
    viewers = np.tile(scene.position[picture.keyframe], (len(uv), 1))
    rays = rays @ scene.rotation[picture.keyframe].T
    points, normals = np.zeros_like(rays), np.zeros_like(rays)
    for k, plane in enumerate(planes):
        mine = owner == k
        points[mine], good = plane.meet(viewers[mine], rays[mine])
        normals[mine], valid[mine] = plane.towards(viewers[mine]), valid[mine] & good
    return _Corners(uv[valid], points[valid], normals[valid])


def _as_seen(
    corners: _Corners, picture: Picture, *, camera: Camera, camera_from_world: SE3
) -> Landmarks:
    """The corners and how their surfaces lie in the picture; those seen edge-on are left out."""
    along = tangent_rotations(corners.normals)[:, :, :2]
    where = (corners.points, along)
    head_from_surface, valid = pixels_per_surface(camera, camera_from_world, where)
    valid &= np.abs(np.linalg.det(np.where(valid[:, None, None], head_from_surface, 0.0))) > 1e-9
    return Landmarks(
        corners.points[valid],
        along[valid],
        np.full(int(valid.sum()), picture.tick),
        corners.uv_px[valid],
        head_from_surface[valid],
        {picture.tick: picture.grey},
    )
