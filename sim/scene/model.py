"""The MuJoCo model of a desk in a room, with hands as skins and things that are placed by hand.

Everything that moves is a mocap body: poses are set, never simulated. `SceneModel` is the one door.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sim.hand.mesh import HandMesh
from sim.hand.skeleton import BONES
from sim.scene import textures
from sim.tasks.things import Part, Thing
from sim.variation import AS_IT_COMES, GLOVES, SCENES, SLEEVES, Variation

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

Array = NDArray[np.float64]
Image = NDArray[np.uint8]

DESK_HALF = (0.42, 0.75, 0.02)  # metres; the front edge is at x = -0.06
DESK_CENTRE_X = 0.36
SLEEVE_SHARES = (0.6, 0.25, 0.15)  # how often sleeves are long, rolled up, absent
CAMERA_BODY_QUAT = "0 1 0 0"  # MuJoCo looks along -z with y up; ours along z with y down


@dataclass(frozen=True)
class SceneLook:
    """What the room and the person look like; drawn from a seed by `random_look`.

    warmth: 1 lamp light … -1 a blue sky.  scene, sleeve, gloves: names in `sim.variation`.
    """

    seed: int
    skin_tone: int
    table_height: float
    light_direction: tuple[float, float, float]
    brightness: float
    warmth: float = 0.0
    scene: str = SCENES[0]
    sleeve: str = SLEEVES[0]
    gloves: str = GLOVES[0]


@dataclass(frozen=True)
class CameraMount:
    """A camera of the model: name, vertical field of view (radians) of the pinhole rendered."""

    name: str
    fov_y: float


@dataclass(frozen=True)
class Room:
    """What a scene is made of: pictures of `textures`, and how high its tops are, metres."""

    top: Callable[[np.random.Generator], textures.Image]
    wall: Callable[[np.random.Generator], textures.Image]
    height: tuple[float, float]


ROOMS: dict[str, Room] = {
    "study": Room(textures.wood, textures.wall, (0.70, 0.78)),
    "kitchen": Room(textures.stone, textures.tiles, (0.86, 0.94)),
    "bedroom": Room(textures.lacquer, textures.wallpaper, (0.76, 0.96)),
    "workshop": Room(textures.plywood, textures.pegboard, (0.82, 0.98)),
}


def random_look(rng: np.random.Generator, variation: Variation = AS_IT_COMES) -> SceneLook:
    """A room, a person's skin tone and clothes, and a light; what ``variation`` names is fixed."""
    seed, skin_tone = int(rng.integers(2**31)), int(rng.integers(len(textures.SKIN_TONES)))
    height = float(rng.random())
    light = (float(rng.uniform(-0.5, 0.5)), float(rng.uniform(-0.6, 0.6)), -1.0)
    brightness, warmth = float(rng.uniform(0.8, 1.12)), float(rng.uniform(-1.0, 1.0))
    scene, sleeve = str(rng.choice(SCENES)), str(rng.choice(SLEEVES, p=SLEEVE_SHARES))
    scene = variation.scene or scene
    low, high = ROOMS[scene].height
    return SceneLook(
        seed,
        skin_tone,
        low + height * (high - low),
        light,
        brightness,
        warmth,
        scene,
        variation.sleeve or sleeve,
        variation.gloves,
    )


def skin_file(mesh: HandMesh) -> bytes:
    """A hand mesh as MuJoCo's binary SKN."""
    bones = [(i, np.flatnonzero(mesh.weights[:, i] > 0)) for i in range(len(BONES))]
    parts = [struct.pack("<4i", len(mesh.vertices), len(mesh.uv), len(mesh.faces), len(bones))]
    parts += [mesh.vertices.astype("<f4").tobytes(), mesh.uv.astype("<f4").tobytes()]
    parts.append(mesh.faces.astype("<i4").tobytes())
    for i, members in bones:
        name = bone_body(mesh.side, BONES[i]).encode()
        origin = mesh.rest.bone_origin[0, i]
        quat = _quat_from_matrix(mesh.rest.bone_rotation[0, i])
        parts += [name.ljust(40, b"\0"), np.array([*origin, *quat], "<f4").tobytes()]
        parts.append(struct.pack("<i", len(members)) + members.astype("<i4").tobytes())
        parts.append(mesh.weights[members, i].astype("<f4").tobytes())
    return b"".join(parts)


