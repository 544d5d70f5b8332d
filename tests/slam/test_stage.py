"""The stage on small session folders written here: what it writes, refuses and repeats."""

import importlib.util
from dataclasses import replace

import av
import cv2
import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from core.session.calibration import Calibration, ImuCalibration, StreamCalibration
from core.session.documents import read_document
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import POINTS_PLY, REFINED_CALIBRATION, SLAM_PICTURE, SLAM_REPORT
from core.session.marks import Mark, hashes_of, write_mark
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Frames, MapPoints, Ticks, Trajectory
from slam.config import SlamConfig
from slam.map.self_calibration import Calibrated
from slam.output.ply import read_ply
from slam.output.refined import refined_calibration
from slam.path import CameraPath
from slam.result import Estimate
from slam.stage import SLAM

SIZE = (320, 240)
N = 24


def pictures(moving, *, beside_m=0.0):
    """A textured wall 2 m away with boards in front of it, seen by a camera sliding to the right,
    or by one mounted ``beside_m`` to its right."""
    rng = np.random.default_rng(0)
    layers = []
    for depth, share in ((2.0, 1.0), (1.0, 0.35)):
        noise = cv2.GaussianBlur(rng.uniform(0, 255, (400, 700)).astype(np.float32), (0, 0), 2.5)
        picture = cv2.normalize(noise, None, 0, 255, cv2.NORM_MINMAX)
        blobs = cv2.GaussianBlur(rng.uniform(0, 1, (400, 700)).astype(np.float32), (0, 0), 25)
        layers.append((depth, picture, (blobs <= np.quantile(blobs, share)).astype(np.float32)))
    for k in range(N):
        across = 0.01 * k * moving + beside_m
        image = np.zeros((SIZE[1], SIZE[0]), np.float32)
        for depth, picture, cover in layers:
            move = np.array([[1, 0, -60 - 300 * across / depth], [0, 1, -60]], np.float32)
            seen, there = (
                cv2.warpAffine(x, move, SIZE, flags=cv2.INTER_LINEAR) for x in (picture, cover)
            )
            image = np.where(there > 0.5, seen, image)
        yield np.repeat(image.astype(np.uint8)[..., None], 3, axis=2)


def write_video(path, images):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"crf": "12"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for image in images:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def write_session(root, *, moving=1.0, camera=None):
    folder = SessionFolder(root)
    path = root / "raw" / "head.mp4"
    path.parent.mkdir(parents=True)
    write_video(path, pictures(moving))
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        pts = np.array(sorted(p.pts for p in container.demux(video) if p.pts is not None))
        stamps = np.rint(pts * float(video.time_base) * 1e9).astype(np.int64)
    SessionInfo(
        id="made-session", operator=Operator("anna"), task="", scene="", device="made",
        consent="research", streams=(StreamInfo("head", "raw/head.mp4", "0" * 64, "video"),),
    ).write(folder)  # fmt: skip
    Frames(
        stream=np.full(N, "head", object), frame_index=np.arange(N, dtype=np.int32),
        pts=pts, timestamp_ns=stamps,
    ).write(folder)  # fmt: skip
    Ticks(tick=np.arange(N), timestamp_ns=stamps).write(folder)
    stream = StreamCalibration(camera or pinhole(300.0, SIZE))
    Calibration({"head": stream}, source="made", date="2025-01-01").write(folder)
    return folder


def run(folder, config=None):
    return SLAM.run(folder, config or SlamConfig(), NO_PROGRESS)


def test_a_sliding_camera_gives_a_straight_path(tmp_path):
    folder = write_session(tmp_path / "made-session")
    outcome = run(folder)
    trajectory = Trajectory.read(folder)
    assert outcome.counts["tracked"] == N
    assert trajectory.tracked.all()
    position = trajectory.world_from_head[:, :3]
    along = position @ (position[-1] / np.linalg.norm(position[-1]))
    np.testing.assert_allclose(along / along[-1], np.linspace(0, 1, N), atol=0.05)
    assert np.isinf(trajectory.sigma_m).all()  # lengths are not metres
    assert np.isfinite(trajectory.sigma_rad).all()
    assert len(MapPoints.read(folder)) > 50
    report = read_document(folder, SLAM_REPORT)
    assert report["scale_source"] == "unknown"
    assert report["gravity_source"] == "none"
    assert report["reprojection_error_px"] < 1.0


def test_the_same_input_gives_the_same_bytes(tmp_path):
    folder = write_session(tmp_path / "made-session")
    first = [folder.sha256(path) for path in run(folder).outputs]
    second = [folder.sha256(path) for path in run(folder).outputs]
    assert first == second


