"""Small recordings made on the fly: a video whose every picture is known, and whole rig folders."""

import csv
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

SIZE = (64, 48)
PARAMS = [60.0, 60.0, 31.5, 23.5, 0, 0, 0, 0]
CAMERA = f'model = "pinhole_radtan"\nparams = {PARAMS}\nsize_wh = [64, 48]\n'


def write_video(path: Path, *, times_ms=None, size=SIZE, options=None) -> Path:
    """H.264 with one picture per time; picture k is noise around grey 100 + k."""
    times = np.arange(20) * 50 if times_ms is None else np.asarray(times_ms)
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream("libx264", rate=1000)
        stream.width, stream.height = size
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"preset": "ultrafast", "g": "8"}
        for k, time in enumerate(times):
            noise = rng.integers(-40, 40, (size[1], size[0], 3))
            pixels = np.clip(100 + k + noise, 0, 255).astype(np.uint8)
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = int(time), Fraction(1, 1000)
            for packet in stream.encode(frame):
                container.mux(packet)
        for packet in stream.encode():
            container.mux(packet)
    return path


def write_imu(path: Path, *, seconds=1.0, rate_hz=200, start_ns=0, scale=1.0, gyro=0.1) -> Path:
    """A still sensor, z up: specific force of 9.81 m/s² times ``scale``."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([
            "timestamp_ns",
            "gyro_x",
            "gyro_y",
            "gyro_z",
            "accel_x",
            "accel_y",
            "accel_z",
        ])
        for k in range(int(seconds * rate_hz) + 1):
            stamp = start_ns + round(k * 1e9 / rate_hz)
            wobble = 0.01 * np.sin(k)
            writer.writerow([stamp, gyro, wobble, 0, 0.1, wobble, 9.81 * scale + wobble])
    return path


def write_stamps(path: Path, stamps) -> Path:
    """A timestamps file as rig.toml names it."""
    path.write_text("\n".join(["timestamp_ns", *map(str, stamps)]) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def rig_folder(tmp_path) -> Callable[..., Path]:
    """A rig folder with head, left wrist and IMU; keywords replace or add pieces of rig.toml."""

    def make(*, head="", extra="", imu=True, wrist=True, session="", name="take") -> Path:
        folder = tmp_path / name
        folder.mkdir()
        write_video(folder / "head.mp4")
        text = f'[session]\noperator = "anna"\ntask = "pack"\nconsent = "research"\n{session}\n'
        text += f'[streams.head]\nfile = "head.mp4"\n{CAMERA}{head}\n'
        if wrist:
            write_video(folder / "left_wrist.mp4", times_ms=np.arange(20) * 50 + 7)
            text += f'[streams.left_wrist]\nfile = "left_wrist.mp4"\n{CAMERA}\n'
        if imu:
            write_imu(folder / "imu.csv")
            text += '[imu]\nfile = "imu.csv"\nhead_from_imu = [0, 0, 0, 1, 0, 0, 0]\n'
            text += "gyro_noise_rad_s_sqrthz = 1e-3\ngyro_walk_rad_s2_sqrthz = 1e-4\n"
            text += "accel_noise_m_s2_sqrthz = 1e-2\naccel_walk_m_s3_sqrthz = 1e-3\n"
        (folder / "rig.toml").write_text(text + extra, encoding="utf-8")
        return folder

    return make


@pytest.fixture
def video():
    """``write_video``: tests cannot import from one another."""
    return write_video


@pytest.fixture
def imu_csv():
    """``write_imu``."""
    return write_imu


@pytest.fixture
def stamps_csv():
    """``write_stamps``."""
    return write_stamps
