"""Knocks lie in every file where its clock puts them, and files with sound are ingested."""

import av
import numpy as np
import pyarrow.parquet as pq
import pytest

from core.session.video import probe_video
from sim.record import perform, record
from sim.rig import find_preset, find_rig
from sim.sensors.sound import KNOCK_S, RATE_HZ, Microphone, arrivals, knocks
from sim.sensors.video import H264, VideoWriter


def _sound_of(path):
    """(N,) samples of a file's track, from its time 0."""
    with av.open(str(path)) as container:
        parts = [f.to_ndarray().reshape(-1) for f in container.decode(container.streams.audio[0])]
    return np.concatenate(parts)


def _offset_s(one, other, most_s=0.2):
    """By how much the second track is late against the first: the best fit of their loudness."""
    step = RATE_HZ // 1000
    count = min(len(one), len(other)) // step
    loud = [np.abs(x[: count * step].reshape(count, step)).max(1) for x in (one, other)]
    a, b = (x - x.mean() for x in loud)
    reach = range(-int(most_s * 1000), int(most_s * 1000) + 1)
    fit = [np.dot(np.roll(b, -k)[200:-200], a[200:-200]) for k in reach]
    return reach[int(np.argmax(fit))] / 1000


def test_what_is_set_down_is_heard_when_the_sound_gets_there():
    show = perform(
        "blocks_to_tray", seconds=9.0, seed=2, rig=find_rig("small"), preset=find_preset("clean")
    )
    sounds = knocks(show.human)
    assert {"set down", "picked up"} <= {knock.kind for knock in sounds}
    heard, gains = arrivals(sounds, show.human, "head")
    delay = heard - [knock.seconds for knock in sounds]
    assert (delay > 0.0005).all()
    assert (delay < 0.004).all()
    track = Microphone(sounds, show.human, stream="head", timing=show.timing["head"]).samples(
        0, 9 * RATE_HZ
    )
    loud = int(np.argmax(gains))
    at = int(heard[loud] * RATE_HZ)
    span = int(KNOCK_S * RATE_HZ)
    assert np.abs(track[at : at + 200]).max() > 0.5 * gains[loud]
    assert np.abs(track[: int(heard[0] * RATE_HZ) - 10]).max() < 0.01
    assert span > 1000


def test_tracks_give_back_the_offset_of_the_clocks():
    preset = find_preset("clean").with_values({"wrist_offset_ms": 40.0})
    show = perform("blocks_to_tray", seconds=9.0, seed=2, rig=find_rig("small"), preset=preset)
    tracks = []
    for stream in ("head", "left_wrist"):
        timing = show.timing[stream]
        track = show.microphone(stream).samples(0, int(8.5 * RATE_HZ))
        late = np.zeros(int((timing.stamps[0] + 0.1) * RATE_HZ), np.float32)
        tracks.append(np.concatenate([late, track]))
    assert _offset_s(*tracks) == pytest.approx(0.040, abs=0.003)


def test_a_file_keeps_its_sound_in_time_and_its_pictures_stamps(tmp_path):
    click = np.zeros(RATE_HZ, np.float32)
    click[RATE_HZ // 2 : RATE_HZ // 2 + 200] = 0.5
    with VideoWriter(tmp_path / "a.mp4", (64, 48), kind=H264, fps=30, sound_hz=RATE_HZ) as video:
        for k in range(30):
            video.add(np.full((48, 64, 3), 8 * k, np.uint8), k / 30)
        for start in range(0, RATE_HZ - 1024, 1024):
            video.hear(click[start : start + 1024])
    info = probe_video(tmp_path / "a.mp4")
    np.testing.assert_array_equal(info.pts, 3000 * np.arange(30))
    track = _sound_of(tmp_path / "a.mp4")
    assert np.argmax(np.abs(track) > 0.2) / RATE_HZ == pytest.approx(0.5, abs=0.002)


@pytest.mark.usefixtures("can_draw")
def test_a_take_with_sound_says_what_sounded(tmp_path):
    record(tmp_path / "take", seconds=5.0, seed=2, rig="head", preset="clean")
    table = pq.read_table(tmp_path / "take/truth/sim/sounds.parquet")
    heard = (table["heard_head_ns"].to_numpy() - 1_000_000_000_000) / 1e9
    track = _sound_of(tmp_path / "take/head.mp4")
    assert len(track) / RATE_HZ == pytest.approx(5.0, abs=0.1)
    downs = [i for i, kind in enumerate(table["kind"].to_pylist()) if kind == "set down"]
    assert downs
    for i in downs:
        at = int(heard[i] * RATE_HZ)
        assert np.abs(track[at : at + 480]).max() > 5 * np.abs(track[: RATE_HZ // 10]).max()
    record(tmp_path / "silent", seconds=4.0, rig="head", preset="clean", sensor={"audio": 0})
    with av.open(str(tmp_path / "silent/head.mp4")) as container:
        assert not container.streams.audio
