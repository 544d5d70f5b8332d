"""Predicted and true chunks drawn over the frames they start from."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.report.overlay import draw_path, window_around
from app.report.pictures import SIDE_COLOR, TRUTH, Plot, photo, rgb
from app.report.sheet import Picture
from core.dataset.lerobot_reader import Dataset
from core.geometry.cameras import Camera, camera_from_dict
from core.geometry.landmarks import SIDES

Arrays = dict[str, NDArray[Any]]


def chunk_pictures(root: Path, arrays: Arrays, *, count: int = 6) -> list[Picture]:
    """`count` frames with both palms' paths: drawn into them where the camera's model is known.

    Where it is not, the paths stand beside the frame, in the frame of the head or base. They are
    the frames with the longest true motion, some way apart, so that there is one to see.
    """
    if not (root / "meta" / "info.json").is_file():
        return []
    dataset = Dataset(root)
    chosen = _telling_frames(arrays, count)
    cameras = {k: head_camera(dataset, int(arrays["row"][k])) for k in chosen}
    if "head" not in dataset.cameras:
        return []
    return [
        _beside(dataset, arrays, k)
        if known is None
        else _picture(dataset, arrays, k, known=known, shown=chosen)
        for k, known in cameras.items()
    ]


def _beside(dataset: Dataset, arrays: Arrays, k: int) -> Picture:
    """Frame k with the paths in two views beside it."""
    image = dataset.image("head", int(arrays["row"][k]))
    with Plot(6.4, 2.3, ncols=3, width_ratios=[1.5, 1, 1]) as plot:
        view, *sides = plot.axes
        view.imshow(image)
        view.set_axis_off()
        for axis, (a, b) in zip(sides, ((0, 1), (0, 2)), strict=True):
            for arm, side in enumerate(SIDES):
                valid = arrays["arm_valid"][k, arm]
                for key, color in _paths_of(side):
                    path = arrays[key][k, arm][valid]
                    if len(path):
                        axis.plot(path[:, a], path[:, b], color=color)
                        axis.plot(path[-1, a], path[-1, b], "o", color=color, ms=4)
            axis.set(xlabel=f"{'xyz'[a]}, m", ylabel=f"{'xyz'[b]}, m")
            axis.set_aspect("equal", adjustable="datalim")
            axis.tick_params(labelsize=6)
    return Picture(plot.image, _caption(arrays, k), wide=True)


def _paths_of(side: str) -> tuple[tuple[str, str], tuple[str, str]]:
    """Which array is drawn in which colour."""
    return ("true_in_head", TRUTH), ("predicted_in_head", SIDE_COLOR[side])


def _caption(arrays: Arrays, k: int) -> str:
    errors = [_final_error_mm(arrays, k, arm) for arm in range(len(SIDES))]
    said = [f"{s} {e:.0f} mm" for s, e in zip(SIDES, errors, strict=True) if np.isfinite(e)]
    episode, tick = int(arrays["episode"][k]), int(arrays["tick"][k])
    return f"episode {episode}, frame {tick}; off at the end: {', '.join(said)}"


def _picture(
    dataset: Dataset,
    arrays: Arrays,
    k: int,
    *,
    known: tuple[Camera, tuple[float, float]],
    shown: list[int],
) -> Picture:
    """Frame k, cut to where the palms of all `shown` frames are."""
    camera, offset_px = known
    image = np.array(dataset.image("head", int(arrays["row"][k])))
    x, y = round(offset_px[0]), round(offset_px[1])
    inner = image[y : y + camera.size_wh[1], x : x + camera.size_wh[0]]
    valid = arrays["arm_valid"][shown]
    paths = [arrays[key][shown][valid][:, :3] for key in ("true_in_head", "predicted_in_head")]
    x0, y0, x1, y1 = window_around(camera, paths)
    _draw(inner, camera, arrays, k=k, width=max(1, round((x1 - x0) / 150)))
    return Picture(photo(inner[y0:y1, x0:x1], width=640), _caption(arrays, k))


def head_camera(dataset: Dataset, row: int) -> tuple[Camera, tuple[float, float]] | None:
    """The model of the head pictures and their offset in the padded picture, where it is stated."""
    episode, _ = dataset.locate(row)
    session = dataset.episode(episode).session
    for facts in dataset.handoff.get("sessions", []):
        model = facts.get("cameras", {}).get("head") if facts.get("id") == session else None
        if model:
            x, y = model.get("offset_px", (0.0, 0.0))
            return camera_from_dict(model), (float(x), float(y))
    return None


def _telling_frames(arrays: Arrays, count: int) -> list[int]:
    """Frames with the longest true motion, at least one chunk apart, in order of time."""
    true, valid = arrays["true_in_head"][..., :3], arrays["arm_valid"]
    steps = np.linalg.norm(np.diff(true, axis=2), axis=-1)
    length = np.where(valid[..., 1:] & valid[..., :-1], steps, 0.0).sum((1, 2))
    chosen: list[int] = []
    apart = max(1, len(length) // (2 * count))
    for k in np.argsort(-length):
        if len(chosen) < count and length[k] > 0 and all(abs(k - c) >= apart for c in chosen):
            chosen.append(int(k))
    return sorted(chosen)


def _draw(image: NDArray[np.uint8], camera: Camera, arrays: Arrays, *, k: int, width: int) -> None:
    for arm, side in enumerate(SIDES):
        valid = arrays["arm_valid"][k, arm]
        if not valid.any():
            continue
        for key, color in _paths_of(side):
            path = arrays[key][k, arm][valid][:, :3]
            draw_path(image, camera, path, color=rgb(color), width=width)


def _final_error_mm(arrays: Arrays, k: int, arm: int) -> float:
    valid = np.flatnonzero(arrays["arm_valid"][k, arm])
    if not len(valid):
        return float("nan")
    last = valid[-1]
    gap = arrays["predicted_in_head"][k, arm, last, :3] - arrays["true_in_head"][k, arm, last, :3]
    return 1e3 * float(np.linalg.norm(gap))
