"""The operator's hand length, from a hand that lay flat and still beside a printed marker.

Marker and hand share the table: the marker's corners tell where the table is, in metres, and every
landmark's ray meets it, half a finger's thickness above the wood, in one point. No distance is
guessed. A hand in the air drifts over the table as the head moves, a bent one has short fingers;
neither counts.
"""

from collections import Counter
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares

from core.geometry.cameras import Camera
from core.geometry.markers import MarkerFinder
from core.session.frames import open_frames
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.config import HandsConfig
from hands.model.evidence import MIRROR, Evidence, landmark_mixing
from hands.model.lifter import lifted
from hands.model.proportions import HandShape, hand_shape, scaled_shape
from hands.sources.protocol import SourceHands

Floats = NDArray[np.float64]

EVERY = 5  # ticks: a hand lies there for seconds
LEAST_PICTURES = 4  # in a row, as many as the hand must lie still for
STILL_M = 0.004  # landmarks of one that lies still stray less from where they were first
# Joints of a flat hand above the table it lies on, wrist and thumb to little finger.
ABOVE_TABLE_M = np.array([0.017, 0.017, 0.013, 0.011, 0.009, *[0.013, 0.010, 0.0085, 0.007] * 4])
MOST_APART = 0.2  # fingers to palm, against the average hand's: bent or lifted fingers beyond
LENGTHS_M = (0.13, 0.235)  # of adults' hands, with room on both sides
LEAST_AHEAD = 0.1  # of a marker's rays along the axis
NOT_SQUARE = 0.06  # of their lengths, rms: markers that do not lie on one plane
SURE_TILT = 3.0, np.deg2rad(4.0)  # times the cost of the mirrored tilt, or as near to it
# of the length: what the detector's idea of a wrist and the thickness of flat hands leave
SHARED_SIGMA = 0.025
SQUARE = np.array([[-0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.5, -0.5, 0.0], [-0.5, -0.5, 0.0]])
FIRST, SECOND = np.array([0, 1, 2, 3, 0, 1]), np.array([1, 2, 3, 0, 2, 3])
IN_SIDES = np.array([1.0, 1.0, 1.0, 1.0, np.sqrt(2), np.sqrt(2)])


@dataclass(frozen=True)
class BesideMarker:
    """A hand length in metres, one standard deviation, and the pictures it rests on."""

    length_m: float
    sigma_m: float
    pictures: int

    def measured(self, shape: HandShape) -> HandShape:
        """The same hand at this length."""
        shape = scaled_shape(shape, self.length_m)
        return replace(shape, length_sigma_m=self.sigma_m, scale_source="marker")

    def figures(self) -> dict[str, float]:
        """For the report."""
        length_mm, sigma_mm = round(1e3 * self.length_m, 1), round(1e3 * self.sigma_m, 1)
        return {"length_mm": length_mm, "sigma_mm": sigma_mm, "pictures": self.pictures}


@dataclass(frozen=True, eq=False)
class Table:
    """The plane under marker and hand, in the camera.   axes: ``(3,3)`` columns x, y along a
    marker and the normal away from the camera.   origin: ``(3,)`` the marker's middle.
    """

    axes: Floats
    origin: Floats

    def touched(self, rays: Floats) -> Floats:
        """``(21,2)`` in the marker's axes: a hand that lies there, seen along rays ``(21,3)``."""
        normal = self.axes[:, 2]
        slope = rays @ normal
        reach = (self.origin @ normal - ABOVE_TABLE_M) / np.where(slope > 0.05, slope, np.nan)
        return np.asarray((rays * reach[:, None] - self.origin) @ self.axes[:, :2])


@dataclass(frozen=True, eq=False)
class FlatHand:
    """A hand of one row that may lie on the table. points: ``(21,2)``, see `Table.touched`."""

    row: int
    points: Floats
    length_m: float


def beside_marker(
    folder: SessionFolder,
    found: SourceHands,
    ticks: Ticks,
    *,
    camera: Camera,
    config: HandsConfig,
    progress: Progress,
) -> BesideMarker | None:
    """Look for such a moment in the head's pictures; None where there is none.

    Raises BadInputError for an unknown ``config.marker_family``.
    """
    finder = MarkerFinder(config.marker_family)
    rows = np.unique(found.row[found.row % EVERY == 0]).tolist()
    progress.note("marker beside a hand")
    progress.total(len(rows), "picture")
    quads: dict[int, dict[int, Floats]] = {}
    with open_frames(folder, "head", redact=False) as frames:
        for row in rows:
            picture = frames.near(int(ticks.timestamp_ns[row])).image_rgb
            quads[row] = finder.find(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY))
            progress.advance()
    return length_at_rest(found, quads, camera=camera, config=config)


def length_at_rest(
    found: SourceHands, quads: dict[int, dict[int, Floats]], *, camera: Camera, config: HandsConfig
) -> BesideMarker | None:
    """The length of the flat hands that lay still. quads: markers ``(4,2)`` px by id, by row, of
    every `EVERY`-th row.
    """
    count = Counter(marker for seen in quads.values() for marker in seen)
    if not count:
        return None
    origin, _ = count.most_common(1)[0]
    rays = landmark_rays(found, camera, config)
    runs: list[list[FlatHand]] = []
    for row in sorted(quads):
        table = table_of(quads[row], camera, size_m=config.marker_size_m, origin=origin)
        for points in [] if table is None else map(table.touched, rays[found.row == row]):
            length_m = flat_length(points)
            if length_m is not None:
                _lay(FlatHand(row, points, length_m), runs)
    lengths = [hand.length_m for run in runs if len(run) >= LEAST_PICTURES for hand in run]
    if not lengths:
        return None
    length = float(np.median(lengths))
    scatter = 1.48 * float(np.median(np.abs(np.array(lengths) - length)))
    return BesideMarker(length, float(np.hypot(SHARED_SIGMA * length, scatter)), len(lengths))


