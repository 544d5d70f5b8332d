"""The closed loop: what jaws hold, what a final state is worth, and what the expert gets done."""

import itertools
import json
from dataclasses import replace

import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from sim.robots.builds import BUILDS, SIDES
from sim.robots.closed_loop import EpisodeSettings, play
from sim.robots.contact import resting_height, touch, upright
from sim.robots.controller import Aimless, Targets, standing
from sim.robots.expert import Expert, Habit, first_base, way_in
from sim.robots.gripper import Gripper, tool_rotation
from sim.robots.rollout import RolloutSettings, mean_and_error, rollout
from sim.robots.scoring import Outcome, done, score
from sim.robots.workcell import Command, Workcell, container_of, turned
from sim.tasks.task import make_task
from sim.tasks.things import block, egg, tray
from sim.variation import Variation

pytestmark = pytest.mark.usefixtures("can_draw")  # mujoco itself fails to load without its GL
ALDER = BUILDS["alder"]


def finished(task, skip=()):
    """Everything where its last move wants it, save for ``skip``."""
    poses = {t.name: t.desk_from_thing() for t in task.things if t.movable}
    rested = dict.fromkeys(poses, ())
    for move in task.moves:
        thing = task.thing(move.thing)
        if move.thing in skip:
            continue
        if thing.hinge:
            poses[thing.name] = turned(thing, 0.0)
            continue
        poses[thing.name] = SE3(np.eye(3), np.array(move.target))
        fixed = [(t, t.desk_from_thing()) for t in task.things if not t.movable]
        rested[thing.name] += (container_of(thing, poses[thing.name], fixed),)
    return Outcome(poses, frozenset(), rested)


@pytest.mark.parametrize(
    ("name", "out_of", "one_less"),
    [
        ("bus_table", 9, 8 / 9),
        ("spice_rack", 3, 0.0),
        ("dresser", 2, 0.0),
        ("sort_eggs", 14, 13 / 14),
        ("blocks_to_tray", 3, 2 / 3),
        ("there_and_back", 4, 2 / 4),
    ],
)
def test_scores_of_hand_made_ends(name, out_of, one_less):
    task = make_task(name, np.random.default_rng(1))
    untouched = Outcome({t.name: t.desk_from_thing() for t in task.things if t.movable})
    assert score(task, untouched).value == 0.0
    whole = score(task, finished(task))
    assert (whole.points, whole.out_of, whole.value, whole.success) == (out_of, out_of, 1.0, True)
    lacking = score(task, finished(task, skip=(task.moves[0].thing,)))
    assert lacking.value == pytest.approx(one_less)
    assert not lacking.success


def test_the_wrong_carton_and_an_open_one_do_not_count():
    task = make_task("sort_eggs", np.random.default_rng(1))
    end = finished(task, skip=("left_lid",))
    assert score(task, end).points == 13
    white = next(m for m in task.moves if m.thing.startswith("white"))
    brown = next(m for m in task.moves if m.thing.startswith("brown"))
    poses = dict(end.desk_from_thing)
    poses[white.thing], poses[brown.thing] = poses[brown.thing], poses[white.thing]
    assert score(task, Outcome(poses)).points == 11


def test_shutting_an_empty_carton_is_worth_nothing():
    task = make_task("sort_eggs", np.random.default_rng(1))
    eggs = [move.thing for move in task.moves if not task.thing(move.thing).hinge]
    left = [name for name in eggs if name.startswith("white")]
    assert score(task, finished(task, skip=eggs)).points == 0
    assert score(task, finished(task, skip=eggs[1:])).points == 2
    assert score(task, finished(task, skip=left)).points == 7


def test_any_bin_is_a_bin_and_what_is_held_is_nowhere():
    task = make_task("bus_table", np.random.default_rng(1))
    move = next(m for m in task.moves if m.text.startswith("throw"))
    there = np.array(move.target) * [1, -1, 1]
    moved = {**finished(task).desk_from_thing, move.thing: SE3(np.eye(3), there)}
    assert done(task, move, Outcome(moved))
    assert not done(task, move, Outcome(moved, held=frozenset({move.thing})))


def test_mean_and_standard_error():
    mean, error = mean_and_error(np.array([0.0, 1.0, 1.0, 0.0]))
    assert (mean, error) == (0.5, pytest.approx(np.sqrt(1 / 3) / 2))
    assert mean_and_error(np.array([0.3])) == (0.3, None)


def tool_at(position, yaw=0.0):
    return SE3(tool_rotation("left", yaw, np.pi / 2), np.array(position))


