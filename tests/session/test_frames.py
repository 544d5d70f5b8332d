"""Frames: every picture by its real stamp, upright, redacted, in order and at random."""

from fractions import Fraction

import av
import numpy as np
import pytest

from core.errors import BadInputError, StorageError
from core.geometry.cameras import camera_from_dict
from core.session.calibration import Calibration, StreamCalibration
from core.session.frames import open_frames, open_video, painted, probe_video, upright
from core.session.info import Operator, SessionInfo, StreamInfo
from core.session.storage import SessionFolder
from core.session.tables import Frames, Redactions
from core.session.video import ns_from_pts

N = 60
SIZE_WH = (64, 48)


def grey_of(index):
    return 20 + 3 * index  # the picture's brightness says its number


def stamps(n=N):
    """Variable rate: 33 ms apart, with a hole of 200 ms after picture 20."""
    return [33 * i + (200 if i > 20 else 0) for i in range(n)]


def write_video(path, *, n=N, fmt=None, options=None, gop=12):
    with av.open(str(path), "w", format=fmt, options=options or {}) as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        stream.options = {"crf": "1", "g": str(gop), "bf": "2"}
        for index, stamp in enumerate(stamps(n)):
            image = np.full((SIZE_WH[1], SIZE_WH[0], 3), grey_of(index), np.uint8)
            image[:8, :8] = 250  # a bright mark in the top left corner
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts = stamp
            picture.time_base = Fraction(1, 1000)
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return write_video(tmp_path_factory.mktemp("video") / "head.mp4")


@pytest.fixture
def session(tmp_path, video):
    folder = SessionFolder(tmp_path / "anna-0001")
    folder.write_bytes("raw/head.mp4", video.read_bytes())
    streams = (StreamInfo("head", "raw/head.mp4", folder.sha256("raw/head.mp4"), "video"),)
    SessionInfo(
        "anna-0001", Operator("anna"), task="", scene="", device="", consent="", streams=streams
    ).write(folder)
    probe = probe_video(video)
    Frames(
        stream=["head"] * (N + 1),
        frame_index=[*range(N), -1],
        pts=[*probe.pts, -1],
        timestamp_ns=[*(probe.timestamps_ns + 1_000), 0],
        reason=[None] * N + ["dropped"],
    ).write(folder)
    return folder


def number_of(image):
    return round((float(image[24:, 24:].mean()) - 20) / 3)


def test_probe_gives_the_real_stamps(video):
    info = probe_video(video)
    assert (info.n, info.size_wh, info.codec, info.rotate_deg) == (N, SIZE_WH, "h264", 0)
    gaps_ms = np.diff(info.timestamps_ns) / 1e6
    np.testing.assert_allclose(gaps_ms, np.diff(stamps()), atol=0.1)


def test_stamps_are_exact_integers():
    thirds = ns_from_pts(np.array([0, 1, 2, 3]), Fraction(1, 3))
    assert thirds.tolist() == [0, 333_333_333, 666_666_667, 1_000_000_000]
    large = np.array([9_007_199_254_740_993], dtype=np.int64)  # no float64 holds this one
    assert ns_from_pts(large, Fraction(1, 1_000_000_000)).tolist() == large.tolist()


def test_every_picture_comes_once_in_order(session):
    with open_frames(session, "head") as frames:
        assert len(frames) == N
        seen = [(f.frame_index, number_of(f.image_rgb), f.timestamp_ns) for f in frames]
    assert [s[0] for s in seen] == [s[1] for s in seen] == list(range(N))
    assert seen[21][2] - seen[20][2] == pytest.approx(233e6, abs=1e5)
    assert seen[0][2] % 1_000_000 == 1_000


def test_iterate_takes_a_stretch_with_a_step(session):
    with open_frames(session, "head") as frames:
        taken = [f.frame_index for f in frames.iterate(start=5, stop=30, step=7)]
        sparse = [number_of(f.image_rgb) for f in frames.iterate(step=27)]
    assert taken == [5, 12, 19, 26]
    assert sparse == [0, 27, 54]


