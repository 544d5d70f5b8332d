"""Pictures, clocks and touch agree with the truth all through a take, not only where it is easy."""

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from core.geometry.se3 import SE3
from core.session.storage import SessionFolder
from core.session.tables import Trajectory
from sim.hand.grasp import finger_samples
from sim.hand.skeleton import FINGERS
from sim.record import perform, write_truth
from sim.rig import find_preset, find_rig
from sim.scene.choreography import Choreography, camera_pose, camera_rate
from sim.scene.model import CameraMount
from sim.scene.render import Renderer, load_mujoco
from sim.sensors.lens import Lens
from sim.tasks.things import thing_distance
from sim.truth.tables import SIDES

READOUT_S = 0.03


@pytest.fixture(scope="module")
def truth(show, tmp_path_factory) -> SessionFolder:
    folder = SessionFolder(str(tmp_path_factory.mktemp("truth")))
    write_truth(folder, show)
    return folder


def columns(folder: SessionFolder, name: str) -> dict[str, np.ndarray]:
    table = pq.read_table(f"{folder.url}/truth/sim/{name}.parquet")
    return {key: np.array(table[key].to_pylist()) for key in table.column_names}


def grey_pictures(show, lens: Lens, moments: list[tuple[float, float]]) -> list[np.ndarray]:
    """What the head camera records of (when it looks where it looks, when everything else is).

    Only the camera's turning differs: the lens leaves the way it goes during a readout out.
    """
    mounts = [CameraMount("head", 1.0)]
    stage = Choreography(show.human, show.task, show.look, mounts=mounts, image_wh=lens.atlas_wh)
    pictures = []
    with Renderer(stage.scene, lens.atlas_wh) as renderer:
        for camera_s, things_s in moments:
            position, quat = stage.frames(np.array([camera_s, things_s]))
            quat[1, 0] = quat[0, 0]  # the camera comes first
            stage.show(position[1], quat[1])
            atlas = renderer.draw_views("head", lens.views)
            rate = camera_rate(show.human, "head", np.array([things_s]))[0]
            grey = cv2.cvtColor(lens.expose(atlas, rate), cv2.COLOR_RGB2GRAY)
            pictures.append(cv2.GaussianBlur(grey, (0, 0), 1.0).astype(float))
    return pictures


@pytest.mark.usefixtures("can_draw")
def test_each_row_shows_the_moment_at_which_it_was_read(show):
    """A rolling picture's rows against still pictures drawn at those rows' own moments."""
    camera = show.rig.head.camera()
    last = camera.size_wh[1] - 1
    times = np.arange(0.5, 9.5, 0.05)
    turning = np.linalg.norm(camera_rate(show.human, "head", times), axis=1)
    fast = [float(t) for t in times[np.argsort(-turning)[:20:10]]]
    rows = {row: READOUT_S * (row / last - 0.5) for row in (30, 120, last - 120, last - 30)}
    delays = [0.0, *rows.values()]
    rolling = grey_pictures(show, Lens(camera, readout_s=READOUT_S), [(t, t) for t in fast])
    still = grey_pictures(show, Lens(camera), [(t + d, t) for t in fast for d in delays])
    own, middle, mirrored = [], [], []
    for k, picture in enumerate(rolling):
        drawn = dict(zip(delays, still[k * len(delays) :][: len(delays)], strict=True))
        for row, delay in rows.items():
            for off, when in ((own, delay), (middle, 0.0), (mirrored, rows[last - row])):
                off.append(np.abs(picture[row] - drawn[when][row]).mean())
    assert np.mean(own) < 0.5 * np.mean(middle)
    assert np.mean(own) < 0.3 * np.mean(mirrored)


