"""Ingest: copies whole files, leaves a session or nothing, knows what it has seen, and refuses in
one line.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from capture import copying, pictures
from capture.config import CaptureConfig
from capture.ingest import ingest
from capture.rig import parse_rig
from capture.stage import CAPTURE
from core.errors import BadInputError, HandoffError
from core.geometry.rotations import matrix_from_rotvec
from core.session.info import SessionInfo
from core.session.stage import NO_PROGRESS
from core.session.storage import SessionFolder


def files_of(folder):
    return {p.name: p.read_bytes() for p in sorted(folder.iterdir())}


def refusal(source, tmp_path, **options):
    """The one line of a refused ingest, which leaves no session behind."""
    out = tmp_path / "sessions"
    with pytest.raises(HandoffError) as refused:
        ingest(source, out, **options)
    assert "\n" not in str(refused.value)
    assert not list(out.glob("*/session.json"))
    return str(refused.value)


def test_a_rig_folder_is_copied_byte_for_byte(rig_folder, tmp_path):
    source = rig_folder(session="hand_length_mm = 185.0")
    (source / "labels.csv").write_text("track,start_s,end_s,text\n", encoding="utf-8")
    before = files_of(source)
    folder = ingest(source, tmp_path / "sessions", scene="kitchen")
    assert files_of(source) == before
    info = SessionInfo.read(folder)
    assert {s.name: folder.read_bytes(s.path) for s in info.streams} == {
        **{name: before[f"{name}.mp4"] for name in ("head", "left_wrist")},
        "imu": before["imu.csv"],
        "rig": before["rig.toml"],
        "labels": before["labels.csv"],
    }
    assert all(folder.sha256(s.path) == s.sha256 for s in info.streams)
    assert (info.operator.name, info.operator.hand_length_mm) == ("anna", 185.0)
    assert (info.task, info.scene, info.consent) == ("pack", "kitchen", "research")
    assert folder.name == info.id
    assert info.clock_origin == 0


def test_the_same_recording_is_recognised_under_any_name(rig_folder, tmp_path):
    source = rig_folder()
    first = ingest(source, tmp_path / "sessions")
    renamed = tmp_path / "other"
    shutil.copytree(source, renamed)
    said = []
    written = (tmp_path / "sessions" / first.name / "session.json").stat().st_mtime_ns
    second = ingest(renamed, tmp_path / "sessions", say=said.append)
    assert second == first
    assert "already ingested" in said[0]
    assert (tmp_path / "sessions" / first.name / "session.json").stat().st_mtime_ns == written


def test_the_truth_of_a_synthetic_recording_comes_along(rig_folder, tmp_path):
    source = rig_folder(imu=False, wrist=False)
    (source / "truth" / "slam").mkdir(parents=True)
    (source / "truth" / "slam" / "trajectory.parquet").write_bytes(b"exact")
    (source / "truth" / "run.sh").write_bytes(b"no table")
    folder = ingest(source, tmp_path / "sessions")
    assert folder.ls("truth") == ["truth/slam/trajectory.parquet"]
    assert folder.read_bytes("truth/slam/trajectory.parquet") == b"exact"


def test_the_same_pictures_with_another_calibration_are_refused(rig_folder, tmp_path):
    source = rig_folder()
    ingest(source, tmp_path / "sessions")
    rig = source / "rig.toml"
    rig.write_text(rig.read_text(encoding="utf-8") + "time_offset_ns = 1\n", encoding="utf-8")
    with pytest.raises(BadInputError, match="is there, and differs in rig; remove that folder"):
        ingest(source, tmp_path / "sessions")


def test_the_same_pictures_with_other_labels_name_the_command_for_labels(rig_folder, tmp_path):
    source = rig_folder()
    (source / "labels.csv").write_text("track,start_s,end_s,text\n", encoding="utf-8")
    folder = ingest(source, tmp_path / "sessions")
    (source / "labels.csv").write_text("track,start_s,end_s,text\n\n", encoding="utf-8")
    with pytest.raises(BadInputError, match=f"handoff annotate {folder.url} --labels {source}"):
        ingest(source, tmp_path / "sessions")


def test_a_taken_id_does_not_list_all_that_differs(rig_folder, tmp_path):
    source = rig_folder()
    ingest(source, tmp_path / "sessions", session_id="anna-0001")
    video = source / "left_wrist.mp4"
    with pytest.raises(BadInputError, match=r"anna-0001 holds another recording; give another"):
        ingest(video, tmp_path / "sessions", session_id="anna-0001", focal_px=300.0, task="other")


def test_the_same_pictures_with_another_task_are_refused(rig_folder, tmp_path):
    source = rig_folder()
    ingest(source, tmp_path / "sessions")
    with pytest.raises(BadInputError, match="is there, and differs in operator, task; remove"):
        ingest(source, tmp_path / "sessions", task="wash", operator="ben")


def test_what_a_power_cut_left_behind_is_cleared(rig_folder, tmp_path):
    whole = ingest(rig_folder(), tmp_path / "sessions")
    files = whole.ls()
    whole.remove("session.json")
    left = tmp_path / "sessions" / whole.name / "raw" / ".head.mp4.0123456789ab.part"
    left.write_bytes(b"half")
    assert ingest(tmp_path / "take", tmp_path / "sessions").ls() == files
    assert not left.exists()


@pytest.mark.parametrize("files_before_the_kill", [0, 1, 2, 3])
def test_a_killed_ingest_leaves_no_session_and_completes_next_time(
    rig_folder, tmp_path, monkeypatch, files_before_the_kill
):
    source, out = rig_folder(), tmp_path / "sessions"
    copied = []

    def killed(start, end):
        if len(copied) == files_before_the_kill:
            end.write_bytes(start.read_bytes()[:10])
            raise KeyboardInterrupt
        copied.append(end)
        shutil.copyfile(start, end)

    monkeypatch.setattr(copying.shutil, "copyfile", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest(source, out)
    assert not list(out.rglob("session.json"))
    monkeypatch.undo()
    folder = ingest(source, out)
    whole = ingest(source, tmp_path / "elsewhere")
    assert {p: folder.read_bytes(p) for p in folder.ls()} == {
        p: whole.read_bytes(p) for p in whole.ls()
    }


def test_a_file_that_changes_while_it_is_copied_is_refused(rig_folder, tmp_path, monkeypatch):
    def torn(start, end):
        end.write_bytes(start.read_bytes() + b"more")

    monkeypatch.setattr(copying.shutil, "copyfile", torn)
    assert "changed while it was copied" in refusal(rig_folder(), tmp_path)


def test_sessions_can_lie_in_an_object_store(rig_folder):
    folder = ingest(rig_folder(imu=False, wrist=False), "memory://bucket/sessions")
    assert folder.url.startswith("memory://")
    assert SessionInfo.read(folder).stream("head").path == "raw/head.mp4"


def test_a_place_that_cannot_be_written_is_one_line(rig_folder, tmp_path):
    (tmp_path / "file").write_text("in the way", encoding="utf-8")
    with pytest.raises(HandoffError, match="a part of this path is a file") as refused:
        ingest(rig_folder(), tmp_path / "file")
    assert "\n" not in str(refused.value)


def test_a_full_disk_is_one_line_and_no_session(rig_folder, tmp_path, monkeypatch):
    def full(start, end):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(copying.shutil, "copyfile", full)
    assert "the disk is full" in refusal(rig_folder(), tmp_path)


# --- one video file ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "focal_px"),
    [
        ({"focal_px": 70.0}, 70.0),
        ({"intrinsics": (71.0, 71.0, 30.0, 20.0)}, 71.0),
        ({"fov_deg": 90.0}, 32.0),
        (
            {"intrinsics": (30, 30, 30, 20, 0.03, 0.06, -0.07, 0.03), "model": "kannala_brandt"},
            30.0,
        ),
    ],
)
def test_one_video_with_intrinsics_is_a_session(video, tmp_path, options, focal_px):
    source = video(tmp_path / "GH010042.MP4")
    folder = ingest(source, tmp_path / "sessions", operator="ben", **options)
    rig = parse_rig(folder.read_bytes("raw/rig.toml"), "rig.toml")
    assert rig.streams["head"].camera.focal_px == pytest.approx(focal_px)
    assert folder.read_bytes("raw/head.mp4") == source.read_bytes()
    assert SessionInfo.read(folder).operator.name == "ben"
    assert ingest(source, tmp_path / "sessions", operator="ben", **options) == folder


def test_intrinsics_speak_of_the_picture_as_players_show_it(tmp_path, video, monkeypatch):
    """A phone held upright: 64x48 stored, a flag turns it to 48x64."""
    from dataclasses import replace

    from capture import bare_video
    from core.session.video import probe_video

    source = video(tmp_path / "phone.mp4")
    turned = replace(probe_video(source), rotate_deg=90)
    monkeypatch.setattr(bare_video, "probe_video", lambda _: turned)
    rig = bare_video.bare_video_rig(source, bare_video.GivenLens(intrinsics=(60, 62, 20, 40)))
    stream = parse_rig(rig.text.encode(), "rig.toml").streams["head"]
    assert stream.rotate_deg == 90
    assert stream.camera.size_wh == (64, 48)
    ray_shown = np.array([(10 - 20) / 60, (5 - 40) / 62, 1])
    ray_stored = matrix_from_rotvec([0, 0, -np.pi / 2]) @ ray_shown
    uv, _ = stream.camera.project(ray_stored)
    np.testing.assert_allclose(uv, [5, 47 - 10], atol=1e-9)


def test_a_trimmed_video_keeps_pictures_it_does_not_show_and_is_whole(video, tmp_path):
    """Cut without re-encoding: the pictures back to the keyframe stay in the file, never shown."""
    import av

    with av.open(str(video(tmp_path / "long.mp4"))) as whole:
        stream = whole.streams.video[0]
        cut_at = int(0.5 / stream.time_base)
        with av.open(str(tmp_path / "cut.mp4"), "w") as trimmed:
            copy = trimmed.add_stream_from_template(stream)
            whole.seek(cut_at, stream=stream)
            kept = [packet for packet in whole.demux(stream) if packet.dts is not None]
            for packet in kept:
                packet.pts -= cut_at
                packet.dts -= cut_at
                packet.stream = copy
                trimmed.mux(packet)
    assert len(kept) == 12  # from the keyframe at 0.4 s, of which two lie before the cut
    folder = ingest(tmp_path / "cut.mp4", tmp_path / "sessions", focal_px=70)
    outcome = CAPTURE.run(folder, CaptureConfig(), NO_PROGRESS)
    assert outcome.counts == {"pictures": 10, "ticks": 10}


def test_a_file_that_asks_for_an_odd_turn_is_refused(tmp_path, video):
    from dataclasses import replace

    from capture.upright import file_turn
    from core.session.video import probe_video

    path = video(tmp_path / "a.mp4")
    tilted = replace(probe_video(path), rotate_deg=37)
    with pytest.raises(BadInputError, match=r"a\.mp4: asks to be turned by 37 degrees"):
        file_turn(path, tilted)
    assert file_turn(path, tilted, overruled=True) == 37


def test_of_several_tracks_the_first_is_taken_and_said(tmp_path, video):
    import av

    with (
        av.open(str(video(tmp_path / "a.mp4"))) as first,
        av.open(str(video(tmp_path / "b.mp4", size=(32, 24)))) as second,
        av.open(str(tmp_path / "both.mp4"), "w") as both,
    ):
        sources = [source.streams.video[0] for source in (first, second)]
        copies = [both.add_stream_from_template(source) for source in sources]
        for source, copy in zip(sources, copies, strict=True):
            for packet in source.container.demux(source):
                if packet.dts is not None:
                    packet.stream = copy
                    both.mux(packet)
    said: list[str] = []
    folder = ingest(tmp_path / "both.mp4", tmp_path / "sessions", focal_px=70, warn=said.append)
    assert len(said) == 1
    assert "holds 2 video tracks; the first (64x48) is taken" in said[0]
    assert CAPTURE.run(folder, CaptureConfig(), NO_PROGRESS).counts["ticks"] == 20


def test_pixels_that_are_not_square_need_both_focal_lengths(tmp_path, video, monkeypatch):
    from dataclasses import replace

    from capture import bare_video
    from core.session.video import probe_video

    path = video(tmp_path / "a.mp4")
    wide = replace(probe_video(path), pixel_aspect=4 / 3)
    monkeypatch.setattr(bare_video, "probe_video", lambda _: wide)
    assert "pixels are 1.33 times as wide as high" in refusal(path, tmp_path, fov_deg=90)
    assert ingest(path, tmp_path / "sessions", intrinsics=(60, 80, 32, 24)).exists("raw/head.mp4")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {},
            "says nothing of its lens; one video needs exactly one of --focal-px F, "
            "--intrinsics fx,fy,cx,cy or --fov-deg D",
        ),
        ({"focal_px": 1.0, "fov_deg": 2.0}, "2 kinds of intrinsics given"),
        ({"fov_deg": 400.0}, "field of view 400"),
        ({"focal_px": -3.0}, "focal length -3 px"),
        ({"intrinsics": (1.0, 2.0)}, "--intrinsics has 2 numbers; give four"),
        ({"intrinsics": (700, 700, 960, 540)}, "outside the 64x48 picture"),
        (
            {"intrinsics": (60, 60, 30, 20, 0.1)},
            "a.mp4: --intrinsics: camera pinhole_radtan: 5 params",
        ),
        ({"focal_px": 70.0, "session_id": "../up"}, "use 8 to 64 of the characters"),
        ({"focal_px": 70.0, "hand_length_mm": 18.5}, "hand_length_mm is 18.5; give millimetres"),
    ],
)
def test_wrong_options_are_refused(video, tmp_path, options, message):
    assert message in refusal(video(tmp_path / "a.mp4"), tmp_path, **options)


# --- wrong input ------------------------------------------------------------------------------


def test_a_text_file_is_not_a_video(tmp_path):
    (tmp_path / "notes.mp4").write_text("milk, bread\n" * 100, encoding="utf-8")
    message = refusal(tmp_path / "notes.mp4", tmp_path, focal_px=70)
    assert "notes.mp4: not a readable video: damaged or of another type" in message
    (tmp_path / "empty.mp4").touch()
    message = refusal(tmp_path / "empty.mp4", tmp_path, focal_px=70)
    assert "empty.mp4: not a readable video: the file is empty; copy it" in message


def test_a_single_picture_is_no_recording(tmp_path, video):
    message = refusal(video(tmp_path / "still.mp4", times_ms=[0]), tmp_path, focal_px=70)
    assert "still.mp4: holds a single picture; give a recording" in message


def test_a_video_without_pictures_is_refused(tmp_path, video):
    video(tmp_path / "empty.mp4", times_ms=[])
    message = refusal(tmp_path / "empty.mp4", tmp_path, focal_px=70)
    assert "empty.mp4" in message


def test_sound_alone_is_no_video(tmp_path):
    import av

    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=48000)
        frame = av.AudioFrame.from_ndarray(
            np.zeros((1, 4096), np.float32), format="fltp", layout="mono"
        )
        frame.sample_rate = 48000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    assert "holds no video track" in refusal(tmp_path / "sound.mp4", tmp_path, focal_px=70)


def test_a_video_cut_off_before_its_index_is_refused(rig_folder, tmp_path):
    source = rig_folder()
    data = (source / "head.mp4").read_bytes()
    (source / "head.mp4").write_bytes(data[: len(data) // 2])
    message = refusal(source, tmp_path)
    assert "head.mp4: not a readable video: cut off" in message
    assert "copy it from the camera again" in message


def test_a_vrs_recording_is_told_from_a_damaged_video(tmp_path):
    (tmp_path / "glasses.vrs").write_bytes(b"VisionRe" + bytes(100))
    message = refusal(tmp_path / "glasses.vrs", tmp_path, focal_px=70)
    assert "a VRS recording; write its camera as a video into a rig folder" in message


def test_a_video_with_fewer_pictures_than_its_index_is_refused(rig_folder, tmp_path, video):
    source = rig_folder(imu=False, wrist=False)
    video(source / "head.mp4", options={"movflags": "faststart"})
    data = (source / "head.mp4").read_bytes()
    (source / "head.mp4").write_bytes(data[: len(data) * 3 // 4])
    message = refusal(source, tmp_path)
    assert "head.mp4" in message
    assert "copy it from the camera again" in message


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("size_wh = [64, 48]", "size_wh = [640, 480]", "'size_wh' is 640x480, but the pictures"),
        ('file = "head.mp4"', 'file = "haed.mp4"', "haed.mp4: named in rig.toml, but not there"),
        ('file = "head.mp4"', 'file = "../head.mp4"', "without a path"),
        ('file = "head.mp4"', "file = 3", "'file' is 3; a text is needed"),
        ("[streams.head]", "[streams.face]", "no [streams.head]"),
        ("[streams.head]", "[streams.head", "not readable as TOML"),
        ('model = "pinhole_radtan"', 'model = "double_sphere"', "'double_sphere': expected one of"),
        ('model = "pinhole_radtan"', "", "'model' is missing"),
        ("[streams.head]", "[streams.head]\nrotate = 45", "'rotate' is 45; use 0, 90, 180 or 270"),
        ("[streams.head]", "[streams.head]\ntime_ofset_ns = 4", "unknown key 'time_ofset_ns'"),
        ("[streams.head]", "[streams.head]\nreadout_ms = -2", "'readout_ms' is -2"),
        ("[streams.head]", "[streams.head]\ntime_offset_ns = 9000000000", "no common time"),
        ("[streams.head]", f"[streams.head]\ntime_offset_ns = {10**30}", "ns are a time"),
        ("[session]", "[sesion]", "unknown key 'sesion'"),
        ("[imu]", '[imu]\ngyro_unit = "rpm"', "'gyro_unit' is 'rpm'; use one of rad/s, deg/s"),
        ("1, 0, 0, 0]", "2, 0, 0, 0]", "a quaternion of length 1 is needed"),
        ("[0, 0, 0, 1, 0, 0, 0]", "[12, -21, 0, 1, 0, 0, 0]", "so far away; give metres"),
        ("[0, 0, 0, 1, 0, 0, 0]", "[0, 0]", "a list of 7 numbers is needed"),
        ("gyro_noise_rad_s_sqrthz = 1e-3", "gyro_noise_rad_s_sqrthz = 0", "it must be positive"),
    ],
)
def test_a_wrong_rig_names_file_key_value_and_cure(rig_folder, tmp_path, old, new, message):
    source = rig_folder()
    rig = source / "rig.toml"
    text = rig.read_text(encoding="utf-8")
    assert old in text
    rig.write_text(text.replace(old, new, 1), encoding="utf-8")
    line = refusal(source, tmp_path)
    assert message in line
    assert "rig.toml" in line


def test_the_rig_of_the_documentation_is_a_rig():
    page = Path(__file__).parents[2] / "docs" / "rig-folder.md"
    example = page.read_text(encoding="utf-8").split("```toml")[1].split("```")[0]
    rig = parse_rig(example.encode(), str(page))
    assert rig.streams["head"].rotate_deg == 90
    assert rig.imu.noise_given


def test_a_header_that_claims_a_giant_picture_is_refused(rig_folder, tmp_path, monkeypatch):
    monkeypatch.setattr(pictures, "LARGEST_PX", 1000)
    assert "pictures of 64x48; at most" in refusal(rig_folder(), tmp_path)


def test_an_empty_folder_says_what_is_missing(tmp_path):
    (tmp_path / "take").mkdir()
    assert "no rig.toml here (found: nothing)" in refusal(tmp_path / "take", tmp_path)
    assert "no rig.toml here" in refusal(tmp_path / "take", tmp_path, fov_deg=90.0)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("mav0/cam0/data.csv",), "the layout of EuRoC"),
        (("rgb.txt", "rgb/1.png"), "the layout of TUM RGB-D"),
        (("frame-000000.color.jpg",), "the layout of 7-Scenes"),
        (("IMG (1).PNG", "IMG (2).PNG"), "2 pictures"),
    ],
)
def test_well_known_layouts_are_named_with_the_cure(tmp_path, names, said):
    for name in names:
        path = tmp_path / "take" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    line = refusal(tmp_path / "take", tmp_path)
    assert f"no rig.toml here but {said}" in line
    assert "From other layouts" in line
    assert "## From other layouts" in Path("docs/rig-folder.md").read_text(encoding="utf-8")


def test_a_picture_is_no_video(tmp_path):
    (tmp_path / "a.JPG").touch()
    assert "a.JPG: a single picture; give a video" in refusal(tmp_path / "a.JPG", tmp_path)


def test_nothing_there_is_said(tmp_path):
    assert "no such file or folder" in refusal(tmp_path / "take", tmp_path)


def test_a_session_is_not_ingested_again(rig_folder, tmp_path):
    folder = ingest(rig_folder(), tmp_path / "a")
    with pytest.raises(BadInputError, match="a session already; use: handoff run"):
        ingest(folder.url, tmp_path / "b")


def test_a_folder_brings_its_own_intrinsics(rig_folder, tmp_path):
    assert "a folder brings its own" in refusal(rig_folder(), tmp_path, focal_px=70)


@pytest.mark.parametrize(
    ("stamps", "message"),
    [
        ([*range(19, -1, -1)], "row 3: timestamp 18 is before the row above (19)"),
        ([*range(19)], "19 timestamps, but head.mp4 holds 20 pictures"),
        (["soon"] * 20, "not a readable CSV"),
        (["0.05"] * 20, "give timestamp_ns as whole nanoseconds"),
        ([9 * 10**18] * 20, "row 2: timestamp 9000000000000000000 is past the year 2096"),
        ([], "no rows under the header"),
    ],
)
def test_wrong_timestamps_are_refused(rig_folder, tmp_path, stamps_csv, stamps, message):
    source = rig_folder(head='timestamps = "times.csv"', imu=False, wrist=False)
    stamps_csv(source / "times.csv", stamps)
    line = refusal(source, tmp_path)
    assert message in line
    assert "times.csv" in line


def test_a_timestamps_file_without_its_column_is_refused(rig_folder, tmp_path):
    source = rig_folder(head='timestamps = "times.csv"', imu=False, wrist=False)
    (source / "times.csv").write_text("time\n1\n", encoding="utf-8")
    assert "column timestamp_ns missing; the header is 'time'" in refusal(source, tmp_path)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("10000000,0,0,0,0,0,9.8", "row 5: timestamp 10000000 is not after the row above"),
        ("15000000,nan,0,0,0,0,9.8", "row 5: gyro_x is empty or not a finite number"),
        ("15000000,0,0,0,0,,9.8", "row 5: accel_y is empty or not a finite number"),
        ("15000000,0,zero,0,0,0,9.8", "not a readable CSV"),
        (",0,0,0,0,0,9.8", "row 5: timestamp_ns is empty"),
        ("15000000,0,0,0", "not a readable CSV"),
    ],
)
def test_wrong_inertial_rows_are_refused(rig_folder, tmp_path, row, message):
    source = rig_folder(wrist=False)
    path = source / "imu.csv"
    lines = path.read_text(encoding="utf-8").splitlines()
    lines[4] = row
    path.write_text("\n".join(lines), encoding="utf-8")
    line = refusal(source, tmp_path)
    assert message in line
    assert "imu.csv" in line


def test_missing_inertial_columns_are_named(rig_folder, tmp_path):
    source = rig_folder(wrist=False)
    (source / "imu.csv").write_text("timestamp_ns,gx,gy,gz\n1,2,3,4\n", encoding="utf-8")
    line = refusal(source, tmp_path)
    assert "column gyro_x, gyro_y, gyro_z, accel_x, accel_y, accel_z missing" in line


def test_nothing_of_another_session_is_touched(rig_folder, tmp_path):
    good = ingest(rig_folder(), tmp_path / "sessions")
    before = {p: good.read_bytes(p) for p in good.ls()}
    bad = rig_folder(name="bad", imu=False)
    (bad / "head.mp4").write_bytes(b"nothing")
    with pytest.raises(BadInputError):
        ingest(bad, tmp_path / "sessions")
    assert [p.name for p in (tmp_path / "sessions").iterdir()] == [good.name]
    assert {p: good.read_bytes(p) for p in SessionFolder(good.url).ls()} == before