def _quat_from_matrix(rotation: Array) -> Array:
    from core.geometry.rotations import quat_wxyz_from_matrix

    return np.asarray(quat_wxyz_from_matrix(rotation))


def bone_body(side: str, bone: str) -> str:
    """The body that carries one bone of one hand."""
    return f"{side}_{bone}"


def _geom(part: Part, name: str) -> str:
    position = part.position
    look = f'material="{part.texture}"' if part.texture else ""
    colour = " ".join(f"{c:.4f}" for c in (*part.colour, part.alpha))
    size = " ".join(f"{s:.6f}" for s in part.size)
    return (
        f'<geom name="{name}" type="{part.shape}" size="{size}" rgba="{colour}" {look} '
        f'pos="{position[0]:.6f} {position[1]:.6f} {position[2]:.6f}"/>'
    )


def _thing_xml(thing: Thing) -> str:
    geoms = "".join(_geom(part, f"{thing.name}_{i}") for i, part in enumerate(thing.parts))
    x, y, z = thing.start
    half_yaw = thing.yaw / 2
    pose = f'pos="{x:.6f} {y:.6f} {z:.6f}" quat="{np.cos(half_yaw):.8f} 0 0 {np.sin(half_yaw):.8f}"'
    mocap = 'mocap="true"' if thing.movable else ""
    return f'<body name="{thing.name}" {mocap} {pose}>{geoms}</body>'


def _materials(look: SceneLook) -> tuple[str, dict[str, bytes]]:
    """Texture and material elements, and the PNG behind each."""
    rng = np.random.default_rng(look.seed)
    pictures = {
        "wood": ROOMS[look.scene].top(rng),
        "wall": ROOMS[look.scene].wall(rng),
        "floor": textures.wood(rng, 512),
        "grain": textures.plain(rng, (0.93, 0.93, 0.93)),
        "shell": textures.plain(rng, (0.97, 0.97, 0.96)),
        "label": textures.poster(rng, 256),
        **{f"print_{i}": textures.printed(rng) for i in range(4)},
        "skin": textures.skin_palette(rng, look.skin_tone, gloves=look.gloves),
    }
    cube = {"grain", "shell", "label"}
    xml = []
    for name in pictures:
        kind = "cube" if name in cube else "2d"
        xml.append(f'<texture name="{name}" type="{kind}" file="{name}.png"/>')
        shine = 'specular="0.25" shininess="0.35"' if name == "skin" else 'specular="0.15"'
        repeat = 'texrepeat="2 2"' if name == "floor" else ""
        xml.append(f'<material name="{name}" texture="{name}" {shine} {repeat}/>')
    return "".join(xml), {f"{n}.png": textures.png(p) for n, p in pictures.items()}


def _room(look: SceneLook) -> str:
    hx, hy, hz = DESK_HALF
    floor = -look.table_height
    light = " ".join(f"{v:.4f}" for v in look.light_direction)
    b = 0.60 * look.brightness
    red, blue = b * (1 + 0.10 * look.warmth), b * (0.96 - 0.14 * look.warmth)
    walls = [
        f'<geom type="plane" material="floor" size="4 4 .1" pos="0 0 {floor:.4f}"/>',
        *(
            f'<geom type="plane" material="wall" size="{half} 1.4 .1" zaxis="{axis}" '
            f'pos="{at} {floor + 1.3:.4f}"/>'
            for half, axis, at in (
                (2.4, "-1 0 0", "1.7 0"),
                (2.4, "0 -1 0", "0 1.9"),
                (2.4, "0 1 0", "0 -1.9"),
                (2.4, "1 0 0", "-2.2 0"),
            )
        ),
        f'<geom type="plane" material="grain" size="4 4 .1" zaxis="0 0 -1" '
        f'pos="0 0 {floor + 2.6:.4f}"/>',
        f'<geom type="box" material="wood" size="{hx} {hy} {hz}" pos="{DESK_CENTRE_X} 0 {-hz}"/>',
        f'<light pos="0.2 0 2" dir="{light}" directional="true" castshadow="false" '
        f'diffuse="{red:.3f} {b:.3f} {blue:.3f}" specular="0.2 0.2 0.2"/>',
        '<light pos="-0.5 0.8 1.2" dir="0.5 -0.6 -0.8" directional="true" castshadow="false" '
        'diffuse="0.16 0.17 0.19" specular="0 0 0"/>',
    ]
    return "".join(walls)


