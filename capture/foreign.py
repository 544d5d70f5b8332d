"""Tells well-known data sets from a rig folder, so that the cure can be named."""

from pathlib import Path

PICTURE_SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"}
# what a folder holds -> whose layout that is
_LAYOUTS = (
    ("mav0/cam0/data.csv", "EuRoC"),
    ("cam0/data.csv", "EuRoC"),
    ("rgb.txt", "TUM RGB-D"),
    ("frame-*.color.*", "7-Scenes"),
)
_CURE = 'docs/rig-folder.md, "From other layouts", has the lines that make a rig folder of it'


def what_is_there(folder: Path) -> str:
    """What a folder without rig.toml holds, and the cure: the end of an error's line."""
    for pattern, layout in _LAYOUTS:
        if next(folder.glob(pattern), None):
            return f"but the layout of {layout}: {_CURE}"
    names = sorted(path.name for path in folder.iterdir())
    pictures = sum(Path(name).suffix.lower() in PICTURE_SUFFIXES for name in names)
    if pictures > 1:
        return f"but {pictures} pictures: {_CURE}"
    there = ", ".join(names[:8]) or "nothing"
    return f"(found: {there}); write one, or give a single video file"