def test_the_picture_and_the_points_lie_beside_the_path(tmp_path):
    folder = write_session(tmp_path / "made-session")
    assert {SLAM_PICTURE, POINTS_PLY} <= set(run(folder).outputs)
    rows = read_ply(folder.read_bytes(POINTS_PLY), source=POINTS_PLY)
    np.testing.assert_array_equal(rows["position"], MapPoints.read(folder).point_in_world)
    picture = cv2.imread(str(folder.local_path(SLAM_PICTURE)))
    assert picture.std() > 5


def test_an_unknown_backend_is_refused_with_the_names(tmp_path):
    folder = write_session(tmp_path / "made-session")
    with pytest.raises(BadInputError, match=r"backend='orb'.*builtin"):
        run(folder, SlamConfig(backend="orb"))


class Refining:
    """A backend that finds the lens to be two percent longer."""

    name = "refining"

    def inputs(self, config):
        return []

    def estimate(self, recording):
        path = CameraPath(len(recording.ticks))
        found = Calibrated(focal_factor=1.02)
        return Estimate(path, maps=[], keyframes=np.zeros(0, int), calibrated=found)


def test_a_refined_calibration_is_handed_on_until_it_is_refined_no_more(tmp_path, monkeypatch):
    folder = write_session(tmp_path / "made-session")
    with monkeypatch.context() as patch:
        patch.setattr("slam.stage.backend_named", lambda name: Refining())
        assert REFINED_CALIBRATION in run(folder).outputs
    hashes = hashes_of(folder, [REFINED_CALIBRATION])
    write_mark(folder, "slam", Mark("slam", SLAM.version, {}, {}, hashes))
    refined = Calibration.refined(folder)
    assert refined.stream("head").camera == pinhole(306.0, SIZE)
    assert refined.source == "made, refined by slam"
    assert Calibration.read(folder).stream("head").camera == pinhole(300.0, SIZE)
    assert REFINED_CALIBRATION not in run(folder).outputs
    assert Calibration.refined(folder).stream("head").camera == pinhole(300.0, SIZE)


def test_the_imu_is_placed_where_it_was_found_and_the_rest_stays():
    camera, other = (StreamCalibration(pinhole(f, SIZE)) for f in (300.0, 200.0))
    aside = SE3(matrix_from_rotvec([0.0, 0.1, 0.0]), np.array([0.0, 0.02, 0.0]))
    given = Calibration(
        {"head": replace(camera, head_from_camera=aside), "left_wrist": other},
        ImuCalibration(SE3.identity(), 1e-4, 1e-5, 1e-3, 1e-4),
    )
    found = SE3(np.eye(3), np.array([0.01, 0.0, 0.0]))
    refined = refined_calibration(given, "head", Calibrated(camera_from_imu=found))
    np.testing.assert_allclose(refined.imu.head_from_imu.matrix(), (aside @ found).matrix())
    assert refined.imu.accel_noise_m_s2_sqrthz == 1e-3
    assert refined.streams["left_wrist"] is other
    assert refined.stream("head").camera == camera.camera
    assert refined_calibration(given, "head", Calibrated()) is None


def test_a_camera_on_a_table_does_not_fail(tmp_path):
    folder = write_session(tmp_path / "made-session", moving=0.0)
    run(folder)
    trajectory = Trajectory.read(folder)
    assert trajectory.tracked.all()
    assert np.abs(trajectory.world_from_head[:, :3]).max() < 0.01
    assert read_document(folder, SLAM_REPORT)["scale_source"] == "unknown"


def test_an_optical_axis_outside_the_image_is_refused(tmp_path):
    wrong = replace(pinhole(300.0, SIZE), params=(1400.0, 1400.0, 960.0, 540.0, 0, 0, 0, 0, 0))
    folder = write_session(tmp_path / "made-session", camera=wrong)
    with pytest.raises(BadInputError, match=r"calibration.json.*320x240.*intrinsics"):
        run(folder)


def test_no_frames_is_refused(tmp_path):
    folder = write_session(tmp_path / "made-session")
    Ticks.empty().write(folder)
    with pytest.raises(BadInputError, match="no frames"):
        run(folder)


@pytest.fixture
def two_eyes(tmp_path):
    """A session with a second camera 6 cm to the right of the first."""
    folder = write_session(tmp_path / "made-session")
    write_video(tmp_path / "made-session" / "raw" / "head_right.mp4", pictures(1.0, beside_m=0.06))
    info, frames, known = SessionInfo.read(folder), Frames.read(folder), Calibration.read(folder)
    second = StreamInfo("head_right", "raw/head_right.mp4", "1" * 64, "video")
    replace(info, streams=(*info.streams, second)).write(folder)
    there = replace(frames, stream=np.full(N, "head_right", object))
    Frames.concat([frames, there]).write(folder)
    place = SE3(np.eye(3), np.array([0.06, 0.0, 0.0]))
    right = replace(known.stream("head"), head_from_camera=place)
    replace(known, streams=known.streams | {"head_right": right}).write(folder)
    return folder


