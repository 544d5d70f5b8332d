"""Every task can be done: things lie apart, hands get hold of them, every robot reaches them."""

from collections import Counter

import numpy as np
import pytest

from core.errors import BadInputError
from sim.hand.grasp import HumanHands, finger_samples
from sim.motion.human import Human
from sim.motion.manner import Manner, find_manner
from sim.motion.plan import make_episode
from sim.motion.timeline import Whereabouts
from sim.record import Performance, perform
from sim.rig import find_preset, find_rig
from sim.robots.arms import Arms
from sim.robots.builds import BUILDS, SIDES
from sim.robots.dataset import record_robot
from sim.robots.gripper import Gripper
from sim.tasks.task import TASKS, make_task
from sim.tasks.things import hinge_angle, thing_distance
from sim.truth.visibility import hand_clearance
from sim.variation import Variation


@pytest.mark.parametrize("name", TASKS)
@pytest.mark.parametrize("seed", [0, 7])
def test_things_lie_apart_before_and_after(name, seed):
    task = make_task(name, np.random.default_rng(seed))
    assert len({t.name for t in task.things}) == len(task.things)
    loose = [t for t in task.things if t.movable and not t.hinge]
    goals = [m.target for m in task.moves if m.kind == "place"]
    for places in filter(None, ([t.start for t in loose], goals)):
        xy = np.array(places)[:, :2]
        gaps = np.linalg.norm(xy[:, None] - xy, axis=-1) + np.eye(len(xy))
        assert gaps.min() > 0.035
    assert {m.thing for m in task.moves} <= {t.name for t in task.things if t.movable}


@pytest.mark.parametrize("name", TASKS)
def test_a_person_gets_hold_of_everything(name):
    rng = np.random.default_rng(1)
    task = make_task(name, rng)
    plan = make_episode(task, HumanHands(), rng=rng)
    taken = [s for side in SIDES for s in plan.steps[side] if s.kind == "grasp"]
    asked = Counter(m.kind for m in task.moves)
    assert len(taken) == sum(asked[kind] for kind in ("place", "lift", "give", "together"))
    assert all(s.contact[0] and s.contact[1:].any() for s in taken)
    ends = {move.thing: move.target for move in task.moves}  # a thing's last move counts
    for thing, target in ends.items():
        np.testing.assert_allclose(plan.holds[thing][-1].pose.translation, target, atol=1e-9)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_cartons_are_closed_by_hands_that_stay_on_the_lids(seed):
    rng = np.random.default_rng(seed)
    task = make_task("sort_eggs", rng)
    human = Human(make_episode(task, HumanHands(), rng=rng), scale=1.0, rng=rng)
    for side in SIDES:
        lid = task.thing(f"{side}_lid")
        step = next(s for s in human.plan.steps[side] if s.kind == "close")
        at = np.linspace(step.start_s, step.end_s - 1e-6, 9)
        pose, hand = human.thing(lid.name, at), human.hand(side, at)
        angle = hinge_angle(lid, pose)
        assert angle[0] == pytest.approx(lid.hinge.start_rad)
        assert angle[-1] == pytest.approx(0.0, abs=1e-5)
        assert (np.diff(angle) < 0).all()
        assert human.held_by(lid.name, at).tolist() == [None] * len(at)
        assert hand.contact[:, 2].all()
        for finger in range(5):
            points, radii = finger_samples(hand.closure[:, finger], finger, side=side, scale=1.0)
            points = (pose.inverse() @ hand.desk_from_hand).apply(points)
            clear = (thing_distance(points, lid) - radii).min(1)
            assert clear.min() > -0.001
            assert not hand.contact[0, finger] or clear.max() < 0.004


@pytest.mark.usefixtures("can_draw")  # mujoco itself fails to load where its GL is missing
@pytest.mark.parametrize("name", [name for name in TASKS if name != "free_play"])
@pytest.mark.parametrize("robot", BUILDS)
def test_every_robot_reaches_everything(name, robot):
    rng = np.random.default_rng(2)
    plan = make_episode(make_task(name, rng), Gripper(BUILDS[robot]), rng=rng)
    arms = Arms(BUILDS[robot])
    for side in SIDES:
        for step in plan.steps[side]:
            middle = np.array([0.5 * (step.start_s + step.end_s)])
            halfway = Whereabouts.find(plan.steps[side], middle).path()[0]
            for pose in (halfway, step.desk_from_hand[1]):
                assert arms.reach(side, pose) < 5e-3


def test_unknown_task_names_the_choices():
    with pytest.raises(BadInputError, match="sort_eggs"):
        make_task("juggle", np.random.default_rng(0))


