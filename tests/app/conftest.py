"""A tiny finished session with truth, written by hand: a head that sways, two hands that move."""

from pathlib import Path

import av
import numpy as np
import pytest

from annotate.config import AnnotateConfig
from annotate.stage import ANNOTATE
from core.geometry.cameras import pinhole
from core.geometry.landmarks import SIDES
from core.geometry.palm import palm_frame
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from core.session.calibration import Calibration, StreamCalibration
from core.session.documents import write_document
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import (
    CALIBRATION,
    DETECTIONS,
    END_EFFECTORS,
    FRAMES,
    HANDS,
    HANDS_REPORT,
    POINTS,
    QUALITY,
    SLAM_REPORT,
    TICKS,
    TRAJECTORY,
    TRUTH,
)
from core.session.marks import Mark, config_document, hashes_of, write_mark
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder
from core.session.tables import (
    Detections,
    EndEffectors,
    Frames,
    Hands,
    MapPoints,
    Segments,
    Ticks,
    Trajectory,
)

N, FPS, SIZE = 90, 30, (160, 120)
ORIGIN_NS = 2_000_000_000
LOOK_DOWN = np.array([[0.0, -0.6, 0.8], [-1.0, 0.0, 0.0], [0.0, -0.8, -0.6]])  # world_from_head
ERROR_M = 0.01  # every estimated hand lies this far beside the truth
SPOKEN = "put the <b>brown</b> egg & the cup down"


def times_ns() -> np.ndarray:
    return ORIGIN_NS + np.arange(N, dtype=np.int64) * 1_000_000_000 // FPS


def true_head() -> SE3:
    t = np.arange(N) / FPS
    turn = matrix_from_ypr(0.2 * np.sin(2 * t), np.zeros(N), np.zeros(N))
    path = np.stack([0.2 * np.sin(t), 0.3 * (1 - np.cos(t)), 0.05 * np.sin(3 * t)], -1)
    return SE3(turn @ LOOK_DOWN, path)


