"""Pictures agree with the truth; a take is a whole rig folder."""

import tomllib

import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.rotations import quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from core.session.calibration import Calibration
from core.session.frames import probe_video
from core.session.storage import SessionFolder
from core.session.tables import Frames, Hands
from sim.motion.head import look_at
from sim.record import record
from sim.rig import find_rig
from sim.scene.choreography import Choreography
from sim.scene.model import CameraMount, SceneModel
from sim.scene.render import Renderer, load_mujoco
from sim.sensors.lens import Lens
from sim.truth.tables import SIDES
from sim.truth.visibility import occluders

pytestmark = pytest.mark.usefixtures("can_draw")


def test_landmarks_fall_on_the_drawn_hand(show):
    camera = show.rig.head.camera()
    lens = Lens(show.rig.head.camera())
    stage = Choreography(
        show.human,
        show.task,
        show.look,
        mounts=[CameraMount("head", lens.views[0].fov_y)],
        image_wh=lens.atlas_wh,
    )
    mujoco = load_mujoco()
    skins = {s: stage.scene.model.skin(f"{s}_hand").id for s in SIDES}
    times = np.linspace(0.2, 9.5, 12)
    position, quat = stage.frames(times)
    states = {side: show.human.hand(side, times) for side in SIDES}
    head = show.human.head.pose(times)
    things = [(t, show.human.thing(t.name, times)) for t in show.task.things if t.movable]
    hits, total = 0, 0
    centre = np.array(lens.views[0].centre_px)
    with Renderer(stage.scene, lens.atlas_wh) as renderer:
        for i in range(len(times)):
            stage.show(position[i], quat[i])
            picture = renderer.segment("head")
            for side, other in (SIDES, SIDES[::-1]):
                now = (states[side], states[other])
                hidden = occluders(camera, head, now, scale=show.human.scale, things=things)[i]
                local = head[i].inverse().apply(states[side].landmarks_in_desk[i])
                uv = np.round(lens.views[0].focal_px * local[:, :2] / local[:, 2:] + centre)
                for (u, v), name in zip(uv.astype(int), hidden, strict=True):
                    if name is None:
                        total += 1
                        what, kind = picture[v, u]
                        on_skin = kind == int(mujoco.mjtObj.mjOBJ_SKIN) and what == skins[side]
                        hits += bool(on_skin)
    assert total > 180
    assert hits / total > 0.97


def test_a_fisheye_shows_points_where_its_model_says(show):
    """A small ball at known places, out to the corners and on the seams between the views."""
    camera = find_rig("fisheye-head").head.camera()
    lens = Lens(camera)
    assert len(lens.views) == 3
    ball = '<body name="ball" mocap="true"><geom type="sphere" size="0.006" rgba="1 0 1 1"/></body>'
    scene = SceneModel(
        show.look, things=(), cameras=[CameraMount("head", 1.0)], extra=ball, image_wh=lens.atlas_wh
    )
    eye = look_at(np.array([[0.0, 0.0, 0.4]]), np.array([[0.4, 0.1, 0.1]]))[0]
    scene.place("head_camera", np.array([0.0, 0.0, 0.4]), quat_wxyz_from_matrix(eye))
    seams = [(173.0, 240.0), (466.0, 240.0), (150.0, 60.0), (490.0, 420.0)]
    border = [(5.0, 5.0), (634.0, 5.0), (5.0, 474.0), (634.0, 474.0), (320.0, 5.0), (5.0, 240.0)]
    inside = [(float(u), float(v)) for u in range(60, 640, 130) for v in range(50, 480, 125)]
    with Renderer(scene, lens.atlas_wh) as renderer:

        def picture(at):
            scene.place("ball", at, np.array([1.0, 0, 0, 0]))
            scene.settle()
            return lens.expose(renderer.draw_views("head", lens.views), np.zeros(3)).astype(int)

        empty = picture(np.array([0.0, 0.0, 9.0]))
        for pixel in [*seams, *border, *inside]:
            ray, _ = camera.unproject(np.array(pixel))
            changed = np.abs(picture(eye @ ray * 0.35 + [0, 0, 0.4]) - empty).sum(-1)
            v, u = np.nonzero(changed > 40)
            assert np.abs(np.array([u.mean(), v.mean()]) - pixel).max() < 0.5, pixel
            assert np.ptp(u) < 25, "the ball is seen once"


def test_a_take_is_a_whole_rig_folder(tmp_path):
    report = record(tmp_path / "take", seconds=4.0, seed=2, rig="small", workers=2)
    folder = tmp_path / "take"
    rig = tomllib.loads((folder / "rig.toml").read_text())
    assert set(rig["streams"]) == set(report.frames) == {"head", "left_wrist", "right_wrist"}
    for stream, described in rig["streams"].items():
        stamps = (folder / described["timestamps"]).read_text().split()
        video = probe_video(folder / described["file"])
        assert len(stamps) - 1 == len(video.pts) == report.frames[stream] == 120
        assert stamps[0] == "timestamp_ns"
        assert described["size_wh"] == list(video.size_wh)
    assert rig["session"]["hand_length_mm"] > 150
    samples = np.loadtxt(folder / "imu.csv", delimiter=",", skiprows=1)
    assert np.linalg.norm(samples[:, 4:].mean(0)) == pytest.approx(9.81, abs=0.3)
    hands = Hands.read(SessionFolder(str(folder)), "truth")
    first = (folder / "head_timestamps.csv").read_text().split()[1]
    assert int(hands.timestamp_ns[0]) == int(first)
    assert cv2.imread(str(folder / "preview.jpg")).shape == (3 * 180, 6 * 240, 3)
    with pytest.raises(BadInputError, match="already holds a take"):
        record(folder, seconds=4.0, seed=2, rig="head")


def test_two_head_cameras_and_a_depth_camera_are_ingested(tmp_path):
    """Every stream is a file of its kind, placed on the head as the truth says."""
    for rig, extra in (("stereo-head", "head_right"), ("rgbd-head", "head_depth")):
        folder = tmp_path / rig
        record(folder, seconds=4.0, seed=2, rig=rig, sensor={"drop": 0.9 / 2})
        described = tomllib.loads((folder / "rig.toml").read_text())["streams"][extra]
        truth = Calibration.read(SessionFolder(str(folder)), "truth").stream(extra)
        placed = SE3.from_pose7(described["head_from_camera"])
        np.testing.assert_allclose(placed.to_pose7(), truth.head_from_camera.to_pose7(), atol=1e-8)
        assert truth.depth_unit_m == described.get("depth_unit_m")
        frames = Frames.read(SessionFolder(str(folder)), "truth")
        mine = frames.take((frames.stream == extra) & (frames.frame_index >= 0))
        video = probe_video(folder / described["file"])
        assert np.abs(video.pts - video.pts[0] - mine.pts).max() <= 1
        assert (video.size_wh, video.n) == (tuple(described["size_wh"]), len(mine))
