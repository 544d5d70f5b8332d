"""Times, path, masked loss and integration of the flow."""

import pytest
import torch

from vla_train.flow import draw_times, integrate, masked_flow_loss, noisy


def test_times_follow_beta():
    torch.manual_seed(0)
    times = draw_times(200_000)
    assert times.min() > 0.0
    assert times.max() <= 1.0
    assert float(times.mean()) == pytest.approx(0.6 * 0.999 + 0.001, abs=2e-3)
    assert float((times > 0.5).float().mean()) == pytest.approx(0.648, abs=4e-3)


def test_path_runs_from_data_to_noise():
    actions, noise = torch.randn(2, 5, 32), torch.randn(2, 5, 32)
    assert torch.equal(noisy(actions, noise, torch.zeros(2)), actions)
    assert torch.equal(noisy(actions, noise, torch.ones(2)), noise)


def test_exact_velocity_brings_noise_to_data():
    actions, noise = torch.randn(2, 5, 32), torch.randn(2, 5, 32)
    arrived = integrate(lambda x, t: noise - actions, noise)
    torch.testing.assert_close(arrived, actions, atol=1e-5, rtol=0)


def test_loss_counts_valid_entries_only():
    velocity, target = torch.zeros(2, 4, 32), torch.full((2, 4, 32), 2.0)
    target[1, :, 7:] = 1e6
    mask = torch.zeros(2, 4, 32, dtype=torch.bool)
    mask[0, :, :3] = True
    mask[1, :2, :7] = True
    assert masked_flow_loss(velocity, target, mask).tolist() == [4.0, 4.0]


def test_sample_without_labels_weighs_nothing():
    nothing = torch.zeros(1, 4, 32, dtype=torch.bool)
    loss = masked_flow_loss(torch.ones(1, 4, 32), torch.zeros(1, 4, 32), nothing)
    assert loss.tolist() == [0.0]
