"""A calibration board moved before the cameras of a rig: what it is, and where it is when.

The rig stands in the room and sways a little, so that camera and inertial sensor can be told apart;
the board goes from place to place and rests there for a moment, as a careful person would do it.
Cameras on the head see it together, those on the wrists one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace

import cv2
import numpy as np
from numpy.typing import NDArray

from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from sim.motion.head import look_at
from sim.motion.tracks import PoseSpline, SmoothNoise, minimum_jerk
from sim.rig import CameraSpec, Rig
from sim.scene.choreography import camera_pose

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

DICTIONARY = "DICT_4X4_50"
STAND = np.array([0.0, 0.0, 0.75])  # the head camera, desk frame
SIDE_M = 0.3  # each wrist camera is that far from it
MOVE_S, REST_S = 0.55, 0.35
TILT_RAD, ROLL_RAD = 0.55, 0.35
FACTORS = (0.8, 1.0, 1.3)  # of the distance at which the board fills a third of the picture
NEAREST_M = 0.18


@dataclass(frozen=True)
class Board:
    """A ChArUco board. squares: across, down.  lengths in metres.

    Its frame: origin at the top left corner of the first square, x to the right, y down.
    """

    squares: tuple[int, int] = (8, 6)
    square_m: float = 0.036
    marker_m: float = 0.027
    border_m: float = 0.012

    @property
    def size_m(self) -> Array:
        """(2,) width and height of the squares."""
        return np.array(self.squares) * self.square_m

    def charuco(self) -> cv2.aruco.CharucoBoard:
        """OpenCV's board of these measures."""
        dictionary = cv2.aruco.getPredefinedDictionary(getattr(cv2.aruco, DICTIONARY))
        return cv2.aruco.CharucoBoard(self.squares, self.square_m, self.marker_m, dictionary)

    def picture(self, px_per_m: float = 2500.0) -> Image:
        """The board with its white border, RGB."""
        border = round(self.border_m * px_per_m)
        size = np.round(self.size_m * px_per_m).astype(int) + 2 * border
        grey = self.charuco().generateImage((int(size[0]), int(size[1])), marginSize=border)
        return np.repeat(np.asarray(grey)[..., None], 3, axis=-1)

    def body_xml(self) -> str:
        """A thin plate, MJCF; its body's frame is the board's."""
        half = self.size_m / 2 + self.border_m
        x, y = self.size_m / 2
        return (
            '<body name="board" mocap="true"><geom type="box" material="board" '
            f'size="{half[0]:.6f} {half[1]:.6f} 0.001" pos="{x:.6f} {y:.6f} 0.001" '
            'quat="0 1 0 0"/></body>'
        )


class Stand:
    """The rig on its stand: what `camera_pose` asks of a person."""

    def __init__(self, seconds: float, rng: np.random.Generator) -> None:
        times = np.arange(-1.0, seconds + 1.0, 0.01)
        sway = SmoothNoise.draw(rng, (0.1, 0.8), 0.02).at(times)
        turn = SmoothNoise.draw(rng, (0.1, 0.9), 0.05).at(times)
        ahead = look_at(STAND[None], STAND[None] + [[1.0, 0.0, -0.1]])
        pose = SE3(ahead @ matrix_from_rotvec(turn), STAND + sway)
        self.head = PoseSpline(times, pose)

    def hand(self, side: str, seconds: Array) -> SimpleNamespace:
        """The forearms, held out straight and still, palms down."""
        count = len(np.atleast_1d(seconds))
        at = STAND + np.array([0.0, SIDE_M if side == "left" else -SIDE_M, -0.1])
        axes = np.stack([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]], 1)
        pose = SE3(np.repeat(axes[None], count, 0), np.repeat(at[None], count, 0))
        return SimpleNamespace(desk_from_forearm=pose)


class BoardPath:
    """Where the board is: shown to the head's cameras, then to each wrist's."""

    def __init__(
        self, rig: Rig, stand: Stand, board: Board, *, seconds: float, rng: np.random.Generator
    ) -> None:
        self.watchers = [s for s in rig.streams if s == "head" or s.endswith("_wrist")]
        self._step = MOVE_S + REST_S
        stops = max(2, int(np.ceil(seconds / self._step / len(self.watchers))))
        poses = []
        for number, stream in enumerate(self.watchers):
            places = _places(rig.spec(stream), board, stops, rng=rng)
            at = self._step * (number * stops + np.arange(stops))
            poses.append(camera_pose(stand, stream, at) @ places)
        self._stops = SE3(
            np.concatenate([p.rotation for p in poses]),
            np.concatenate([p.translation for p in poses]),
        )

    def pose(self, seconds: Array) -> SE3:
        """desk_from_board (T): at rest at each stop, and smoothly on to the next."""
        last = len(self._stops.translation) - 1
        number = np.clip(np.floor(seconds / self._step).astype(int), 0, last)
        share = minimum_jerk((seconds - number * self._step - REST_S) / MOVE_S)
        here, there = self._stops[number], self._stops[np.minimum(number + 1, last)]
        local = SE3(np.swapaxes(here.rotation, -1, -2) @ there.rotation, np.zeros((len(number), 3)))
        turn = matrix_from_rotvec(share[:, None] * local.to_vec6()[:, 3:])
        way = there.translation - here.translation
        return SE3(here.rotation @ turn, here.translation + share[:, None] * way)


def _places(spec: CameraSpec, board: Board, count: int, *, rng: np.random.Generator) -> SE3:
    """camera_from_board (count): its middle all over the picture, near and far, tilted."""
    camera = spec.camera()
    width, height = spec.size_wh
    shares = (np.arange(count)[:, None] * [0.754878, 0.569840] + 0.5) % 1.0  # evenly spread
    pixels = (0.14 + 0.72 * shares) * [width, height]
    rays, _ = camera.unproject(pixels)
    plain = 3.0 * float(board.size_m[0]) * camera.focal_px / width
    distance = np.maximum(plain * np.array(FACTORS)[np.arange(count) % len(FACTORS)], NEAREST_M)
    middle = rays * distance[:, None]
    tilt = rng.uniform(-TILT_RAD, TILT_RAD, (count, 3)) * [1.0, 1.0, ROLL_RAD / TILT_RAD]
    rotation = _facing(rays) @ matrix_from_rotvec(tilt)
    centre = np.array([*(board.size_m / 2), 0.0])
    return SE3(rotation, middle - rotation @ centre)


def _facing(rays: Array) -> Array:
    """(N, 3, 3): the least turn that takes the camera's axis to each ray."""
    axis = np.cross([0.0, 0.0, 1.0], rays)
    sine = np.linalg.norm(axis, axis=1, keepdims=True)
    angle = np.arctan2(sine, rays[:, 2:])
    return np.asarray(matrix_from_rotvec(axis / np.maximum(sine, 1e-12) * angle))
