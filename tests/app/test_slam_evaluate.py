"""`handoff slam evaluate`: evo's published figures, and takes whose errors are known."""

import json
from dataclasses import replace

import numpy as np
import pytest

from app.cli import main
from app.evaluate.path_errors import TimedPoses, path_errors
from core.errors import BadInputError
from core.geometry.rotations import matrix_from_rotvec, matrix_from_ypr
from core.geometry.se3 import SE3
from core.session.documents import write_document
from core.session.layout import SLAM_REPORT
from core.session.tables import Trajectory
from slam.output.trajectory_files import read_trajectory_file

STEP_NS = 50_000_000


def winding(count=201):
    """A body that winds through space, 20 times a second."""
    t = np.arange(count) * STEP_NS / 1e9
    path = np.stack([np.sin(t), np.cos(1.3 * t), 0.3 * np.sin(2.1 * t)], -1)
    turn = matrix_from_ypr(0.5 * np.sin(t), 0.3 * np.cos(t), 0.2 * np.sin(2 * t))
    return TimedPoses.of(np.arange(count, dtype=np.int64) * STEP_NS, SE3(turn, path))


def tum_file(path, poses):
    pose = poses.world_from_body.to_pose7()[:, [0, 1, 2, 4, 5, 6, 3]]
    rows = zip(poses.timestamps_ns, pose, strict=True)
    lines = [f"{t / 1e9:.9f} " + " ".join(f"{v:.12f}" for v in row) for t, row in rows]
    path.write_text("\n".join(lines), encoding="utf-8")
    return str(path)


@pytest.mark.parametrize(
    ("truth", "estimate", "align", "rmse", "largest"),
    [
        ("fr2_desk_groundtruth", "fr2_desk_ORB", "se3", 0.008119, 0.024300),
        ("freiburg1_xyz-groundtruth", "freiburg1_xyz-ORB_kf_mono", "sim3", 0.009755, 0.027924),
        ("freiburg1_xyz-groundtruth", "freiburg1_xyz-rgbdslam", "none", 0.020079, 0.043289),
    ],
)
def test_evos_figures(recordings, truth, estimate, align, rmse, largest):
    """evo 1.38.1, `evo_ape tum`, with -a, -as and nothing: the association is the nearest row."""
    folder = recordings / "traj_eval"
    files = [read_trajectory_file(str(folder / f"{name}.txt")) for name in (estimate, truth)]
    poses = [TimedPoses.of(file.timestamps_ns, file.world_from_body) for file in files]
    found = path_errors(*poses, align=align, associate="nearest").figures()
    assert found["ate_rmse_m"] == pytest.approx(rmse, abs=1e-6)
    assert found["ate_max_m"] == pytest.approx(largest, abs=1e-6)


def test_figures_of_a_known_error():
    """Every second pose 2 cm to the side: RMSE, mean and maximum follow."""
    truth = winding()
    shift = np.zeros((201, 3))
    shift[::2, 1], shift[1::2, 1] = 0.01, -0.01
    pose = truth.world_from_body
    found = path_errors(
        TimedPoses.of(truth.timestamps_ns, SE3(pose.rotation, pose.translation + shift)),
        truth,
        align="none",
    ).figures()
    for name in ("ate_rmse_m", "ate_mean_m", "ate_median_m", "ate_max_m"):
        assert found[name] == pytest.approx(0.01, abs=1e-12)
    assert found["rpe_1s_rmse_m"] == pytest.approx(0.0, abs=1e-12)  # 20 frames: the same side
    assert (found["tracked_share"], found["associated"]) == (1.0, 201)


