"""The small policy respects its masks and learns only what it is asked for."""

from dataclasses import replace

import pytest
import torch

from core.dataset.slots import GRIPPER_SLOTS, slots_of
from vla_train.config import SmallConfig
from vla_train.policy import Batch
from vla_train.small import SmallPolicy

STEPS, SIDE, WORDS = 10, 32, 6


@pytest.fixture
def policy():
    torch.manual_seed(1)
    config = SmallConfig(width=32, heads=2, observation_layers=1, expert_layers=1, keypoints=4)
    made = SmallPolicy(
        config, arm_width=10, chunk_steps=STEPS, image_px=SIDE, text_rows=50, max_tokens=WORDS
    )
    for block in made.expert:  # the gates start at zero and would hide everything
        torch.nn.init.normal_(block.modulation.weight, std=0.2)
        torch.nn.init.normal_(block.modulation.bias, std=0.2)
    torch.nn.init.normal_(made.action_out.weight, std=0.1)
    return made.eval()


def random_batch(kind="human", count=3):
    generator = torch.Generator().manual_seed(5)
    owned = torch.from_numpy(slots_of(kind)).expand(count, -1)
    mask = owned[:, None].repeat(1, STEPS, 1)
    return Batch(
        images=torch.rand(count, 3, 3, SIDE, SIDE, generator=generator) * 2 - 1,
        camera_valid=torch.tensor([True, False, True]).repeat(count, 1),
        tokens=torch.tensor([[3, 4, 5, 0, 0, 0]]).repeat(count, 1),
        state=torch.randn(count, 20, generator=generator),
        state_valid=torch.ones(count, 20, dtype=torch.bool),
        owned=owned,
        prior=torch.randn(count, STEPS, 32, generator=generator) * mask,
        actions=torch.randn(count, STEPS, 32, generator=generator) * mask,
        action_mask=mask,
        embodiment=torch.zeros(count, dtype=torch.int64),
    )


def sample(policy, batch):
    return policy.sample(
        batch, torch.randn(3, STEPS, 32, generator=torch.Generator().manual_seed(2))
    )


def test_slots_not_owned_stay_zero(policy):
    batch = random_batch()
    chunk = sample(policy, batch)
    assert chunk[:, :, ~batch.owned[0]].abs().max() == 0.0
    assert chunk[:, :, batch.owned[0]].abs().min() > 0.0


def test_noise_in_slots_not_owned_does_not_matter(policy):
    batch = random_batch()
    noise = torch.randn(3, STEPS, 32)
    other = torch.where(batch.owned[:, None], noise, torch.randn(3, STEPS, 32))
    assert torch.equal(policy.sample(batch, noise), policy.sample(batch, other))


def test_absent_camera_is_not_seen(policy):
    batch = random_batch()
    changed = batch.images.clone()
    changed[:, 1] = torch.rand(3, 3, SIDE, SIDE)
    assert torch.equal(sample(policy, batch), sample(policy, replace(batch, images=changed)))
    changed = batch.images.clone()
    changed[:, 0] = torch.rand(3, 3, SIDE, SIDE)
    assert not torch.equal(sample(policy, batch), sample(policy, replace(batch, images=changed)))


def test_invalid_state_is_not_seen(policy):
    batch = random_batch()
    valid = batch.state_valid.clone()
    valid[:, :10] = False
    hidden = replace(batch, state_valid=valid)
    disturbed = replace(hidden, state=batch.state + torch.where(valid, 0.0, 9.0))
    assert torch.equal(sample(policy, hidden), sample(policy, disturbed))
    assert not torch.equal(sample(policy, hidden), sample(policy, batch))


def test_text_conditions_the_chunk(policy):
    batch = random_batch()
    other = replace(batch, tokens=torch.tensor([[3, 9, 5, 0, 0, 0]]).repeat(3, 1))
    assert not torch.equal(sample(policy, batch), sample(policy, other))


def test_human_batch_gives_grippers_no_gradient(policy):
    torch.manual_seed(3)
    policy.loss(random_batch("human"))["per_sample"].mean().backward()
    rows = policy.action_out.weight.grad.unflatten(0, (-1, 32)).abs().sum(dim=(0, 2))
    human = torch.from_numpy(slots_of("human"))
    assert rows[list(GRIPPER_SLOTS.values())].max() == 0.0
    assert torch.equal(rows > 0, human)


def test_labels_outside_the_mask_change_nothing(policy):
    batch = random_batch()
    mask = batch.action_mask.clone()
    mask[:, 6:] = False
    cut = replace(batch, action_mask=mask)
    wild = replace(cut, actions=torch.where(mask, batch.actions, torch.tensor(50.0)))
    losses = []
    for one in (cut, wild):
        torch.manual_seed(4)
        losses.append(policy.loss(one)["per_sample"])
    assert torch.equal(*losses)


def test_observation_does_not_see_the_actions(policy):
    batch = random_batch()
    changed = replace(batch, actions=batch.actions + 1.0)
    assert torch.equal(policy.encode(batch).summary, policy.encode(changed).summary)


def test_half_trust_acts_on_half_the_change(policy):
    batch = random_batch()
    memory = policy.encode(batch)
    noise, now = torch.randn(3, STEPS, 32), torch.ones(3)
    mask = batch.action_mask

    def change(trust):
        policy.config = replace(policy.config, trust=trust)
        velocity = policy.velocity(noise * mask, now, mask_BHD=mask, memory=memory)
        return (noise - velocity - batch.prior) * mask

    torch.testing.assert_close(change(0.5), 0.5 * change(1.0), atol=1e-5, rtol=0)
    assert change(1.0).abs().max() > 0.01


def test_a_fresh_policy_goes_on_as_before():
    torch.manual_seed(0)
    config = SmallConfig(width=32, heads=2, observation_layers=1, expert_layers=1, keypoints=4)
    made = SmallPolicy(
        config, arm_width=10, chunk_steps=STEPS, image_px=SIDE, text_rows=50, max_tokens=WORDS
    ).eval()
    batch = random_batch("robot")
    torch.testing.assert_close(sample(made, batch), batch.prior, atol=1e-5, rtol=0)