def test_there_and_back_uses_both_arms_at_once_and_ends_as_it_began():
    plan = _take("there_and_back", 11.0, seed=4, manner="steady").human.plan
    assert [success for *_, success in plan.episodes] == [True, True]
    first = [x for x in plan.labels if x.end_s <= plan.episodes[0][1]]
    assert [x.arm for x in first] != sorted(x.arm for x in first)  # interleaved, by start
    left, right = (next(x for x in first if x.arm == arm) for arm in ("left", "right"))
    assert left.start_s < right.end_s
    assert right.start_s < left.end_s
    for holds in plan.holds.values():
        np.testing.assert_allclose(holds[-1].pose.translation, holds[0].pose.translation, atol=1e-9)


def _take(name: str, seconds: float, *, seed: int, manner: str) -> Performance:
    return perform(
        name,
        seconds=seconds,
        seed=seed,
        rig=find_rig("head"),
        preset=find_preset("clean"),
        variation=Variation(manner=manner),
    )


def _kinds(show: Performance) -> Counter[str]:
    plan = show.human.plan
    return Counter(s.kind for side in SIDES for s in plan.steps[side] if s.start_s < plan.seconds)


def test_a_clumsy_person_hesitates_misses_and_corrects_and_a_steady_one_does_not():
    clumsy, steady = (_take("bus_table", 60.0, seed=3, manner=m) for m in ("clumsy", "steady"))
    assert {"hesitate", "miss", "adjust"} <= set(_kinds(clumsy))
    assert not {"hesitate", "miss", "adjust"} & set(_kinds(steady))
    for side in SIDES:
        for step in (s for s in clumsy.human.plan.steps[side] if s.kind == "miss"):
            at = np.linspace(step.start_s, step.end_s - 1e-6, 5)
            hand = clumsy.human.hand(side, at)
            assert not hand.contact.any()
            assert (clumsy.human.held_by(step.thing, at) == None).all()  # noqa: E711 - an array
            thing = clumsy.task.thing(step.thing)
            for finger in range(5):
                points, radii = finger_samples(
                    hand.closure[:, finger], finger, side=side, scale=clumsy.human.scale
                )
                in_thing = clumsy.human.thing(step.thing, at).inverse() @ hand.desk_from_hand
                assert (thing_distance(in_thing.apply(points), thing) - radii).min() > 0.0


def test_success_is_false_when_a_thing_lies_beside_its_goal():
    rng = np.random.default_rng(5)
    task = make_task("spice_rack", rng)
    plan = make_episode(task, HumanHands(), rng=rng, manner=Manner(misplace=1.0))
    assert [success for *_, success in plan.episodes] == [False]
    for move in task.moves:
        off = plan.holds[move.thing][-1].pose.translation - move.target
        assert 0.06 < np.linalg.norm(off[:2]) < 0.2
    done = make_episode(task, HumanHands(), rng=rng, manner=Manner(misplace=0.0))
    assert [success for *_, success in done.episodes] == [True]


def test_an_episode_cut_by_the_end_of_the_take_has_not_succeeded():
    show = _take("blocks_to_tray", 6.0, seed=5, manner="steady")
    assert [success for *_, success in show.human.plan.episodes] == [False]


def test_shares_outside_nought_to_one_are_refused():
    with pytest.raises(BadInputError, match="miss is 3"):
        Manner(miss=3)
    with pytest.raises(BadInputError, match="clumsy"):
        find_manner("drunk")


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_free_hands_hold_one_thing_together_hand_it_over_cross_and_leave(seed):
    show = _take("free_play", 40.0, seed=seed, manner="steady")
    name = show.task.moves[0].thing
    at = np.arange(0.0, 40.0, 1 / 30)
    hands = {side: show.human.hand(side, at) for side in SIDES}
    by, pose = show.human.held_by(name, at), show.human.thing(name, at)
    assert {"left", "right", "both", None} == set(by.tolist())
    for side, hand in hands.items():
        mine = (by == side) | (by == "both")
        assert hand.contact[mine][:, 0].all()
        assert set(hand.touching[mine].tolist()) == {name}
        local = (hand.desk_from_palm.inverse() @ pose).translation
        runs = np.split(np.flatnonzero(mine), np.flatnonzero(np.diff(np.flatnonzero(mine)) > 1) + 1)
        for run in runs:  # rigid from grasp to release, also while the other hand holds it too
            assert np.ptp(local[run], axis=0).max() < 1e-9
        assert hand.joints_in_desk[..., 2].min() > -0.004
    step = np.linalg.norm(np.diff(pose.translation, axis=0), axis=1)
    assert step.max() < 0.06  # it never jumps: 1.8 m/s
    apart = hand_clearance(
        hands["right"].joints_in_desk, hands["left"].joints_in_desk, show.human.scale
    )
    assert apart.min() > 0.0
    across = hands["left"].joints_in_desk[:, 0, 1] < hands["right"].joints_in_desk[:, 0, 1]
    assert across.any()
    left_view = [(h.joints_in_desk[:, 0, 0] < -0.15).any() for h in hands.values()]
    assert any(left_view)
    assert show.human.plan.episodes[0][2]


def test_robots_do_not_play(tmp_path):
    with pytest.raises(BadInputError, match="free_play"):
        record_robot(tmp_path / "robot", task="free_play", episodes=1)
