"""Plots of one session: where the head and hands went, and what happened when."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.evaluate.trajectory import TrajectoryComparison
from app.report.pictures import FAINT, HEAD, INK, LEFT, RIGHT, SIDE_COLOR, TRUTH, Plot
from app.scene import Scene, rows_of_ticks
from core.geometry.landmarks import LANDMARKS, SIDES
from core.geometry.se3 import SE3
from core.session.tables import Segments

Floats = NDArray[np.float64]
TRACKS = ("episode", "both", "left", "right", "phase")
TRACK_COLOR = {"episode": HEAD, "both": "#7a5bbf", "left": LEFT, "right": RIGHT, "phase": "#8a93a3"}
STATE_COLOR = {"measured": 1.0, "interpolated": 0.4}


def path_plot(scene: Scene, comparison: TrajectoryComparison | None) -> str | None:
    """Top view and height of the head and both palms, beside the truth. None without a path."""
    if not scene.world_from_head[1].any():
        return None
    tracks = _tracks(scene)
    if comparison is not None and not (comparison.absolute and len(comparison.seconds)):
        comparison = None
    if comparison is not None:
        tracks = _in_truth_world(scene, tracks, comparison)
    unit = "m" if scene.metric else "map units"
    with Plot(9.2, 4.0, ncols=2, width_ratios=[1.15, 1]) as plot:
        top, height = plot.axes
        for name, (track, color) in tracks.items():
            style = {"color": color, "label": name}
            thin = {} if name == "head" else {"linewidth": 1.0, "alpha": 0.8}
            top.plot(track[:, 0], track[:, 1], **style, **thin)
            height.plot(scene.seconds, track[:, 2], **style, **thin)
        if comparison is not None:
            seconds = comparison.seconds + scene.seconds[_first_tick(scene, comparison)]
            dashed = {"color": TRUTH, "linestyle": (0, (4, 2))}
            for name, exact in _true_tracks(scene, comparison).items():
                given: dict[str, Any] = {"label": "truth"} if name == "head" else {"linewidth": 0.8}
                top.plot(exact[:, 0], exact[:, 1], **dashed, **given)
                height.plot(seconds, exact[:, 2], **dashed, **given)
        first = next(iter(np.flatnonzero(np.isfinite(tracks["head"][0][:, 0]))), 0)
        top.plot(*tracks["head"][0][first, :2], "o", color=HEAD, ms=6, label="head, start")
        above, up = ("from above", "height") if comparison is not None else _titles(scene)
        top.set(title=above, xlabel=f"x, {unit}", ylabel=f"y, {unit}")
        top.set_aspect("equal", adjustable="datalim")
        height.set(title=up, xlabel="seconds", ylabel=f"z, {unit}")
        top.legend(loc="best")
    return plot.image


def _titles(scene: Scene) -> tuple[str, str]:
    """Of both plots, where the path stands in a world of its own."""
    above, up = (
        ("from above", "height") if scene.upright else ("x and y, up unknown", "z, up unknown")
    )
    maps = len(np.unique(scene.map_id[scene.map_id >= 0]))
    return above + (f"; {maps} maps that share no place" if maps > 1 else ""), up


def _tracks(scene: Scene) -> dict[str, tuple[Floats, str]]:
    """Paths and their colours, interrupted where another map begins. Palms are in metres: in a map
    without metres they have no place.
    """
    poses, _ = scene.world_from_head
    known = np.flatnonzero(scene.map_id >= 0)
    place = poses.translation.copy()
    place[known[1:][np.diff(scene.map_id[known]) != 0]] = np.nan
    poses = SE3(poses.rotation, place)
    tracks = {"head": (poses.translation, HEAD)}
    if scene.metric:
        for side in SIDES:
            palms, _ = scene.palm_in_head(side)
            tracks[f"{side} palm"] = (poses.apply(palms.translation), SIDE_COLOR[side])
    return tracks


def _first_tick(scene: Scene, comparison: TrajectoryComparison) -> int:
    return int(np.searchsorted(scene.ticks.timestamp_ns, comparison.start_ns))


def _true_tracks(scene: Scene, comparison: TrajectoryComparison) -> dict[str, Floats]:
    """Exact positions of the head and both palms in the truth's world, at the compared ticks."""
    tracks = {"head": comparison.truth.translation}
    if scene.trajectory is not None:
        place, _ = rows_of_ticks(scene.ticks, scene.trajectory.tick[comparison.rows])
        for side, landmarks in scene.truth_landmarks().items():
            palm = landmarks[place, LANDMARKS.index("palm")]
            tracks[side] = comparison.truth.apply(palm[:, None])[:, 0]
    return tracks


def _in_truth_world(
    scene: Scene, tracks: dict[str, tuple[Floats, str]], comparison: TrajectoryComparison
) -> dict[str, tuple[Floats, str]]:
    """Tracks moved by the alignment, so that they lie over the truth; other maps stay unknown."""
    moved = {}
    maps = scene.trajectory.map_id if scene.trajectory is not None else None
    for name, (track, color) in tracks.items():
        there = np.full_like(track, np.nan)
        for number, truth_from_world in comparison.alignments.items():
            here = np.ones(len(track), bool) if maps is None else maps == number
            there[here] = truth_from_world.apply(track[here])
        moved[name] = (there, color)
    return moved


