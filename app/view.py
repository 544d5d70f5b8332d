"""A session as a Rerun recording: what the camera saw, where it was, what the hands did.

Pictures come through the redactor, at a modest rate and size. Costs about 20 kB per second of video
and one decode of the head stream.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from app.scene import Scene
from app.whole_file import whole_file
from core.errors import MissingExtraError
from core.geometry.landmarks import BONES, SIDES
from core.geometry.se3 import SE3
from core.session.frames import open_frames
from core.session.stage import NO_PROGRESS, Progress

COLORS = {"left": (59, 111, 212), "right": (224, 123, 57), "head": (70, 70, 80)}
PALE = {"left": (157, 183, 234), "right": (240, 189, 156)}  # of hands that are interpolated
TRUTH_COLOR = (46, 158, 107)
LOOPBACK = "127.0.0.1"
WIDEST = 640  # pixels of a picture
HEAD = "world/head"
CURE = "rerun is not installed; pip install 'handoff-ego[view]'"


def write_recording(
    scene: Scene, path: Path, *, rate_hz: float = 10.0, progress: Progress = NO_PROGRESS
) -> Path:
    """Write the session as a .rrd file. `rate_hz` is that of the pictures alone."""
    try:
        import rerun as rr
    except ImportError as error:
        raise MissingExtraError(CURE) from error

    with whole_file(path, option="--save") as partial, _failures_of_rerun():
        recording = rr.RecordingStream("handoff", recording_id=scene.info.id)
        wrists = [name for name in scene.calibration.streams if name != "head"]
        recording.save(partial, default_blueprint=_blueprint(wrists))
        _log_still_things(rr, recording, scene)
        _log_motion(rr, recording, scene)
        _log_labels(rr, recording, scene)
        _log_states(rr, recording, scene)
        _log_truth(rr, recording, scene)
        _log_pictures(rr, recording, scene, rate_hz=rate_hz, progress=progress)
        recording.flush()
        recording.disconnect()
    return path


@contextmanager
def _failures_of_rerun() -> Iterator[None]:
    """Rerun reports the operating system's errors as RuntimeErrors with the number in the text."""
    try:
        yield
    except RuntimeError as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def open_viewer(recording: Path) -> int:
    """Show a recording in the native viewer; gives its exit code."""
    return _rerun([str(recording)])


def serve(recording: Path, *, port: int, grpc_port: int) -> int:
    """Serve a recording with the web viewer on this machine alone, until Ctrl-C."""
    data = f"rerun%2Bhttp://{LOOPBACK}:{grpc_port}/proxy"
    print(f"open http://{LOOPBACK}:{port}/?url={data}   (this machine only; Ctrl-C stops it)")
    where = ["--bind", LOOPBACK, "--web-viewer-port", str(port), "--port", str(grpc_port)]
    return _rerun([str(recording), "--serve-web", "--hide-welcome-screen", *where])


def _rerun(words: list[str]) -> int:
    if find_spec("rerun") is None:
        raise MissingExtraError(CURE)
    return subprocess.run([sys.executable, "-m", "rerun", *words], check=False).returncode


def _blueprint(wrists: list[str]) -> Any:
    """World on the left; head view, wrist views, speeds, apertures and labels on the right."""
    import rerun.blueprint as rrb

    camera = rrb.Spatial2DView(
        origin=f"{HEAD}/camera", contents=[f"{HEAD}/camera/**", f"{HEAD}/hands/**"], name="head"
    )
    labels = rrb.TextLogView(origin="labels", name="labels")
    seen = rrb.TextLogView(origin="seen", name="hands seen")
    speed = rrb.TimeSeriesView(origin="speed", name="palm speed, m/s")
    world = rrb.Spatial3DView(origin="world", name="world")
    beside = [rrb.Spatial2DView(origin=f"wrist/{name}", name=name) for name in wrists]
    middle = [rrb.Horizontal(*beside)] if beside else []
    aperture = rrb.TimeSeriesView(origin="aperture", name="thumb to index tip, mm")
    shares = [5, *([3] if beside else []), 2, 2, 2]
    right = rrb.Vertical(
        camera, *middle, speed, aperture, rrb.Tabs(labels, seen), row_shares=shares
    )
    return rrb.Blueprint(rrb.Horizontal(world, right, column_shares=[3, 2]), collapse_panels=True)


