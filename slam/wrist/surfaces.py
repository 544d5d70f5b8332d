"""Which way the surface faces at a map point: the large planes of the scene, found by sampling."""

from dataclasses import dataclass

import numpy as np
from scipy.spatial import cKDTree

from core.geometry.arrays import Bools, Floats, Ints, unit
from slam.map.mapping import SceneMap

PLANES, SAMPLES = 4, 400
NEIGHBOURS = 25  # points around a first one that the others of a sample are drawn from
THICKNESS = 0.016  # of the typical depth: how far off its plane a point may lie
ALIKE_COS = 0.95
MOST_THICKNESS = 2.5  # times that, for points that are less certain
GRAZING = 0.1  # cosine of ray and normal below which a plane says nothing about a point
STARTS, ROUNDS = 8, 15  # samples with most points, each settled so long; the likeliest is taken
LEAST_SHARE, LEAST_POINTS = 0.03, 30  # of all points, to be called a plane


@dataclass(frozen=True, eq=False)
class Plane:
    """normal ``(3,)`` unit, either way.   centre ``(3,)`` on the plane."""

    normal: Floats
    centre: Floats

    def meet(self, origins: Floats, rays: Floats) -> tuple[Floats, Bools]:
        """Where rays ``(N,3)`` from ``origins`` meet the plane; which do so ahead, not grazing."""
        along = rays @ self.normal
        ahead = np.abs(along) > GRAZING
        reach = ((self.centre - origins) @ self.normal) / np.where(ahead, along, 1.0)
        return origins + reach[:, None] * rays, ahead & (reach > 0)

    def beside(self, other: "Plane", distance: float) -> bool:
        """Whether the two are nearly parallel and no further apart than this: tops of things."""
        apart = abs(float((self.centre - other.centre) @ other.normal))
        return abs(float(self.normal @ other.normal)) > ALIKE_COS and apart < distance

    def towards(self, viewers: Floats) -> Floats:
        """``(N,3)`` the normal on the viewers' side."""
        return np.sign((viewers - self.centre) @ self.normal)[:, None] * self.normal


@dataclass(frozen=True, eq=False)
class Surfaces:
    """The planes of a part of a map. plane_of ``(P,)``: of every track, -1 for none."""

    scene_map: SceneMap
    planes: list[Plane]
    plane_of: Ints

    @classmethod
    def around(cls, scene_map: SceneMap, keyframes: Ints) -> "Surfaces":
        """Of what these keyframes (rows of the scene) see."""
        scene, depth = scene_map.scene, scene_map.typical_depth
        rows = scene.observations()
        spread = np.maximum(scene.spread(rows), 1e-4)
        seen = np.bincount(scene.views.track[rows], minlength=scene.n_tracks)
        track = np.unique(scene.views.track[rows[np.isin(scene.views.frame[rows], keyframes)]])
        middle = scene.position[keyframes].mean(axis=0)
        away = np.linalg.norm(scene.points[track] - middle, axis=1)
        px = float(np.median(scene.views.rad_per_px))
        sigma = away * px / spread[track] / np.sqrt(seen[track])
        plane_of = np.full(scene.n_tracks, -1)
        planes, plane_of[track] = find_planes(scene.points[track], sigma, depth=depth)
        return cls(scene_map, planes, plane_of)

    def points_of(self, plane: int) -> Floats:
        """The map points on one of the planes."""
        points: Floats = self.scene_map.scene.points[self.plane_of == plane]
        return points


def find_planes(points: Floats, sigma: Floats, *, depth: float) -> tuple[list[Plane], Ints]:
    """Planes that many points ``(N,3)`` share, largest first, and whose each point is, else -1.

    sigma ``(N,)``: how far off a point may be along its rays.   depth: typical distance of the
    points from their viewers.
    """
    planes: list[Plane] = []
    owner = np.full(len(points), -1)
    rng = np.random.default_rng(0)
    for _ in range(PLANES):
        rest = np.flatnonzero(owner == -1)
        if len(rest) < LEAST_POINTS:
            break
        found = _largest_plane(points[rest], sigma[rest], rng=rng, thickness=THICKNESS * depth)
        if found is None or found[1].sum() < max(LEAST_POINTS, LEAST_SHARE * len(points)):
            break
        plane, inside = found
        double = any(plane.beside(other, 6 * THICKNESS * depth) for other in planes)
        owner[rest[inside]] = -2 if double else len(planes)
        if not double:
            planes.append(plane)
    return planes, np.maximum(owner, -1)


def _largest_plane(
    points: Floats, sigma: Floats, *, rng: np.random.Generator, thickness: float
) -> tuple[Plane, Bools] | None:
    """The likeliest plane of those that most points lie on, and its points."""
    first = rng.integers(len(points), size=SAMPLES)
    _, near = cKDTree(points).query(points[first], k=min(NEIGHBOURS, len(points)))
    others = rng.integers(near.shape[1], size=(2, SAMPLES))
    corners = points[np.stack([first, *np.take_along_axis(near, others.T, axis=1).T], axis=1)]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    good = np.linalg.norm(across, axis=1) > thickness**2
    if not good.any():
        return None
    normals = unit(across[good])
    offset = np.sum(normals * corners[good, 0], axis=1)
    reach = np.clip(2 * sigma, thickness, MOST_THICKNESS * thickness)
    near = np.abs(points @ normals.T - offset) < reach[:, None]
    most = np.argsort(-near.sum(axis=0), kind="stable")[:STARTS]
    starts = [inside for inside in near[:, most].T.astype(float) if inside.sum() >= LEAST_POINTS]
    if not starts:
        return None
    sure = np.hypot(sigma, thickness / 4)
    settled = [_settled(points, inside, sure, reach=reach.max()) for inside in starts]
    plane, _ = max(settled, key=lambda found: found[1])
    return plane, np.abs((points - plane.centre) @ plane.normal) < reach


def _settled(points: Floats, share: Floats, sigma: Floats, *, reach: float) -> tuple[Plane, float]:
    """The plane of a mixture, by expectation maximisation from each point's ``share``: half of
    the points lie on it, the others anywhere within ``reach``. A tray or a box that stands on a
    table is left out and does not lift one side of it.

    With the logarithm by which that is likelier than no plane.
    """
    for _ in range(ROUNDS):
        weight = share / sigma**2
        centre = weight @ points / weight.sum()
        away = np.sqrt(weight)[:, None] * (points - centre)
        plane = Plane(np.linalg.svd(away, full_matrices=False)[2][2], centre)
        off = (points - centre) @ plane.normal
        here = np.exp(-0.5 * (off / sigma) ** 2) * (np.abs(off) < reach)
        elsewhere = sigma * np.sqrt(2 * np.pi) / (2 * reach)
        share = here / (here + elsewhere)
    return plane, float(np.sum(np.log1p(here / elsewhere)))