@pytest.mark.parametrize(
    ("align", "world", "scale", "left"),
    [
        ("yaw", matrix_from_ypr(1.1, 0.0, 0.0), 1.0, 0.0),
        ("se3", matrix_from_ypr(1.1, 0.4, -0.7), 1.0, 0.0),
        ("sim3", matrix_from_ypr(1.1, 0.4, -0.7), 0.5, 0.0),
    ],
)
def test_each_alignment_takes_out_what_it_should(align, world, scale, left):
    truth = winding()
    pose = truth.world_from_body
    moved = SE3(world @ pose.rotation, scale * (pose.translation @ world.T) + [4.0, 5.0, 6.0])
    found = path_errors(TimedPoses.of(truth.timestamps_ns, moved), truth, align=align)
    figures = found.figures()
    assert figures["ate_rmse_m"] == pytest.approx(left, abs=1e-9)
    assert figures["scale"] == pytest.approx(1 / scale)
    assert figures["rotation_median_deg"] == pytest.approx(0.0, abs=1e-5)
    tilt = np.degrees(np.arccos(world[2, 2]))
    assert figures["gravity_tilt_deg"] == pytest.approx(tilt, abs=1e-4)


def test_yaw_leaves_a_tilt_in_the_error():
    truth = winding()
    tilt = SE3(matrix_from_ypr(0.0, 0.0, np.radians(2.0)), np.zeros(3))
    estimate = TimedPoses.of(truth.timestamps_ns, tilt @ truth.world_from_body)
    figures = path_errors(estimate, truth, align="yaw").figures()
    assert figures["gravity_tilt_deg"] == pytest.approx(2.0, abs=1e-6)
    assert figures["ate_rmse_m"] > 0.01


def test_rpe_of_a_steady_drift():
    """1 cm forward too much in every second of the body's own motion."""
    times = np.arange(201, dtype=np.int64) * STEP_NS
    ahead = np.stack([times / 1e9, np.zeros(201), np.zeros(201)], -1)
    still = np.broadcast_to(np.eye(3), (201, 3, 3))
    truth = TimedPoses.of(times, SE3(still, ahead))
    estimate = TimedPoses.of(times, SE3(still, 1.01 * ahead))
    figures = path_errors(estimate, truth, align="none").figures()
    assert figures["rpe_1s_rmse_m"] == pytest.approx(0.01)
    assert figures["rpe_1s_rmse_deg"] == pytest.approx(0.0, abs=1e-9)
    assert figures["scale"] == pytest.approx(1 / 1.01)


def test_rows_without_an_estimate_are_untracked():
    truth = winding()
    keep = np.r_[0:100, 150:201]
    estimate = TimedPoses.of(truth.timestamps_ns[keep], truth.world_from_body[keep])
    figures = path_errors(estimate, truth).figures()
    assert figures["untracked_rows"] == 50
    assert figures["tracked_share"] == pytest.approx(151 / 201)
    assert figures["associated"] == 151


def test_truth_outside_the_take_does_not_count():
    truth = winding()
    keep = np.r_[50:100, 110:150]
    lost = TimedPoses.of(truth.timestamps_ns[keep], truth.world_from_body[keep])
    take = replace(lost, span_ns=(50 * STEP_NS, 149 * STEP_NS))
    assert path_errors(lost, truth).figures()["untracked_rows"] == 111
    figures = path_errors(take, truth).figures()
    assert (figures["truth_rows"], figures["untracked_rows"]) == (100, 10)


def test_interpolation_reads_the_truth_between_its_rows():
    truth = winding()
    between = truth.timestamps_ns[:-1] + STEP_NS // 2
    middle = (truth.world_from_body.translation[1:] + truth.world_from_body.translation[:-1]) / 2
    estimate = TimedPoses.of(between, SE3(truth.world_from_body.rotation[:-1], middle))
    assert path_errors(estimate, truth, align="none").figures()["ate_max_m"] < 1e-12
    with pytest.raises(BadInputError, match="fewer than 3"):
        path_errors(estimate, truth, associate="nearest", max_gap_ms=20)
    with pytest.raises(BadInputError, match="one take and one clock"):
        path_errors(estimate, truth, max_gap_ms=20)


