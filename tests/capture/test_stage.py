"""The stage CAPTURE on small recordings whose every time is known."""

import numpy as np
import pytest

from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.stage import CAPTURE
from core.errors import BadInputError
from core.geometry.rotations import matrix_from_rotvec
from core.session.calibration import Calibration
from core.session.documents import read_document
from core.session.frames import open_frames
from core.session.layout import IMU, QUALITY
from core.session.stage import NO_PROGRESS
from core.session.tables import Frames, Imu, Ticks

T0 = 1_403_638_518_577_829_376


def run(folder, config=None):
    return CAPTURE.run(folder, config or CaptureConfig(), NO_PROGRESS)


def captured(source, tmp_path):
    folder = ingest(source, tmp_path / "sessions")
    return folder, run(folder)


def edit(path, old, new):
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_a_clean_recording_becomes_tables(rig_folder, tmp_path):
    folder, outcome = captured(rig_folder(), tmp_path)
    frames, ticks, imu = Frames.read(folder), Ticks.read(folder), Imu.read(folder)
    assert len(frames) == 40
    assert not frames.valid_of("reason").any()
    np.testing.assert_array_equal(ticks.timestamp_ns, np.arange(20) * 50_000_000)
    np.testing.assert_array_equal(ticks.left_wrist_frame, np.arange(20))
    assert not ticks.right_wrist_frame_valid.any()
    assert imu.accel_m_s2[0, 2] == pytest.approx(9.81)
    quality = read_document(folder, QUALITY)
    assert quality["light"] == "green"
    assert quality["streams"]["head"]["rate_hz"] == pytest.approx(20)
    assert quality["redacted"] is False
    assert "no redactor" in quality["notes"][0]
    assert outcome.counts == {"pictures": 40, "ticks": 20}
    assert outcome.warnings == []
    assert sorted(outcome.outputs) == sorted(folder.ls("capture"))


def test_running_again_gives_the_same_bytes(rig_folder, tmp_path):
    folder, first = captured(rig_folder(), tmp_path)
    before = {path: folder.read_bytes(path) for path in first.outputs}
    assert {path: folder.read_bytes(path) for path in run(folder).outputs} == before


def test_pictures_come_out_in_the_order_of_their_times(rig_folder, tmp_path):
    """Picture k was made around grey 100 + k: an index off by one would show."""
    folder, _ = captured(rig_folder(), tmp_path)
    with open_frames(folder, "head") as frames:
        greys = [frame.image_rgb.mean() for frame in frames]
    assert np.all(np.abs(np.diff(greys) - 1) < 0.7)


def test_dropped_frames_get_rows_with_estimated_times(rig_folder, tmp_path, video):
    source = rig_folder(wrist=False, imu=False)
    times = np.delete(np.arange(30), [10, 11, 20]) * 50
    video(source / "head.mp4", times_ms=times)
    folder, outcome = captured(source, tmp_path)
    frames = Frames.read(folder)
    lost = frames.timestamp_ns[frames.reason == "dropped"]
    np.testing.assert_array_equal(lost, np.array([500, 550, 1000]) * 1_000_000)
    assert (frames.frame_index[frames.reason == "dropped"] == -1).all()
    assert len(Ticks.read(folder)) == 27
    assert outcome.counts["dropped"] == 3
    assert any("10.0 % of the pictures are missing" in w for w in outcome.warnings)


def test_a_camera_that_slows_down_drops_nothing(rig_folder, tmp_path, video):
    source = rig_folder(wrist=False, imu=False)
    steps = np.concatenate([np.full(40, 33), np.full(40, 66)])
    video(source / "head.mp4", times_ms=np.concatenate([[0], np.cumsum(steps)]))
    folder, _ = captured(source, tmp_path)
    assert not Frames.read(folder).valid_of("reason").any()


def test_a_pause_is_said_and_not_filled(rig_folder, tmp_path, video):
    source = rig_folder(wrist=False, imu=False)
    video(source / "head.mp4", times_ms=np.r_[np.arange(20) * 50, np.arange(20) * 50 + 9000])
    folder, outcome = captured(source, tmp_path)
    assert "dropped" not in outcome.counts
    assert any("a pause of 8.1 s" in w for w in outcome.warnings)
    assert len(Ticks.read(folder)) == 40


def test_late_and_repeated_pictures_are_no_ticks(rig_folder, tmp_path, stamps_csv):
    source = rig_folder(head='timestamps = "t.csv"', imu=False, wrist=False)
    stamps = T0 + np.arange(20) * 50_000_000
    stamps[7] += 40_000_000  # late: the next one is on time
    stamps[12] = stamps[11]
    stamps_csv(source / "t.csv", stamps)
    folder, _ = captured(source, tmp_path)
    frames = Frames.read(folder)
    seen = frames.frame_index >= 0
    assert frames.reason[seen][7] == "late"
    assert frames.reason[seen][12] == "duplicate"
    assert frames.timestamp_ns[seen][7] == stamps[7]
    assert len(Ticks.read(folder)) == 18


