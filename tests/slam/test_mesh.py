"""A sphere in front of a wall, seen by exact depth pictures: the surface is where it was put."""

import numpy as np

from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from slam.output.mesh import fuse, mesh_ply

CAMERA = pinhole(120.0, (160, 120))
CENTRE, RADIUS, WALL_Z = np.array([0.1, 0.0, 1.5]), 0.3, 2.2


def depth_from(world_from_camera):
    """Depth along the optical axis of the sphere and the wall ``z = WALL_Z``; NaN where neither."""
    v, u = np.mgrid[0:120, 0:160]
    rays, _ = CAMERA.unproject(np.stack([u, v], axis=-1).reshape(-1, 2).astype(float))
    ways = world_from_camera.rotate(rays)
    eye = world_from_camera.translation
    wall = (WALL_Z - eye[2]) / ways[:, 2]
    half = np.sum(ways * (CENTRE - eye), axis=1)
    root = half**2 - np.sum((CENTRE - eye) ** 2) + RADIUS**2
    sphere = np.where(root > 0, half - np.sqrt(np.maximum(root, 0)), np.inf)
    return (np.minimum(wall, sphere) * rays[:, 2]).reshape(120, 160).astype(np.float32)


def views():
    for x in (-0.4, -0.2, 0.0, 0.2, 0.4):
        pose = SE3(matrix_from_rotvec([0.0, -0.3 * x, 0.0]), np.array([x, 0.05 * x, 0.0]))
        yield depth_from(pose), pose


def test_vertices_lie_on_the_surfaces():
    mesh = fuse(views(), CAMERA, voxel_m=0.02, max_m=5.0)
    assert len(mesh.faces) > 1000
    assert np.isfinite(mesh.vertices).all()
    to_sphere = np.abs(np.linalg.norm(mesh.vertices - CENTRE, axis=1) - RADIUS)
    off = np.minimum(to_sphere, np.abs(mesh.vertices[:, 2] - WALL_Z))
    assert np.median(off) < 0.003
    assert np.quantile(off, 0.95) < 0.02
    assert (to_sphere < 0.01).sum() > 300  # both are there
    assert (np.abs(mesh.vertices[:, 2] - WALL_Z) < 0.01).sum() > 1000


def test_nothing_seen_is_an_empty_mesh():
    blind = np.full((120, 160), np.nan, np.float32)
    mesh = fuse([(blind, SE3.identity())], CAMERA, voxel_m=0.02, max_m=5.0)
    assert (len(mesh.vertices), len(mesh.faces)) == (0, 0)


def test_what_is_further_than_asked_is_left_out():
    mesh = fuse(views(), CAMERA, voxel_m=0.02, max_m=1.8)
    assert mesh.vertices[:, 2].max() < 1.9


def test_the_ply_holds_every_triangle():
    mesh = fuse(views(), CAMERA, voxel_m=0.04, max_m=5.0)
    head, _, body = mesh_ply(mesh).partition(b"end_header\n")
    assert f"element vertex {len(mesh.vertices)}".encode() in head
    assert len(body) == 12 * len(mesh.vertices) + 13 * len(mesh.faces)
    face = np.frombuffer(body[12 * len(mesh.vertices) :], dtype=[("count", "u1"), ("at", "<i4", 3)])
    assert (face["count"] == 3).all()
    np.testing.assert_array_equal(face["at"], mesh.faces)