def test_random_access_gives_the_same_pictures(session):
    order = np.random.default_rng(1).permutation(N).tolist()
    with open_frames(session, "head") as frames:
        assert [number_of(frames.read(index).image_rgb) for index in order] == order
        assert frames.read(7) is frames.read(7)
        with pytest.raises(BadInputError, match="no frame 60; it has 60 frames"):
            frames.read(N)


def test_near_finds_the_nearest_in_time(session):
    with open_frames(session, "head") as frames:
        middle = int(frames.timestamps_ns[20])
        assert frames.near(middle + 10_000_000).frame_index == 20
        assert frames.near(middle + 200_000_000).frame_index == 21
        assert frames.near(-5).frame_index == 0
        assert frames.near(10**15).frame_index == N - 1


def test_redaction_paints_the_boxes_and_only_them(session):
    Redactions(
        stream=["head", "left_wrist"],
        frame_index=[3, 4],
        track=[0, 0],
        kind=["face", "face"],
        box_xyxy_px=[[10.4, 4.0, 19.5, 8.0], [0, 0, 99, 99]],
    ).write(session)
    with open_frames(session, "head") as frames:
        image = frames.read(3).image_rgb
        assert image[4:9, 10:21].max() == 0
        assert image[3, 10:21].min() > 0
        assert image[4:9, 21].min() > 0
        assert frames.read(4).image_rgb.min() > 0
    with open_frames(session, "head", redact=False) as frames:
        assert frames.read(3).image_rgb.min() > 0


def test_boxes_outside_the_picture_are_clipped():
    image = np.full((4, 6, 3), 9, np.uint8)
    boxes = np.array([[-5, -5, 0.2, 0.2], [5.0, 3.0, 50, 50], [7, 7, 9, 9]], np.float32)
    black = painted(image, boxes).max(axis=2) == 0
    assert np.argwhere(black).tolist() == [[0, 0], [0, 1], [1, 0], [1, 1], [3, 5]]
    assert image.min() == 9


def calibrate(session, size_wh, rotate_deg):
    camera = {"model": "pinhole_radtan", "params": [50.0, 50, 32, 24, 0, 0, 0, 0]}
    stream = StreamCalibration(
        camera_from_dict({**camera, "size_wh": list(size_wh)}), rotate_deg=rotate_deg
    )
    Calibration(streams={"head": stream}).write(session)


@pytest.mark.parametrize(
    ("rotate_deg", "corner"), [(0, (0, 0)), (90, (0, -1)), (180, (-1, -1)), (270, (-1, 0))]
)
def test_pictures_come_upright(session, rotate_deg, corner):
    """The mark in the top left corner moves clockwise."""
    turned = rotate_deg in {90, 270}
    calibrate(session, SIZE_WH[::-1] if turned else SIZE_WH, rotate_deg)
    with open_frames(session, "head") as frames:
        image = frames.read(2).image_rgb
    assert image.shape == ((64, 48, 3) if turned else (48, 64, 3))
    rows = slice(0, 4) if corner[0] == 0 else slice(-4, None)
    columns = slice(0, 4) if corner[1] == 0 else slice(-4, None)
    assert image[rows, columns].mean() > 200


def test_upright_is_clockwise():
    image = np.arange(6, dtype=np.uint8).reshape(2, 3, 1)
    assert upright(image, 90)[..., 0].tolist() == [[3, 0], [4, 1], [5, 2]]


def test_a_calibration_of_another_resolution_is_refused(session):
    calibrate(session, (640, 480), 0)
    with (
        open_frames(session, "head") as frames,
        pytest.raises(BadInputError, match=r"head\.mp4: pictures are 64x48.*640x480; give"),
    ):
        frames.read(0)


def test_a_stream_without_frames_is_named(session):
    with pytest.raises(BadInputError, match="no stream 'left_wrist'; it has: head"):
        open_frames(session, "left_wrist")


def test_remote_sessions(session, tmp_path, monkeypatch):
    monkeypatch.setenv("HANDOFF_CACHE", str(tmp_path / "cache"))
    remote = SessionFolder(f"memory://{tmp_path.name}/anna-0001")
    for path in session.ls():
        remote.write_bytes(path, session.read_bytes(path))
    with open_frames(remote, "head") as frames:
        assert number_of(frames.read(33).image_rgb) == 33


