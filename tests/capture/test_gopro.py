"""Action cameras: a GPMF track made here, byte for byte known, comes out as inertial samples in
camera axes on the pictures' clock; what cannot be right is left out and said.
"""

import json
import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.cli import main
from capture.config import CaptureConfig
from capture.gopro import read_facts
from capture.gopro_lens import LENSES, estimated_lens
from capture.gpmf import read_packets, read_settings
from capture.ingest import ingest
from capture.rig import parse_rig
from capture.stage import CAPTURE
from core.errors import BadInputError
from core.geometry.cameras import KannalaBrandt
from core.session.calibration import Calibration
from core.session.documents import read_document
from core.session.info import SessionInfo
from core.session.layout import QUALITY
from core.session.stage import NO_PROGRESS
from core.session.tables import Imu

SIZES = {"s": 2, "l": 4, "L": 4, "J": 8, "f": 4, "c": 1, "B": 1}
CODES = {"s": "h", "l": "i", "L": "I", "J": "Q", "f": "f", "B": "B"}


def klv(key: str, kind: str, values, *, per_sample: int = 1) -> bytes:
    """One entry: big-endian values of a type, or text, padded to 32 bits."""
    if kind == "c":
        data = values.encode("latin-1")
    else:
        flat = np.ravel(values).tolist()
        data = struct.pack(f">{len(flat)}{CODES[kind]}", *flat)
    size = SIZES[kind] * per_sample
    head = struct.pack(">4sBBH", key.encode(), ord(kind), size, len(data) // size)
    return head + data + bytes(-len(data) % 4)


def nested(key: str, *parts: bytes) -> bytes:
    """Entries inside an entry."""
    data = b"".join(parts)
    return struct.pack(">4sBBH", key.encode(), 0, 1, len(data)) + data


def sensor(key: str, unit: str, samples, *, total: int, scale=1000, orin="ZXY", extra=()) -> bytes:
    """A stream of (N,3) samples in stored order; ``total`` counts them since the start."""
    stored = np.rint(np.asarray(samples) * scale).astype(int)
    return nested(
        "STRM",
        klv("TSMP", "L", [total]),
        *extra,
        klv("SIUN", "c", unit),
        klv("SCAL", "s", [scale]),
        *([klv("ORIN", "c", orin)] if orin else []),
        klv(key, "s", stored, per_sample=stored.shape[1]),
    )


def packets(gyro, accel, *, per_packet: int, orin="ZXY", **units) -> list[bytes]:
    """Packets of a second each from (N,3) samples in stored order."""
    made = []
    for first in range(0, len(gyro), per_packet):
        rows = slice(first, first + per_packet)
        total = min(first + per_packet, len(gyro))
        made.append(
            nested(
                "DEVC",
                klv("DVNM", "c", "Hero7 Black"),
                sensor(
                    "ACCL", units.get("accel_unit", "m/s²"), accel[rows], total=total, orin=orin
                ),
                sensor("GYRO", units.get("gyro_unit", "rad/s"), gyro[rows], total=total, orin=orin),
                nested("STRM", klv("SROT", "f", [8.0] * 3)),
            )
        )
    return made


def write_gopro(path: Path, telemetry: list[bytes], *, seconds=4, settings=b"", step_s=1.0) -> Path:
    """An mp4 of noise at 10 pictures a second with a telemetry packet every ``step_s``.

    settings: what the camera would keep in moov/udta/GPMF.
    """
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=10)
        video.width, video.height, video.pix_fmt = 64, 36, "yuv420p"
        data = container.add_data_stream("bin_data")
        data.time_base = Fraction(1, 1000)
        for _ in range(10 * seconds):
            pixels = rng.integers(60, 160, (36, 64, 3)).astype(np.uint8)
            container.mux(video.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(video.encode())
        for k, body in enumerate(telemetry):
            packet = av.Packet(body)
            packet.pts = packet.dts = round(1000 * step_s * k)
            packet.duration, packet.time_base = round(1000 * step_s), Fraction(1, 1000)
            packet.stream = data
            container.mux(packet)
    return with_settings(path, settings) if settings else path


def with_settings(path: Path, settings: bytes) -> Path:
    """The file with a udta box at the end of its moov box, which is the last box of the file."""
    whole = path.read_bytes()
    at = whole.index(b"moov") - 4
    size = struct.unpack_from(">I", whole, at)[0]
    assert at + size == len(whole)
    inner = struct.pack(">I4s", 8 + len(settings), b"GPMF") + settings
    udta = struct.pack(">I4s", 8 + len(inner), b"udta") + inner
    path.write_bytes(whole[:at] + struct.pack(">I", size + len(udta)) + whole[at + 4 :] + udta)
    return path


# --- recordings with a known answer -------------------------------------------------------------

RATE_HZ = 100
# stored as ZXY: up, left, back; the camera has x right, y down, z forward
GYRO_STORED = np.tile([0.3, -0.2, 0.1], (4 * RATE_HZ, 1))
ACCEL_STORED = np.tile([9.81, 0.5, -0.25], (4 * RATE_HZ, 1))
GYRO_IN_CAMERA, ACCEL_IN_CAMERA = [0.2, -0.3, -0.1], [-0.5, -9.81, 0.25]
LENS = {"focal_px": 40.0}


def settings(**keys) -> bytes:
    """What the camera keeps in the GPMF box."""
    entries = [klv(key, "c", value) for key, value in keys.items()]
    return nested("DEVC", klv("DVNM", "c", "Video Global Settings"), nested("STRM", *entries))


def take(path: Path, *, gyro=GYRO_STORED, accel=ACCEL_STORED, keys=None, step_s=1.0, **units):
    """A GoPro file of four seconds with these samples in stored order."""
    body = packets(gyro, accel, per_packet=RATE_HZ, **units)
    return write_gopro(path, body, settings=settings(**keys) if keys else b"", step_s=step_s)


def ingested(source: Path, tmp_path: Path, **options):
    """The session after the stage capture, and what ingest warned of."""
    said: list[str] = []
    folder = ingest(source, tmp_path / "sessions", warn=said.append, **options)
    CAPTURE.run(folder, CaptureConfig(), NO_PROGRESS)
    return folder, said


def left_out(source: Path, tmp_path: Path) -> str:
    """Why telemetry was not used; the pictures are a session nevertheless."""
    folder, said = ingested(source, tmp_path, **LENS)
    assert Calibration.read(folder).imu is None
    assert "sync" in read_document(folder, QUALITY)
    (line,) = said
    assert line.startswith(f"{source}: telemetry left out: ")
    assert "\n" not in line
    return line


def test_samples_come_out_in_camera_axes_on_the_pictures_clock(tmp_path):
    source = take(tmp_path / "GX01.MP4")
    folder, said = ingested(source, tmp_path, **LENS)
    imu = Imu.read(folder)
    assert said == []
    assert folder.read_bytes("raw/head.mp4") == source.read_bytes()
    assert [s.name for s in SessionInfo.read(folder).streams] == ["head", "rig"]
    np.testing.assert_allclose(imu.gyro_rad_s, np.tile(GYRO_IN_CAMERA, (400, 1)), atol=1e-3)
    np.testing.assert_allclose(imu.accel_m_s2, np.tile(ACCEL_IN_CAMERA, (400, 1)), atol=1e-3)
    np.testing.assert_allclose(imu.timestamp_ns, np.arange(400) * 10_000_000, atol=1000)
    assert (read_document(folder, QUALITY)["imu"]["gravity_m_s2"]) == pytest.approx(9.826, abs=0.01)


def test_orin_says_how_axes_are_stored(tmp_path):
    stored = np.stack([GYRO_STORED[:, 2], -GYRO_STORED[:, 1], GYRO_STORED[:, 0]], axis=1)
    accel = np.stack([ACCEL_STORED[:, 2], -ACCEL_STORED[:, 1], ACCEL_STORED[:, 0]], axis=1)
    source = take(tmp_path / "GX01.MP4", gyro=stored, accel=accel, orin="YxZ")
    imu = Imu.read(ingested(source, tmp_path, **LENS)[0])
    np.testing.assert_allclose(imu.gyro_rad_s[0], GYRO_IN_CAMERA, atol=1e-3)
    np.testing.assert_allclose(imu.accel_m_s2[0], ACCEL_IN_CAMERA, atol=1e-3)


def test_packets_cut_early_or_late_do_not_bend_the_clock(tmp_path):
    """The first packet holds 80 samples, the second 120: the sensor never changed its rate."""
    body = []
    for rows in (slice(0, 80), slice(80, 200), slice(200, 300), slice(300, 400)):
        parts = (("ACCL", "m/s²", ACCEL_STORED), ("GYRO", "rad/s", GYRO_STORED))
        body.append(nested("DEVC", *(sensor(k, u, v[rows], total=rows.stop) for k, u, v in parts)))
    source = write_gopro(tmp_path / "GX01.MP4", body)
    times = Imu.read(ingested(source, tmp_path, **LENS)[0]).timestamp_ns
    steps = np.diff(times) * 1e-6
    assert (steps.min(), steps.max()) == (pytest.approx(10, abs=0.7), pytest.approx(10, abs=0.7))


def test_a_lost_packet_is_a_gap_not_a_shift(tmp_path):
    body = packets(GYRO_STORED, ACCEL_STORED, per_packet=50)
    source = write_gopro(tmp_path / "GX01.MP4", body, step_s=0.5)
    whole = Imu.read(ingested(source, tmp_path, **LENS)[0]).timestamp_ns
    lost = write_lost(tmp_path / "lost.mp4", body, lost=3)
    imu = Imu.read(ingested(lost, tmp_path, **LENS)[0])
    assert len(imu) == 350
    assert np.diff(imu.timestamp_ns).max() == pytest.approx(51 * 10_000_000, rel=1e-3)
    assert imu.timestamp_ns[-1] == pytest.approx(whole[-1], abs=1e6)


def write_lost(path: Path, body: list[bytes], *, lost: int) -> Path:
    """The packets without one, the others at their times."""
    empty = nested("DEVC", klv("DVNM", "c", "Hero7 Black"))
    return write_gopro(path, [*body[:lost], empty, *body[lost + 1 :]], step_s=0.5)


def test_the_cameras_own_stamps_win_over_packets(tmp_path):
    """From HERO8 on: the first picture was taken at 5.0 s of the camera's clock, the samples from
    5.02 s on.
    """
    body = []
    for k in range(4):
        stamp = klv("STMP", "J", [5_020_000 + 1_000_000 * k])
        rows = slice(100 * k, 100 * k + 100)
        parts = (("ACCL", "m/s²", ACCEL_STORED), ("GYRO", "rad/s", GYRO_STORED))
        shutter = nested(
            "STRM", klv("STMP", "J", [5_000_000 + 1_000_000 * k]), klv("SHUT", "f", [0.01])
        )
        sensors = (sensor(n, u, v[rows], total=rows.stop, extra=(stamp,)) for n, u, v in parts)
        body.append(nested("DEVC", *sensors, shutter))
    source = write_gopro(tmp_path / "GX01.MP4", body)
    times = Imu.read(ingested(source, tmp_path, **LENS)[0]).timestamp_ns
    np.testing.assert_allclose(times, 20_000_000 + np.arange(400) * 10_000_000, atol=1000)


def test_a_rig_can_name_a_video_as_its_inertial_sensor(tmp_path):
    folder = tmp_path / "rig"
    folder.mkdir()
    take(folder / "head.mp4")
    (folder / "rig.toml").write_text(
        '[streams.head]\nfile = "head.mp4"\nmodel = "kannala_brandt"\nsize_wh = [64, 36]\n'
        "params = [30, 30, 31.5, 17.5, 0.03, 0.06, -0.07, 0.03]\n"
        '[imu]\nfile = "head.mp4"\nhead_from_imu = [0, 0.01, 0, 1, 0, 0, 0]\n',
        encoding="utf-8",
    )
    session, _ = ingested(folder, tmp_path)
    assert len(Imu.read(session)) == 400
    write_gopro(folder / "head.mp4", [])
    with pytest.raises(BadInputError, match=r"head\.mp4: no telemetry track; give .* imu\.csv"):
        ingest(folder, tmp_path / "others")


# --- the lens -----------------------------------------------------------------------------------


def test_a_known_lens_mode_is_used_and_called_an_estimate(tmp_path):
    keys = {"MINF": "HERO7 Black", "VFOV": "W", "EISE": "N", "OREN": "U"}
    folder, said = ingested(take(tmp_path / "GX01.MP4", keys=keys), tmp_path)
    rig = parse_rig(folder.read_bytes("raw/rig.toml"), "rig.toml")
    camera = rig.streams["head"].camera
    rays, _ = camera.unproject([[-0.5, 17.5], [63.5, 17.5]])
    width_deg = np.rad2deg(np.arccos(rays[0] @ rays[1]))
    assert camera.model == "kannala_brandt"
    assert width_deg == pytest.approx(118, abs=4)  # what GoPro states for Wide at 16:9
    assert rig.streams["head"].readout_ns == 8_000_000
    assert rig.session["device"] == "HERO7 Black"
    assert "HERO7 Black Wide 16:9" in Calibration.read(folder).source
    assert any("the lens is estimated" in r for r in read_document(folder, QUALITY)["reasons"])
    assert ["the lens is estimated" in line for line in said] == [True]


def test_stabilised_pictures_are_called_so(tmp_path):
    keys = {"MINF": "HERO7 Black", "VFOV": "W", "EISE": "Y", "EISA": "HS EIS", "OREN": "D"}
    folder, said = ingested(take(tmp_path / "GX01.MP4", keys=keys), tmp_path, **LENS)
    assert "stabilised by the camera (HS EIS)" in said[0]
    assert "held turned (OREN D)" in said[1]
    assert "its Wide lens bends lines" in said[2]
    assert any("stabilised" in reason for reason in read_document(folder, QUALITY)["reasons"])


# As GoPro published it (gpmf-parser, issue 196) for a camera of the HERO11's lens, which others
# measured on a board (LENSES, Wide 8:7); the zoom is the one that fits the whole 8:7 picture.
POLY = [0, 1.8229533, 0.1068096, -0.6631866, 0.3563110, 0, 0]
WIDE_8_7_ZOOM = 0.8179


def lens_settings(*, poly=POLY, zoom=WIDE_8_7_ZOOM, extra=()) -> bytes:
    keys = (klv("POLY", "f", poly, per_sample=len(poly)), klv("ZMPL", "f", [zoom]), *extra)
    model = (klv("MINF", "c", "HERO11 Black"), klv("VFOV", "c", "W"))
    return nested("DEVC", nested("STRM", *model, *keys))


def lens_of(tmp_path, **lens):
    path = write_gopro(tmp_path / "GX01.MP4", [], settings=lens_settings(**lens), seconds=1)
    return estimated_lens(read_facts(path), (1328, 1162))


def test_a_lens_written_in_the_file_is_what_a_board_measured(tmp_path):
    camera, origin = lens_of(tmp_path)
    focal_per_width, radial = LENSES["W", "8:7"]
    focal = focal_per_width * 1328
    board = KannalaBrandt(params=(focal, focal, 663.5, 580.5, *radial), size_wh=(1328, 1162))
    uv = np.stack([np.linspace(663.5, 1327, 20), np.linspace(580.5, 1161, 20)], axis=1)
    ours, theirs = camera.unproject(uv)[0], board.unproject(uv)[0]
    apart_deg = np.rad2deg(np.arccos(np.clip(np.sum(ours * theirs, axis=1), -1, 1)))
    assert origin == "HERO11 Black Wide, the model's lens in the file"
    assert apart_deg[:-3].max() < 0.15
    assert apart_deg.max() < 0.6  # the very corner, which the board hardly reached


@pytest.mark.parametrize(
    "lens",
    [
        {"extra": (klv("MAPX", "f", [1.5, -8.1, 74.5], per_sample=3),)},
        {"extra": (klv("ARUW", "f", [1.143]), klv("ARWA", "f", [1.778]))},
        {"extra": (klv("ZFOV", "f", [90.0]),)},
        {"poly": [0, 1.8, -3.0, 0, 0, 0, 0]},
        {"zoom": -1.0},
    ],
)
def test_a_stretched_or_doubtful_polynomial_gives_way_to_the_table(tmp_path, lens):
    _, origin = lens_of(tmp_path, **lens)
    assert origin == "HERO11 Black Wide 8:7, from HERO10/11 boards"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"MINF": "HERO9 Black", "VFOV": "S"}, "HERO9 Black with lens mode SuperView"),
        ({"MINF": "HERO9 Black"}, "HERO9 Black with no lens mode in its file"),
        (None, "an action camera with no lens mode in its file: no intrinsics known for it"),
    ],
)
def test_a_lens_that_is_not_known_is_asked_for(tmp_path, keys, message):
    with pytest.raises(BadInputError, match=message):
        ingest(take(tmp_path / "GX01.MP4", keys=keys), tmp_path / "sessions")