def _lay(hand: FlatHand, runs: list[list[FlatHand]]) -> None:
    """Add a hand to the run that it continues, or begin one."""
    for run in runs:
        strayed = float(np.median(np.linalg.norm(hand.points - run[0].points, axis=-1)))
        if hand.row - run[-1].row == EVERY and strayed < STILL_M:
            run.append(hand)
            return
    runs.append([hand])


def landmark_rays(found: SourceHands, camera: Camera, config: HandsConfig) -> Floats:
    """``(M,21,3)`` unit rays of all landmarks, put right by the lifter; NaN beyond the lens."""
    rays, valid = camera.unproject(found.raw21_px)
    whole = valid.all(axis=1)
    mirror = np.where(found.left_label[:, None, None] > 0.5, MIRROR, 1.0)
    sigma = np.full(rays.shape[:2], config.landmark_sigma)
    evidence = Evidence.of(rays * mirror, sigma, found.raw21_in_hand * mirror, seen=whole)
    if config.source == "mediapipe" and config.lifter:
        evidence = lifted(evidence)
    return np.where(whole[:, None, None], evidence.rays * mirror, np.nan)


def table_of(
    quads: dict[int, Floats], camera: Camera, *, size_m: float, origin: int
) -> Table | None:
    """The plane on which all markers, ``(4,2)`` px by id, are squares of ``size_m``, seen from the
    one called ``origin``; None without that, or a plane, or where the mirrored tilt does as well.
    """
    if origin not in quads:
        return None
    rays = []
    for marker in sorted(quads, key=lambda marker: marker != origin):
        corners, valid = camera.unproject(quads[marker])
        if valid.all() and corners[:, 2].min() > LEAST_AHEAD:
            rays.append(corners)
    if not rays:
        return None
    corners = np.stack(rays)
    widest = int(np.argmax(np.linalg.norm(corners[:, 2] - corners[:, 0], axis=1)))
    fits = [
        least_squares(_not_square, start, args=(corners, size_m))
        for start in _starts(corners[widest], size_m)
    ]
    fits.sort(key=lambda fit: float(fit.cost))
    if not fits or np.sqrt(np.mean(fits[0].fun ** 2)) > NOT_SQUARE:
        return None
    planes = [fit.x / np.linalg.norm(fit.x) for fit in fits]
    surer, near = SURE_TILT
    if np.arccos(min(1.0, planes[0] @ planes[-1])) > near and fits[-1].cost < surer * fits[0].cost:
        return None
    placed = corners[0] / (corners[0] @ fits[0].x)[:, None]
    x = placed[1] - placed[0]
    x /= np.linalg.norm(x)
    return Table(np.stack([x, np.cross(planes[0], x), planes[0]], axis=1), placed.mean(axis=0))


def _not_square(plane: Floats, corners: Floats, size_m: float) -> Floats:
    """Sides and diagonals of markers on a plane against their true lengths. plane: ``(3,)``, one
    in product with its points.   corners: rays ``(M,4,3)``.
    """
    placed = corners / (corners @ plane)[..., None]
    lengths = np.linalg.norm(placed[:, FIRST] - placed[:, SECOND], axis=-1)
    return np.asarray((lengths / (size_m * IN_SIDES) - 1).ravel())


def _starts(corners: Floats, size_m: float) -> list[Floats]:
    """The planes of one marker, rays ``(4,3)``: its pose and the mirrored one."""
    flat = np.ascontiguousarray(corners[:, :2] / corners[:, 2:])
    count, turns, shifts, _ = cv2.solvePnPGeneric(
        size_m * SQUARE, flat, np.eye(3), None, flags=cv2.SOLVEPNP_IPPE_SQUARE
    )
    normals = [cv2.Rodrigues(turn)[0][:, 2] for turn in turns[:count]]
    return [n / (n @ shift[:, 0]) for n, shift in zip(normals, shifts, strict=False)]


def flat_length(points: Floats) -> float | None:
    """The length of a flat hand ``(21,2)`` of average proportions; None if it is none."""
    if not np.isfinite(points).all():
        return None
    fingers = points[5:].reshape(4, 4, 2)
    bones = np.concatenate([fingers[:, :1] - points[0], np.diff(fingers, axis=1)], axis=1)
    measured = np.linalg.norm(bones, axis=-1)
    average = _average_fingers()
    palm, whole = measured[:, 0].sum() / average[:, 0].sum(), measured.sum() / average.sum()
    phalanges = measured[:, 1:].sum() / average[:, 1:].sum()
    if abs(phalanges / palm - 1) > MOST_APART or not LENGTHS_M[0] < whole < LENGTHS_M[1]:
        return None
    return float(whole)


def _average_fingers() -> Floats:
    """``(4,4)`` of a straight hand of length one, between the detector's landmarks."""
    shape = hand_shape(None)
    reach = np.zeros(21)
    reach[5:] = np.cumsum(shape.bones_m[1:], axis=1).ravel() / shape.length_m
    seen = (landmark_mixing() @ reach)[5:].reshape(4, 4)
    return np.diff(seen, axis=1, prepend=0.0)
