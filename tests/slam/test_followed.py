"""Observations kept on disk are those that were written, whatever is changed on the way."""

import tempfile
from pathlib import Path

import numpy as np
import pytest

from core.errors import StorageError
from slam.config import SlamConfig
from slam.estimate import estimate
from slam.map.loops import relabelled
from slam.sight.followed import Followed, Spool
from slam.sight.tracks import Ranges


def spooled(tracks):
    """The same observations on disk."""
    spool = Spool()
    for frame in range(len(tracks.timestamps_ns)):
        seen = tracks.of_frames([frame])
        spool.append((seen.track, seen.uv_px, seen.rays, seen.rad_per_px))
    return Followed(spool, tracks.timestamps_ns, spool.n_tracks)


def assert_same(first, second):
    for name in ("frame", "track", "uv_px", "rays", "rad_per_px", "timestamps_ns"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-7)


def test_frames_come_back_with_their_changes_and_ranges(make_world, motion):
    tracks = make_world(motion, seconds=1.0).tracks
    followed = spooled(tracks)
    assert followed.n_tracks == tracks.n_tracks
    assert_same(followed.of_frames([0, 3, 4]), tracks.of_frames([0, 3, 4]))
    assert not len(followed.of_frames([]).track)
    count = len(tracks.of_frames([3]).track)
    told = {3: Ranges(np.arange(1.0, count + 1), np.full(count, 0.1), 0.01, "depth")}
    new_id = np.arange(tracks.n_tracks) // 2 * 2  # neighbours become one: most frames saw both
    changed = [relabelled(kind.ranged(told), new_id) for kind in (followed, tracks)]
    assert_same(*(kind.of_frames([2, 3]) for kind in changed))
    ranges = [kind.of_frames([2, 3]).ranges.range_m for kind in changed]
    np.testing.assert_array_equal(*ranges)
    assert 0 < np.isfinite(ranges[0]).sum() < count
    assert followed.of_frames([3]).ranges is None


def test_the_path_is_the_same_from_disk(make_world, motion):
    tracks = make_world(motion, seconds=2.0).tracks
    there, here = (estimate(kind, SlamConfig()).path for kind in (spooled(tracks), tracks))
    assert here.tracked.all()
    np.testing.assert_allclose(there.position, here.position, atol=1e-5)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_named_with_the_cure(make_world, motion, monkeypatch):
    full = Path("/dev/full").open("r+b", buffering=0)  # noqa: SIM115, the spool closes it
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda buffering: full)
    with pytest.raises(StorageError, match=r"No space left on device; .* TMPDIR"):
        spooled(make_world(motion, seconds=0.2).tracks)