def _hand_bodies(mesh: HandMesh) -> str:
    return "".join(f'<body name="{bone_body(mesh.side, bone)}" mocap="true"/>' for bone in BONES)


class SceneModel:
    """A compiled scene. Place bodies by name, then render.

    hands: meshes to skin.  cameras: one mocap body each, OpenCV axes.  extra: bodies with joints
    (robots), MJCF text for the worldbody.  pictures: flat textures for it, as materials by name.
    """

    def __init__(
        self,
        look: SceneLook,
        *,
        things: Sequence[Thing],
        hands: Sequence[HandMesh] = (),
        cameras: Sequence[CameraMount] = (),
        extra: str = "",
        pictures: Mapping[str, Image] | None = None,
        image_wh: tuple[int, int] = (640, 480),
    ) -> None:
        mujoco = _mujoco()
        materials, assets = _materials(look)
        for name, picture in (pictures or {}).items():
            materials += f'<texture name="{name}" type="2d" file="{name}.png"/>'
            materials += f'<material name="{name}" texture="{name}" specular="0"/>'
            assets[f"{name}.png"] = textures.png(picture)
        skins = ""
        for mesh in hands:
            assets[f"{mesh.side}.skn"] = skin_file(mesh)
            skins += f'<skin name="{mesh.side}_hand" file="{mesh.side}.skn" material="skin"/>'
        bodies = "".join(_thing_xml(thing) for thing in things)
        bodies += "".join(_hand_bodies(mesh) for mesh in hands) + extra
        bodies += "".join(
            f'<body name="{c.name}_camera" mocap="true"><camera name="{c.name}" '
            f'quat="{CAMERA_BODY_QUAT}" fovy="{np.degrees(c.fov_y):.6f}"/>{_housing(c.name)}</body>'
            for c in cameras
        )
        xml = (
            '<mujoco><compiler angle="radian" autolimits="true"/><visual>'
            f'<global offwidth="{image_wh[0]}" offheight="{image_wh[1]}"/>'
            '<quality offsamples="0"/><map znear="0.01" zfar="12"/>'
            '<headlight ambient="0.36 0.36 0.37" diffuse="0.10 0.10 0.10" specular="0 0 0"/>'
            f'</visual><statistic extent="1" center="0.3 0 0"/><asset>{materials}</asset>'
            f"<worldbody>{_room(look)}{bodies}</worldbody><deformable>{skins}</deformable></mujoco>"
        )
        self.model: Any = mujoco.MjModel.from_xml_string(xml, assets)
        self.data: Any = mujoco.MjData(self.model)
        self._mocap = {
            self.model.body(i).name: int(self.model.body_mocapid[i])
            for i in range(self.model.nbody)
            if self.model.body_mocapid[i] >= 0
        }

    def place(self, body: str, position: Array, quat_wxyz: Array) -> None:
        """Put one body somewhere, desk frame."""
        index = self._mocap[body]
        self.data.mocap_pos[index] = position
        self.data.mocap_quat[index] = quat_wxyz

    def place_all(self, bodies: Sequence[str], position: Array, quat_wxyz: Array) -> None:
        """Put many bodies (B, 3), (B, 4) somewhere at once, desk frame."""
        index = [self._mocap[body] for body in bodies]
        self.data.mocap_pos[index] = position
        self.data.mocap_quat[index] = quat_wxyz

    def settle(self) -> None:
        """Make the poses that were placed count."""
        mujoco = _mujoco()
        mujoco.mj_kinematics(self.model, self.data)
        mujoco.mj_camlight(self.model, self.data)


def _housing(camera: str) -> str:
    """The body of a wrist camera and its strap, behind its own lens."""
    if not camera.endswith("_wrist"):
        return ""
    box = 'type="box" size="0.014 0.010 0.009" pos="0 0.002 -0.012" rgba="0.06 0.06 0.07 1"'
    strap = 'type="cylinder" size="0.0335 0.008" pos="0 -0.058 -0.012" rgba="0.1 0.1 0.12 1"'
    return f"<geom {box}/><geom {strap}/>"


def _mujoco() -> Any:
    from sim.scene.render import load_mujoco

    return load_mujoco()
