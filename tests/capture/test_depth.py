"""A depth stream from the rig folder to metres."""

from fractions import Fraction

import av
import numpy as np
import pytest

from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.errors import BadInputError
from core.session.calibration import Calibration
from core.session.depth import depth_pictures, depth_streams
from core.session.documents import read_document
from core.session.info import SessionInfo
from core.session.layout import QUALITY
from core.session.stage import NO_PROGRESS

SIZE = (64, 48)
CAMERA = 'model = "pinhole_radtan"\nparams = [60.0, 60.0, 31.5, 23.5, 0, 0, 0, 0]\n'


def levels(k):
    """Picture k: a slope from 500 mm, with a hole in the corner, half as a Kinect writes it."""
    depth = (500 + 10 * k + np.arange(48)[:, None] * 7 + np.arange(64)).astype(np.uint16)
    depth[:4, :4] = 0
    depth[:2, :4] = 65535
    return depth


def write_depth(path, *, codec="ffv1", pix_fmt="gray16le", n=10):
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=10)
        stream.width, stream.height, stream.pix_fmt = *SIZE, pix_fmt
        stream.codec_context.time_base = Fraction(1, 1000)
        for k in range(n):
            frame = av.VideoFrame.from_ndarray(levels(k), format="gray16le")
            frame.pts, frame.time_base = 100 * k, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


def rig(extra="depth_unit_m = 0.001\n", head_extra=""):
    head = f'[streams.head]\nfile = "head.mp4"\n{CAMERA}size_wh = [64, 48]\n{head_extra}'
    depth = f'[streams.head_depth]\nfile = "head_depth.mkv"\n{CAMERA}size_wh = [64, 48]\n'
    return f"{head}{depth}{extra}"


@pytest.fixture
def take(tmp_path, video):
    """A rig folder with a head camera and a depth camera; give it the text of rig.toml."""

    def make(text, **depth):
        folder = tmp_path / "take"
        folder.mkdir()
        video(folder / "head.mp4")
        write_depth(folder / "head_depth.mkv", **depth)
        (folder / "rig.toml").write_text(text, encoding="utf-8")
        return folder

    return make


def test_levels_come_back_as_metres(take, tmp_path):
    session = ingest(take(rig()), tmp_path / "sessions")
    CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
    assert depth_streams(session) == ["head_depth"]
    assert SessionInfo.read(session).stream("head_depth").kind == "depth"
    assert Calibration.read(session).stream("head_depth").depth_unit_m == 0.001
    seen = list(depth_pictures(session, "head_depth"))
    assert [p.timestamp_ns for p in seen] == [100_000_000 * k for k in range(10)]
    for k, picture in enumerate(seen):
        expected = np.where(levels(k) % 65535 > 0, levels(k) * 1e-3, np.nan)
        np.testing.assert_allclose(picture.depth_m, expected, rtol=1e-6)


def test_depth_is_not_judged_as_a_picture(take, tmp_path):
    session = ingest(take(rig()), tmp_path / "sessions")
    CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
    quality = read_document(session, QUALITY)
    assert quality["streams"]["head_depth"]["pictures"] == 10
    assert not [r for r in quality["reasons"] if r.startswith("head_depth")]


def test_depth_turns_with_the_picture(take, tmp_path):
    folder = take(rig("depth_unit_m = 0.001\nrotate = 90\n", "rotate = 90\n"))
    session = ingest(folder, tmp_path / "sessions")
    CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
    first = next(iter(depth_pictures(session, "head_depth")))
    assert first.depth_m.shape == (64, 48)
    assert np.isnan(first.depth_m[0, -1])  # the hole was top left
    assert first.depth_m[-1, 0] == pytest.approx(levels(0)[-1, -1] * 1e-3)


def test_lossy_pictures_are_no_depth(take, tmp_path):
    folder = take(rig(), codec="libx264", pix_fmt="yuv420p")
    with pytest.raises(BadInputError, match=r"head_depth.mkv: depth in yuv420p.*ffv1"):
        ingest(folder, tmp_path / "sessions")


@pytest.mark.parametrize(
    ("text", "cure"),
    [
        (rig("depth_unit_m = 1.0\n"), "metres per grey level"),
        (rig(head_extra="depth_unit_m = 0.001\n"), "name the depth head_depth"),
    ],
)
def test_units_that_cannot_be_are_refused(take, tmp_path, text, cure):
    with pytest.raises(BadInputError, match=cure):
        ingest(take(text), tmp_path / "sessions")


def test_the_picture_stream_is_no_depth(take, tmp_path):
    session = ingest(take(rig()), tmp_path / "sessions")
    CAPTURE.run(session, CaptureConfig(), NO_PROGRESS)
    with pytest.raises(BadInputError, match="no depth"):
        next(iter(depth_pictures(session, "head")))
