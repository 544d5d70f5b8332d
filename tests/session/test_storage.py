"""Storage: atomic writes on local and remote folders, and one clear line for every disk trouble."""

import errno
import os
import pickle
import resource
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from core.errors import BadInputError, MissingExtraError, StorageError
from core.session.hashes import HashCache
from core.session.storage import SessionFolder

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(params=["local", "memory"])
def folder(request, tmp_path, monkeypatch):
    monkeypatch.setenv("HANDOFF_CACHE", str(tmp_path / "cache"))
    if request.param == "local":
        return SessionFolder(tmp_path / "sessions" / "anna-0001")
    return SessionFolder(f"memory://{tmp_path.name}/sessions/anna-0001")


def test_writes_are_read_back(folder):
    folder.write_bytes("capture/a.bin", b"one")
    folder.write_bytes("capture/a.bin", b"two")
    with folder.atomic_path("slam/b.bin") as partial:
        partial.write_bytes(b"three")
    assert folder.read_bytes("capture/a.bin") == b"two"
    assert folder.ls() == ["capture/a.bin", "slam/b.bin"]
    assert folder.ls("slam") == ["slam/b.bin"]
    assert folder.size("slam/b.bin") == 5
    with folder.open("slam/b.bin") as stream:
        assert stream.read() == b"three"
    assert folder.local_path("slam/b.bin").read_bytes() == b"three"
    assert folder.sha256("capture/a.bin").startswith("3fc4ccfe745870e2")
    folder.remove("capture/a.bin")
    folder.remove("capture/a.bin")
    assert not folder.exists("capture/a.bin")
    assert folder.name == "anna-0001"


def test_a_failed_write_leaves_the_old_file_and_nothing_else(folder):
    folder.write_bytes("slam/report.json", b"old")

    def crash_half_way():
        with folder.atomic_path("slam/report.json") as partial:
            partial.write_bytes(b"new, half")
            raise RuntimeError("crash")

    with pytest.raises(RuntimeError, match="crash"):
        crash_half_way()
    assert folder.read_bytes("slam/report.json") == b"old"
    assert folder.ls() == ["slam/report.json"]
    if folder.is_local:
        assert os.listdir(Path(folder.url) / "slam") == ["report.json"]


def test_a_changed_remote_file_is_downloaded_again(tmp_path, monkeypatch):
    monkeypatch.setenv("HANDOFF_CACHE", str(tmp_path))
    folder = SessionFolder(f"memory://{tmp_path.name}/anna-0001")
    folder.write_bytes("a.bin", b"one")
    assert folder.local_path("a.bin").read_bytes() == b"one"
    folder.write_bytes("a.bin", b"two!")
    assert folder.local_path("a.bin").read_bytes() == b"two!"


def test_a_folder_has_one_name_whatever_leads_to_it(tmp_path):
    (tmp_path / "anna-0001" / "raw").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "anna-0001")
    ways = [tmp_path / "anna-0001", tmp_path / "link", tmp_path / "anna-0001/raw/.."]
    folders = [SessionFolder(way) for way in ways]
    assert {folder.url for folder in folders} == {str(tmp_path / "anna-0001")}
    assert {folder.name for folder in folders} == {"anna-0001"}


def test_folders_travel_to_other_processes(folder):
    again = pickle.loads(pickle.dumps(folder))
    assert again == folder
    assert again.url == folder.url


@pytest.mark.parametrize("path", ["../other/raw/head.mp4", "/etc/passwd", "", "a/../../b", "a\\b"])
def test_no_path_leaves_the_folder(folder, path):
    with pytest.raises(BadInputError, match="not a path inside"):
        folder.read_bytes(path)


def test_reading_what_is_not_there_names_file_and_cure(folder):
    with pytest.raises(StorageError, match=r"raw/head\.mp4: cannot read: no such file; check"):
        folder.read_bytes("raw/head.mp4")
    with pytest.raises(StorageError, match=r"raw/head\.mp4: cannot .*: no such file"):
        folder.sha256("raw/head.mp4")


def test_unknown_addresses_are_refused():
    with pytest.raises(BadInputError, match="nosuch://x"):
        SessionFolder("nosuch://x/y")


def test_an_address_that_needs_an_extra_names_it(monkeypatch):
    import fsspec

    def missing(url, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match=r"s3://b/x.*pip install 'handoff-ego\[s3\]'"):
        SessionFolder("s3://b/x")


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (errno.ENOSPC, "disk is full; free some space"),
        (errno.EROFS, "file system is read-only; mount it writable"),
        (errno.EACCES, "permission denied; change the owner"),
        (errno.EDQUOT, "quota is used up"),
        (errno.EIO, "input/output error; check the disk"),
    ],
)
def test_disk_trouble_is_one_line_and_keeps_the_old_file(tmp_path, monkeypatch, code, words):
    folder = SessionFolder(tmp_path)
    folder.write_bytes("slam/report.json", b"old")

    def broken(source, target):
        raise OSError(code, os.strerror(code), str(target))

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(StorageError) as caught:
        folder.write_bytes("slam/report.json", b"new")
    assert words in str(caught.value)
    assert str(tmp_path / "slam/report.json") in str(caught.value)
    assert "\n" not in str(caught.value)
    assert folder.read_bytes("slam/report.json") == b"old"
    assert os.listdir(tmp_path / "slam") == ["report.json"]


