"""A hand whose pose is known, seen by known cameras as a perfect or a noisy detector would."""

from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np
import pytest

from core.geometry.cameras import camera_from_dict
from core.geometry.rotations import matrix_from_rotvec
from core.session.calibration import Calibration, StreamCalibration
from core.session.frames import open_video
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.marks import Mark, hashes_of, write_mark
from core.session.storage import SessionFolder
from core.session.tables import Detections, Frames, Ticks
from hands.model.evidence import MIRROR, landmark_mixing, turn_to
from hands.model.kinematics import ANGLE_MEAN
from hands.model.poses import HandPoses
from hands.model.proportions import hand_shape
from hands.sources import SourceHands

LENGTH_MM = 190.0
CAMERAS = {
    "pinhole": {
        "model": "pinhole_radtan",
        "params": [600.0, 610.0, 322.0, 238.0, -0.2, 0.05, 0.001, -0.001],
        "size_wh": [640, 480],
    },
    "kannala_brandt": {
        "model": "kannala_brandt",
        "params": [300.0, 300.0, 320.0, 240.0, 0.01, -0.002, 0.001, 0.0],
        "size_wh": [640, 480],
    },
    "fisheye624": {
        "model": "fisheye624",
        "params": [
            610.0, 704.0, 703.0, 0.4, -0.4, 0.2, 0.1, -0.1, 0.02, 2e-4, -2e-4, 1e-4, 1e-4, 0.0, 0.0
        ],
        "size_wh": [1408, 1408],
    },
}  # fmt: skip
# a palm seen from its back, fingers up and away: as the wearer's right hand looks to them
PALM_AWAY = np.array([[0.0, 1.0, 0.0], [-0.9, 0.0, 0.4358899], [0.4358899, 0.0, 0.9]])


@dataclass(frozen=True, eq=False)
class KnownHand:
    """T ticks. joints: ``(T,21,3)`` in the camera.   poses: of the right hand in the mirror for
    "left".
    """

    side: str
    joints: np.ndarray
    poses: HandPoses

    def seen_by(self, camera, *, noise_px=0.0, rng=None, label=None, rows=None) -> SourceHands:
        """What a detector says of it; its 3D guess is 8 % too large, as MediaPipe's tends to be."""
        points = landmark_mixing() @ self.joints
        px, valid = camera.project(points)
        assert valid.all()
        if noise_px:
            px = px + rng.normal(0.0, noise_px, px.shape)
        rays, _ = camera.unproject(px)
        centre = rays.mean(axis=1)
        centre /= np.linalg.norm(centre, axis=1, keepdims=True)
        upright = 1.08 * (points - points.mean(axis=1, keepdims=True)) @ turn_to(centre)
        count = len(points)
        left = np.full(count, 0.95 if (label or self.side) == "left" else 0.05)
        rows = np.arange(count) if rows is None else np.asarray(rows)
        return SourceHands(rows.astype(np.int64), left, px, upright)


def known_hand(side="right", *, position, turn=None, angles=None) -> KnownHand:
    """A hand at positions ``(T,3)`` of its wrist, its palm turned by rotation vectors ``(T,3)``."""
    position = np.atleast_2d(np.asarray(position, dtype=np.float64))
    count = len(position)
    mirror = MIRROR if side == "left" else np.ones(3)
    turn = np.zeros((count, 3)) if turn is None else np.asarray(turn)
    angles = np.tile(ANGLE_MEAN, (count, 1)) if angles is None else np.asarray(angles)
    poses = HandPoses(matrix_from_rotvec(turn) @ PALM_AWAY, position * mirror, angles)
    return KnownHand(side, poses.joints(hand_shape(LENGTH_MM)) * mirror, poses)


def merged(*parts: SourceHands) -> SourceHands:
    """Detections of several hands in one table, by row."""
    names = ("row", "left_label", "raw21_px", "raw21_in_hand")
    columns = {name: np.concatenate([getattr(p, name) for p in parts]) for name in names}
    order = np.argsort(columns["row"], kind="stable")
    return SourceHands(*(columns[name][order] for name in names))


def write_video(path, images):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=30)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        stream.codec_context.time_base = Fraction(1, 30)
        for image in images:
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def session_of_images(root, images, *, hand_length_mm=None, camera=None):
    """The least session the hand stages need."""
    (root / "raw").mkdir(parents=True)
    write_video(root / "raw" / "head.mp4", images)
    folder = SessionFolder(root)
    height, width = images[0].shape[:2]
    streams = (StreamInfo("head", "raw/head.mp4", folder.sha256("raw/head.mp4"), "video"),)
    SessionInfo(
        "test-session", Operator("anna", hand_length_mm), "", "", "", "research", streams
    ).write(folder)
    frames = open_video(root / "raw" / "head.mp4")
    count, stamps = len(frames), frames.timestamps_ns + 5_000_000_000
    Frames(
        stream=np.full(count, "head", dtype=object),
        frame_index=frames.frame_index,
        pts=frames.pts,
        timestamp_ns=stamps,
        reason=np.full(count, None, dtype=object),
    ).write(folder)
    Ticks(tick=np.arange(count, dtype=np.int64), timestamp_ns=stamps).write(folder)
    default = {
        "model": "pinhole_radtan",
        "params": [600.0, 600.0, width / 2, height / 2, 0, 0, 0, 0],
        "size_wh": [width, height],
    }
    Calibration(
        {"head": StreamCalibration(camera or camera_from_dict(default))},
        source="test",
        date="2026-01-01",
    ).write(folder)
    return folder


def blank_images(count, size=(320, 240)):
    return [np.full((size[1], size[0], 3), 90, dtype=np.uint8)] * count


def detections_of_source(folder, source):
    count = len(source)
    px = source.raw21_px.reshape(count, 42)
    Detections(
        stream=np.full(count, "head", dtype=object),
        tick=source.row,
        side=np.where(source.left_label > 0.5, "left", "right").astype(object),
        score=np.maximum(source.left_label, 1 - source.left_label).astype(np.float32),
        box_xyxy_px=np.hstack([source.raw21_px.min(1), source.raw21_px.max(1)]).astype(np.float32),
        raw21_px=px.astype(np.float32),
        raw21_in_hand=source.raw21_in_hand.reshape(count, 63).astype(np.float32),
        raw21_in_hand_valid=np.ones(count, dtype=bool),
    ).write(folder)  # fmt: skip


@pytest.fixture
def camera():
    return camera_from_dict(CAMERAS["pinhole"])


@pytest.fixture(params=sorted(CAMERAS))
def any_camera(request):
    return camera_from_dict(CAMERAS[request.param])


@pytest.fixture
def hand():
    """`known_hand`."""
    return known_hand


@pytest.fixture
def merge():
    """`merged`."""
    return merged


@pytest.fixture
def rng():
    return np.random.default_rng(7)


@pytest.fixture
def length_mm():
    """Length of every known hand."""
    return LENGTH_MM


@pytest.fixture
def make_session():
    """`session_of_images`."""
    return session_of_images


@pytest.fixture
def blank():
    """`blank_images`."""
    return blank_images


@pytest.fixture
def slam_done():
    """Leave the mark of a finished stage `slam` that made these paths of a folder."""

    def mark(folder, *paths):
        write_mark(folder, "slam", Mark("slam", 1, {}, {}, hashes_of(folder, list(paths))))

    return mark


@pytest.fixture
def write_detections():
    """`detections_of_source`."""
    return detections_of_source
