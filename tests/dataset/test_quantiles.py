"""Quantiles are exact, masked and finite."""

import numpy as np
import pytest

from core.dataset.quantiles import (
    QUANTILES,
    QuantileScale,
    exact_quantiles,
    normalise,
    unnormalise,
)
from core.errors import BadInputError


def test_quantiles_of_a_known_ramp():
    values = np.stack([np.arange(101.0), np.full(101, 7.0)], axis=1)
    result, count = exact_quantiles(values, np.ones_like(values, dtype=bool))
    np.testing.assert_allclose(result[:, 0], [1, 10, 50, 90, 99])
    np.testing.assert_allclose(result[:, 1], 7)
    assert count.tolist() == [101, 101]


def test_masked_values_do_not_matter():
    rng = np.random.default_rng(0)
    values, mask = rng.normal(size=(500, 3)), rng.random((500, 3)) < 0.6
    expected, _ = exact_quantiles(values, mask)
    for poison in (1e30, np.nan, -np.inf):
        result, count = exact_quantiles(np.where(mask, values, poison), mask)
        np.testing.assert_array_equal(result, expected)
        assert (count == mask.sum(0)).all()


def test_nothing_valid_is_zero_not_nan():
    result, count = exact_quantiles(np.full((4, 2), np.nan), np.zeros((4, 2), dtype=bool))
    assert (result == 0).all()
    assert result.shape == (len(QUANTILES), 2)
    assert count.tolist() == [0, 0]


def test_shapes_must_agree():
    with pytest.raises(BadInputError, match="differ"):
        exact_quantiles(np.zeros((3, 2)), np.zeros((3, 1), dtype=bool))


def test_normalise_maps_the_span_to_one_and_back():
    scale = QuantileScale(
        np.array([-2.0, 5.0, 0.0]), np.array([6.0, 5.0, 0.0]), np.array([True, True, False])
    )
    values = np.array([[-2.0, 5.0, 3.0], [6.0, 5.0, -3.0], [2.0, 5.0, 0.0]])
    expected = [[-1, 0, 3], [1, 0, -3], [0, 0, 0]]
    np.testing.assert_allclose(normalise(values, scale), expected)
    np.testing.assert_allclose(unnormalise(normalise(values, scale), scale), values)
    assert np.isfinite(normalise(values + 1, scale)).all()
    assert np.abs(normalise(values + 1, scale, clip=1.5)).max() == 1.5