def test_a_second_camera_gives_metres(two_eyes):
    assert "raw/head_right.mp4" in SLAM.inputs(two_eyes, SlamConfig())
    assert run(two_eyes).warnings == []
    path, report = Trajectory.read(two_eyes), read_document(two_eyes, SLAM_REPORT)
    assert report["scale_source"] == "stereo"
    assert 0.003 <= report["maps"][0]["scale_sigma"] < 0.02
    assert path.tracked.all()
    assert np.isfinite(path.sigma_m).all()
    slid = np.linalg.norm(path.world_from_head[-1, :3] - path.world_from_head[0, :3])
    assert slid == pytest.approx(0.01 * (N - 1), rel=0.02)


def test_a_covered_first_camera_is_stood_in_for(two_eyes, tmp_path):
    covered = range(8, 16)
    head = [image * np.uint8(k not in covered) for k, image in enumerate(pictures(1.0))]
    write_video(tmp_path / "made-session" / "raw" / "head.mp4", head)
    assert "head: hardly anything to see in 8 of 24" in "".join(run(two_eyes).warnings)
    path = Trajectory.read(two_eyes)
    assert path.tracked.all()
    slid = np.linalg.norm(path.world_from_head[:, :3] - path.world_from_head[0, :3], axis=1)
    np.testing.assert_allclose(slid, 0.01 * np.arange(N), atol=5e-3)


def test_a_first_camera_that_never_sees_names_the_other_one(two_eyes, tmp_path):
    head = np.zeros((N, SIZE[1], SIZE[0], 3), np.uint8)
    write_video(tmp_path / "made-session" / "raw" / "head.mp4", head)
    assert (
        "24 of 24 frames (covered, dark?); try slam.stream=head_right" in run(two_eyes).warnings[0]
    )
    assert not Trajectory.read(two_eyes).tracked.any()
    run(two_eyes, SlamConfig(stream="head_right"))
    path = Trajectory.read(two_eyes).world_from_head
    moved = np.linalg.norm(path[:, :3] - path[0, :3], axis=1)
    np.testing.assert_allclose(moved / moved[-1], np.arange(N) / (N - 1), atol=0.05)


def test_a_second_camera_can_be_left_out(two_eyes):
    alone = SlamConfig(use_stereo=False)
    assert "raw/head_right.mp4" not in SLAM.inputs(two_eyes, alone)
    run(two_eyes, alone)
    assert read_document(two_eyes, SLAM_REPORT)["scale_source"] == "unknown"


def test_a_badly_calibrated_second_camera_is_named(two_eyes):
    known = Calibration.read(two_eyes)
    right = known.stream("head_right")
    place = SE3(matrix_from_rotvec([0.003, 0.0, 0.0]), right.head_from_camera.translation)
    right = replace(right, head_from_camera=place)
    replace(known, streams=known.streams | {"head_right": right}).write(two_eyes)
    assert "head_right beside head: distances may all be" in "".join(run(two_eyes).warnings)
    assert read_document(two_eyes, SLAM_REPORT)["maps"][0]["scale_sigma"] > 0.02


def test_pictures_of_other_times_are_not_compared(two_eyes):
    frames = Frames.read(two_eyes)
    late_ns = np.where(frames.stream == "head_right", 12_000_000, 0)
    replace(frames, timestamp_ns=frames.timestamp_ns + late_ns).write(two_eyes)
    assert "head_right beside head: no corner" in "".join(run(two_eyes).warnings)
    assert read_document(two_eyes, SLAM_REPORT)["scale_source"] == "unknown"


def test_colmap_in_place_of_our_own_estimation(tmp_path, missing):
    if importlib.util.find_spec("pycolmap") is None:
        missing("needs pycolmap: pip install 'handoff-ego[colmap]'")
    folder = write_session(tmp_path / "made-session")
    outcome = run(folder, SlamConfig(backend="colmap"))
    trajectory, report = Trajectory.read(folder), read_document(folder, SLAM_REPORT)
    assert outcome.counts["tracked"] == N
    position = trajectory.world_from_head[:, :3]
    along = position @ (position[-1] / np.linalg.norm(position[-1]))
    np.testing.assert_allclose(along / along[-1], np.linspace(0, 1, N), atol=0.05)
    assert (report["backend"], report["scale_source"]) == ("colmap", "unknown")
    assert np.isinf(trajectory.sigma_m).all()
    assert np.isfinite(trajectory.sigma_rad).all()
    assert len(MapPoints.read(folder)) > 50