@pytest.mark.usefixtures("can_draw")
@pytest.mark.parametrize("stream", ["head", "left_wrist", "right_wrist"])
def test_things_of_the_truth_fall_on_their_own_pixels(stream, tmp_path):
    """The truth's camera poses and thing poses, against what is drawn, in every camera."""
    rig = find_rig("small")
    show = perform("blocks_to_tray", seconds=6.0, seed=8, rig=rig, preset=find_preset("clean"))
    folder = SessionFolder(str(tmp_path))
    write_truth(folder, show)
    camera, things = columns(folder, f"camera_{stream}"), columns(folder, "things")
    head_ns = Trajectory.read(folder, "truth").timestamp_ns
    size, focal = (320, 240), 120.0
    fov_y = 2 * float(np.arctan(0.5 * size[1] / focal))
    stage = Choreography(
        show.human, show.task, show.look,
        mounts=[CameraMount(stream, fov_y)], image_wh=size,
    )  # fmt: skip
    mujoco = load_mujoco()
    seen = 0
    with Renderer(stage.scene, size) as renderer:
        for frame in range(5, len(camera["timestamp_ns"]), 12):
            at = show.times[stream][frame]
            position, quat = stage.frames(np.array([at]))
            stage.show(position[0], quat[0])
            what, kind = np.moveaxis(renderer.segment(stream), -1, 0)
            camera_from_world = SE3.from_pose7(camera["world_from_camera"][frame]).inverse()
            tick = int(np.argmin(np.abs(head_ns - camera["timestamp_ns"][frame])))
            if abs(int(head_ns[tick]) - int(camera["timestamp_ns"][frame])) > 15e6:
                continue
            for row in np.flatnonzero(things["tick"] == tick):
                if things["held_by"][row] is not None:
                    continue  # the nearest head frame is another moment
                body = mujoco.mj_name2id(
                    stage.scene.model, mujoco.mjtObj.mjOBJ_BODY, things["thing"][row]
                )
                mine = (kind == int(mujoco.mjtObj.mjOBJ_GEOM)) & (
                    stage.scene.model.geom_bodyid[np.maximum(what, 0)] == body
                )
                v, u = np.nonzero(mine)
                if len(u) < 150 or u.min() < 2 or v.min() < 2 or u.max() > 317 or v.max() > 237:
                    continue
                x, y, z = camera_from_world.apply(things["world_from_thing"][row][:3])
                place = focal * np.array([x, y]) / z + (np.array(size) - 1) / 2
                extent = np.hypot(np.ptp(u), np.ptp(v))
                assert np.hypot(*(place - [u.mean(), v.mean()])) < 0.35 * extent
                seen += 1
    assert seen >= 8


def test_touch_lasts_as_long_as_the_grasp(truth):
    joints, things = columns(truth, "joints"), columns(truth, "things")
    held = {
        (int(tick), side) for tick, side in zip(things["tick"], things["held_by"], strict=True)
        if side is not None
    }  # fmt: skip
    assert len(held) > 60
    others = [joints[f"contact_{finger}"] for finger in FINGERS if finger != "thumb"]
    touch = joints["contact_thumb"] & np.any(others, axis=0)
    for tick, side, touches in zip(joints["tick"], joints["side"], touch, strict=True):
        assert touches == ((int(tick), side) in held), (tick, side)


def test_touching_fingers_stay_on_the_surface_through_the_whole_grasp(show):
    human, times = show.human, np.arange(0, 9.5, 1 / 15)
    checked = 0
    for name in human.plan.holds:
        by = human.held_by(name, times)
        for side in SIDES:
            at = times[by == side]
            if not len(at):
                continue
            hand = human.hand(side, at)
            local = human.thing(name, at).inverse() @ hand.desk_from_hand
            for finger in range(len(FINGERS)):
                points, radii = finger_samples(
                    hand.closure[:, finger], finger, side=side, scale=human.scale
                )
                clear = (thing_distance(local.apply(points), show.task.thing(name)) - radii).min(1)
                assert clear.min() > -0.004
                assert clear[hand.contact[:, finger]].max(initial=0.0) < 0.004
                checked += int(hand.contact[:, finger].sum())
    assert checked > 60


def test_wrist_cameras_of_the_truth_ride_on_the_forearms(show, truth):
    exact = Trajectory.read(truth, "truth")
    times = show.times["head"]
    for side in SIDES:
        name = f"world_from_{side}_wrist_camera"
        in_head = SE3.from_pose7(exact.world_from_head).inverse() @ SE3.from_pose7(
            getattr(exact, name)
        )
        should = show.human.head.pose(times).inverse() @ camera_pose(
            show.human, f"{side}_wrist", times
        )
        np.testing.assert_allclose(in_head.translation, should.translation, atol=1e-6)
        wrist = show.human.hand(side, times).landmarks_in_desk[:, 0]
        reach = np.linalg.norm(
            camera_pose(show.human, f"{side}_wrist", times).translation - wrist, axis=1
        )
        assert reach.min() > 0.03
        assert reach.max() < 0.15
