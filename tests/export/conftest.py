"""Finished sessions whose every number is known, written with the session's own tables."""

import av
import numpy as np
import pytest

from core.geometry.pinhole import PinholeRadtan
from core.session.calibration import Calibration, StreamCalibration
from core.session.documents import write_document
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.layout import CALIBRATION, HANDS_REPORT, SLAM_REPORT
from core.session.marks import Mark, config_document, hashes_of, write_mark
from core.session.storage import SessionFolder
from core.session.tables import (
    Detections,
    EndEffectors,
    Frames,
    Hands,
    Segments,
    Ticks,
    Trajectory,
)
from pipeline.look import current_inputs
from pipeline.stages import all_stages, in_order

ORIGIN_NS = 7_000_000_000
WIDTH, HEIGHT = 96, 64
HAND_SPEED = 0.2  # m/s along x of the head frame, left hand; the right one goes the other way
HEAD_SPEED = 0.1  # m/s along x of the world


def grey_of(frame):
    return 20 + (frame % 55) * 4


def write_video(path, frames, *, offset=0, size_wh=(WIDTH, HEIGHT)):
    """Flat grey frames that name themselves."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height = size_wh
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "10", "bf": "0"}
        for index in range(frames):
            image = np.full((size_wh[1], size_wh[0], 3), grey_of(index) + offset, dtype=np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())


def texts(values):
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def frames_table(streams, stamps):
    count = len(stamps)
    base = 512  # the muxer's time base is 1/15360 s at 30 fps
    return Frames(
        stream=texts([name for name in streams for _ in range(count)]),
        frame_index=np.tile(np.arange(count, dtype=np.int32), len(streams)),
        pts=np.tile(np.arange(count, dtype=np.int64) * base, len(streams)),
        timestamp_ns=np.tile(stamps, len(streams)),
        reason=texts([None] * count * len(streams)),
    )


def hands_tables(stamps, lost):
    """lost: side -> frames in which the hand is not there."""
    count = len(stamps)
    ends, hands = [], []
    for side, sign in (("left", 1.0), ("right", -1.0)):
        valid = ~np.isin(np.arange(count), list(lost.get(side, ())))
        pose = np.zeros((count, 7))
        pose[:, 0] = sign * HAND_SPEED * (stamps - stamps[0]) / 1e9
        pose[:, 2], pose[:, 3] = 0.4, 1.0
        shared = {
            "tick": np.arange(count),
            "timestamp_ns": stamps,
            "side": texts([side] * count),
            "state": texts(["measured" if ok else "missing" for ok in valid]),
            "reason": texts([None if ok else "not seen" for ok in valid]),
        }
        sigma = np.full((count, 3), 0.01, dtype=np.float32)
        ends.append(
            EndEffectors(
                head_from_palm=pose,
                head_from_palm_valid=valid,
                sigma_m=sigma,
                sigma_rad=sigma,
                **shared,
            )
        )
        points = np.tile(pose[:, :3], (1, 17)).astype(np.float32)
        hands.append(
            Hands(
                landmarks_in_head=points,
                landmarks_in_head_valid=valid,
                sigma_lateral_m=np.full((count, 17), 0.005, dtype=np.float32),
                sigma_ray_m=np.full((count, 17), 0.01, dtype=np.float32),
                visible=np.ones((count, 17), dtype=bool),
                source=texts(["test"] * count),
                **shared,
            )
        )
    return EndEffectors.concat(ends), Hands.concat(hands)


def trajectory_table(stamps, maps):
    count = len(stamps)
    pose = np.zeros((count, 7))
    # camera looks along +x of the world: right = -y, down = -z
    pose[:, 3:] = [0.5, -0.5, 0.5, -0.5]
    pose[:, 0] = HEAD_SPEED * (stamps - stamps[0]) / 1e9
    return Trajectory(
        tick=np.arange(count),
        timestamp_ns=stamps,
        world_from_head=pose,
        world_from_head_valid=np.ones(count, dtype=bool),
        tracked=np.ones(count, dtype=bool),
        map_id=np.asarray(maps, dtype=np.int32),
        sigma_m=np.zeros((count, 3), dtype=np.float32),
        sigma_rad=np.zeros((count, 3), dtype=np.float32),
        reason=texts([None] * count),
    )


def segments_table(rows):
    """rows: (track, start_s, end_s, text, state, task, success)."""
    if not rows:
        return Segments.empty()
    count = len(rows)
    column = lambda k: texts([row[k] for row in rows])  # noqa: E731
    return Segments(
        id=texts([f"segment-{i}" for i in range(count)]),
        track=column(0),
        start_ns=np.array([ORIGIN_NS + round(row[1] * 1e9) for row in rows]),
        end_ns=np.array([ORIGIN_NS + round(row[2] * 1e9) for row in rows]),
        text=column(3),
        verb=texts([""] * count),
        object=texts([""] * count),
        author=texts(["anna"] * count),
        author_kind=texts(["human"] * count),
        state=column(4),
        confidence=np.full(count, np.nan, dtype=np.float32),
        confidence_valid=np.zeros(count, dtype=bool),
        task=column(5),
        success=column(6),
        revision=np.zeros(count, dtype=np.int32),
    )


def mark_all(folder):
    """Mark every stage as done, as the runner would, with what lies in its room."""
    standing = {}
    for stage in in_order(all_stages()):
        made = [p for p in folder.ls(stage.room) if "_done" not in p]
        config = stage.config_type()
        inputs = current_inputs(folder, stage, config=config, needed=standing)
        document = config_document(config)
        mark = Mark(stage.name, stage.version, document, inputs, hashes_of(folder, made))
        write_mark(folder, stage.room, mark)
        standing[stage.name] = mark


def make_session(
    root,
    name="anna-0001",
    *,
    seconds=3.0,
    rate_hz=30,
    cameras=("head",),
    lost=None,
    maps=None,
    segments=(),
    slam=None,
    size_wh=(WIDTH, HEIGHT),
):
    """A session folder with all stages done; returns it."""
    folder = SessionFolder(root / name)
    count = round(seconds * rate_hz)
    stamps = ORIGIN_NS + np.round(np.arange(count) * 1e9 / rate_hz).astype(np.int64)
    for number, camera in enumerate(cameras):
        write_video(root / name / f"raw/{camera}.mp4", count, offset=number, size_wh=size_wh)
    SessionInfo(
        id=name,
        operator=Operator("anna"),
        task="sort the eggs",
        scene="desk",
        device="rig",
        consent="research",
        streams=tuple(
            StreamInfo(c, f"raw/{c}.mp4", folder.sha256(f"raw/{c}.mp4"), "video") for c in cameras
        ),
        clock_origin=ORIGIN_NS,
    ).write(folder)
    camera = PinholeRadtan(params=(80.0, 80.0, 47.5, 31.5, 0, 0, 0, 0), size_wh=size_wh)
    calibration = Calibration({c: StreamCalibration(camera) for c in cameras}, source="test")
    calibration.write(folder)
    assert folder.exists(CALIBRATION)
    frames_table(cameras, stamps).write(folder)
    Ticks(tick=np.arange(count), timestamp_ns=stamps).write(folder)
    for table in hands_tables(stamps, lost or {}):
        table.write(folder)
    trajectory_table(stamps, np.zeros(count) if maps is None else maps).write(folder)
    segments_table(list(segments)).write(folder)
    write_document(folder, SLAM_REPORT, slam or {"scale_source": "imu", "gravity_source": "imu"})
    write_document(folder, HANDS_REPORT, {"scale_source": "prior"})
    Detections.empty().write(folder)
    mark_all(folder)
    return folder


@pytest.fixture(scope="session", name="make_session")
def session_maker():
    return make_session


@pytest.fixture(scope="session", name="grey_of")
def grey_maker():
    return grey_of
