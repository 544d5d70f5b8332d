"""The room on real recordings: EuRoC as head camera + IMU, one ego video, two action cameras."""

import numpy as np
import pytest

from benchmarks.euroc import read_truth, write_rig
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.geometry.se3 import interpolate
from core.session.calibration import Calibration
from core.session.documents import read_document
from core.session.frames import open_frames
from core.session.layout import QUALITY
from core.session.stage import NO_PROGRESS
from core.session.tables import Imu, Ticks


@pytest.fixture
def euroc(recordings):
    return recordings / "euroc_mh05_partA"


def test_euroc_has_its_stamps_and_gravity_points_down(euroc, tmp_path):
    folder = ingest(write_rig(euroc, tmp_path / "rig"), tmp_path / "sessions")
    outcome = CAPTURE.run(folder, CaptureConfig(), NO_PROGRESS)
    assert outcome.warnings == []
    ticks, imu, calibration = Ticks.read(folder), Imu.read(folder), Calibration.read(folder)
    assert len(ticks) == 292
    assert ticks.timestamp_ns[0] == 1403638538577829376  # not a nanosecond lost to a float
    times, world_from_head = read_truth(euroc)
    world_from_imu, valid = interpolate(times, world_from_head, imu.timestamp_ns)
    world_from_imu = world_from_imu @ calibration.imu.head_from_imu
    mean = world_from_imu.rotate(imu.accel_m_s2)[valid].mean(axis=0)
    np.testing.assert_allclose(mean, [0, 0, 9.81], atol=0.15)


def test_euroc_pictures_are_the_original_ones(euroc, tmp_path):
    """Every 100th original PNG lies beside the video: same picture, so same index and time."""
    import cv2

    folder = ingest(write_rig(euroc, tmp_path / "rig"), tmp_path / "sessions")
    CAPTURE.run(folder, CaptureConfig(decode_all=False), NO_PROGRESS)
    originals = sorted((euroc / "cam0_original_png").glob("*.png"))
    assert originals
    with open_frames(folder, "head") as frames:
        for path in originals:
            grey = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE).astype(float)
            frame = frames.near(int(path.stem)) if path.stem.isdigit() else None
            assert frame is not None, path
            assert frame.timestamp_ns == int(path.stem)
            assert np.abs(frame.image_rgb.mean(axis=2) - grey).mean() < 6


@pytest.mark.parametrize(
    ("name", "options", "pictures", "light"),
    [
        ("ego_video/egodex_sample.mp4", {"intrinsics": (736.63, 736.63, 960, 540)}, 94, "green"),
        (
            "gopro/hero7.mp4",
            {},
            352,
            "amber",
        ),  # trimmed: its telemetry ends 0.7 s before the pictures
        ("gopro/karma_hero5.mp4", {"fov_deg": 72.0}, 362, "amber"),
    ],
)
def test_one_real_video_is_a_session(recordings, tmp_path, name, options, pictures, light):
    folder = ingest(recordings / name, tmp_path / "sessions", **options)
    outcome = CAPTURE.run(folder, CaptureConfig(), NO_PROGRESS)
    assert outcome.counts == {"pictures": pictures, "ticks": pictures}
    assert read_document(folder, QUALITY)["light"] == light
