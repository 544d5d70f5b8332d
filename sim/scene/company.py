"""What redaction is for: bystanders' faces and screens in view, by option, with their true boxes.

A bystander is a head of ellipsoids with the light and dark that face detectors look for, and a
torso; a screen is a lit page on a stand. They stand on the far side of the desk and keep still.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.camera_model import Camera
from core.geometry.rotations import quat_wxyz_from_matrix
from core.geometry.se3 import SE3
from sim.scene.textures import SKIN_TONES, printed

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

MOST = 3
SMALLEST_PX = 8.0
EYES_M = np.array([0.0, 0.0, 0.40])  # where the person at the desk looks from
HEAD_HALF = np.array([0.105, 0.080, 0.118])
SCREEN_HALF = np.array([0.006, 0.15, 0.095])
# shape, centre, half sizes, colour: a share of the skin's, or red green blue
FACE: tuple[tuple[tuple[float, float, float], tuple[float, float, float], object], ...] = (
    ((0.0, 0.0, 0.0), (0.095, 0.076, 0.115), 1.0),
    ((-0.020, 0.0, 0.038), (0.094, 0.082, 0.094), "hair"),
    ((0.0, 0.078, -0.005), (0.014, 0.008, 0.026), 0.85),
    ((0.0, -0.078, -0.005), (0.014, 0.008, 0.026), 0.85),
    ((0.079, 0.033, 0.026), (0.012, 0.022, 0.005), (0.10, 0.07, 0.05)),
    ((0.079, -0.033, 0.026), (0.012, 0.022, 0.005), (0.10, 0.07, 0.05)),
    ((0.076, 0.033, 0.010), (0.015, 0.022, 0.012), 0.48),
    ((0.076, -0.033, 0.010), (0.015, 0.022, 0.012), 0.48),
    ((0.084, 0.033, 0.009), (0.009, 0.013, 0.006), (0.85, 0.83, 0.80)),
    ((0.084, -0.033, 0.009), (0.009, 0.013, 0.006), (0.85, 0.83, 0.80)),
    ((0.090, 0.033, 0.009), (0.005, 0.006, 0.006), (0.07, 0.05, 0.04)),
    ((0.090, -0.033, 0.009), (0.005, 0.006, 0.006), (0.07, 0.05, 0.04)),
    ((0.094, 0.0, -0.008), (0.014, 0.011, 0.026), 1.05),
    ((0.100, 0.0, -0.032), (0.008, 0.015, 0.004), 0.40),
    ((0.080, 0.0, -0.060), (0.012, 0.026, 0.007), (0.45, 0.16, 0.15)),
    ((-0.010, 0.0, -0.140), (0.050, 0.050, 0.080), 0.8),
)


@dataclass(frozen=True, eq=False)
class Onlooker:
    """A face or a screen. desk_from_body: x towards the person at the desk.  half_m: its box."""

    kind: str
    desk_from_body: SE3
    half_m: Array
    skin: tuple[float, float, float] = (0.8, 0.6, 0.5)

    def corners(self) -> Array:
        """(8, 3) of its box, desk frame."""
        signs = np.stack(np.meshgrid([-1, 1], [-1, 1], [-1, 1], indexing="ij"), -1).reshape(-1, 3)
        return np.asarray(self.desk_from_body.apply(signs * self.half_m))


@dataclass(frozen=True, eq=False)
class Company:
    """All onlookers of a take."""

    members: tuple[Onlooker, ...]
    seed: int

    def body_xml(self) -> str:
        """Their bodies, MJCF."""
        return "".join(_body(number, member) for number, member in enumerate(self.members))

    def pictures(self) -> dict[str, Image]:
        """What the screens show, by material."""
        rng = np.random.default_rng([self.seed, 1])
        return {
            f"screen_{number}": printed(rng)
            for number, member in enumerate(self.members)
            if member.kind == "screen"
        }

    def boxes(self, camera: Camera, desk_from_camera: SE3) -> list[tuple[int, int, Array]]:
        """(frame, member, box xyxy px) of T camera poses: what is in the picture, hidden or not."""
        found = []
        limit = np.array(camera.size_wh) - 1.0
        for number, member in enumerate(self.members):
            sight = member.corners()[None] - desk_from_camera.translation[:, None]
            uv, valid = camera.project(sight @ desk_from_camera.rotation)
            for frame in np.flatnonzero(valid.all(1)):
                low, high = uv[frame].min(0), uv[frame].max(0)
                low, high = np.clip(low, 0, limit), np.clip(high, 0, limit)
                if (high - low).min() >= SMALLEST_PX:
                    found.append((int(frame), number, np.concatenate([low, high])))
        return sorted(found, key=lambda row: row[:2])


NOBODY = Company((), 0)


def invite(bystanders: int, screens: int, *, seed: int) -> Company:
    """The onlookers that a seed stands for; BadInputError beyond what there is room for."""
    for name, count in (("bystanders", bystanders), ("screens", screens)):
        if not 0 <= count <= MOST:
            raise BadInputError(f"{name} is {count}; give 0 to {MOST}")
    rng = np.random.default_rng([seed, 7])
    members = []
    for number in range(bystanders):
        side = (-1) ** number * (0.22 + 0.3 * (number // 2))
        place = np.array([rng.uniform(0.95, 1.1), side + rng.uniform(-0.05, 0.05), 0.0])
        place[2] = rng.uniform(0.16, 0.34)
        tone = np.array(SKIN_TONES[int(rng.integers(len(SKIN_TONES)))]) / 255
        skin = (float(tone[0]), float(tone[1]), float(tone[2]))
        members.append(Onlooker("face", _towards_eyes(place), HEAD_HALF, skin))
    for number in range(screens):
        side = (-1) ** (number + 1) * (0.55 - 0.05 * number)
        place = np.array([0.60 + 0.08 * number, side, 0.12 + 0.15 * (number // 2)])
        members.append(Onlooker("screen", _towards_eyes(place), SCREEN_HALF))
    return Company(tuple(members), seed)


def _towards_eyes(place: Array) -> SE3:
    """desk_from_body with x towards the person at the desk and z up as far as may be."""
    ahead = (EYES_M - place) / np.linalg.norm(EYES_M - place)
    left = np.cross([0.0, 0.0, 1.0], ahead)
    left /= np.linalg.norm(left)
    return SE3(np.stack([ahead, left, np.cross(ahead, left)], 1), place)


def _body(number: int, member: Onlooker) -> str:
    at = " ".join(f"{v:.6f}" for v in member.desk_from_body.translation)
    quat = " ".join(f"{v:.8f}" for v in quat_wxyz_from_matrix(member.desk_from_body.rotation))
    inside = _screen(number) if member.kind == "screen" else _face(member.skin)
    return f'<body name="onlooker_{number}" pos="{at}" quat="{quat}">{inside}</body>'


def _screen(number: int) -> str:
    size = " ".join(f"{v:.4f}" for v in SCREEN_HALF)
    # a flat texture lies on a box's z faces: the page is a thin box turned towards x
    page = f"{SCREEN_HALF[1] * 0.95:.4f} {SCREEN_HALF[2] * 0.93:.4f} 0.001"
    return (
        f'<geom type="box" size="{size}" rgba="0.05 0.05 0.06 1"/>'
        f'<geom type="box" size="{page}" pos="{SCREEN_HALF[0] + 0.001:.4f} 0 0" '
        f'xyaxes="0 1 0 0 0 1" material="screen_{number}"/>'
    )


def _face(skin: tuple[float, float, float]) -> str:
    geoms = []
    for centre, half, colour in FACE:
        if colour == "hair":
            rgb = (0.11, 0.08, 0.06)
        elif isinstance(colour, float):
            rgb = tuple(min(1.0, colour * c) for c in skin)
        else:
            rgb = colour
        shade = " ".join(f"{c:.4f}" for c in rgb)
        at, size = (" ".join(f"{v:.4f}" for v in three) for three in (centre, half))
        geoms.append(f'<geom type="ellipsoid" size="{size}" pos="{at}" rgba="{shade} 1"/>')
    torso = (
        '<geom type="ellipsoid" size="0.11 0.2 0.24" pos="-0.05 0 -0.42" rgba="0.2 0.3 0.45 1"/>'
    )
    return "".join(geoms) + torso