# --- telemetry that cannot be right -------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gyro_unit": "deg/s"}, "GYRO is in 'deg/s', not rad/s"),
        ({"orin": ""}, "axes of its sensor are not known"),
        ({"orin": "XXZ"}, "axes of its sensor are not known (ORIN 'XXZ'"),
        ({"accel": ACCEL_STORED[:, :2]}, "ACCL has 2 axes, not 3"),
        ({"gyro": GYRO_STORED[:1], "accel": ACCEL_STORED[:1]}, "1 telemetry packets are too few"),
    ],
)
def test_telemetry_without_use_leaves_the_pictures(tmp_path, change, message):
    assert message in left_out(take(tmp_path / "GX01.MP4", **change), tmp_path)


def test_an_ordinary_video_has_nothing_to_leave_out(tmp_path):
    folder, said = ingested(write_gopro(tmp_path / "phone.mp4", []), tmp_path, **LENS)
    assert (said, Calibration.read(folder).imu) == ([], None)


def test_a_packet_that_is_cut_off_is_named(tmp_path):
    body = packets(GYRO_STORED, ACCEL_STORED, per_packet=RATE_HZ)
    body[2] = body[2][:700]
    source = write_gopro(tmp_path / "GX01.MP4", body)
    assert "telemetry packet 2 (at 2.000 s) is cut off in 'DEVC'" in left_out(source, tmp_path)


