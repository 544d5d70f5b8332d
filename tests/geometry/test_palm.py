"""Palm frames of both hands with answers derived by hand, and against Aria's own palm normals."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from core.errors import BadInputError
from core.geometry.heading import levelled_heading
from core.geometry.landmarks import (
    FLIPPED_SIDE,
    INDEX,
    LANDMARKS,
    RAW21_ARIA,
    RAW21_MEDIAPIPE,
    landmarks17_from_aria21,
    landmarks17_from_mediapipe21,
)
from core.geometry.palm import (
    TEMPLATE_INDICES,
    fit_palm_template,
    palm_frame,
    palm_frame_three_point,
    palm_template,
)
from core.geometry.rotations import angle_between, matrix_from_ypr
from core.geometry.se3 import SE3

# A right hand lying palm up on a table (world z up), fingers along world x: its thumb points to -y.
RIGHT_PALM_UP = {
    "wrist": (0.0, 0.0, 0.0),
    "index_mcp": (0.09, -0.03, 0.0),
    "middle_mcp": (0.09, -0.01, 0.0),
    "ring_mcp": (0.09, 0.01, 0.0),
    "pinky_mcp": (0.09, 0.03, 0.0),
}
poses = hnp.arrays(np.float64, 6, elements=st.floats(-1.7, 1.7))


def hand(points=RIGHT_PALM_UP, mirror=False):
    landmarks = np.zeros((17, 3))
    for name, point in points.items():
        landmarks[INDEX[name]] = point
    landmarks[INDEX["palm"]] = (0.045, 0, 0)
    return landmarks * ([1, -1, 1] if mirror else [1, 1, 1])


@pytest.mark.parametrize("construct", [palm_frame, palm_frame_three_point])
@pytest.mark.parametrize("side", ["left", "right"])
def test_a_hand_lying_palm_up_has_the_tables_axes(side, construct):
    world_from_palm = construct(hand(mirror=side == "left"), side)
    np.testing.assert_allclose(world_from_palm.rotation, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(world_from_palm.translation, [0.045, 0, 0], atol=1e-12)


@pytest.mark.parametrize(
    ("side", "roll", "up_in_palm"),
    [("right", -np.pi / 2, [0, -1, 0]), ("left", np.pi / 2, [0, 1, 0])],
)
def test_with_the_thumb_up_world_up_is_minus_y_right_and_plus_y_left(side, roll, up_in_palm):
    """From palm up, rolling the right hand inwards turns its palm to face left: thumb up."""
    turn = SE3(matrix_from_ypr(0, 0, roll), np.zeros(3))
    landmarks = turn.apply(hand(mirror=side == "left"))
    assert landmarks[INDEX["index_mcp"], 2] > 0.02  # the thumb's side is up
    world_from_palm = palm_frame(landmarks, side)
    np.testing.assert_allclose(world_from_palm.rotation.T @ [0, 0, 1], up_in_palm, atol=1e-12)


@pytest.mark.parametrize("side", ["left", "right"])
@given(poses, hnp.arrays(np.float64, (17, 3), elements=st.floats(-0.01, 0.01)))
def test_a_swapped_label_is_half_a_turn_about_x(side, pose, noise):
    landmarks = SE3.from_vec6(pose).apply(hand(mirror=side == "left") + noise)
    right_way = palm_frame(landmarks, side)
    swapped = palm_frame(landmarks, FLIPPED_SIDE[side])
    half_turn = (right_way.inverse() @ swapped).matrix()
    np.testing.assert_allclose(half_turn, np.diag([1.0, -1, -1, 1]), atol=1e-9)


@given(poses)
def test_the_frame_moves_with_the_hand(pose):
    motion = SE3.from_vec6(pose)
    moved = palm_frame(motion.apply(hand()), "right")
    np.testing.assert_allclose(
        moved.matrix(), (motion @ palm_frame(hand(), "right")).matrix(), atol=1e-9
    )


def test_degenerate_hands_have_no_frame():
    hands = np.stack([hand(), np.zeros((17, 3)), np.full((17, 3), np.nan)])
    assert palm_frame(hands, "right").finite.tolist() == [True, False, False]
    with pytest.raises(BadInputError, match="'middle'"):
        palm_frame(hands, "middle")
    with pytest.raises(BadInputError, match="never seen"):
        palm_template(hands[1:], "right")


@pytest.mark.parametrize("side", ["left", "right"])
def test_template_fit_is_the_definition_without_noise_and_better_with_it(side):
    rng = np.random.default_rng(2)
    truth = SE3.from_vec6(rng.normal(size=(400, 6)))
    still = hand(mirror=side == "left")
    still = palm_frame(still, side).inverse().apply(still)
    exact = truth.apply(np.broadcast_to(still, (400, 17, 3)))
    template = palm_template(exact, side)
    five = exact[:, TEMPLATE_INDICES]
    np.testing.assert_allclose(
        fit_palm_template(template, five).matrix(), truth.matrix(), atol=1e-9
    )
    noisy = exact + rng.normal(scale=0.004, size=exact.shape)
    fitted = fit_palm_template(template, noisy[:, TEMPLATE_INDICES])
    errors = [
        angle_between(found.rotation, truth.rotation).mean()
        for found in (fitted, palm_frame(noisy, side), palm_frame_three_point(noisy, side))
    ]
    assert errors[0] < errors[1] < errors[2]


def test_template_fit_leaves_out_points_without_weight():
    template = palm_template(hand(), "right")
    five = hand()[list(TEMPLATE_INDICES)].copy()
    five[4] += 0.5
    weights = np.array([1.0, 1, 1, 1, 0])
    expected = palm_frame(hand(), "right").matrix()
    np.testing.assert_allclose(
        fit_palm_template(template, five, weights).matrix(), expected, atol=1e-9
    )
    five[4] = np.nan
    np.testing.assert_allclose(fit_palm_template(template, five).matrix(), expected, atol=1e-9)
    five[2:] = np.nan
    assert not fit_palm_template(template, five).finite


def test_the_17_landmarks_come_from_either_source():
    names = {
        "mediapipe": (RAW21_MEDIAPIPE, landmarks17_from_mediapipe21),
        "aria": (RAW21_ARIA, landmarks17_from_aria21),
    }
    place = {name: np.full(3, float(k)) for k, name in enumerate(LANDMARKS)}
    place["palm"] = (
        place["wrist"] + sum(place[f"{f}_mcp"] for f in ("index", "middle", "ring", "pinky")) / 4
    ) / 2
    for order, convert in names.values():
        assert len(set(order)) == 21
        raw = np.array([place.get(name, np.full(3, np.nan)) for name in order])
        converted = convert(np.broadcast_to(raw, (2, 5, 21, 3)))
        expected = [place[name] for name in LANDMARKS]
        np.testing.assert_array_equal(converted, np.broadcast_to(expected, (2, 5, 17, 3)))
    with pytest.raises(BadInputError, match=r"found \(20, 3\)"):
        landmarks17_from_mediapipe21(np.zeros((20, 3)))


def rows_of(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("side", ["left", "right"])
def test_z_leaves_the_palm_as_arias_normals_do(recordings, side):
    """Aria's tracker states palm normals of its own: the same side of both hands, on real data."""
    folder = recordings / "aria_gen1_mps_sample" / "hand_tracking"
    rows = rows_of(folder / "hand_tracking_results_v2.csv")
    seen = [row for row in rows if float(row[f"{side}_tracking_confidence"]) > 0.9]
    assert seen
    raw = np.array([
        [[float(row[f"t{a}_{side}_landmark_{k}_device"]) for a in "xyz"] for k in range(21)]
        for row in seen
    ])
    normal = np.array([[float(row[f"n{a}_{side}_palm_device"]) for a in "xyz"] for row in seen])
    device_from_palm = palm_frame(landmarks17_from_aria21(raw), side)
    cosine = np.sum(device_from_palm.rotation[..., 2] * normal, axis=1)
    assert (cosine > 0.9).all()
    further_out = device_from_palm.inverse().apply(raw)[:, 20]
    assert ((further_out[:, 0] > 0.02) & (further_out[:, 0] < 0.06)).all()


def camera_looking(yaw, pitch_down, roll=0.0):
    """world_from_head of an upright camera turned left by ``yaw``, then down, then rolled."""
    forward_left_up = np.array([[0, 0, 1.0], [-1, 0, 0], [0, -1, 0]])
    return matrix_from_ypr(yaw, pitch_down, roll) @ forward_left_up


@pytest.mark.parametrize("pitch_down", [0.0, 0.5, np.pi / 2, 2.0, -1.2])
def test_heading_holds_while_the_head_looks_down_and_past_it(pitch_down):
    """Straight down the view axis has no heading, but up cross camera-right keeps the body's."""
    for yaw in (-2.0, 0.0, 0.3):
        np.testing.assert_allclose(
            levelled_heading(camera_looking(yaw, pitch_down)),
            matrix_from_ypr(yaw, 0, 0),
            atol=1e-12,
        )


def test_heading_ignores_small_roll_and_is_missing_at_a_quarter():
    rolled = levelled_heading(camera_looking(0.3, 0.0, roll=0.4))
    np.testing.assert_allclose(rolled, matrix_from_ypr(0.3, 0, 0), atol=1e-12)
    assert np.isnan(levelled_heading(camera_looking(0.0, 0.0, roll=np.pi / 2))).all()
