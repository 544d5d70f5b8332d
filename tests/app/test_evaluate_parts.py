"""Each measure on inputs whose answer is known: a truth and the perturbation that was put on it."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from app.evaluate.chunks import chunk_figures
from app.evaluate.detections import detection_figures
from app.evaluate.hands import compare_hands
from app.evaluate.labels import agreement_figures
from app.evaluate.landmarks import joints_as_text
from app.evaluate.palms import compare_palms
from app.evaluate.rest import jitter_figures
from app.evaluate.sigmas import LEVELS, hand_checks, head_checks, palm_checks
from app.evaluate.sync import sync_figures
from app.evaluate.trajectory import compare_trajectories
from app.evaluate.wrist_cameras import wrist_camera_figures
from core.geometry.cameras import pinhole
from core.geometry.landmarks import FLIPPED_SIDE, LANDMARKS, SIDES
from core.geometry.rotations import matrix_from_rotvec, matrix_from_ypr
from core.geometry.se3 import SE3
from core.session.documents import write_document
from core.session.layout import FRAMES, IMU
from core.session.marks import Mark, hashes_of, write_mark
from core.session.storage import SessionFolder
from core.session.tables import Detections, EndEffectors, Frames, Hands, Imu, Ticks, Trajectory

N, FPS = 600, 30
LOOK_DOWN = np.array([[0.0, -0.6, 0.8], [-1.0, 0.0, 0.0], [0.0, -0.8, -0.6]])  # world_from_head


def values(figures) -> dict[str, float]:
    return {figure.name: figure.value for figure in figures}


def times() -> np.ndarray:
    return 5_000_000_000 + np.arange(N, dtype=np.int64) * 1_000_000_000 // FPS


def swaying() -> SE3:
    t = np.arange(N) / FPS
    turn = matrix_from_ypr(0.3 * np.sin(t), np.zeros(N), np.zeros(N))
    path = np.stack([0.2 * np.sin(t), 0.3 * np.cos(t), 0.05 * np.sin(3 * t)], -1)
    return SE3(turn @ LOOK_DOWN, path)


def trajectory(head: SE3, *, sigma=(0.01, 0.01), maps=0, **more) -> Trajectory:
    yes = np.ones(N, dtype=bool)
    return Trajectory(
        tick=np.arange(N),
        timestamp_ns=times(),
        world_from_head=head.to_pose7(),
        world_from_head_valid=yes,
        tracked=yes,
        map_id=np.broadcast_to(maps, N).astype(np.int32),
        sigma_m=np.full((N, 3), sigma[0], dtype=np.float32),
        sigma_rad=np.full((N, 3), sigma[1], dtype=np.float32),
        reason=np.full(N, None, dtype=object),
        **more,
    )


def palms(head_from_palm: SE3, *, sigma=(0.01, 0.01)) -> EndEffectors:
    """The same palm on both sides."""
    return EndEffectors(
        tick=np.tile(np.arange(N), 2),
        timestamp_ns=np.tile(times(), 2),
        side=np.repeat(np.array(SIDES, dtype=object), N),
        head_from_palm=np.tile(head_from_palm.to_pose7(), (2, 1)),
        head_from_palm_valid=np.ones(2 * N, dtype=bool),
        sigma_m=np.full((2 * N, 3), sigma[0], dtype=np.float32),
        sigma_rad=np.full((2 * N, 3), sigma[1], dtype=np.float32),
        state=np.full(2 * N, "measured", dtype=object),
        reason=np.full(2 * N, None, dtype=object),
    )


def hands(landmarks: np.ndarray, *, visible=True, sigma=(0.005, 0.01)) -> Hands:
    """landmarks ``(2N,17,3)``, left rows first."""
    wide = landmarks.reshape(2 * N, 51).astype(np.float32)
    raw = np.concatenate([landmarks, landmarks[:, :4]], axis=1).reshape(2 * N, 63)
    return Hands(
        tick=np.tile(np.arange(N), 2),
        timestamp_ns=np.tile(times(), 2),
        side=np.repeat(np.array(SIDES, dtype=object), N),
        landmarks_in_head=wide,
        landmarks_in_head_valid=np.ones(2 * N, dtype=bool),
        sigma_lateral_m=np.full((2 * N, 17), sigma[0], dtype=np.float32),
        sigma_ray_m=np.full((2 * N, 17), sigma[1], dtype=np.float32),
        visible=np.broadcast_to(visible, (2 * N, 17)),
        raw21_in_head=raw.astype(np.float32),
        raw21_in_head_valid=np.ones(2 * N, dtype=bool),
        state=np.full(2 * N, "measured", dtype=object),
        reason=np.full(2 * N, None, dtype=object),
        source=np.full(2 * N, "test", dtype=object),
    )


def true_landmarks() -> np.ndarray:
    """Two hands of random points 10 cm across, 40 cm before the head and 30 cm apart."""
    shape = np.random.default_rng(3).uniform(-0.05, 0.05, (17, 3))
    place = np.repeat([[-0.15, 0, 0.4], [0.15, 0, 0.4]], N, axis=0)
    return place[:, None] + shape


def moving(speed_m_s: float) -> SE3:
    """head_from_palm of a palm that goes along the world's x, seen from `swaying`."""
    place = np.zeros((N, 3))
    place[:, 0] = speed_m_s * np.arange(N) / FPS
    return swaying().inverse() @ SE3(np.broadcast_to(np.eye(3), (N, 3, 3)), place)