def test_a_really_full_disk(tmp_path):
    """The kernel itself refuses: a limit on file size in a child process, no mock."""
    code = f"""
        import resource, signal
        from core.errors import StorageError
        from core.session.storage import SessionFolder
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
        folder = SessionFolder({str(tmp_path)!r})
        folder.write_bytes("hands/small.bin", b"x" * 4096)
        try:
            folder.write_bytes("hands/large.bin", b"x" * 4097)
        except StorageError as error:
            print(error)
        print(folder.ls())
    """
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 4096
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        capture_output=True, text=True, check=True, cwd=ROOT,
    )  # fmt: skip
    line, listing = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/hands/large.bin: cannot write: the file is larger than")
    assert listing == "['hands/small.bin']"


def test_dev_full_is_named_as_a_full_disk():
    from core.session.storage import storage_errors

    with (
        pytest.raises(StorageError, match="/dev/full: cannot write: the disk is full"),
        storage_errors("write", "/dev/full"),
        open("/dev/full", "wb", buffering=0) as stream,
    ):
        stream.write(b"x")


def test_other_errors_inside_a_writing_block_are_not_blamed_on_the_disk(tmp_path):
    folder = SessionFolder(tmp_path)
    with pytest.raises(FileNotFoundError), folder.atomic_path("a.bin"):
        open(tmp_path / "nowhere" / "x", "rb")  # noqa: SIM115


def test_killed_in_the_middle_of_a_write(tmp_path):
    """SIGKILL while the new bytes are half written: the old file stands, the rest is not listed."""
    folder = SessionFolder(tmp_path)
    folder.write_bytes("hands/hands.parquet", b"old")
    code = f"""
        import os, signal
        from core.session.storage import SessionFolder
        with SessionFolder({str(tmp_path)!r}).atomic_path("hands/hands.parquet") as partial:
            partial.write_bytes(b"new, half")
            os.kill(os.getpid(), signal.SIGKILL)
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], check=False, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL
    assert folder.read_bytes("hands/hands.parquet") == b"old"
    assert folder.ls() == ["hands/hands.parquet"]
    assert len(os.listdir(tmp_path / "hands")) == 2
    folder.remove_unfinished("hands")
    assert os.listdir(tmp_path / "hands") == ["hands.parquet"]


def test_hashes_are_remembered_and_correct_on_change(tmp_path):
    cache = HashCache(tmp_path / "cache" / "hashes.sqlite")
    video = tmp_path / "head.mp4"
    video.write_bytes(b"a" * (1 << 20))
    long_ago = 1_600_000_000_000_000_000
    os.utime(video, ns=(long_ago, long_ago))
    first = cache.sha256(video)
    video.write_bytes(b"b" * (1 << 20))
    os.utime(video, ns=(long_ago, long_ago))  # same size, same mtime: ctime gives it away
    second = cache.sha256(video)
    assert first != second
    assert second == HashCache(tmp_path / "none" / "hashes.sqlite").sha256(video)


def test_a_remembered_hash_is_not_read_again(tmp_path, monkeypatch):
    import core.session.hashes as hashes

    monkeypatch.setattr(hashes, "AT_REST_NS", -1)
    cache = HashCache(tmp_path / "hashes.sqlite")
    video = tmp_path / "head.mp4"
    video.write_bytes(b"a" * (1 << 20))
    first = cache.sha256(video)
    monkeypatch.setattr(hashes, "_digest", lambda path: pytest.fail("read again"))
    assert cache.sha256(video) == first


def test_a_fresh_file_is_not_remembered(tmp_path):
    cache = HashCache(tmp_path / "hashes.sqlite")
    video = tmp_path / "head.mp4"
    video.write_bytes(b"a" * (1 << 20))
    cache.sha256(video)
    assert not (tmp_path / "hashes.sqlite").exists()


def test_an_unusable_cache_only_costs_time(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "broken.sqlite").write_bytes(b"not a database" * 100)
    video = tmp_path / "head.mp4"
    video.write_bytes(b"a" * (1 << 20))
    digests = {
        HashCache(tmp_path / "file" / "hashes.sqlite").sha256(video),
        HashCache(tmp_path / "broken.sqlite").sha256(video),
    }
    assert len(digests) == 1