def hand_shape(side: str) -> np.ndarray:
    """17 landmarks of a flat hand, palm centre near the origin, fingers along -y of the head."""
    sign = -1.0 if side == "left" else 1.0
    fingers = [[-0.03, -0.01, 0.01, 0.03][k // 3] for k in range(12)]
    reach = [[-0.03, -0.07, -0.10][k % 3] for k in range(12)]
    rest = np.stack([sign * np.array(fingers), reach, np.zeros(12)], -1)
    thumb = np.array([[-0.04, 0.03, 0], [-0.06, 0.01, 0], [-0.07, -0.01, 0]]) * [sign, 1, 1]
    wrist = np.array([[0, 0.06, 0]])
    mcps = rest[::3]
    palm = (wrist + mcps.mean(0, keepdims=True)) / 2
    return np.concatenate([wrist, palm, thumb, rest])


def true_landmarks(side: str) -> np.ndarray:
    """(N,17,3) in the head frame: at rest in the world; the right hand moves in the 2nd second."""
    part = np.clip(np.arange(N) / FPS - 1.0, 0, 1)
    moved = 0.12 * (part - np.sin(2 * np.pi * part) / (2 * np.pi))
    place = np.zeros((N, 1, 3))
    place[:, 0] = [-0.1 if side == "left" else 0.1, 0.05, 0.45]
    place[:, 0, 1] -= moved if side == "right" else 0.0
    in_world = true_head()[0].apply(hand_shape(side)[None] + place)
    return true_head().inverse().apply(in_world)


def trajectory_of(pose: SE3, valid: np.ndarray) -> Trajectory:
    return Trajectory(
        tick=np.arange(N),
        timestamp_ns=times_ns(),
        world_from_head=pose.to_pose7(),
        world_from_head_valid=valid,
        tracked=valid,
        map_id=np.zeros(N, dtype=np.int32),
        sigma_m=np.full((N, 3), 0.01, dtype=np.float32),
        sigma_rad=np.full((N, 3), 0.01, dtype=np.float32),
        reason=[None if ok else "lost" for ok in valid],
    )


def hands_of(offset: float, valid: np.ndarray) -> tuple[Hands, EndEffectors]:
    hands, palms = [], []
    for side in SIDES:
        points = true_landmarks(side) + np.array([offset, 0, 0])
        state = np.where(valid, "measured", "missing").astype(object)
        same = {
            "tick": np.arange(N),
            "timestamp_ns": times_ns(),
            "side": np.full(N, side, dtype=object),
            "state": state,
            "reason": [None if ok else "not seen" for ok in valid],
        }
        hands.append(
            Hands(
                **same,
                landmarks_in_head=points.reshape(N, 51).astype(np.float32),
                landmarks_in_head_valid=valid,
                sigma_lateral_m=np.full((N, 17), 0.005, dtype=np.float32),
                sigma_ray_m=np.full((N, 17), 0.01, dtype=np.float32),
                visible=np.tile(valid[:, None], (1, 17)),
                source=np.full(N, "test", dtype=object),
            )
        )
        palms.append(
            EndEffectors(
                **same,
                head_from_palm=palm_frame(points, side).to_pose7(),
                head_from_palm_valid=valid,
                sigma_m=np.full((N, 3), 0.01, dtype=np.float32),
                sigma_rad=np.full((N, 3), 0.01, dtype=np.float32),
            )
        )
    return Hands.concat(hands), EndEffectors.concat(palms)


def write_video(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=FPS)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for k in range(N):
            image = np.full((SIZE[1], SIZE[0], 3), 60 + k, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def mark(folder: SessionFolder, room: str, stage: str, *, outputs: list[str]) -> None:
    done = Mark(stage, 1, {}, {}, hashes_of(folder, outputs), {"seen": 3}, [], 1.5)
    write_mark(folder, room, done)


def write_capture(folder: SessionFolder) -> None:
    path = Path(folder.url) / "raw/head.mp4"
    write_video(path)
    rows = f'track,start_s,end_s,text\nleft,0.5,2,"{SPOKEN}"\n'
    folder.write_bytes("raw/labels.csv", rows.encode())
    streams = tuple(
        StreamInfo(name=name, path=place, sha256=folder.sha256(place), kind=kind)
        for name, place, kind in (
            ("head", "raw/head.mp4", "video"),
            ("labels", "raw/labels.csv", "labels"),
        )
    )
    SessionInfo(
        id="anna-0001",
        operator=Operator("anna", 185.0),
        task="sort <eggs>",
        scene="desk",
        device="rig",
        consent="research",
        streams=streams,
        clock_origin=ORIGIN_NS,
    ).write(folder)
    with av.open(str(path)) as container:
        pts = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    Frames(
        stream=np.full(N, "head", dtype=object),
        frame_index=np.arange(N, dtype=np.int32),
        pts=np.array(pts, dtype=np.int64),
        timestamp_ns=times_ns(),
        reason=np.full(N, None, dtype=object),
    ).write(folder)
    Ticks(tick=np.arange(N), timestamp_ns=times_ns()).write(folder)
    camera = StreamCalibration(camera=pinhole(120.0, SIZE))
    Calibration({"head": camera}, source="test", date="2026-01-01").write(folder)
    finding = {"light": "amber", "about": "head", "text": "head: a bit dark"}
    quality = {"light": "amber", "reasons": [finding["text"]], "findings": [finding]}
    streams = {"head": {"pictures": N, "rate_hz": 30.0}}
    write_document(folder, QUALITY, {**quality, "streams": streams, "notes": ["no redactor"]})
    mark(folder, "capture", "capture", outputs=[FRAMES, TICKS, CALIBRATION, QUALITY])


def write_estimates(folder: SessionFolder) -> None:
    """A path in a turned world, lost for a while; hands beside the truth, missing at first."""
    everywhere = np.ones(N, dtype=bool)
    tracked = everywhere.copy()
    tracked[40:46] = False
    other_world = SE3(matrix_from_ypr(0.7, 0.0, 0.0), np.array([1.0, 2.0, 0.0]))
    trajectory_of(other_world @ true_head(), tracked).write(folder)
    cloud = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)
    MapPoints(
        map_id=np.zeros(20, dtype=np.int32),
        point_in_world=cloud,
        observations=np.full(20, 3, dtype=np.int32),
    ).write(folder)
    write_document(folder, SLAM_REPORT, {"scale_source": "imu", "gravity_source": "imu"})
    mark(folder, "slam", "slam", outputs=[TRAJECTORY, POINTS, SLAM_REPORT])
    Detections.empty().write(folder)
    mark(folder, "hands", "hands_detect", outputs=[DETECTIONS])
    seen = everywhere.copy()
    seen[:9] = False
    write_hands(folder, seen)


def write_hands(folder: SessionFolder, seen: np.ndarray) -> None:
    for table in hands_of(ERROR_M, seen):
        table.write(folder)
    write_document(folder, HANDS_REPORT, hands_report(float(seen.mean())))
    mark(folder, "hands", "hands", outputs=[HANDS, END_EFFECTORS, HANDS_REPORT])


def hands_report(measured: float) -> dict[str, object]:
    """Figures as the stage `hands` writes them."""
    lost = round(N * (1 - measured))
    hand = {
        "measured_share": measured,
        "interpolated_share": 0.0,
        "missing_share": 1 - measured,
        "missing_reasons": {"not seen": lost} if lost else {},
        "landmarks_in_view_share": 0.995,
        "landmarks_visible_share": None,
        "reprojection_px_median": 4.6,
        "reprojection_px_p95": 15.98,
        "speed_m_s_median": 0.175,
        "speed_m_s_p99": 0.463,
        "calm_jitter_mm": None,
        "calm_jitter_deg": None,
        "sigma_lateral_mm_median": 3.3,
        "sigma_ray_mm_median": 9.2,
        "aperture_share": 0.05,
        "aperture_mm_p05_p50_p95": [71.3, None, 89.9],
        "source_bone_spread": 0.05,
    }
    camera = {
        "located_share": 0.5,
        "looked_for": {"left": 70, "right": 2},
        "used": {"left": 24, "right": 0},
        "rejected": {"contradicts the head camera": 10, "not seen": 38},
    }
    return {
        "source": "mediapipe",
        "source_rate_hz": None,
        "scale_source": "measured",
        "hand_length_mm": 184.6,
        "hand_length_sigma_mm": 2.0,
        "ticks": N,
        "both_hands_share": measured,
        "detections": 170,
        "rejected_detections": {"bystander": 3, "duplicate": 4},
        "relabelled_detections": 1,
        "operator_sessions": None,
        "other_cameras": {
            "left_wrist": camera,
            "right_wrist": {"unused": "its place is not known"},
            "hand_length_mm_p10_p50_p90": None,
        },
        "hands": dict.fromkeys(SIDES, hand),
    }


def write_truth(folder: SessionFolder) -> None:
    everywhere = np.ones(N, dtype=bool)
    trajectory_of(true_head(), everywhere).write(folder, TRUTH)
    for table in hands_of(0.0, everywhere):
        table.write(folder, TRUTH)
    Segments(
        id=["right-0"],
        track=["right"],
        start_ns=np.array([ORIGIN_NS + 1_000_000_000]),
        end_ns=np.array([ORIGIN_NS + 2_000_000_000]),
        text=["push"],
        verb=["push"],
        object=[""],
        author=["script"],
        author_kind=["machine"],
        state=["reviewed"],
        task=[None],
        success=[None],
        revision=np.zeros(1, dtype=np.int32),
    ).write(folder, TRUTH)


@pytest.fixture
def handless(session) -> SessionFolder:
    """The same session, but no hand was ever found."""
    write_hands(session, np.zeros(N, dtype=bool))
    return session


@pytest.fixture
def session(tmp_path) -> SessionFolder:
    """A session in which every stage has run, with truth beside it."""
    folder = SessionFolder(tmp_path / "sessions" / "anna-0001")
    write_capture(folder)
    write_estimates(folder)
    write_truth(folder)
    config = AnnotateConfig()
    outcome = ANNOTATE.run(folder, config, NO_PROGRESS)
    outputs = hashes_of(folder, outcome.outputs)
    done = Mark("annotate", ANNOTATE.version, config_document(config), {}, outputs)
    write_mark(folder, "annotate", done)
    return folder