def test_another_body_is_noticed_and_cured_by_its_extrinsics():
    truth = winding()
    body_from_camera = SE3(matrix_from_rotvec([0.2, 1.4, -0.3]), np.array([0.1, 0.0, -0.2]))
    camera = truth.moved(body_from_camera)
    raw = path_errors(camera, truth)
    assert not raw.same_body
    assert np.isnan(raw.figures()["rpe_1s_rmse_m"])
    cured = path_errors(camera, truth.moved(body_from_camera))
    assert cured.same_body
    assert cured.figures()["ate_rmse_m"] == pytest.approx(0.0, abs=1e-9)


def test_maps_are_aligned_one_by_one():
    truth = winding()
    pose = truth.world_from_body
    other = SE3(matrix_from_ypr(0.9, 0, 0), np.array([3.0, 0, 0])) @ pose
    half = np.arange(201) >= 100
    mixed = SE3(
        np.where(half[:, None, None], other.rotation, pose.rotation),
        np.where(half[:, None], other.translation, pose.translation),
    )
    estimate = TimedPoses(truth.timestamps_ns, mixed, half.astype(np.int32), STEP_NS)
    figures = path_errors(estimate, truth, align="yaw").figures()
    assert figures["maps"] == 2
    assert figures["ate_rmse_m"] == pytest.approx(0.0, abs=1e-9)
    assert figures["rpe_1s_rmse_m"] == pytest.approx(0.0, abs=1e-9)  # no pair bridges the maps


def truth_file(session, tmp_path):
    table = Trajectory.read(session, "truth")
    poses = TimedPoses.of(table.timestamp_ns, SE3.from_pose7(table.world_from_head))
    return tum_file(tmp_path / "truth.txt", poses)


def test_a_session_is_measured_by_yaw_and_drawn(session, tmp_path, capsys):
    truth, picture = truth_file(session, tmp_path), tmp_path / "errors.png"
    assert main(["slam", "evaluate", truth, session.url, "--json", "--plot", str(picture)]) == 0
    (found,) = json.loads(capsys.readouterr().out)["estimates"]
    assert found["align"] == "yaw"
    assert found["ate_rmse_m"] == pytest.approx(0.0, abs=1e-6)
    assert (found["associated"], found["untracked_rows"]) == (84, 6)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_what_a_session_does_not_know_is_fitted(session, tmp_path, capsys):
    truth = truth_file(session, tmp_path)
    for scale, gravity, align in (("unknown", "imu", "sim3"), ("marker", "none", "se3")):
        report = {"scale_source": scale, "gravity_source": gravity}
        write_document(session, SLAM_REPORT, report)
        main(["slam", "evaluate", truth, session.url, "--json"])
        assert json.loads(capsys.readouterr().out)["estimates"][0]["align"] == align


def test_the_table_says_what_is_untracked(session, tmp_path, capsys):
    truth = truth_file(session, tmp_path)
    assert main(["slam", "evaluate", truth, session.url, truth]) == 0
    shown = capsys.readouterr().out
    assert "ATE RMSE" in shown
    assert "6 of 90 truth rows have no estimate" in shown


def test_a_missing_truth_is_one_line(capsys):
    assert main(["slam", "evaluate", "nowhere.txt", "nowhere.txt"]) == 1
    assert capsys.readouterr().err.startswith("handoff: nowhere.txt: cannot read")


def test_an_estimate_of_another_take_is_named(tmp_path, capsys):
    truth = winding()
    late = replace(truth, timestamps_ns=truth.timestamps_ns + 10**12)
    words = [tum_file(tmp_path / "truth.txt", truth), tum_file(tmp_path / "late.txt", late)]
    assert main(["slam", "evaluate", *words]) == 1
    shown = capsys.readouterr().err
    assert shown.startswith(f"handoff: {words[1]}: fewer than 3 poses")


def test_without_a_verb_the_page_is_shown(capsys):
    assert main(["slam"]) == 2
    assert "handoff slam evaluate" in capsys.readouterr().out
