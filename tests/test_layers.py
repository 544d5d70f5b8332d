"""The rooms' arrows point one way, no module is a drawer, and the command line starts light."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ROOMS = {"capture", "slam", "hands", "annotate", "export", "vla_train", "sim"}
PACKAGES = {"core", "pipeline", "app"} | ROOMS
MAY_IMPORT = {
    "core": {"core"},
    **{room: {room, "core"} for room in ROOMS},
    "pipeline": PACKAGES - {"app"},
    "app": PACKAGES,
}
INSIDE_CORE = {
    "core/geometry": {"core.errors", "core.geometry"},
    "core/session": {"core.errors", "core.geometry", "core.session"},
    "core/catalogue": {"core.errors", "core.catalogue", "core.session"},
    "core/dataset": {"core.errors", "core.geometry", "core.dataset"},
}
UPWARDS = {  # each part of a room may import those before it
    "slam": ("sight", "imu", "lengths", "map", "wrist", "output", "backends"),
    "hands": ("model", "detection", "cameras", "pictures", "sources", "truth_layouts"),
    "sim": ("tasks", "hand", "motion", "scene", "sensors", "truth"),
}
INSIDE_ROOMS = {
    f"{room}/{part}": set(parts[: i + 1])
    for room, parts in UPWARDS.items()
    for i, part in enumerate(parts)
} | {"sim/robots": {"tasks", "hand", "motion", "scene", "sensors", "robots"}}
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc"}
HEAVY = {"torch", "ai_edge_litert", "cv2", "gtsam", "mujoco", "rerun", "matplotlib", "numpy"}


def modules_of(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imported_names(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names.add(node.module or "")
    return names


@pytest.mark.parametrize("package", sorted(PACKAGES))
def test_rooms_import_only_what_they_may(package):
    for path in modules_of(package):
        ours = {name.split(".")[0] for name in imported_names(path)} & PACKAGES
        assert ours <= MAY_IMPORT[package], f"{path}: imports {ours - MAY_IMPORT[package]}"


@pytest.mark.parametrize("part", sorted(INSIDE_CORE))
def test_parts_of_core_point_one_way(part):
    for path in modules_of(part):
        ours = {name for name in imported_names(path) if name.split(".")[0] == "core"}
        bad = {n for n in ours if ".".join(n.split(".")[:2]) not in INSIDE_CORE[part]}
        assert not bad, f"{path}: imports {bad}"


@pytest.mark.parametrize("part", sorted(INSIDE_ROOMS))
def test_parts_of_a_room_point_one_way(part):
    room = part.split("/")[0]
    parts = {path.parent.name for path in (ROOT / room).glob("*/__init__.py")}
    placed = {name.split("/")[1] for name in INSIDE_ROOMS if name.startswith(f"{room}/")}
    assert parts == placed, "a part has no place in the order"
    for path in modules_of(part):
        ours = {n.split(".")[1] for n in imported_names(path) if n.startswith(f"{room}.")} & parts
        assert ours <= INSIDE_ROOMS[part], f"{path}: imports {ours - INSIDE_ROOMS[part]}"


def test_no_module_is_a_drawer():
    drawers = [p for package in PACKAGES for p in modules_of(package) if p.stem in DRAWERS]
    assert not drawers


def test_command_line_starts_without_heavy_imports():
    code = f"import sys, app.cli; print(sorted(set(sys.modules) & {HEAVY!r}))"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.strip() == "[]"
