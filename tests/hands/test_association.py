"""Left stays left: crossing hands, bystanders, duplicates, wrong labels."""

import numpy as np
import pytest

from hands.association import LEFT, RIGHT, associate
from hands.lift import candidates


def paths(ticks, left, right):
    """Straight ways of two wrists ``(ticks,3)`` each."""
    return [np.linspace(start, end, ticks) for start, end in (left, right)]


def sides_of(association, found, hands):
    """For each known hand, the side given to each of its detections (matching by pixels)."""
    result = []
    for source in hands:
        given = []
        for row, px in zip(source.row, source.raw21_px, strict=True):
            chosen = association.chosen[row]
            mine = [
                s
                for s in (LEFT, RIGHT)
                if chosen[s] >= 0 and np.array_equal(found.raw21_px[chosen[s]], px)
            ]
            given.append(mine[0] if mine else -1)
        result.append(np.array(given))
    return result


def test_crossing_hands_are_not_swapped(camera, hand, merge, rng):
    for trial in range(4):
        ways = paths(
            60, ([-0.15, 0.05, 0.5], [0.15, 0.02, 0.5]), ([0.15, 0.0, 0.55], [-0.15, 0.0, 0.55])
        )
        seen = [
            hand(side, position=way).seen_by(camera, noise_px=2.0, rng=rng)
            for side, way in zip(("left", "right"), ways, strict=True)
        ]
        for source in seen:  # labels are doubtful while the hands overlap
            source.left_label[25:36] = rng.uniform(0.2, 0.8, 11)
        both = candidates(merge(*seen), camera)
        given = sides_of(associate(both, 60, farthest_m=1.0), both, seen)
        assert (given[0] == LEFT).all(), trial
        assert (given[1] == RIGHT).all(), trial


def test_labels_that_flip_do_not_swap_hands(camera, hand, merge, rng):
    ways = paths(80, ([-0.12, 0.0, 0.5], [-0.1, 0.05, 0.5]), ([0.12, 0.0, 0.5], [0.1, 0.05, 0.45]))
    seen = [
        hand(side, position=way).seen_by(camera, noise_px=1.0, rng=rng)
        for side, way in zip(("left", "right"), ways, strict=True)
    ]
    for source in seen:
        wrong = rng.uniform(size=80) < 0.3
        source.left_label[wrong] = 1.0 - source.left_label[wrong]
    both = candidates(merge(*seen), camera)
    association = associate(both, 80, farthest_m=1.0)
    given = sides_of(association, both, seen)
    assert (given[0] == LEFT).all()
    assert (given[1] == RIGHT).all()
    assert association.relabelled == sum(int((s.left_label > 0.5).sum()) for s in seen[1:]) + int(
        (seen[0].left_label < 0.5).sum()
    )


def test_two_hands_called_left_become_one_of_each(camera, hand, merge):
    ways = paths(40, ([-0.12, 0.0, 0.5], [-0.1, 0.0, 0.5]), ([0.12, 0.0, 0.5], [0.1, 0.0, 0.5]))
    left = hand("left", position=ways[0]).seen_by(camera)
    right = hand("right", position=ways[1]).seen_by(camera, label="left")
    both = candidates(merge(left, right), camera)
    given = sides_of(associate(both, 40, farthest_m=1.0), both, [left, right])
    assert (given[0] == LEFT).all()
    assert (given[1] == RIGHT).all()


def test_a_third_hand_is_a_bystanders(camera, hand, merge):
    ways = paths(
        50, ([-0.12, 0.05, 0.45], [-0.1, 0.05, 0.45]), ([0.12, 0.05, 0.45], [0.1, 0.05, 0.45])
    )
    mine = [
        hand(side, position=way).seen_by(camera)
        for side, way in zip(("left", "right"), ways, strict=True)
    ]
    far = np.tile([0.05, -0.3, 1.3], (50, 1))
    theirs = hand("left", position=far, turn=np.tile([0, 0, np.pi], (50, 1))).seen_by(camera)
    everyone = candidates(merge(*mine, theirs), camera)
    association = associate(everyone, 50, farthest_m=1.0)
    given = sides_of(association, everyone, [*mine, theirs])
    assert (given[0] == LEFT).all()
    assert (given[1] == RIGHT).all()
    assert (given[2] == -1).all()
    assert np.sum(association.reason == "bystander") == 50
    assert association.undecided == 0


def test_two_people_side_by_side_are_not_decided(camera, hand, merge):
    places = ([-0.2, 0.05, 0.45], [-0.05, 0.05, 0.45], [0.1, 0.05, 0.45], [0.25, 0.05, 0.45])
    everyone = [
        hand(side, position=np.tile(place, (20, 1))).seen_by(camera)
        for side, place in zip(("left", "right") * 2, places, strict=True)
    ]
    association = associate(candidates(merge(*everyone), camera), 20, farthest_m=1.0)
    assert np.sum(association.reason == "bystander") == 40
    assert association.undecided == 20