def _log_still_things(rr: Any, recording: Any, scene: Scene) -> None:
    recording.log("world", rr.ViewCoordinates.RIGHT_HAND_Z_UP, static=True)
    camera = scene.calibration.stream("head").camera
    if camera.size_wh[0] > WIDEST:  # as the pictures are shrunk
        wide, high = camera.size_wh
        camera = camera.scaled((WIDEST, round(high * WIDEST / wide)))
    wide, high = camera.size_wh
    lens = rr.Pinhole(
        focal_length=camera.focal_px,
        width=wide,
        height=high,
        camera_xyz=rr.ViewCoordinates.RDF,
        image_plane_distance=0.12,
    )
    recording.log(f"{HEAD}/camera", lens, static=True)
    poses, known = scene.world_from_head
    if scene.trajectory is not None:
        strips = _pieces(poses.translation, known, scene.trajectory.map_id)
        lines = rr.LineStrips3D(strips, colors=[COLORS["head"]], radii=0.002)
        recording.log("world/path/head", lines, static=True)
    for side in SIDES if scene.metric else ():  # palms are in metres
        palms, there = scene.palm_in_head(side)
        track = poses.apply(palms.translation)
        strips = _pieces(track, there & known, None)
        lines = rr.LineStrips3D(strips, colors=[COLORS[side]], radii=0.0015)
        recording.log(f"world/path/palm_{side}", lines, static=True)
    if scene.points is not None and len(scene.points):
        colors = np.where(
            scene.points.color_rgb_valid[:, None], scene.points.color_rgb, 150
        ).astype(np.uint8)
        cloud = rr.Points3D(scene.points.point_in_world, colors=colors, radii=0.004)
        recording.log("world/map", cloud, static=True)


def _pieces(
    track: NDArray[np.float64], known: NDArray[np.bool_], maps: NDArray[np.int32] | None
) -> list[NDArray[np.float64]]:
    """Unbroken stretches of a track ``(T,3)``: nothing is drawn across a gap or between maps."""
    cut = np.flatnonzero(~known[1:] | ~known[:-1]) + 1
    if maps is not None and len(maps) == len(known):
        cut = np.union1d(cut, np.flatnonzero(np.diff(maps)) + 1)
    parts = np.split(np.arange(len(known)), cut)
    return [track[part] for part in parts if len(part) > 1 and known[part].all()]


def _log_motion(rr: Any, recording: Any, scene: Scene) -> None:
    """Per tick: the head, both hands with their bones, both palm frames, speeds and apertures."""
    poses, known = scene.world_from_head
    has_world = bool(known.any())
    sides = {s: (scene.landmarks_in_head(s), *scene.palm_in_head(s)) for s in SIDES}
    speeds, states = scene.palm_speeds(), {s: scene.states(s) for s in SIDES}
    for side, (_, _, there) in sides.items():
        _log_series(rr, recording, f"speed/{side}", seconds=scene.seconds, values=speeds[side])
        opening_mm = 1e3 * scene.aperture_m(side)
        _log_series(rr, recording, f"aperture/{side}", seconds=scene.seconds, values=opening_mm)
        recording.log(f"{HEAD}/palm/{side}", rr.TransformAxes3D(0.05), static=True)
        if not there.any():
            recording.log(f"{HEAD}/palm/{side}", rr.Clear(recursive=False), static=True)
    for tick, second in enumerate(scene.seconds):
        recording.set_time("session", duration=float(second))
        if known[tick]:
            recording.log(HEAD, _transform(rr, poses[tick]))
        elif has_world:  # lost: a scale of 0 hides the head and all below it in the world
            recording.log(HEAD, rr.Transform3D(scale=0.0))
        for side, (landmarks, palms, there) in sides.items():
            color = COLORS[side] if states[side][tick] == "measured" else PALE[side]
            _log_hand(rr, recording, f"{HEAD}/hands/{side}", points=landmarks[tick], color=color)
            if there[tick]:
                recording.log(f"{HEAD}/palm/{side}", _transform(rr, palms[tick]))


def _transform(rr: Any, pose: SE3) -> Any:
    return rr.Transform3D(translation=pose.translation, mat3x3=pose.rotation)


def _log_hand(
    rr: Any,
    recording: Any,
    path: str,
    *,
    points: NDArray[np.float64],
    color: tuple[int, int, int],
) -> None:
    if not np.isfinite(points).all():
        recording.log(path, rr.Clear(recursive=True))
        return
    bones = [points[[a, b]] for a, b in BONES]
    recording.log(f"{path}/bones", rr.LineStrips3D(bones, colors=[color], radii=0.0025))
    recording.log(f"{path}/joints", rr.Points3D(points, colors=[color], radii=0.004))