# --- the head -------------------------------------------------------------------------------


def test_a_turned_and_scaled_path_gives_that_scale_and_nothing_else():
    truth = swaying()
    centre = truth.translation.mean(0)
    shrunk = SE3(truth.rotation, centre + (truth.translation - centre) / 1.05)
    moved = SE3(matrix_from_ypr(0.7, 0.0, 0.0), np.array([1.0, 2.0, 3.0])) @ shrunk
    found = values(compare_trajectories(trajectory(moved), trajectory(truth)).figures())
    assert found["scale error"] == pytest.approx(0.05, abs=1e-9)
    off = np.linalg.norm(truth.translation - centre, axis=1) * (1 - 1 / 1.05)
    assert found["ATE RMSE"] == pytest.approx(1e3 * np.sqrt(np.mean(off**2)), rel=1e-6)
    assert found["ATE RMSE, scale fitted"] == pytest.approx(0.0, abs=1e-6)
    assert found["rotation error"] == pytest.approx(0.0, abs=1e-4)


def test_a_tilted_world_gives_that_tilt():
    tilted = SE3(matrix_from_rotvec(np.array([0.0, np.radians(3.0), 0.0])), np.zeros(3)) @ swaying()
    found = values(compare_trajectories(trajectory(tilted), trajectory(swaying())).figures())
    assert found["gravity error"] == pytest.approx(3.0, abs=1e-6)


def test_steady_drift_is_the_relative_error_over_a_second():
    truth = swaying()
    drift = np.arange(N)[:, None] / FPS * np.array([0.004, 0.0, 0.003])  # 5 mm/s
    drifted = SE3(truth.rotation, truth.translation + drift)
    comparison = compare_trajectories(trajectory(drifted), trajectory(truth))
    found = values(comparison.figures())
    assert found["RPE over 1 s"] == pytest.approx(5.0, rel=0.02)  # the alignment turns it a little
    metres, _ = comparison.relative(2.0)
    assert len(metres) == N - 2 * FPS
    assert np.median(metres) == pytest.approx(0.010, rel=0.02)


def test_white_noise_on_the_path_is_jitter():
    noise = np.random.default_rng(4).normal(0, 0.001, (N, 3))
    noisy = SE3(swaying().rotation, swaying().translation + noise)
    found = values(compare_trajectories(trajectory(noisy), trajectory(swaying())).figures())
    assert found["jitter"] == pytest.approx(np.sqrt(6), rel=0.05)
    assert found["ATE RMSE"] == pytest.approx(np.sqrt(3), rel=0.05)