def test_stamps_and_offsets_put_streams_on_one_clock(rig_folder, tmp_path, stamps_csv, imu_csv):
    source = rig_folder(head='timestamps = "t.csv"\ntime_offset_ns = 3', wrist=False)
    stamps_csv(source / "t.csv", T0 + np.arange(20) * 50_000_000)
    imu_csv(source / "imu.csv", start_ns=0)
    edit(source / "rig.toml", 'file = "imu.csv"', f'file = "imu.csv"\ntime_offset_ns = {T0 + 1}')
    folder, _ = captured(source, tmp_path)
    assert Ticks.read(folder).timestamp_ns[1] == T0 + 50_000_003
    assert Imu.read(folder).timestamp_ns[0] == T0 + 1


def test_stamps_in_microseconds_are_noticed(rig_folder, tmp_path, stamps_csv):
    source = rig_folder(head='timestamps = "t.csv"', wrist=False, imu=False)
    stamps_csv(source / "t.csv", T0 // 1000 + np.arange(20) * 50_000)
    _, outcome = captured(source, tmp_path)
    assert any("are the stamps in nanoseconds?" in w for w in outcome.warnings)


def test_one_picture_is_a_session_of_one_tick(rig_folder, tmp_path, video):
    source = rig_folder(wrist=False, imu=False)
    video(source / "head.mp4", times_ms=[0])
    folder, outcome = captured(source, tmp_path)
    assert outcome.counts == {"pictures": 1, "ticks": 1}
    assert read_document(folder, QUALITY)["streams"]["head"]["rate_hz"] == 0


def test_wrist_images_further_than_half_a_period_are_nobodys(rig_folder, tmp_path, video):
    source = rig_folder()
    video(source / "left_wrist.mp4", times_ms=np.arange(6) * 50 + 20)
    folder, outcome = captured(source, tmp_path)
    ticks = Ticks.read(folder)
    assert ticks.left_wrist_frame_valid.tolist() == [True] * 6 + [False] * 14
    assert any("left_wrist: covers 30 %" in w for w in outcome.warnings)


def test_a_slow_wrist_camera_serves_every_tick(rig_folder, tmp_path, video):
    source = rig_folder()
    video(source / "left_wrist.mp4", times_ms=np.arange(10) * 100)
    folder, _ = captured(source, tmp_path)
    ticks = Ticks.read(folder)
    assert ticks.left_wrist_frame_valid.all()
    assert ticks.left_wrist_frame[:5].tolist() == [0, 0, 1, 1, 2]


def test_units_are_converted(rig_folder, tmp_path, imu_csv):
    source = rig_folder()
    imu_csv(source / "imu.csv", scale=1 / 9.80665, gyro=90.0)
    with (source / "rig.toml").open("a", encoding="utf-8") as file:
        file.write('gyro_unit = "deg/s"\naccel_unit = "g"\n')
    folder, _ = captured(source, tmp_path)
    imu = Imu.read(folder)
    assert imu.gyro_rad_s[0, 0] == pytest.approx(np.pi / 2)
    assert imu.accel_m_s2[0, 2] == pytest.approx(9.81, abs=0.01)


@pytest.mark.parametrize(
    ("keywords", "text"),
    [
        ({"scale": 1 / 9.81}, 'that is in g; set accel_unit = "g" under [imu]'),
        ({"scale": 0.5}, "not near 9.81; check units, axes"),
        ({"scale": 0.05}, "is gravity taken out?"),
        ({"gyro": 60.0}, 'set gyro_unit = "deg/s"'),
        ({"gyro": 60e3}, "too fast for a head; write rad/s or deg/s into its file"),
        ({"rate_hz": 50}, "50 samples/s is slow"),
    ],
)
def test_implausible_inertial_samples_are_said(rig_folder, tmp_path, imu_csv, keywords, text):
    source = rig_folder(wrist=False)
    imu_csv(source / "imu.csv", **keywords)
    folder, outcome = captured(source, tmp_path)
    assert any(text in w for w in outcome.warnings), outcome.warnings
    assert read_document(folder, QUALITY)["light"] != "green"


def test_saturation_and_gaps_are_counted(rig_folder, tmp_path, imu_csv):
    source = rig_folder(wrist=False)
    path = imu_csv(source / "imu.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    for k in range(50, 60):
        lines[k] = ",".join([lines[k].split(",")[0], "35", "0", "0", "0", "0", "160"])
    del lines[100:110]
    path.write_text("\n".join(lines), encoding="utf-8")
    folder, outcome = captured(source, tmp_path)
    figures = read_document(folder, QUALITY)["imu"]
    assert figures["missing_samples"] == 10
    assert figures["gaps"] == 1
    assert figures["accel_saturated_share"] == pytest.approx(9 / 190, abs=1e-3)
    assert any("10 samples missing in 1 gaps" in w for w in outcome.warnings)


def test_assumed_noise_is_said(rig_folder, tmp_path):
    source = rig_folder(wrist=False)
    edit(source / "rig.toml", "gyro_noise_rad_s_sqrthz = 1e-3\n", "")
    _, outcome = captured(source, tmp_path)
    assert outcome.warnings == ["imu: noise figures are assumed; give the four in rig.toml"]


def test_a_dark_recording_is_red(rig_folder, tmp_path):
    import av

    source = rig_folder(wrist=False, imu=False)
    with av.open(str(source / "head.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=20)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            black = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")
            container.mux(stream.encode(black))
        container.mux(stream.encode())
    folder, outcome = captured(source, tmp_path)
    assert read_document(folder, QUALITY)["light"] == "red"
    assert any("nearly black" in w for w in outcome.warnings)


def test_a_sensor_on_its_side_is_turned_upright(rig_folder, tmp_path):
    """Turned by 90° clockwise, the sensor's x (right) becomes the picture's down."""
    source = rig_folder(head="rotate = 90", wrist=False)
    folder, _ = captured(source, tmp_path)
    calibration = Calibration.read(folder)
    head = calibration.streams["head"]
    assert head.rotate_deg == 90
    assert head.camera.size_wh == (48, 64)
    np.testing.assert_allclose(head.head_from_camera.matrix(), np.eye(4), atol=1e-12)
    quarter = matrix_from_rotvec([0, 0, np.pi / 2])
    np.testing.assert_allclose(calibration.imu.head_from_imu.rotation, quarter, atol=1e-12)
    with open_frames(folder, "head") as frames:
        assert frames.read(0).image_rgb.shape == (64, 48, 3)


@pytest.mark.parametrize(
    ("rotate", "mounting", "off_deg"),
    [
        (0, "0.70710678, 0.70710678", 0.0),
        (180, "0.70710678, 0.70710678", 180.0),
        (90, "0.70710678, 0.70710678", 90.0),
        (180, "1, 0", None),  # the camera looks along gravity
    ],
)
def test_a_picture_on_its_side_is_told_by_gravity(rig_folder, tmp_path, rotate, mounting, off_deg):
    """The sensor's z is up, and turned about x by 90° that is the top of the picture as stored."""
    source = rig_folder(wrist=False, head=f"rotate = {rotate}")
    edit(source / "rig.toml", "[0, 0, 0, 1, 0, 0, 0]", f"[0, 0, 0, {mounting}, 0, 0]")
    folder, outcome = captured(source, tmp_path)
    found = read_document(folder, QUALITY)["imu"]["up_off_deg"]
    assert (found is None) == (off_deg is None)
    assert abs((found or 0) - (off_deg or 0) + 180) % 360 == pytest.approx(180, abs=1)
    said = [w for w in outcome.warnings if "clockwise from the top of the head's picture" in w]
    assert len(said) == bool(off_deg)
    assert not said or f"turn it {360 - off_deg:.0f} further" in said[0]


def test_a_session_without_inertial_sensor_has_no_table_of_one(rig_folder, tmp_path):
    folder, _ = captured(rig_folder(imu=False, wrist=False), tmp_path)
    assert not folder.exists(IMU)
    assert Calibration.read(folder).imu is None


def test_labels_are_no_input_of_capture(rig_folder, tmp_path):
    source = rig_folder(imu=False, wrist=False)
    (source / "labels.csv").write_text("track,start_s,end_s,text\n", encoding="utf-8")
    folder = ingest(source, tmp_path / "sessions")
    inputs = CAPTURE.inputs(folder, CaptureConfig())
    assert sorted(inputs) == ["raw/head.mp4", "raw/rig.toml", "session.json"]


def test_a_file_that_stops_decoding_half_way_is_refused(rig_folder, tmp_path):
    """The container is whole, the pictures in its middle are not."""
    source = rig_folder(imu=False, wrist=False)
    data = bytearray((source / "head.mp4").read_bytes())
    at = data.index(b"mdat")
    middle = at + (data.index(b"moov") - at) // 2
    data[middle : middle + 4000] = bytes(4000)
    (source / "head.mp4").write_bytes(data)
    with pytest.raises(BadInputError, match=r"head\.mp4: .*(decode|damaged)") as refused:
        captured(source, tmp_path)
    assert "\n" not in str(refused.value)


def test_pictures_patched_up_by_the_decoder_are_counted(rig_folder, tmp_path, video):
    source = rig_folder(imu=False, wrist=False)
    data = bytearray((source / "head.mp4").read_bytes())
    at = data.index(b"mdat")
    third = at + (data.index(b"moov") - at) // 3
    data[third : third + 100] = np.random.default_rng(0).bytes(100)
    (source / "head.mp4").write_bytes(data)
    folder, outcome = captured(source, tmp_path)
    assert read_document(folder, QUALITY)["streams"]["head"]["damaged"] == 1
    assert any("damaged pictures: 1;" in w for w in outcome.warnings)


@pytest.mark.parametrize("settings", [{"gap_factor": 1.0}, {"samples": 0}])
def test_settings_check_themselves(settings):
    with pytest.raises(BadInputError, match="capture"):
        CaptureConfig(**settings)