def test_jaws_hold_a_block_only_square_and_from_both_sides():
    cube = block("cube", (1.0, 0.0, 0.0))
    jaws = ALDER.jaws
    square = touch(cube, tool_at((0, 0, 0)), jaws=jaws, width_m=0.0401)
    assert square.both
    assert square.opposed
    assert not touch(cube, tool_at((0, 0, 0)), jaws=jaws, width_m=0.045).both
    beside = touch(cube, tool_at((0, 0.015, 0)), jaws=jaws, width_m=0.0401)
    assert (beside.gap < 0).any()
    assert not beside.both
    above = touch(cube, tool_at((0, 0, 0.04)), jaws=jaws, width_m=0.03)
    assert not above.both
    diagonal = touch(egg("egg", (1.0, 1.0, 1.0)), tool_at((0.026, 0, 0)), jaws=jaws, width_m=0.012)
    assert not diagonal.opposed


def test_things_fall_onto_what_is_below():
    cube, shelf = block("cube", (1.0, 0.0, 0.0)), tray("tray", (0.5, 0.5, 0.5))
    tilted = SE3(matrix_from_ypr(0.3, 0.1, -0.1), np.array([0.0, 0.0, 0.2]))
    level = upright(tilted)
    np.testing.assert_allclose(level.rotation[2], [0, 0, 1], atol=1e-9)
    assert resting_height(cube, level, []) == pytest.approx(0.02, abs=1e-6)
    on_tray = resting_height(cube, level, [(shelf, SE3.identity())])
    assert on_tray == pytest.approx(0.026, abs=0.002)


def test_a_thing_is_carried_only_while_jaws_hold_it():
    task = make_task("blocks_to_tray", np.random.default_rng(3))
    cell = Workcell(task, ALDER)
    move = task.moves[0]
    thing, side = task.thing(move.thing), move.arm
    at = Gripper(ALDER).grasp(
        thing, thing.desk_from_thing(), side=side, rng=np.random.default_rng(0)
    )
    start = standing(cell.body())

    def go(pose, closed, seconds):
        tools = {**start.world_from_tool, side: pose}
        shut = {**start.closed, side: closed}
        for _ in range(round(seconds * 10)):
            cell.step(Command(tools, shut, start.world_from_base), 0.1)

    up = SE3(at.desk_from_hand.rotation, at.desk_from_hand.translation + np.array([0, 0, 0.1]))
    go(up, 1.0, 1.5)
    go(up, 0.0, 0.4)
    assert cell.held_by(side) is None  # closed in the air: nothing
    go(at.desk_from_hand, 0.0, 1.0)
    go(at.desk_from_hand, 1.0, 0.5)
    assert cell.held_by(side) == thing.name
    assert cell.width[side] == pytest.approx(2 * thing.half[0], abs=2e-3)
    go(up, 1.0, 0.8)
    assert cell.items[thing.name].pose.translation[2] > 0.1
    go(up, 0.0, 0.6)
    assert cell.held_by(side) is None
    assert cell.items[thing.name].pose.translation[2] == pytest.approx(thing.half[2], abs=1e-6)
    assert cell.drops == 1


def test_joints_keep_their_limits_and_speeds_under_wild_commands():
    task = make_task("there_and_back", np.random.default_rng(3))
    for build in BUILDS.values():
        cell = Workcell(task, build, base=SE3.identity())
        stay = standing(cell.body())
        far = {s: SE3(tool_rotation(s, 2.0, -1.0), np.array([-3.0, 2.0, 1.0])) for s in SIDES}
        for _ in range(5):
            before = {side: cell.arms.joints(side) for side in SIDES}
            cell.step(Command(far, {"left": 5.0, "right": -5.0}, stay.world_from_base), 0.1)
            for side in SIDES:
                low, high = build.limits(side)
                now = cell.arms.joints(side)
                assert (now >= low).all()
                assert (now <= high).all()
                assert (np.abs(now - before[side]) <= build.speeds * 0.1 + 1e-9).all()


def test_targets_are_followed_between_steps_and_kept_at_the_end():
    start = Command({s: SE3.identity() for s in SIDES}, dict.fromkeys(SIDES, 0.0), SE3.identity())
    places = np.array([[0.1, 0, 0], [0.3, 0, 0]])
    poses = SE3(np.tile(np.eye(3), (2, 1, 1)), places)
    targets = Targets(
        seconds=np.array([0.2, 0.4]),
        world_from_tool=dict.fromkeys(SIDES, poses),
        closed=dict.fromkeys(SIDES, np.array([0.5, 1.0])),
        world_from_base=poses,
    )
    for seconds, x, closed in ((0.1, 0.05, 0.25), (0.2, 0.1, 0.5), (0.3, 0.2, 0.75), (9, 0.3, 1.0)):
        found = targets.at(seconds, start)
        assert found.world_from_tool["left"].translation[0] == pytest.approx(x)
        assert found.closed["right"] == pytest.approx(closed)
        assert found.world_from_base.translation[0] == pytest.approx(x)


