"""Pictures of hands: what is seen is filled, what is missing is not drawn, the video plays."""

import av
import numpy as np
import pytest

from app.cli import main
from core.errors import BadInputError, StaleError
from core.geometry.landmarks import INDEX
from core.session.layout import HANDS as HANDS_TABLE
from core.session.marks import Mark, hashes_of, write_mark
from core.session.stage import NO_PROGRESS
from core.session.tables import EndEffectors, Hands, Ticks
from hands.config import HandsConfig
from hands.pictures.overlay_video import write_overlay_video
from hands.pictures.overlays import COLOUR_RGB, caption, draw_hands, drawn_hands
from hands.stage import HANDS

PLACES = {"left": [-0.1, 0.05, 0.5], "right": [0.1, 0.05, 0.5]}


@pytest.fixture
def session(tmp_path, make_session, blank, camera, hand, merge, write_detections, length_mm):
    """Both hands in 12 frames, the right one gone from the seventh on."""
    folder = make_session(
        tmp_path / "test-session",
        blank(12, camera.size_wh),
        camera=camera,
        hand_length_mm=length_mm,
    )
    known = [hand(side, position=np.tile(p, (12, 1))).seen_by(camera) for side, p in PLACES.items()]
    right = known[1]
    known[1] = type(right)(*(a[:6] for a in vars(right).values()))
    write_detections(folder, merge(*known))
    config = HandsConfig(contact_sheet=False, min_stretch_s=0.1)
    outputs = HANDS.run(folder, config, NO_PROGRESS).outputs
    write_mark(folder, "hands", Mark("hands", 1, {}, {}, hashes_of(folder, outputs)))
    return folder


def drawn(folder):
    ticks = Ticks.read(folder)
    tables = Hands.read(folder), EndEffectors.read(folder)
    return drawn_hands(*tables, ticks=ticks, origin_ns=int(ticks.timestamp_ns[0]))


def is_coloured(image, colour, at, radius):
    x, y = np.round(at).astype(int)
    window = image[y - radius : y + radius + 1, x - radius : x + radius + 1].astype(int)
    return bool((np.abs(window - colour).sum(axis=-1) < 60).any())


def test_each_hand_is_drawn_where_it_is_and_not_where_it_is_missing(session, camera):
    hands = drawn(session)
    for row, right_is_there in ((2, True), (9, False)):
        image = np.full((*camera.size_wh[::-1], 3), 90, dtype=np.uint8)
        draw_hands(image, hands, row, camera=camera)
        for side, name in enumerate(PLACES):
            wrist = camera.project(hands.landmarks[2, side, INDEX["wrist"]])[0]
            there = name == "left" or right_is_there
            assert is_coloured(image, COLOUR_RGB[name], wrist, 3) == there
    lines = [words for words, _ in caption(hands, 9)]
    assert lines[0] == f"{hands.seconds[9]:.2f} s"
    assert lines[1].startswith("left measured")
    assert lines[2] == "right missing: not seen"


def test_a_landmark_that_is_only_inferred_is_a_ring(session, camera):
    hands = drawn(session)
    tip = INDEX["pinky_tip"]
    filled = []
    for seen in (True, False):
        hands.visible[2, 0, tip] = seen
        image = np.full((1920, 2560, 3), 90, dtype=np.uint8)
        large = camera.scaled((2560, 1920))
        draw_hands(image, hands, 2, camera=large)
        point = large.project(hands.landmarks[2, 0, tip])[0]
        ring = np.round(point).astype(int) + 4
        filled.append(abs(image[ring[1], ring[0]].astype(int) - COLOUR_RGB["left"]).sum() < 60)
    assert filled == [True, False]


def test_the_video_is_h264_with_the_sessions_times(session, tmp_path):
    path = tmp_path / "overlay.mp4"
    assert write_overlay_video(session, path, width=321, progress=NO_PROGRESS) == 12
    with av.open(str(path)) as video:
        stream = video.streams.video[0]
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        frames = list(video.decode(stream))
    assert (frames[0].width, frames[0].height) == (320, 240)
    times_s = [float(f.pts * f.time_base) for f in frames]
    stamps = Ticks.read(session).timestamp_ns
    np.testing.assert_allclose(times_s, (stamps - stamps[0]) / 1e9, atol=1e-4)
    assert path.read_bytes().find(b"moov") < path.read_bytes().find(b"mdat")  # plays while loading
    assert [p.name for p in tmp_path.glob("*.part")] == []


def test_the_command_says_where_the_video_is(session, tmp_path, capsys):
    path = tmp_path / "desk.mp4"
    assert main(["hands", "overlay", session.url, "--out", str(path), "--width", "320"]) == 0
    assert capsys.readouterr().out == f"{path}: 12 frames of {session.name}\n"
    assert path.stat().st_size > 1000
    assert main(["hands", "overlay", session.url, "--out", str(tmp_path / "no" / "x.mp4")]) == 1
    assert "cannot write" in capsys.readouterr().err


def test_unfinished_hands_and_other_formats_are_refused(session, tmp_path):
    with pytest.raises(BadInputError, match=r"\.mp4"):
        write_overlay_video(session, tmp_path / "overlay.avi", width=None, progress=NO_PROGRESS)
    session.remove(HANDS_TABLE)
    with pytest.raises(StaleError, match="handoff run"):
        write_overlay_video(session, tmp_path / "overlay.mp4", width=None, progress=NO_PROGRESS)
    assert not (tmp_path / "overlay.mp4").exists()