def test_pairs_never_join_two_maps():
    maps = np.repeat([0, 1], N // 2)
    other = SE3(np.eye(3), np.array([3.0, 0, 0]))
    truth = swaying()
    poses = SE3.stack([(other @ truth[k]) if maps[k] else truth[k] for k in range(N)])
    comparison = compare_trajectories(trajectory(poses, maps=maps), trajectory(truth))
    found = values(comparison.figures())
    assert found["maps"] == 2
    assert found["ATE RMSE"] == pytest.approx(0.0, abs=1e-6)
    assert len(comparison.relative(1.0)[0]) == N - 2 * FPS


def test_wrist_cameras_are_measured_where_they_were_located():
    truth, world = swaying(), SE3(matrix_from_ypr(0.4, 0, 0), np.array([0, 1.0, 0]))
    wrist = truth @ SE3(matrix_from_rotvec(np.array([0, 0.5, 0])), np.array([0.1, 0.2, 0.3]))
    off = wrist @ SE3(matrix_from_rotvec(np.array([0.02, 0, 0])), np.array([0, 0, 0.006]))
    located = np.arange(N) < N // 3
    estimate = trajectory(
        world @ truth,
        world_from_left_wrist_camera=(world @ off).to_pose7(),
        world_from_left_wrist_camera_valid=located,
        left_wrist_camera_sigma_m=np.full((N, 3), 0.01, np.float32),
        left_wrist_camera_sigma_rad=np.full((N, 3), 0.01, np.float32),
    )
    exact = trajectory(
        truth,
        world_from_left_wrist_camera=wrist.to_pose7(),
        world_from_left_wrist_camera_valid=np.ones(N, dtype=bool),
        left_wrist_camera_sigma_m=np.zeros((N, 3), np.float32),
        left_wrist_camera_sigma_rad=np.zeros((N, 3), np.float32),
    )
    head = compare_trajectories(estimate, exact)
    both = {"head", "left_wrist", "right_wrist"}
    found = values(wrist_camera_figures(head, estimate, exact, streams=both))
    assert found["left wrist camera: located"] == pytest.approx(1 / 3)
    assert found["left wrist camera: position"] == pytest.approx(6.0, abs=1e-6)
    assert found["left wrist camera: rotation"] == pytest.approx(np.degrees(0.02), abs=1e-6)
    assert "right wrist camera: located" not in found
    assert wrist_camera_figures(head, estimate, exact, streams={"head"}) == []


# --- hands ----------------------------------------------------------------------------------


def test_landmarks_by_joint_and_by_visibility():
    truth, seen = true_landmarks(), np.zeros((2 * N, 17), dtype=bool)
    seen[:, :9] = True
    off = truth.copy()
    off[:, :9, 2] += 0.004
    off[:, 9:, 2] += 0.012
    comparison = compare_hands(hands(off), hands(truth, visible=seen))
    found = values(comparison.figures())
    assert found["MPJPE, seen"] == pytest.approx(4.0, abs=1e-3)
    assert found["MPJPE, hidden"] == pytest.approx(12.0, abs=1e-3)
    assert found["MPJPE"] == pytest.approx((9 * 4 + 8 * 12) / 17, abs=1e-3)
    assert found["MPJPE wrist-relative, seen"] == pytest.approx(0.0, abs=1e-3)
    assert found["MPJPE wrist-relative, hidden"] == pytest.approx(8.0, abs=1e-3)
    table = comparison.errors().by_joint_mm()
    assert list(table) == list(LANDMARKS)
    assert table["wrist"]["absolute"] == pytest.approx(4.0, abs=1e-3)
    assert table["pinky_tip"]["wrist_relative"] == pytest.approx(8.0, abs=1e-3)
    assert "pinky_tip" in joints_as_text(table)


def test_procrustes_forgives_turn_place_and_size_only():
    truth = true_landmarks()
    turned = 1.2 * truth @ matrix_from_rotvec(np.array([0.2, 0.4, -0.3])).T + [0.1, 0, 0]
    found = values(compare_hands(hands(turned), hands(truth)).figures())
    assert found["MPJPE Procrustes"] == pytest.approx(0.0, abs=1e-3)
    assert found["MPJPE wrist-relative"] > 10


def test_visibility_counts_what_is_claimed_and_what_is_there():
    there, claimed = np.zeros((2 * N, 17), dtype=bool), np.zeros((2 * N, 17), dtype=bool)
    there[:, :10] = True
    claimed[:, 4:12] = True  # 6 of its 8 are right, 6 of the 10 are found
    truth = true_landmarks()
    comparison = compare_hands(hands(truth, visible=claimed), hands(truth, visible=there))
    found = values(comparison.figures())
    assert found["visibility precision"] == pytest.approx(6 / 8)
    assert found["visibility recall"] == pytest.approx(6 / 10)


def test_palms_give_back_the_perturbation():
    truth = moving(0.0)
    off = truth @ SE3(matrix_from_rotvec(np.array([0, 0.1, 0])), np.zeros(3))
    ray = truth.translation / np.linalg.norm(truth.translation, axis=-1)[:, None]
    off = SE3(off.rotation, off.translation + 0.02 * ray)
    found = values(compare_palms(palms(off), palms(truth)).figures())
    for name in ("palm position", "palm position, mean", "palm position, p95"):
        assert found[name] == pytest.approx(20.0, abs=1e-6)
    assert found["palm position, along the ray"] == pytest.approx(20.0, abs=1e-6)
    assert found["palm position, across it"] == pytest.approx(0.0, abs=1e-3)
    assert found["palm rotation, p95"] == pytest.approx(np.degrees(0.1), abs=1e-6)


def test_jitter_is_measured_at_rest_alone():
    rng = np.random.default_rng(0)
    place = np.zeros((N, 3))
    place[N // 2 :, 0] = 0.3 * np.arange(N - N // 2) / FPS  # rests, then moves
    truth = swaying().inverse() @ SE3(np.broadcast_to(np.eye(3), (N, 3, 3)), place)
    noise = rng.normal(0, 0.002, (N, 3)) * np.where(np.arange(N) < N // 2, 1, 50)[:, None]
    found = palms(SE3(truth.rotation, truth.translation + noise))
    figures = jitter_figures(
        compare_palms(found, palms(truth)), palms(truth), trajectory(swaying())
    )
    got = values(figures)
    assert got["jitter at rest, RMS"] == pytest.approx(2 * np.sqrt(6), rel=0.06)
    assert got["jitter at rest"] == pytest.approx(2 * np.sqrt(2) * 1.538, rel=0.08)
    assert got["jitter at rest, turn RMS"] == pytest.approx(0.0, abs=1e-4)
    assert "frame to frame, 5" in figures[0].note  # two hands of ten seconds, less the edge


def test_a_steady_offset_is_no_jitter_and_motion_is_no_rest():
    truth = palms(moving(0.0))
    off = moving(0.0)
    off = palms(SE3(off.rotation, swaying().inverse().apply(np.full((N, 3), 0.03))))
    got = values(jitter_figures(compare_palms(off, truth), truth, trajectory(swaying())))
    assert got["jitter at rest"] == pytest.approx(0.0, abs=1e-6)
    fast = palms(moving(0.5))
    got = values(jitter_figures(compare_palms(fast, fast), fast, trajectory(swaying())))
    assert np.isnan(got["jitter at rest"])


# --- what it means for training -----------------------------------------------------------------


def test_chunks_do_not_care_in_which_world_they_are_measured():
    world = SE3(matrix_from_ypr(1.0, 0, 0), np.array([4.0, 5, 6]))
    pairs = compare_palms(palms(moving(0.1)), palms(moving(0.1)))
    got = values(chunk_figures(pairs, trajectory(world @ swaying()), trajectory(swaying())))
    assert got["position after 1 s"] == pytest.approx(0.0, abs=1e-6)
    assert got["rotation after 0.5 s"] == pytest.approx(0.0, abs=1e-4)
    assert got["true motion after 1 s"] == pytest.approx(100.0, rel=0.01)
    assert got["true motion after 0.5 s"] == pytest.approx(50.0, rel=0.01)


def test_a_palm_frame_turned_by_20_degrees_bends_every_chunk_by_that():
    truth = moving(0.1)
    turned = truth @ SE3(matrix_from_rotvec(np.array([0, 0, np.radians(20)])), np.zeros(3))
    pairs = compare_palms(palms(turned), palms(truth))
    got = values(chunk_figures(pairs, trajectory(swaying()), trajectory(swaying())))
    assert got["position after 1 s"] == pytest.approx(2e2 * np.sin(np.radians(10)), rel=0.01)
    assert got["rotation after 1 s"] == pytest.approx(0.0, abs=1e-4)


def test_head_drift_leaks_into_chunks_and_missing_paths_are_missing():
    truth = moving(0.1)
    drift = np.arange(N)[:, None] / FPS * np.array([0.0, 0.02, 0.0])
    head = SE3(swaying().rotation, swaying().translation + drift)
    pairs = compare_palms(palms(truth), palms(truth))
    got = values(chunk_figures(pairs, trajectory(head), trajectory(swaying())))
    assert got["position after 1 s"] == pytest.approx(20.0, rel=0.01)
    none = values(chunk_figures(pairs, None, trajectory(swaying())))
    assert np.isnan(none["position after 1 s"])


# --- uncertainty ----------------------------------------------------------------------------


@pytest.mark.parametrize(("factor", "share"), [(1.0, 0.6827), (0.5, 0.3829), (3.0, 0.9973)])
def test_gaussian_errors_lie_within_one_sigma_as_often_as_they_should(factor, share):
    rng = np.random.default_rng(1)
    truth, still = swaying(), np.arange(N)[:, None] > 0  # the first pose fixes the world
    world = SE3(matrix_from_ypr(0.4, 0, 0), np.array([1.0, 2, 0]))
    moved = SE3(
        matrix_from_rotvec(rng.normal(0, 0.02, (N, 3)) * still) @ (world @ truth).rotation,
        (world @ truth).translation + rng.normal(0, 0.01, (N, 3)) * still,
    )
    table = trajectory(moved, sigma=(0.01 * factor, 0.02 * factor))
    for check in head_checks(compare_trajectories(table, trajectory(truth)), table):
        assert check.figure().value == pytest.approx(share, abs=0.035)
        assert check.within(0.6827, axis=2) == pytest.approx(share, abs=0.06)
    exact = true_landmarks()
    noisy = exact + rng.normal(0, 0.005, exact.shape)
    found = compare_hands(hands(noisy, sigma=(0.005 * factor, 0.005 * factor)), hands(exact))
    for check in hand_checks(found):
        assert check.figure().value == pytest.approx(share, abs=0.01)


def test_sigma_axes_are_not_mixed():
    rng = np.random.default_rng(2)
    exact = true_landmarks()
    ray = exact / np.linalg.norm(exact, axis=-1, keepdims=True)
    deep = exact + ray * rng.normal(0, 0.02, (*exact.shape[:2], 1))
    across, along = hand_checks(compare_hands(hands(deep, sigma=(0.001, 0.02)), hands(exact)))
    assert across.figure().value == pytest.approx(1.0, abs=0.01)
    assert along.figure().value == pytest.approx(0.683, abs=0.01)
    assert along.curve() == pytest.approx(list(LEVELS), abs=0.02)


def test_what_claims_nothing_is_not_counted():
    truth = moving(0.1)
    place, turn = palm_checks(
        compare_palms(palms(truth, sigma=(np.inf, 0.01)), palms(truth, sigma=(0.01, 0.01)))
    )
    assert np.isnan(place.figure().value)
    assert turn.figure().value == 1.0


# --- labels -----------------------------------------------------------------------------------


def test_labels_that_are_late_by_a_third_of_a_second_meet_at_half_a_second():
    true = np.array([[0, 2], [3, 5], [6, 9]], dtype=np.int64) * 1_000_000_000
    late = true + 300_000_000
    nobody = np.zeros((0, 2), dtype=np.int64)
    got = values(agreement_figures([(late, true), (nobody, true[:1])]))
    assert got["proposed boundary F1 at 0.25 s"] == 0.0
    assert got["proposed boundary F1 at 0.5 s"] == pytest.approx(12 / 14)  # two are missing
    assert got["proposed segment F1 at IoU 0.5"] == pytest.approx(6 / 7)
    none = values(agreement_figures([(nobody, nobody)]))
    assert np.isnan(none["proposed boundary F1 at 1 s"])


# --- clocks and detections ---------------------------------------------------------------------


def sync_session(tmp_path, late_ns: int, drift_ppm: float, *, dropped=()) -> SessionFolder:
    """Head exact; the left wrist's stamps late and drifting, pictures numbered as decoded."""
    folder = SessionFolder(tmp_path / "takes-0001")
    kept = np.setdiff1d(np.arange(N), dropped)
    taken = {"head": times(), "left_wrist": times()[kept] + 7_000_000}
    stamped = {"head": times()}
    run = taken["left_wrist"] - taken["left_wrist"][0]
    stamped["left_wrist"] = taken["left_wrist"] + late_ns + (run * drift_ppm * 1e-6).astype(int)
    for stream, exact in taken.items():
        with folder.atomic_path(f"truth/sim/camera_{stream}.parquet") as path:
            pq.write_table(pa.table({"timestamp_ns": exact}), path)
    Frames(
        stream=np.repeat(list(stamped), [len(t) for t in stamped.values()]).astype(object),
        frame_index=np.concatenate([np.arange(len(t)) for t in stamped.values()]).astype(np.int32),
        pts=np.concatenate([np.arange(len(t)) for t in stamped.values()]),
        timestamp_ns=np.concatenate(list(stamped.values())),
        reason=np.full(sum(len(t) for t in stamped.values()), None, dtype=object),
    ).write(folder)
    outputs = hashes_of(folder, [FRAMES])
    write_mark(folder, "capture", Mark("capture", 1, {}, {}, outputs, {}, [], 1.0))
    return folder


def test_late_and_drifting_stamps_are_measured(tmp_path):
    folder = sync_session(tmp_path, 35_000_000, 40.0, dropped=(5, 90, 91))
    clocks = {"streams": {"left_wrist": {"offset_ns": 35_000_000, "drift_ppm": 40.0}}}
    write_document(folder, "truth/sim/sync.json", clocks)
    got = values(sync_figures(folder))
    assert got["left wrist: clock as recorded"] == 35.0
    assert got["left wrist: time offset"] == pytest.approx(35.0 + 0.4, abs=0.01)  # half of 20 s
    assert got["left wrist: drift"] == pytest.approx(40.0, abs=0.05)
    assert got["left wrist: spread about it"] == pytest.approx(0.38, abs=0.01)


def test_truth_of_other_rows_is_said_not_guessed(tmp_path):
    folder = sync_session(tmp_path, 0, 0.0)
    with folder.atomic_path("truth/sim/imu_bias.parquet") as path:
        pq.write_table(pa.table({"timestamp_ns": times()[:5]}), path)
    Imu(
        imu=np.full(9, "head", dtype=object),
        timestamp_ns=times()[:9],
        gyro_rad_s=np.zeros((9, 3)),
        accel_m_s2=np.zeros((9, 3)),
    ).write(folder)
    outputs = hashes_of(folder, [FRAMES, IMU])
    write_mark(folder, "capture", Mark("capture", 1, {}, {}, outputs, {}, [], 1.0))
    by_name = {figure.name: figure for figure in sync_figures(folder)}
    assert by_name["left wrist: time offset"].value == 0.0
    assert np.isnan(by_name["imu: time offset"].value)
    assert "do not correspond" in by_name["imu: time offset"].note


def detected(px: np.ndarray, sides: np.ndarray, ticks: np.ndarray) -> Detections:
    order = np.argsort(ticks, kind="stable")
    px, sides, ticks = px[order], sides[order], ticks[order]
    return Detections(
        stream=np.full(len(px), "head", dtype=object),
        tick=ticks,
        side=sides,
        score=np.ones(len(px), dtype=np.float32),
        box_xyxy_px=np.zeros((len(px), 4), dtype=np.float32),
        raw21_px=px.reshape(-1, 42).astype(np.float32),
    )


def test_detections_are_laid_on_the_hands_that_must_be_found():
    camera = pinhole(500.0, (640, 480))
    exact = true_landmarks()
    seen = np.ones((2 * N, 17), dtype=bool)
    seen[:100, 8:] = False  # of the left hand 8 of 17: less than half
    truth = hands(exact, visible=seen)
    px, _ = camera.project(truth.raw21_in_head.reshape(-1, 21, 3))
    kept = np.flatnonzero(np.arange(2 * N) % 4 != 1)  # every fourth hand goes unseen
    sides = truth.side.copy()
    wrong = np.arange(2 * N) % 10 == 0
    sides[wrong] = [FLIPPED_SIDE[side] for side in sides[wrong]]
    table = detected(px[kept] + np.array([3.0, 4.0]), sides[kept], truth.tick[kept])
    ticks = Ticks(tick=np.arange(N), timestamp_ns=times())
    figures = detection_figures(table, truth, ticks=ticks, truth=truth, camera=camera)
    got = values(figures)
    assert f"of {2 * N - 100} hands" in figures[0].note
    assert got["found"] == pytest.approx(0.75)
    assert got["pixel error"] == pytest.approx(5.0, abs=1e-3)
    must = kept[kept >= 100]
    assert got["side is right"] == pytest.approx(1 - wrong[must].mean())
    assert got["measured by the hands stage"] == 1.0


def test_small_hands_and_far_detections_do_not_count():
    exact = true_landmarks()
    truth = hands(exact)
    ticks = Ticks(tick=np.arange(N), timestamp_ns=times())
    tiny = pinhole(100.0, (640, 480))  # 10 cm at 40 cm: 25 px
    nothing = detected(np.zeros((0, 21, 2)), np.zeros(0, dtype=object), np.zeros(0, dtype=int))
    got = values(detection_figures(nothing, None, ticks=ticks, truth=truth, camera=tiny))
    assert np.isnan(got["found"])
    assert "measured by the hands stage" not in got
    camera = pinhole(500.0, (640, 480))
    px, _ = camera.project(truth.raw21_in_head.reshape(-1, 21, 3))
    beside = detected(px + np.array([0, 90.0]), truth.side, truth.tick)
    got = values(detection_figures(beside, truth, ticks=ticks, truth=truth, camera=camera))
    assert got["found"] == 0.0