def test_a_base_rolls_in_without_slipping():
    start = first_base(np.random.default_rng(2))
    way = [way_in(start, share) for share in np.linspace(0, 1, 80)]
    np.testing.assert_allclose(way[0].translation, start.translation, atol=1e-3)
    np.testing.assert_allclose(way[-1].matrix(), np.eye(4), atol=1e-9)
    for a, b in itertools.pairwise(way):
        middle = (a.rotation + b.rotation)[:, 1] / 2
        assert abs(float((b.translation - a.translation) @ middle)) < 2e-4


@pytest.mark.parametrize("robot", BUILDS)
def test_the_expert_does_it_and_chance_does_not(robot):
    settings = EpisodeSettings("there_and_back", robot, (5, 1))
    played = play(settings, BUILDS[robot], Expert)
    assert played.score.value == 1.0
    assert played.cell.grasps >= 4
    again = play(settings, BUILDS[robot], Expert)
    for name, item in played.cell.items.items():
        assert np.array_equal(again.cell.items[name].pose.matrix(), item.pose.matrix())
    if robot == "alder":
        assert play(settings, BUILDS[robot], Aimless).score.value == 0.0


def test_a_failed_grasp_is_seen_and_done_again(monkeypatch):
    missed = []
    real = Gripper.grasp

    def beside(self, thing, pose, *, side, rng):
        found = real(self, thing, pose, side=side, rng=rng)
        if missed:
            return found
        missed.append(thing.name)
        off = SE3(
            found.desk_from_hand.rotation, found.desk_from_hand.translation + 0.06 * np.eye(3)[2]
        )
        return type(found)(off, *[getattr(found, n) for n in ("closure", "opening", "contact")],
                           off.inverse() @ pose)  # fmt: skip

    monkeypatch.setattr(Gripper, "grasp", beside)
    played = play(EpisodeSettings("blocks_to_tray", "birch", (5, 2)), BUILDS["birch"], Expert)
    assert played.controller.failures >= 1
    assert played.score.value == 1.0


def test_giving_up_is_a_failure_and_said_so(monkeypatch):
    monkeypatch.setattr(Workcell, "_meet", lambda self, side: None)  # jaws never hold
    settings = EpisodeSettings("there_and_back", "alder", (5, 2))
    played = play(settings, ALDER, lambda s: Expert(s, habit=Habit(gives_up=1.0)))
    assert played.score.value == 0.0
    assert not played.score.success


def test_what_robots_cannot_do_is_refused():
    with pytest.raises(BadInputError, match="no score"):
        RolloutSettings(policy="expert", task="free_play")
    with pytest.raises(BadInputError, match="cannot"):
        play(EpisodeSettings("free_play", "alder", (1, 1)), ALDER, Expert)


def test_a_rollout_resumes_and_refuses_other_settings(tmp_path):
    settings = RolloutSettings(
        policy="expert", task="there_and_back", size_wh=(64, 48), limit_s=1.0, fps=5
    )
    out = tmp_path / "out"
    first = rollout(out, Expert, settings, episodes=1, videos=True)
    stamp = (out / "episodes/0000.json").stat().st_mtime_ns
    assert (out / "videos/0000.mp4").stat().st_size > 1000
    assert (out / "contact_sheet.jpg").is_file()
    both = rollout(out, Expert, settings, episodes=2)
    assert (out / "episodes/0000.json").stat().st_mtime_ns == stamp
    assert len(both.episodes) == 2
    assert both.episodes[0] == first.episodes[0]
    assert both.standard_error is not None
    assert json.loads((out / "report.json").read_text())["mean"] == both.mean
    late = rollout(out, Expert, settings, episodes=3, max_seconds=0.0)
    assert (late.asked, len(late.episodes)) == (3, 2)
    other = RolloutSettings(policy="expert", task="there_and_back", limit_s=2.0, fps=5)
    with pytest.raises(BadInputError, match="another --out"):
        rollout(out, Expert, other, episodes=1)


def test_two_processes_score_what_one_does(tmp_path):
    one_block = Variation(task_variant="one")
    settings = RolloutSettings(policy="expert", task="blocks_to_tray", variation=one_block)
    found = []
    for workers in (1, 2):
        out = tmp_path / str(workers)
        report = rollout(out, Expert, settings, episodes=2, workers=workers)
        found.append([replace(episode, cpu_s=0.0) for episode in report.episodes])
    assert found[0] == found[1]
    assert [episode.value for episode in found[0]] == [1.0, 1.0]