def test_a_bystanders_hand_alone_is_not_the_wearers(camera, hand):
    far = np.tile([0.05, -0.3, 1.6], (30, 1))
    theirs = hand("left", position=far, turn=np.tile([0, 0, np.pi], (30, 1))).seen_by(camera)
    association = associate(candidates(theirs, camera), 30, farthest_m=1.0)
    assert (association.chosen == -1).all()


def test_the_same_hand_found_twice_is_one(camera, hand, merge, rng):
    once = hand("right", position=np.tile([0.05, 0.0, 0.5], (20, 1))).seen_by(camera)
    again = type(once)(
        once.row,
        np.full(20, 0.6),
        once.raw21_px + rng.normal(0, 2, once.raw21_px.shape),
        once.raw21_in_hand,
    )
    association = associate(candidates(merge(once, again), camera), 20, farthest_m=1.0)
    assert (association.chosen[:, LEFT] == -1).all()
    assert (association.chosen[:, RIGHT] >= 0).all()
    assert np.sum(association.reason == "duplicate") == 20


def test_a_hand_that_leaves_and_returns_keeps_its_side(camera, hand, rng):
    known = hand("left", position=np.tile([-0.08, 0.02, 0.5], (40, 1)))
    rows = np.r_[0:20, 60:80]
    source = known.seen_by(camera, noise_px=1.0, rng=rng, rows=rows)
    association = associate(candidates(source, camera), 80, farthest_m=1.0)
    assert (association.chosen[rows, LEFT] >= 0).all()
    assert (association.chosen[:, RIGHT] == -1).all()


def test_a_piece_of_a_hand_is_no_second_hand(camera, hand, merge):
    """A pinch makes the detector see a small hand within the large one."""
    known = hand("right", position=np.tile([0.05, 0.0, 0.4], (20, 1))).seen_by(camera)
    middle = known.raw21_px.mean(axis=1, keepdims=True)
    piece = type(known)(
        known.row,
        np.full(20, 0.95),  # and calls it left, surely
        middle + 0.4 * (known.raw21_px - middle) + [15.0, -10.0],
        known.raw21_in_hand,
    )
    association = associate(candidates(merge(known, piece), camera), 20, farthest_m=1.0)
    assert (association.chosen[:, LEFT] == -1).all()
    assert (association.chosen[:, RIGHT] >= 0).all()
    assert np.sum(association.reason == "duplicate") == 20


@pytest.mark.parametrize("gap", [0, 4, 12])
@pytest.mark.parametrize("behind", [0.0, 0.12])
def test_hands_that_cross_twice_keep_their_sides(camera, hand, merge, rng, gap, behind):
    """Over and back; while they overlap one is not found at all and labels are guesses."""
    ticks = 120
    sway = 0.14 * np.cos(np.linspace(0, 2 * np.pi, ticks))
    left = np.stack([-sway, np.full(ticks, 0.03), np.full(ticks, 0.45 + behind)], axis=1)
    right = np.stack([sway, np.zeros(ticks), np.full(ticks, 0.45)], axis=1)
    seen = [
        hand(side, position=way).seen_by(camera, noise_px=2.0, rng=rng)
        for side, way in (("left", left), ("right", right))
    ]
    close = np.abs(sway) < 0.05
    for source in seen:
        source.left_label[close] = rng.uniform(0.1, 0.9, close.sum())
    hidden = np.zeros(ticks, dtype=bool)
    for middle in (ticks // 4, 3 * ticks // 4):
        hidden[middle - gap // 2 : middle + gap - gap // 2] = True
    first = seen[0]
    seen[0] = type(first)(*(a[~hidden] for a in vars(first).values()))
    both = candidates(merge(*seen), camera)
    given = sides_of(associate(both, ticks, farthest_m=1.0), both, seen)
    assert np.mean(given[0] == LEFT) == 1.0
    assert np.mean(given[1] == RIGHT) == 1.0


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("mine", [("left",), ("right",), ("left", "right")])
def test_a_hand_from_the_far_side_is_nobodys(camera, hand, merge, rng, side, mine):
    """Someone opposite reaches in over the table, as near as 0.7 m, and out again."""
    ticks = 90
    places = {"left": [-0.12, 0.06, 0.45], "right": [0.12, 0.06, 0.45]}
    own = [
        hand(s, position=np.tile(places[s], (ticks, 1))).seen_by(camera, noise_px=1.5, rng=rng)
        for s in mine
    ]
    reach = np.sin(np.linspace(0, np.pi, 60))
    way = np.stack([0.03 + 0.02 * reach, -0.28 + 0.16 * reach, 0.95 - 0.25 * reach], axis=1)
    turned = np.tile([0.0, 0.0, np.pi], (60, 1))
    theirs = hand(side, position=way, turn=turned).seen_by(
        camera, noise_px=1.5, rng=rng, rows=np.arange(15, 75)
    )
    everyone = candidates(merge(*own, theirs), camera)
    association = associate(everyone, ticks, farthest_m=1.0)
    given = sides_of(association, everyone, [*own, theirs])
    for s, sides in zip(mine, given, strict=False):
        assert (sides == (LEFT if s == "left" else RIGHT)).all()
    assert (given[-1] == -1).all()
