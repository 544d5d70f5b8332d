"""The hand's skeleton and skin."""

import numpy as np
import pytest

from core.geometry.landmarks import landmarks17_from_mediapipe21
from core.geometry.palm import palm_frame
from sim.hand.mesh import HandMesh, build_hand_mesh
from sim.hand.skeleton import BONES, JOINTS, MEDIAPIPE21_FROM_25, posture


@pytest.fixture(scope="module")
def mesh() -> HandMesh:
    return build_hand_mesh("right", voxel_m=0.004)


def test_the_skin_is_closed_but_where_the_sleeve_covers_it(mesh):
    pairs = np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]])
    edges, counts = np.unique(np.sort(pairs, axis=1), axis=0, return_counts=True)
    assert counts.max() == 2
    assert mesh.vertices[edges[counts == 1]][..., 0].max() < -0.08


def test_skin_encloses_the_joints_and_follows_bones(mesh):
    assert mesh.weights.shape == (len(mesh.vertices), len(BONES))
    np.testing.assert_allclose(mesh.weights.sum(1), 1.0, atol=1e-12)
    tip = mesh.rest.joints[0, JOINTS.index("index_tip")]
    nearest = np.linalg.norm(mesh.vertices - tip, axis=1).argmin()
    assert mesh.weights[nearest].argmax() == BONES.index("index_2")


def test_left_hand_is_the_mirror_image(mesh):
    left = build_hand_mesh("left", voxel_m=0.004)
    np.testing.assert_allclose(left.vertices * [1, -1, 1], mesh.vertices)
    assert left.faces[0].tolist() == mesh.faces[0][::-1].tolist()


@pytest.mark.parametrize("side", ["left", "right"])
def test_closing_bends_towards_the_palm_and_keeps_bone_lengths(side):
    closing = np.repeat(np.linspace(0, 1, 5)[:, None], 5, 1)
    joints = posture(closing, side=side).joints
    for finger in ("index", "middle", "ring", "pinky"):
        mcp, pip, dip, tip = (JOINTS.index(f"{finger}_{p}") for p in ("mcp", "pip", "dip", "tip"))
        for a, b in ((mcp, pip), (pip, dip), (dip, tip)):
            lengths = np.linalg.norm(joints[:, a] - joints[:, b], axis=1)
            np.testing.assert_allclose(lengths, lengths[0])
        assert joints[2, tip, 2] > joints[0, tip, 2] + 0.02  # z is out of the palm


@pytest.mark.parametrize("side", ["left", "right"])
def test_hand_frame_agrees_with_the_palm_frame(side):
    landmarks = landmarks17_from_mediapipe21(
        posture(np.zeros((1, 5)), side=side).joints[:, MEDIAPIPE21_FROM_25]
    )
    rotation = palm_frame(landmarks, side).rotation[0]
    np.testing.assert_allclose(rotation, np.eye(3), atol=0.15)
    assert np.linalg.norm(landmarks[0, 10] - landmarks[0, 0]) == pytest.approx(0.185, abs=0.008)
