"""A real RGB-D recording through ingest, the stage and the mesh."""

from fractions import Fraction

import av
import cv2
import numpy as np
import pytest

from app.cli import main
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.errors import BadInputError
from core.geometry.metrics import ate_rmse
from core.session.documents import read_document
from core.session.layout import SLAM_REPORT
from core.session.stage import NO_PROGRESS
from core.session.tables import Trajectory
from slam.config import SlamConfig
from slam.output.session_mesh import mesh_of
from slam.stage import SLAM

FRAMES = range(100, 201)
CAMERA = """model = "pinhole_radtan"
params = [585.0, 585.0, 320.0, 240.0, 0, 0, 0, 0]
size_wh = [640, 480]
"""


def write_video(path, frames, *, codec, kind, stamps_ms):
    with av.open(str(path), "w") as container:
        options = {"crf": "12", "preset": "ultrafast"} if codec == "libx264" else {}
        stream = container.add_stream(codec, rate=1000, options=options)
        stream.width, stream.height = 640, 480
        stream.pix_fmt = "yuv420p" if codec == "libx264" else "gray16le"
        stream.codec_context.time_base = Fraction(1, 1000)
        for image, stamp in zip(frames, stamps_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(image, format=kind)
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


@pytest.fixture
def session(recordings, tmp_path):
    """Three seconds of a room with depth at every tenth picture."""
    folder, rig = recordings / "rgbd_7scenes_A", tmp_path / "rig"
    if not folder.is_dir():
        pytest.skip("rgbd_7scenes_A is not there")
    rig.mkdir()
    colours = (cv2.imread(str(folder / f"frame-{k:06d}.color.jpg"))[..., ::-1] for k in FRAMES)
    stamps = [33 * (k - FRAMES[0]) for k in FRAMES]
    write_video(rig / "head.mp4", map(np.ascontiguousarray, colours), codec="libx264",
                kind="rgb24", stamps_ms=stamps)  # fmt: skip
    depths = (cv2.imread(str(folder / f"frame-{k:06d}.depth.png"), -1) for k in FRAMES[::10])
    write_video(rig / "head_depth.mkv", depths, codec="ffv1", kind="gray16le",
                stamps_ms=stamps[::10])  # fmt: skip
    (rig / "rig.toml").write_text(
        f'[streams.head]\nfile = "head.mp4"\n{CAMERA}'
        f'[streams.head_depth]\nfile = "head_depth.mkv"\n{CAMERA}depth_unit_m = 0.001\n',
        encoding="utf-8",
    )
    made = ingest(rig, tmp_path / "sessions", session_id="rgbd-room")
    CAPTURE.run(made, CaptureConfig(), NO_PROGRESS)
    return made


def test_depth_makes_a_phone_recording_metric_and_a_mesh(session, recordings, tmp_path, capsys):
    with pytest.raises(BadInputError, match="no trajectory"):
        mesh_of(session, voxel_m=0.03, max_m=4.0)
    assert "raw/head_depth.mkv" in SLAM.inputs(session, SlamConfig())
    SLAM.run(session, SlamConfig(), NO_PROGRESS)
    path = Trajectory.read(session)
    assert read_document(session, SLAM_REPORT)["scale_source"] == "depth"
    assert path.tracked.all()
    assert np.isfinite(path.sigma_m).all()
    truth = [np.loadtxt(recordings / "rgbd_7scenes_A" / f"frame-{k:06d}.pose.txt") for k in FRAMES]
    position = np.stack(truth)[:, :3, 3]
    assert ate_rmse(path.world_from_head[:, :3], position, align="se3") < 0.04

    out = tmp_path / "room.ply"
    assert main(["slam", "mesh", session.url, "--out", str(out), "--voxel-mm", "30"]) == 0
    assert "triangles" in capsys.readouterr().out
    mesh = mesh_of(session, voxel_m=0.03, max_m=4.0)
    assert len(mesh.faces) > 5000
    assert out.stat().st_size > 12 * len(mesh.vertices)


def test_depth_can_be_left_out(session):
    assert "raw/head_depth.mkv" not in SLAM.inputs(session, SlamConfig(use_depth=False))