def _log_series(
    rr: Any,
    recording: Any,
    path: str,
    *,
    seconds: NDArray[np.float64],
    values: NDArray[np.float64],
) -> None:
    """A line over time, named and coloured by the side its path ends in; gaps stay gaps."""
    side = path.rpartition("/")[2]
    recording.log(path, rr.SeriesLines(colors=[COLORS[side]], names=[side]), static=True)
    known = np.isfinite(values)
    recording.send_columns(
        path,
        indexes=[rr.TimeColumn("session", duration=seconds[known])],
        columns=rr.Scalars.columns(scalars=values[known]),
    )


def _log_labels(rr: Any, recording: Any, scene: Scene) -> None:
    if scene.segments is None:
        return
    segments = scene.segments
    starts, ends = scene.seconds_of(segments.start_ns), scene.seconds_of(segments.end_ns)
    for row in range(len(segments)):
        said = segments.text[row] or "(unlabelled, proposed by machine)"
        text = f"{said}   [{starts[row]:.1f} to {ends[row]:.1f} s, {segments.author[row]}]"
        recording.set_time("session", duration=float(starts[row]))
        recording.log(f"labels/{segments.track[row]}", rr.TextLog(text, level="INFO"))


def _log_states(rr: Any, recording: Any, scene: Scene) -> None:
    """What becomes of each hand, said when it changes."""
    for side in SIDES:
        pairs = zip(scene.states(side), scene.reasons(side), strict=True)
        told = [f"{state}: {why}" if why else state for state, why in pairs]
        for tick, (before, now) in enumerate(zip(["", *told], told, strict=False)):
            if now != before:
                recording.set_time("session", duration=float(scene.seconds[tick]))
                recording.log(f"seen/{side}", rr.TextLog(f"{side} hand {now}", level="INFO"))


def _log_truth(rr: Any, recording: Any, scene: Scene) -> None:
    """The exact path in its own world, and the exact hands in the head frame."""
    trajectory = scene.truth_trajectory()
    if trajectory is not None:
        track = trajectory.world_from_head[:, :3]
        strips = _pieces(track, trajectory.world_from_head_valid, trajectory.map_id)
        lines = rr.LineStrips3D(strips, colors=[TRUTH_COLOR], radii=0.0015)
        recording.log("world/truth/head", lines, static=True)
    for side, points in scene.truth_landmarks().items():
        for tick, second in enumerate(scene.seconds):
            recording.set_time("session", duration=float(second))
            path = f"{HEAD}/truth_{side}"
            _log_hand(rr, recording, path, points=points[tick], color=TRUTH_COLOR)


def _log_pictures(
    rr: Any, recording: Any, scene: Scene, *, rate_hz: float, progress: Progress
) -> None:
    """JPEGs of every redacted stream, at most WIDEST pixels wide."""
    for stream, camera in scene.calibration.streams.items():
        if camera.depth_unit_m is not None:
            continue
        path = f"{HEAD}/camera" if stream == "head" else f"wrist/{stream}"
        with open_frames(scene.folder, stream) as frames:
            span_s = float(frames.timestamps_ns[-1] - frames.timestamps_ns[0]) / 1e9
            step = max(1, round((len(frames) - 1) / max(span_s * rate_hz, 1.0)))
            progress.total(-(-len(frames) // step), "picture")
            for frame in frames.iterate(step=step):
                second = float(scene.seconds_of(np.array(frame.timestamp_ns)))
                recording.set_time("session", duration=second)
                picture = rr.EncodedImage(contents=_small(frame.image_rgb), media_type="image/jpeg")
                recording.log(path, picture)
                progress.advance()


def _small(image_rgb: NDArray[np.uint8]) -> bytes:
    """A picture shrunk to at most WIDEST pixels, as a JPEG."""
    scale = min(1.0, WIDEST / image_rgb.shape[1])
    if scale < 1.0:
        size = (WIDEST, round(image_rgb.shape[0] * scale))
        shrunk = cv2.resize(image_rgb, size, interpolation=cv2.INTER_AREA)
        return jpeg(np.asarray(shrunk, dtype=np.uint8))
    return jpeg(image_rgb)


def jpeg(image_rgb: NDArray[np.uint8], *, quality: int = 80) -> bytes:
    """An RGB image as the bytes of a JPEG."""
    bgr = cv2.cvtColor(image_rgb, cv2.COLOR_RGB2BGR)
    return bytes(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1])