def timeline(scene: Scene) -> str:
    """Palm speed, labels and what was seen, over one time axis."""
    speeds = scene.palm_speeds()
    unit = "m/s in the world" if scene.metric else "m/s in the head frame"
    rows = _label_rows(scene.segments)
    heights = [2.2, 0.34 * max(len(rows), 1) + 0.25, 0.9]
    grid = {"nrows": 3, "sharex": True, "height_ratios": heights}
    with Plot(9.2, sum(heights) + 0.9, **grid) as plot:
        speed, labels, seen = plot.axes
        for side in SIDES:
            speed.plot(scene.seconds, speeds[side], color=SIDE_COLOR[side], label=side)
        top = [np.nanpercentile(s, 99.5) for s in speeds.values() if np.isfinite(s).any()]
        speed.set(title="palm speed", ylabel=unit, ylim=(0, 1.15 * max(top, default=1.0)))
        speed.legend(loc="upper right", ncols=2)
        _draw_labels(labels, scene, rows)
        _draw_seen(seen, scene)
        seen.set(xlabel="seconds")
        if len(scene.seconds) > 1:  # one moment has no width to show
            seen.set(xlim=(scene.seconds[0], scene.seconds[-1]))
    return plot.image


def _label_rows(segments: Segments | None) -> list[str]:
    there = set() if segments is None else set(segments.track)
    return [track for track in TRACKS if track in there]


def _draw_labels(axis: Any, scene: Scene, rows: list[str]) -> None:
    axis.set_title("labels (pale and dashed: proposed by machine, without words)")
    axis.grid(visible=False)
    axis.set_ylim(len(rows) - 0.4, -0.6)
    axis.set_yticks(range(len(rows)), rows)
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    if scene.segments is None or not rows:
        axis.set_yticks([])
        axis.text(0.5, 0.5, "no labels", transform=axis.transAxes, ha="center", color="#8a93a3")
        return
    segments = scene.segments
    starts, ends = scene.seconds_of(segments.start_ns), scene.seconds_of(segments.end_ns)
    total = float(scene.seconds[-1] - scene.seconds[0])
    for row in range(len(segments)):
        track, machine = str(segments.track[row]), segments.author_kind[row] == "machine"
        color, length = TRACK_COLOR[track], float(ends[row] - starts[row])
        place = (starts[row], rows.index(track) - 0.36)
        axis.add_patch(_box(place, length, color=color, machine=machine))
        text = str(segments.text[row])
        room = int(length / total * 118)  # characters that fit, at this size of page and letters
        if text and room > 3:
            shown = text if len(text) <= room else text[: room - 1].rstrip() + "…"
            where = (starts[row] + 0.004 * total, rows.index(track))
            axis.text(*where, shown, fontsize=7, va="center", color="white", clip_on=True)


def _box(place: tuple[float, float], length: float, *, color: str, machine: bool) -> Any:
    from matplotlib.patches import Rectangle

    if machine:
        return Rectangle(place, length, 0.72, fc=color + "22", ec=color, ls=(0, (2, 2)), lw=0.9)
    return Rectangle(place, length, 0.72, fc=color, ec="white", lw=0.9)


def _draw_seen(axis: Any, scene: Scene) -> None:
    """Strips that show when the head was tracked and each hand measured or filled in."""
    _, known = scene.world_from_head
    strips = {"head": known.astype(float)}
    for side in SIDES:
        strips[side] = np.array([STATE_COLOR.get(state, 0.0) for state in scene.states(side)])
    colors = {"head": HEAD, **SIDE_COLOR}
    period = float(np.median(np.diff(scene.seconds))) if len(scene.seconds) > 1 else 0.03
    for row, (name, strip) in enumerate(strips.items()):
        for level, alpha in ((1.0, 1.0), (0.4, 0.4)):
            spans = _spans(scene.seconds, strip == level, period)
            box = (row - 0.3, 0.6)
            axis.broken_barh(spans, box, facecolors=colors[name], alpha=alpha, linewidth=0)
        axis.broken_barh(
            _spans(scene.seconds, strip == 0, period), (row - 0.06, 0.12), facecolors=FAINT
        )
    axis.set_ylim(len(strips) - 0.4, -0.6)
    axis.set_yticks(range(len(strips)), strips)
    axis.tick_params(left=False)
    axis.spines["left"].set_visible(False)
    axis.grid(visible=False)
    axis.set_title("seen (pale: interpolated, line: missing)", color=INK)


def _spans(seconds: Floats, flags: NDArray[np.bool_], period: float) -> list[tuple[float, float]]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8)))
    pairs = edges.reshape(-1, 2)
    return [(float(seconds[a]), float(seconds[b - 1] - seconds[a] + period)) for a, b in pairs]
