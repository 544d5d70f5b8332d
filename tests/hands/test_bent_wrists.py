"""A hand bent at the wrist, which only the camera that it carries sees."""

import numpy as np
import pytest

from core.geometry.metrics import rotation_error_deg
from core.geometry.rotations import matrix_from_rotvec
from hands.cameras.bent_wrists import as_read, bent_in_turn, loose
from hands.cameras.strapped import held_alone, held_poses
from hands.config import HandsConfig
from hands.model.evidence import Evidence, landmark_mixing, normalised
from hands.model.kinematics import ANGLE_MEAN
from hands.model.mount_terms import MountTerms
from hands.model.poses import HandPoses
from hands.model.proportions import hand_shape
from hands.model.view_evidence import MountEvidence, ViewEvidence

COUNT = 9
SHAPE = hand_shape(190.0)
CAMERA = {
    "rotation": np.tile(np.eye(3), (COUNT, 1, 1)),
    "position": np.tile([0.1, 0.05, -0.4], (COUNT, 1)),
    "pose_sigma_m": np.full(COUNT, 0.002),
    "pose_sigma_rad": np.full(COUNT, 0.004),
}


@pytest.fixture
def mount():
    return MountEvidence(
        **CAMERA,
        seen=np.ones(COUNT, dtype=bool),
        palm=np.tile(matrix_from_rotvec(np.array([0.3, -1.2, 0.1])), (COUNT, 1, 1)),
        wrist=np.tile([0.0, -0.07, 0.04], (COUNT, 1)),
        sigma_m=np.full(COUNT, 0.003),
        sigma_rad=np.full((COUNT, 3), 0.05),
    )


def turned(mount, turn):
    held = held_poses(mount)
    return HandPoses(held.rotation @ matrix_from_rotvec(np.array(turn)), held.position, held.angles)


def test_a_wrist_keeps_its_place_however_far_it_is_bent(mount):
    points = landmark_mixing() @ turned(mount, [0.0, 1.0, 0.0]).joints(SHAPE)
    residuals = MountTerms.of(mount, SHAPE).residuals(points)
    np.testing.assert_allclose(residuals[:, :3], 0.0, atol=1e-6)
    assert np.linalg.norm(residuals[:, 3:], axis=1).min() > 10


def test_looks_go_through_the_bends_where_nobody_knows(mount):
    held = held_poses(mount)
    rows = np.arange(COUNT) != 3
    poses = bent_in_turn(held, np.arange(COUNT), rows=rows)
    apart = np.round(rotation_error_deg(poses.rotation, held.rotation))
    assert apart.tolist() == [0, 40, 40, 0, 0, 57, 57, 40, 0]


@pytest.mark.parametrize("bend", [[0.0, -0.6, -1.0], [0.0, 0.9, 0.2]])
def test_a_bend_is_read_in_the_picture_of_the_camera_on_the_wrist(mount, rng, bend):
    true = turned(mount, bend)
    points = landmark_mixing() @ true.joints(SHAPE) + mount.position[:, None]
    view = ViewEvidence(
        **CAMERA,
        seen=np.arange(COUNT) % 2 == 0,
        rays=normalised(normalised(points) + rng.normal(0, 0.01, points.shape)),
        sigma_rad=np.full((COUNT, 21), 0.02),
    )
    unseen = np.ones(COUNT, dtype=bool)
    nothing = Evidence.of(
        np.tile([0.0, 0.0, 1.0], (COUNT, 21, 1)),
        np.ones((COUNT, 21)),
        np.full((COUNT, 21, 3), np.nan),
        seen=~unseen,
    )
    anyhow = HandPoses(true.rotation, np.zeros((COUNT, 3)), np.tile(ANGLE_MEAN, (COUNT, 1)))
    evidence, held = held_alone(nothing, anyhow, SHAPE, mount=mount, rows=unseen)
    poses = as_read(
        held, evidence, SHAPE, view=view, mount=mount, rows=unseen, config=HandsConfig()
    )
    off = rotation_error_deg(poses.rotation, true.rotation)
    assert off[view.seen].max() < 5
    assert off[~view.seen].min() > 40  # as held, until the fit over time
    wrist = np.linalg.norm(poses.position - true.position, axis=1)
    assert wrist.max() < 0.01
    assert (loose(mount, unseen).sigma_rad[:, 1:] > 0.5).all()
    assert (loose(mount, unseen).sigma_rad[:, 0] < 0.15).all()  # wrists do not twist
