"""What is installed, what is missing and the command that cures it."""

import ctypes
import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement

DISTRIBUTION = "handoff-ego"
CORE = "core"
LOW_DISK_GB = 5.0
PURPOSES = {
    CORE: "ingest, status, export, report",
    "hands": "finding hands in images",
    "slam": "head trajectory with inertial sensor",
    "view": "handoff view",
    "train": "handoff train, predict",
    "sim": "handoff sim",
    "s3": "sessions on s3://",
}
LIBRARIES = (  # shared library, Debian package, what stops without it
    ("libGL.so.1", "libgl1", "reading images (OpenCV)"),
    ("libEGL.so.1", "libegl1", "rendering on a machine without a screen"),
    ("libOSMesa.so.8", "libosmesa6", "handoff sim without a graphics card"),
)
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@dataclass(frozen=True)
class Check:
    """One thing looked at. state: ok, missing (something fails) or optional (may stay absent).

    found: version, path or size.   cure: the command that makes it ok, "" when it is.
    """

    part: str
    name: str
    state: str
    found: str
    purpose: str = ""
    cure: str = ""


def examine(folder: Path | None = None) -> list[Check]:
    """Every check, in reading order. `folder` is where the free disk is measured."""
    return [
        _python(),
        *_packages(),
        *_one_opencv(),
        _ffmpeg(),
        *_libraries(),
        _hand_model(),
        _browser(),
        _disk(folder or Path.cwd()),
    ]


def _python() -> Check:
    version = platform.python_version()
    return Check("machine", "python", "ok", f"{version} ({sys.executable})")


def _packages() -> Iterator[Check]:
    """Every requirement of our own metadata, by the extra that brings it."""
    try:
        lines = importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        cure = "make, or: pip install -e '.[all]' in the checkout"
        yield Check("machine", DISTRIBUTION, "missing", "not installed", cure=cure)
        return
    yield Check("machine", DISTRIBUTION, "ok", importlib.metadata.version(DISTRIBUTION))
    for requirement in map(Requirement, lines):
        for part in _parts_of(requirement):
            yield _package(requirement, part)


def _parts_of(requirement: Requirement) -> list[str]:
    """The parts (core or an extra) that ask for a requirement, out of those people know by name."""
    if requirement.name == DISTRIBUTION:  # `all` names the other extras again
        return []
    if requirement.marker is None:
        return [CORE]
    extras = [part for part in PURPOSES if part != CORE]
    return [part for part in extras if requirement.marker.evaluate({"extra": part})]


def _package(requirement: Requirement, part: str) -> Check:
    purpose = PURPOSES[part]
    extra = DISTRIBUTION if part == CORE else f"{DISTRIBUTION}[{part}]"
    cure = f"pip install '{extra}'"
    try:
        version = importlib.metadata.version(requirement.name)
    except importlib.metadata.PackageNotFoundError:
        state = "missing" if part == CORE else "optional"
        return Check(part, requirement.name, state, "not installed", purpose, cure)
    if not requirement.specifier.contains(version.split("+")[0], prereleases=True):
        found = f"{version}, needs {requirement.specifier}"
        return Check(part, requirement.name, "missing", found, purpose, cure)
    return Check(part, requirement.name, "ok", version, purpose)


def _one_opencv() -> Iterator[Check]:
    """Two OpenCV distributions overwrite each other's files."""
    names = sorted({d.name.lower() for d in importlib.metadata.distributions() if d.name})
    variants = [name for name in names if name.startswith("opencv-")]
    others = [name for name in variants if name != "opencv-contrib-python"]
    if others:
        cure = f"pip uninstall -y {' '.join(variants)} && pip install opencv-contrib-python"
        yield Check(CORE, "opencv", "missing", " and ".join(variants), "one of them only", cure)


def _ffmpeg() -> Check:
    try:
        import av
    except ImportError as error:
        cure = f"pip install '{DISTRIBUTION}'"
        return Check("machine", "FFmpeg libraries", "missing", str(error), "reading video", cure)
    codec = ".".join(str(part) for part in av.library_versions["libavcodec"])
    return Check("machine", "FFmpeg libraries", "ok", f"libavcodec {codec} (in PyAV)")


def _libraries() -> Iterator[Check]:
    if not sys.platform.startswith("linux"):
        return
    for library, package, purpose in LIBRARIES:
        try:
            ctypes.CDLL(library)
        except OSError:
            cure = f"sudo apt-get install -y {package}"
            yield Check("machine", library, "optional", "not installed", purpose, cure)
        else:
            yield Check("machine", library, "ok", "loads", purpose)


def _hand_model() -> Check:
    from hands.detection.model_file import MODEL_VARIABLE, cache_dir, is_whole

    own = os.environ.get(MODEL_VARIABLE)
    path = Path(own).expanduser() if own else cache_dir() / "hand_landmarker.task"
    purpose = "finding hands in images"
    if path.is_file() if own else is_whole(path):
        return Check("hands", "hand model", "ok", str(path), purpose)
    cure = 'python -c "from hands.detection.model_file import hand_model_path; hand_model_path()"'
    if own:
        found = f"{MODEL_VARIABLE}={own}: no such file"
        return Check("hands", "hand model", "missing", found, purpose, cure)
    return Check("hands", "hand model", "optional", "not fetched yet (35 MB, once)", purpose, cure)


def _browser() -> Check:
    found = next((path for name in BROWSERS if (path := shutil.which(name))), None)
    purpose = "looking at reports, browser tests"
    if found:
        return Check("machine", "browser", "ok", found, purpose)
    cure = "sudo apt-get install -y chromium, or open reports in any browser"
    return Check("machine", "browser", "optional", "no chromium or chrome", purpose, cure)


def _disk(folder: Path) -> Check:
    free_gb = shutil.disk_usage(folder).free / 1e9
    state = "ok" if free_gb >= LOW_DISK_GB else "missing"
    cure = "" if state == "ok" else f"free {LOW_DISK_GB:g} GB there, or work on another disk"
    return Check("machine", "disk", state, f"{free_gb:.0f} GB free at {folder}", "sessions", cure)