def test_a_turn_asked_for_by_the_file_is_clockwise(tmp_path, video):
    """The track header's matrix takes x-right to y-down: a quarter turn clockwise."""
    data = bytearray(video.read_bytes())
    header = data.index(b"tkhd")
    one, zero = (1 << 16).to_bytes(4, "big"), bytes(4)
    minus_one = (-(1 << 16)).to_bytes(4, "big", signed=True)
    upright_matrix = one + zero + zero + zero + one
    matrix = data.index(upright_matrix, header)
    data[matrix : matrix + 20] = zero + one + zero + minus_one + zero
    file = tmp_path / "turned.mp4"
    file.write_bytes(bytes(data))
    assert probe_video(file).rotate_deg == 90
    with open_video(file) as frames:
        image = frames.read(2).image_rgb
    assert image.shape == (64, 48, 3)
    assert image[:4, -4:].mean() > 200


# wrong input


def test_not_a_video(tmp_path):
    file = tmp_path / "head.mp4"
    file.write_bytes(b"these are not pictures" * 100)
    with pytest.raises(BadInputError, match=r"head\.mp4: not a readable video: .*copy it from"):
        probe_video(file)
    file.write_bytes(b"")
    with pytest.raises(BadInputError, match=r"head\.mp4: not a readable video"):
        probe_video(file)
    with pytest.raises(StorageError, match=r"none\.mp4: cannot read: no such file"):
        probe_video(tmp_path / "none.mp4")
    with pytest.raises(StorageError, match="no such file"):
        probe_video(tmp_path)


def test_no_video_track(tmp_path):
    file = tmp_path / "sound.wav"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), "s16", "mono")
        sound.sample_rate = 8000
        container.mux(stream.encode(sound))
    with pytest.raises(BadInputError, match=r"sound\.wav: holds no video track"):
        probe_video(file)


def test_zero_frames(tmp_path):
    file = tmp_path / "empty.mp4"
    with av.open(str(file), "w") as container:
        stream = container.add_stream("libx264", rate=30)
        stream.width, stream.height = SIZE_WH
        container.start_encoding()
    with pytest.raises(BadInputError, match=r"empty\.mp4: holds no (pictures|video)"):
        probe_video(file)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_cut_off_mp4(tmp_path, video, part):
    """The index is at the end of an ordinary mp4: a cut file has none."""
    data = video.read_bytes()
    file = tmp_path / "cut.mp4"
    file.write_bytes(data[: int(part * len(data))])
    with pytest.raises(BadInputError, match=r"cut\.mp4: "):
        probe_video(file)


def test_cut_off_mp4_with_its_index_first(tmp_path):
    whole = write_video(tmp_path / "whole.mp4", options={"movflags": "faststart"})
    data = whole.read_bytes()
    file = tmp_path / "cut.mp4"
    file.write_bytes(data[: data.index(b"mdat") + (len(data) - data.index(b"mdat")) // 2])
    with pytest.raises(BadInputError, match=r"cut\.mp4: (cut off|damaged|the picture)"):
        probe_video(file)


def test_damage_in_the_middle_is_found_when_it_is_read(tmp_path):
    whole = write_video(tmp_path / "whole.mp4")
    data = bytearray(whole.read_bytes())
    middle = data.index(b"mdat") + 40
    data[middle : middle + 4000] = bytes(len(data[middle : middle + 4000]))
    file = tmp_path / "damaged.mp4"
    file.write_bytes(bytes(data))

    def read_all():
        with open_video(file) as frames:
            return [frame.frame_index for frame in frames]

    with pytest.raises(BadInputError, match=r"damaged\.mp4: "):
        read_all()


def test_real_recordings(recordings):
    file = recordings / "ego_video" / "egodex_sample.mp4"
    with open_video(file) as frames:
        assert len(frames) == 94
        first = frames.read(0).image_rgb
        assert first.shape == (1080, 1920, 3)
        assert frames.near(int(frames.timestamps_ns[50])).frame_index == 50
