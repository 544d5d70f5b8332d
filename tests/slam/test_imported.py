"""Trajectories of other people as the path of a session: known poses in, the same poses out."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from core.errors import BadInputError
from core.geometry.cameras import pinhole
from core.geometry.rotations import matrix_from_rotvec, matrix_from_ypr
from core.geometry.se3 import SE3
from core.session.calibration import Calibration, ImuCalibration, StreamCalibration
from core.session.documents import read_document
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import SLAM_REPORT
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import Imu, Ticks, Trajectory
from slam.config import SlamConfig
from slam.output.trajectory_files import read_trajectory_file
from slam.stage import SLAM

N = 40
START_NS = 7_000_000_000
STAMPS = START_NS + np.arange(N) * 33_333_333
LEVEL = np.array([[0.0, 0, 1], [-1, 0, 0], [0, -1, 0]])  # a camera that looks along world x
MPS_HEADER = (
    "graph_uid,tracking_timestamp_us,tx_world_device,ty_world_device,tz_world_device,"
    "qx_world_device,qy_world_device,qz_world_device,qw_world_device,"
    "gravity_x_world,gravity_y_world,gravity_z_world,quality_score"
)


@dataclass(frozen=True, eq=False)
class Walk:
    """A head that walks and turns, in a level world and in a tilted one of the file."""

    level_from_head: SE3
    file_from_level: SE3

    @property
    def in_file(self):
        return self.file_from_level @ self.level_from_head


@pytest.fixture
def walk():
    t = np.linspace(0, 1, N)
    rotation = matrix_from_ypr(0.4 + 0.8 * t, 0.1 * np.sin(5 * t), 0 * t) @ LEVEL
    position = np.stack([2 * t, np.sin(3 * t), 1.6 + 0.1 * t], axis=1)
    tilt = SE3(matrix_from_rotvec([0.5, -0.3, 1.0]), np.array([3.0, -1.0, 2.0]))
    return Walk(SE3(rotation, position), tilt)


def write_session(root, text, *, imu=None):
    folder = SessionFolder(root)
    folder.write_bytes("raw/poses.txt", text.encode())
    folder.write_bytes("raw/head.mp4", b"never opened")
    SessionInfo(
        id="made-session", operator=Operator("anna"), task="", scene="", device="made",
        consent="research", streams=(StreamInfo("head", "raw/head.mp4", "0" * 64, "video"),),
    ).write(folder)  # fmt: skip
    Ticks(tick=np.arange(N), timestamp_ns=STAMPS).write(folder)
    noise = None
    if imu is not None:
        imu.write(folder)
        noise = ImuCalibration(SE3.identity(), 1e-3, 1e-5, 1e-2, 1e-4)
    stream = StreamCalibration(pinhole(300.0, (320, 240)))
    Calibration({"head": stream}, imu=noise, source="made", date="2025-01-01").write(folder)
    return folder


def tum(poses, stamps=STAMPS):
    lines = []
    for stamp, pose in zip(stamps, poses.to_pose7(), strict=True):
        xyz_quat_xyzw = pose[[0, 1, 2, 4, 5, 6, 3]]
        seconds = f"{stamp // 10**9}.{stamp % 10**9:09d} "
        lines.append(seconds + " ".join(f"{v:.9f}" for v in xyz_quat_xyzw))
    return "\n".join(lines) + "\n"


def mps(walk, *, graphs=None, quality=None, stamps=STAMPS):
    gravity = walk.file_from_level.rotation @ [0.0, 0.0, -9.81]
    graphs = ["a"] * N if graphs is None else graphs
    quality = np.ones(N) if quality is None else quality
    rows = [MPS_HEADER]
    for k, p in enumerate(walk.in_file.to_pose7()):
        pose = ",".join(f"{v:.9f}" for v in p[[0, 1, 2, 4, 5, 6, 3]])
        down = ",".join(f"{v:.6f}" for v in gravity)
        rows.append(f"{graphs[k]},{stamps[k] // 1000},{pose},{down},{quality[k]}")
    return "\n".join(rows) + "\n"


CONFIG = SlamConfig(backend="imported", imported_path="raw/poses.txt", imported_max_gap_s=0.05)


def run(folder, config=CONFIG):
    SLAM.run(folder, config, NO_PROGRESS)
    return Trajectory.read(folder), read_document(folder, SLAM_REPORT)


def assert_same_walk(table, walk, *, level=True):
    """The first pose at the origin, z up, looking along x; all others relative to it."""
    poses = SE3.from_pose7(table.world_from_head)
    np.testing.assert_allclose(poses[0].translation, 0, atol=1e-6)
    before = (walk.level_from_head[0].inverse() @ walk.level_from_head).matrix()
    np.testing.assert_allclose((poses[0].inverse() @ poses).matrix(), before, atol=1e-5)
    if level:
        up = walk.level_from_head.rotation[:, 2]  # world up in head axes
        np.testing.assert_allclose(poses.rotation[:, 2], up, atol=1e-5)
        forward = poses[0].rotation[:, 2]
        assert forward[0] > 0
        assert abs(forward[1]) < 1e-6


def test_mps_is_levelled_by_its_own_gravity(tmp_path, walk):
    table, report = run(write_session(tmp_path / "made-session", mps(walk)))
    assert table.tracked.sum() >= N - 1  # microseconds: the last tick is a fraction after the file
    known = table.take(table.tracked)
    whole = Walk(walk.level_from_head[: len(known)], walk.file_from_level)
    assert_same_walk(known, whole)
    assert (report["backend"], report["scale_source"]) == ("imported", "imported")
    assert report["gravity_source"] == "imported"
    assert np.isinf(table.sigma_m[table.tracked]).all()  # the file does not say


def test_tum_without_anyone_who_knows_up_is_not_called_level(tmp_path, walk):
    table, report = run(write_session(tmp_path / "made-session", tum(walk.in_file)))
    assert_same_walk(table, walk, level=False)
    assert report["gravity_source"] == "none"
    assert report["scale_source"] == "imported"


def test_tum_whose_z_is_up_by_its_owners_word(tmp_path, walk):
    upright = replace(walk, file_from_level=SE3(np.eye(3), np.array([5.0, 1, 2])))
    config = replace(CONFIG, imported_up="file", imported_metric=False)
    table, report = run(write_session(tmp_path / "made-session", tum(upright.in_file)), config)
    assert_same_walk(table, upright)
    assert (report["gravity_source"], report["scale_source"]) == ("imported", "unknown")
    assert report["length_unit"] == "the file's"


def test_tum_of_a_head_that_speeds_up_is_levelled_by_the_imu(tmp_path, walk):
    seconds = (STAMPS - STAMPS[0]) * 1e-9
    faster = walk.level_from_head.translation.copy()
    faster[:, 0] = 0.5 * 2.0 * seconds**2  # 2 m/s^2 along x, 11 degrees if taken for gravity
    faster[:, 1:] = 0.0
    walk = replace(walk, level_from_head=SE3(walk.level_from_head.rotation, faster))
    force_in_level = np.array([2.0, 0.0, 9.81])
    force = np.einsum("nji,j->ni", walk.level_from_head.rotation, force_in_level)
    times = np.arange(STAMPS[0] - 20_000_000, STAMPS[-1] + 20_000_000, 5_000_000)
    accel = np.stack([np.interp(times, STAMPS, force[:, k]) for k in range(3)], axis=1)
    rng = np.random.default_rng(0)
    samples = Imu(
        imu=np.full(len(times), "imu", object), timestamp_ns=times,
        gyro_rad_s=rng.normal(0, 1e-3, (len(times), 3)),
        accel_m_s2=accel + rng.normal(0, 1e-3, accel.shape),
    )  # fmt: skip
    folder = write_session(tmp_path / "made-session", tum(walk.in_file), imu=samples)
    table, report = run(folder)
    assert report["gravity_source"] == "imu"
    poses = SE3.from_pose7(table.world_from_head)
    up = walk.level_from_head.rotation[:, 2]
    np.testing.assert_allclose(poses.rotation[:, 2], up, atol=0.005)


def test_the_lever_arm_of_the_device_is_taken_out(tmp_path, walk):
    body_from_head = SE3.from_pose7([0.05, 0.02, -0.01, 0.8, 0, 0.6, 0])
    of_body = walk.in_file @ body_from_head.inverse()
    config = replace(CONFIG, imported_body_from_head="0.05,0.02,-0.01,0.8,0,0.6,0")
    table, _ = run(write_session(tmp_path / "made-session", tum(of_body)), config)
    assert_same_walk(table, walk, level=False)


def test_holes_and_ends_have_a_reason_and_no_pose(tmp_path, walk):
    keep = np.ones(N, bool)
    keep[:5] = keep[20:30] = False
    folder = write_session(tmp_path / "made-session", tum(walk.in_file[keep], STAMPS[keep]))
    table, report = run(folder)
    np.testing.assert_array_equal(table.tracked, keep)
    assert report["lost_by_reason"] == {"gap_in_file": 10, "outside_file": 5}
    assert np.unique(table.map_id[keep]).tolist() == [0]  # the file says that it is one world


def test_two_graphs_are_two_maps(tmp_path, walk):
    graphs = ["z"] * 20 + ["b"] * 20
    table, _ = run(write_session(tmp_path / "made-session", mps(walk, graphs=graphs)))
    assert table.map_id[0] == 0
    assert table.map_id[30] == 1
    first = SE3.from_pose7(table.world_from_head[table.map_id == 1][:1]).translation
    np.testing.assert_allclose(first, 0, atol=1e-6)


def test_another_clock_is_refused_and_an_offset_cures_it(tmp_path, walk):
    offset = 123_000_000_000
    folder = write_session(tmp_path / "made-session", tum(walk.in_file, STAMPS + offset))
    with pytest.raises(BadInputError, match=r"130\.000.*imported_offset_ns"):
        run(folder)
    table, _ = run(folder, replace(CONFIG, imported_offset_ns=-offset))
    assert table.tracked.all()


def test_wrong_settings_are_refused(tmp_path, walk):
    folder = write_session(tmp_path / "made-session", tum(walk.in_file))
    with pytest.raises(BadInputError, match="imported_path"):
        run(folder, SlamConfig(backend="imported"))
    with pytest.raises(BadInputError, match="x,y,z,qw,qx,qy,qz"):
        run(folder, replace(CONFIG, imported_body_from_head="1,2,3"))
    with pytest.raises(BadInputError, match="imported_up='z'"):
        SlamConfig(imported_up="z")


def test_a_second_run_gives_the_same_bytes(tmp_path, walk):
    folder = write_session(tmp_path / "made-session", mps(walk))
    first = [folder.sha256(path) for path in SLAM.run(folder, CONFIG, NO_PROGRESS).outputs]
    second = [folder.sha256(path) for path in SLAM.run(folder, CONFIG, NO_PROGRESS).outputs]
    assert first == second


def test_mps_rows_of_no_quality_do_not_count(tmp_path, walk):
    quality = np.ones(N)
    quality[3] = 0
    path = tmp_path / "closed_loop_trajectory.csv"
    path.write_text(mps(walk, quality=quality), encoding="utf-8")
    file = read_trajectory_file(str(path))
    assert file.layout == "mps"
    assert len(file) == N - 1
    path.write_text(mps(walk).replace("gravity_z_world", "other"), encoding="utf-8")
    with pytest.raises(BadInputError, match=r"closed_loop.*gravity_z_world"):
        read_trajectory_file(str(path))


def test_an_open_loop_file_says_the_same_under_other_names(tmp_path, walk):
    closed, there = tmp_path / "closed.csv", tmp_path / "open_loop_trajectory.csv"
    closed.write_text(mps(walk), encoding="utf-8")
    renamed = mps(walk).replace("graph_uid", "session_uid").replace("_world", "_odometry")
    there.write_text(renamed, encoding="utf-8")
    both = [read_trajectory_file(str(path)) for path in (closed, there)]
    assert both[1].layout == "mps"
    np.testing.assert_array_equal(*(f.world_from_body.to_pose7() for f in both))
    np.testing.assert_array_equal(*(f.gravity_in_world for f in both))


def test_the_real_mps_file(recordings):
    path = recordings / "aria_gen1_mps_sample" / "trajectory" / "closed_loop_trajectory.csv"
    file = read_trajectory_file(str(path))
    assert len(file) > 11_000
    assert np.unique(file.world).tolist() == [0]
    np.testing.assert_allclose(file.gravity_in_world[0], [0, 0, -9.81], atol=1e-9)
    step = np.linalg.norm(np.diff(file.world_from_body.translation, axis=0), axis=1)
    assert step.max() < 0.01  # a person, at 1 kHz