def test_repeated_and_interleaved_packets_are_named(tmp_path):
    body = packets(GYRO_STORED, ACCEL_STORED, per_packet=RATE_HZ)
    source = write_gopro(tmp_path / "GX01.MP4", [body[0], body[2], body[1], body[3]])
    assert "GYRO samples at 2.000 s are counted before those above" in left_out(source, tmp_path)


def test_streams_without_samples_are_named(tmp_path):
    empty = [nested("DEVC", nested("STRM", klv("GYRO", "s", [], per_sample=3)))] * 4
    source = write_gopro(tmp_path / "GX01.MP4", empty)
    assert "no GYRO samples in the telemetry track" in left_out(source, tmp_path)


def test_a_damaged_settings_box_leaves_the_pictures(tmp_path):
    broken = settings(MINF="HERO7 Black")[:-9]
    source = write_gopro(
        tmp_path / "GX01.MP4",
        packets(GYRO_STORED, ACCEL_STORED, per_packet=RATE_HZ),
        settings=broken,
    )
    assert "the settings (GPMF box) is cut off" in left_out(source, tmp_path)


def test_the_command_says_what_it_left_out(tmp_path, capsys):
    body = packets(GYRO_STORED, ACCEL_STORED, per_packet=RATE_HZ, gyro_unit="deg/s")
    source = write_gopro(tmp_path / "GX01.MP4", body)
    where = ["--into", str(tmp_path / "s"), "--focal-px", "40"]
    assert main(["ingest", str(source), *where]) == 0
    assert "warning: " in (said := capsys.readouterr()).err
    assert "deg/s" in said.err
    assert main(["ingest", str(source), *where, "--json"]) == 0
    assert "deg/s" in json.loads(capsys.readouterr().out)["warnings"][0]


def test_a_real_recording_has_gravity_down_and_says_it_was_stabilised(recordings, tmp_path):
    source = recordings / "gopro/hero7.mp4"
    said: list[str] = []
    folder = ingest(source, tmp_path / "sessions", warn=said.append)
    CAPTURE.run(folder, CaptureConfig(decode_all=False, samples=4), NO_PROGRESS)
    imu = Imu.read(folder)
    assert len(imu) == 2175
    up = np.mean(imu.accel_m_s2, axis=0)
    assert np.rad2deg(np.arccos(-up[1] / np.linalg.norm(up))) < 10  # the walker looks ahead
    assert np.diff(imu.timestamp_ns).max() < 6e6
    assert "stabilised by the camera (HS EIS)" in said[0]
    assert read_settings(source)["MINF"].text() == "HERO7 Black"
    assert len(read_packets(source)) == 11
