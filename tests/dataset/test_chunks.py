"""Relative chunks against answers worked out by hand."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.dataset.chunks import (
    ChunkEncoder,
    ChunkSettings,
    CurrentPoses,
    decode_chunk,
    encode_chunk,
)
from core.dataset.embodiments import TWO_ARM_ROBOT
from core.dataset.episode import HEAD, LEFT_POSE, swap_sides
from core.dataset.slots import arm_slots, slots_of
from core.errors import BadInputError
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3

SECOND = ChunkSettings(steps=10, duration_s=1.0)
PER_TICK = replace(SECOND, reference="per_tick")
LEFT, RIGHT = arm_slots("left"), arm_slots("right")


def poses(rotvecs, translations=(0.0, 0.0, 0.0)):
    rotvecs = np.asarray(rotvecs, dtype=float)
    return SE3(matrix_from_rotvec(rotvecs), np.broadcast_to(translations, rotvecs.shape)).to_pose7()


def line(frames, velocity, fps=30):
    """Positions of a steady motion (m) from the origin, ``(frames, 3)``."""
    return np.arange(frames)[:, None] / fps * np.asarray(velocity, dtype=float)


def random_poses(rng, frames, spread=0.3):
    steps = rng.normal(size=(frames, 6)) * 0.02
    return SE3.from_vec6(np.cumsum(steps, axis=0) + rng.normal(size=6) * spread).to_pose7()


def test_pure_translation_is_time_times_velocity_in_the_palm_frame(episode_from):
    turned = np.tile([0.0, 0.0, np.pi / 2], (40, 1))  # palm x points along head y
    hand = poses(turned, line(40, (0.3, 0.0, 0.0)))
    chunk = encode_chunk(episode_from(left=hand), 0, SECOND)
    expected = np.linspace(0.03, 0.3, 10)
    np.testing.assert_allclose(chunk.values[:, 1], -expected, atol=1e-6)
    np.testing.assert_allclose(chunk.values[:, [0, 2, 3, 4, 5]], 0, atol=1e-6)
    assert chunk.mask[:, LEFT].all()


@pytest.mark.parametrize("axis", range(3))
def test_pure_rotation_about_each_axis(episode_from, axis):
    angles = np.arange(40) / 30 * 0.6  # rad, 0.6 rad/s
    hand = poses(angles[:, None] * np.eye(3)[axis], (0.1, -0.2, 0.4))
    chunk = encode_chunk(episode_from(right=hand), 5, SECOND)
    expected = np.zeros((10, 6))
    expected[:, 3 + axis] = np.linspace(0.06, 0.6, 10)
    np.testing.assert_allclose(chunk.values[:, RIGHT], expected, atol=2e-6)


def test_head_turn_moves_a_still_hand_only_per_tick(episode_from):
    turn = np.deg2rad(10.0) * np.clip(np.arange(40) / 30, 0, 1)
    head = poses(turn[:, None] * [0.0, 0.0, 1.0])
    world_from_palm = SE3(np.eye(3), np.array([0.5, 0.0, 0.0]))
    hand = (SE3.from_pose7(head).inverse() @ world_from_palm).to_pose7()
    episode = episode_from(left=hand, head=head)
    still = encode_chunk(episode, 0, SECOND).values[-1, LEFT]
    np.testing.assert_allclose(still, 0, atol=1e-6)
    moved = encode_chunk(episode, 0, PER_TICK).values[-1, LEFT]
    assert np.linalg.norm(moved[:3]) == pytest.approx(0.0872, abs=1e-4)  # 2 * 0.5 m * sin(5 deg)
    assert np.linalg.norm(moved[3:]) == pytest.approx(np.deg2rad(10), abs=1e-5)


@pytest.mark.parametrize("alignment", ["shared", "separate"])
def test_head_slots_while_looking_straight_down(episode_from, looking_ahead, alignment):
    """Camera forward = world down; the head walks ahead, steps left, rises and turns left."""
    down = np.array([[0, -1, 0], [-1, 0, 0], [0, 0, -1.0]])  # right = -y, image up = +x
    yaw = np.arange(40)[:, None] / 30 * [0.0, 0.0, 0.5]
    rotation = matrix_from_rotvec(yaw) @ down
    head = SE3(rotation, np.add([3.0, 4.0, 0.0], line(40, (0.4, 0.2, 0.1)))).to_pose7()
    chunk = encode_chunk(episode_from(head=head), 0, replace(SECOND, base_alignment=alignment))
    slots = [14, 16, 17, 15, 18, 19] if alignment == "shared" else [16, 17, 18, 19, 20, 21]
    np.testing.assert_allclose(chunk.values[-1, slots], [0.4, 0.2, 0.1, 0.5, 0, 0], atol=1e-5)
    assert chunk.mask[:, slots].all()
    assert (chunk.mask.any(axis=0) == slots_of("human", alignment)).all()


@pytest.mark.parametrize(("axis", "slot"), [(1, 18), (0, 19)])
def test_nod_is_pitch_and_tilt_is_roll(episode_from, looking_ahead, axis, slot):
    turned = matrix_from_rotvec(np.arange(40)[:, None] / 30 * 0.3 * np.eye(3)[axis])
    head = SE3(turned @ looking_ahead, np.zeros(3)).to_pose7()
    values = encode_chunk(episode_from(head=head), 0, SECOND).values[-1]
    expected = np.zeros(32)
    expected[slot] = 0.3
    np.testing.assert_allclose(values[14:20], expected[14:20], atol=1e-5)


def test_heading_is_relative_to_where_the_head_faced(episode_from, looking_ahead):
    """Facing +y, a step along +y is forward and a step along -x is left."""
    facing_y = matrix_from_rotvec(np.array([0, 0, np.pi / 2])) @ looking_ahead
    head = SE3(np.tile(facing_y, (40, 1, 1)), line(40, (-0.2, 0.4, 0.0))).to_pose7()
    values = encode_chunk(episode_from(head=head), 0, SECOND).values[-1]
    np.testing.assert_allclose(values[[14, 16, 17]], [0.4, 0.2, 0.0], atol=1e-5)


def test_a_head_on_its_side_has_no_heading(episode_from, looking_ahead):
    rolled = looking_ahead @ matrix_from_rotvec(np.array([0, 0, np.pi / 2]))
    head = SE3(np.tile(rolled, (40, 1, 1)), np.zeros(3)).to_pose7()
    chunk = encode_chunk(episode_from(head=head), 0, SECOND)
    assert not chunk.mask[:, 14:20].any()
    assert chunk.mask[:, LEFT].all()
    assert np.isfinite(chunk.values).all()


def test_sources_of_20_30_and_50_hz_agree(episode_from):
    def chunk_at(fps):
        seconds = np.arange(int(1.5 * fps) + 1) / fps
        swing = 0.3 * np.sin(2 * seconds)
        hand = SE3.from_vec6(np.stack([swing, 0 * swing, swing**2, swing, -swing, 0 * swing], 1))
        head = poses(0.2 * seconds[:, None] * [0, 0, 1.0])
        episode = episode_from(left=hand.to_pose7(), head=head, fps=fps)
        return encode_chunk(episode, fps // 5, ChunkSettings(steps=50))

    slow, middle, fast = (chunk_at(fps) for fps in (20, 30, 50))
    for other in (slow, middle):
        assert (other.mask == fast.mask).all()
        np.testing.assert_allclose(other.values, fast.values, atol=6e-4)  # chord against arc


def test_time_scale_plays_the_recording_slower(episode_from):
    hand = poses(np.zeros((61, 3)), line(61, (0.3, 0, 0)))
    episode = episode_from(left=hand)
    slow = encode_chunk(episode, 0, replace(SECOND, time_scale=2.0)).values[-1, 0]
    assert slow == pytest.approx(0.15, abs=1e-6)
    body = replace(episode.embodiment, time_scale=2.0)
    same = encode_chunk(replace(episode, embodiment=body), 0, SECOND).values[-1, 0]
    assert same == pytest.approx(0.15, abs=1e-6)


def test_chunks_end_with_the_episode(episode_from):
    mask = encode_chunk(episode_from(left=poses(np.zeros((40, 3)))), 24, SECOND).mask
    # 15 more ticks are known, so half of the ten steps
    assert mask[:, 0].tolist() == [True] * 5 + [False] * 5


@pytest.mark.parametrize("reference", ["chunk_head", "per_tick"])
def test_chunks_end_at_a_new_map_and_do_not_come_back(episode_from, reference):
    maps = np.zeros(60, dtype=int)
    maps[20:30] = 1
    episode = episode_from(left=poses(np.zeros((60, 3))), map_id=maps)
    encoder = ChunkEncoder(episode, replace(SECOND, reference=reference))
    _, mask = encoder.encode([10, 19, 20, 30])
    assert mask[..., 0].sum(axis=1).tolist() == [3, 0, 3, 9]


def test_a_lost_tick_masks_only_the_steps_that_touch_it(episode_from):
    episode = episode_from(left=poses(np.zeros((40, 3))))
    action_valid = episode.action_valid.copy()
    action_valid[5, LEFT_POSE] = False  # the target of tick 6
    chunk = encode_chunk(replace(episode, action_valid=action_valid), 0, SECOND)
    assert chunk.mask[:, 0].tolist() == [True, False] + [True] * 8  # step 2 is at tick 6 exactly
    assert chunk.mask[:, 7].all()


def test_lost_head_masks_the_hand_under_chunk_head_only(episode_from):
    episode = episode_from(left=poses(np.zeros((40, 3))))
    valid = episode.valid.copy()
    valid[0, HEAD] = False
    lost = replace(episode, valid=valid)
    assert not encode_chunk(lost, 0, SECOND).mask.any()
    mask = encode_chunk(lost, 0, PER_TICK).mask
    assert mask[:, LEFT].all()
    assert not mask[:, 14:20].any()


def test_without_gravity_or_scale_slots_are_masked(episode_from):
    episode = episode_from(left=poses(np.zeros((40, 3))))
    flat = encode_chunk(replace(episode, gravity=False), 0, SECOND).mask.all(axis=0)
    assert flat[LEFT].all()
    assert not flat[14:20].any()
    unscaled = replace(episode, metric_scale=False)
    mask = encode_chunk(unscaled, 0, PER_TICK).mask.all(axis=0)
    assert mask[14:20].tolist() == [False, True, False, False, True, True]
    assert mask[LEFT].all()
    # under chunk_head the head's unscaled motion enters the hand's translation
    mask = encode_chunk(unscaled, 0, SECOND).mask.all(axis=0)
    assert mask[LEFT].tolist() == [False] * 3 + [True] * 3
    separate = replace(SECOND, base_alignment="separate")
    mask = encode_chunk(unscaled, 0, separate).mask.all(axis=0)
    assert mask[16:22].tolist() == [False] * 3 + [True] * 3


def test_swapped_sides_swap_slots(episode_from):
    rng = np.random.default_rng(3)
    episode = episode_from(left=random_poses(rng, 40), right=random_poses(rng, 40))
    chunk, swapped = (encode_chunk(e, 0, SECOND) for e in (episode, swap_sides(episode)))
    np.testing.assert_array_equal(chunk.values[:, LEFT], swapped.values[:, RIGHT])
    np.testing.assert_array_equal(chunk.values[:, RIGHT], swapped.values[:, LEFT])
    np.testing.assert_array_equal(chunk.values[:, 14:], swapped.values[:, 14:])


def test_robot_owns_grippers_and_base(episode_from):
    grippers = np.stack([np.linspace(0, 1, 31), np.linspace(1, 0, 31)], axis=1)
    base = poses(np.zeros((31, 3)), line(31, (0.5, 0.0, 0.0)))
    episode = episode_from(head=base, grippers=grippers, embodiment=TWO_ARM_ROBOT)
    chunk = encode_chunk(episode, 0, SECOND)
    np.testing.assert_allclose(chunk.values[:, 6], np.linspace(0.1, 1, 10), atol=1e-6)
    np.testing.assert_allclose(chunk.values[:, 13], np.linspace(0.9, 0, 10), atol=1e-6)
    np.testing.assert_allclose(chunk.values[:, 14], np.linspace(0.05, 0.5, 10), atol=1e-6)
    assert (chunk.mask.all(axis=0) == slots_of("robot")).all()


def test_robot_commands_are_relative_to_the_measured_pose(episode_from):
    """A command 1 cm ahead of a still arm reads 1 cm in every step."""
    arm = poses(np.zeros((40, 3)))
    episode = episode_from(right=arm, embodiment=TWO_ARM_ROBOT)
    action = episode.action.copy()
    action[:, 8] += 0.01
    chunk = encode_chunk(replace(episode, action=action), 10, SECOND)
    np.testing.assert_allclose(chunk.values[:9, 7], 0.01, atol=1e-7)


def test_many_chunks_are_the_single_ones(episode_from, monkeypatch):
    rng = np.random.default_rng(5)
    episode = episode_from(left=random_poses(rng, 30), head=random_poses(rng, 30))
    encoder = ChunkEncoder(episode, SECOND)
    monkeypatch.setattr("core.dataset.chunks.STARTS_AT_ONCE", 7)
    values, mask = encoder.encode(np.arange(30))
    for start in range(30):
        single = encode_chunk(episode, start, SECOND)
        np.testing.assert_array_equal(values[start], single.values)
        np.testing.assert_array_equal(mask[start], single.mask)


def test_masked_values_are_zero_and_finite(episode_from):
    chunk = encode_chunk(episode_from(left=poses(np.zeros((12, 3)))), 8, SECOND)
    assert not chunk.mask.all()
    assert np.isfinite(chunk.values).all()
    assert (chunk.values[~chunk.mask] == 0).all()


def test_a_start_outside_the_episode_is_refused(episode_from):
    with pytest.raises(BadInputError, match="outside the episode's 12 frames"):
        encode_chunk(episode_from(left=poses(np.zeros((12, 3)))), 12, SECOND)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    reference=st.sampled_from(["chunk_head", "per_tick"]),
    alignment=st.sampled_from(["shared", "separate"]),
)
def test_decode_is_the_inverse_of_encode(episode_from, looking_ahead, seed, reference, alignment):
    rng = np.random.default_rng(seed)
    left, right = random_poses(rng, 24), random_poses(rng, 24)
    tilt = SE3.from_pose7(random_poses(rng, 24, spread=0.5))
    head = (tilt @ SE3(looking_ahead, np.zeros(3))).to_pose7()
    episode = episode_from(left=left, right=right, head=head, fps=20)
    cut = ChunkSettings(steps=20, reference=reference, base_alignment=alignment)
    chunk = encode_chunk(episode, 2, cut)
    current = CurrentPoses(
        head_from_palm={"left": SE3.from_pose7(left[2]), "right": SE3.from_pose7(right[2])},
        world_from_head=SE3.from_pose7(head[2]),
    )
    back = decode_chunk(chunk.values, chunk.mask, current=current, settings=cut)
    world = SE3.from_pose7(head[3:23])
    np.testing.assert_allclose(back.world_from_head.matrix(), world.matrix(), atol=2e-5)
    assert back.head_valid.all()
    for side, track in (("left", left), ("right", right)):
        expected = SE3.from_pose7(track[3:23])
        if reference == "chunk_head":
            expected = current.world_from_head.inverse() @ world @ expected
        np.testing.assert_allclose(back.head_from_palm[side].matrix(), expected.matrix(), atol=2e-5)
        assert back.palm_valid[side].all()
