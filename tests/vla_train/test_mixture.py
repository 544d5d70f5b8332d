"""Shares, coverage and statelessness of the mixture."""

import numpy as np
import pytest

from core.errors import BadInputError
from vla_train.mixture import Mixture, mixture_shares


def counts_of(mixture, steps):
    counts = np.zeros(len(mixture.sizes), dtype=int)
    for step in range(steps):
        for dataset, positions in mixture.draw(step):
            counts[dataset] += len(positions)
    return counts


def test_half_human_half_robot_whatever_the_sizes():
    kinds, sizes = ["human", "robot", "robot"], [100, 3000, 1000]
    assert mixture_shares(kinds, sizes, 0.5) == pytest.approx((0.5, 0.375, 0.125))
    mixture = Mixture(shares=(0.5, 0.375, 0.125), sizes=tuple(sizes), batch=16, seed=0)
    assert counts_of(mixture, 50).tolist() == [400, 300, 100]


def test_one_kind_alone_gets_everything():
    assert mixture_shares(["robot", "robot"], [30, 10], 0.5) == pytest.approx((0.75, 0.25))


def test_odd_shares_are_exact_in_the_mean_and_within_one_in_a_batch():
    shares = (0.5, 0.28, 0.22)
    mixture = Mixture(shares=shares, sizes=(10, 10, 10), batch=7, seed=3)
    for step in range(300):
        drawn = dict(mixture.draw(step))
        sizes = [len(drawn.get(k, ())) for k in range(3)]
        assert sum(sizes) == 7
        assert all(abs(n - 7 * share) < 1 for n, share in zip(sizes, shares, strict=True))
    assert counts_of(mixture, 3000) / 21_000 == pytest.approx(shares, abs=0.01)


def test_rounds_forget_no_frame():
    mixture = Mixture(shares=(0.5, 0.5), sizes=(12, 40), batch=8, seed=1)
    first_round = np.concatenate([dict(mixture.draw(step))[0] for step in range(3)])
    assert sorted(first_round) == list(range(12))


def test_a_step_does_not_depend_on_the_steps_before():
    fresh, used = (Mixture(shares=(0.3, 0.7), sizes=(9, 31), batch=5, seed=2) for _ in range(2))
    for step in range(20):
        used.draw(step)
    for (a, left), (b, right) in zip(fresh.draw(17), used.draw(17), strict=True):
        assert a == b
        assert left.tolist() == right.tolist()


def test_seeds_differ():
    one, other = (Mixture(shares=(1.0,), sizes=(50,), batch=10, seed=s) for s in (0, 1))
    assert one.draw(0)[0][1].tolist() != other.draw(0)[0][1].tolist()


def test_nothing_left_is_an_error():
    with pytest.raises(BadInputError, match="human_fraction"):
        mixture_shares(["human"], [10], 0.0)
