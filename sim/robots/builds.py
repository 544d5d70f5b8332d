"""The robots there are: two arms each, of different joints, lengths, jaws and looks, as MJCF.

Base frame: on the desk's top, x towards the desk, z up. The left arm is described; the right one is
its mirror image. Tool frame (the palm's meaning): x approach, z jaw axis, thumb side up in the
neutral posture: with the forearm level and forward, y points down on the right arm, up on the left.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from core.errors import BadInputError

if TYPE_CHECKING:  # the command line names the robots in its help and loads nothing heavy for it
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.float64]
Vector = tuple[float, float, float]

SIDES = ("left", "right")
JOINTS_PER_ARM = 6
WRIST_FOV_Y = math.radians(75.0)
TOOL_QUAT = {"left": "0.70710678 0.70710678 0 0", "right": "0.70710678 -0.70710678 0 0"}


@dataclass(frozen=True)
class Joint:
    """One joint. kind: hinge (radians) or slide (metres).  neutral: left arm's; ``mirrored`` ones
    change sign on the right.  speed: the most per second.
    """

    name: str
    axis: str
    low: float
    high: float
    neutral: float
    speed: float
    kind: str = "hinge"

    @property
    def unit(self) -> str:
        """rad or m."""
        return "m" if self.kind == "slide" else "rad"

    @property
    def mirrored(self) -> bool:
        """Turning about z or x is the other way round on the right arm."""
        return self.kind == "hinge" and self.axis != "y"


@dataclass(frozen=True)
class Jaws:
    """Parallel fingers. width_m: widest opening.  tip_m: they reach this far beyond the tool point.

    shape: box or capsule.  half_width_m, thickness_m: of one finger.
    """

    width_m: float
    tip_m: float
    shape: str
    half_width_m: float
    thickness_m: float
    length_m: float = 0.065


@dataclass(frozen=True)
class Build:
    """One robot. links: metres, as its kind of arm has them.  tool_m: wrist to tool point.

    base: where the left arm stands.  kind: elbow, offset or column.  mobile: on a driving base.
    """

    name: str
    about: str
    kind: str
    joints: tuple[Joint, ...]
    links: tuple[float, ...]
    tool_m: float
    base: tuple[float, float]
    radius: float
    link_rgb: Vector
    joint_rgb: Vector
    jaws: Jaws
    mobile: bool = False

    def neutral(self, side: str) -> Array:
        """(6,) where the arm waits."""
        import numpy as np

        flip = -1.0 if side == "right" else 1.0
        return np.array([j.neutral * (flip if j.mirrored else 1.0) for j in self.joints])

    def limits(self, side: str) -> tuple[Array, Array]:
        """(6,) lowest and highest joint positions."""
        import numpy as np

        low = np.array([j.low for j in self.joints])
        high = np.array([j.high for j in self.joints])
        if side == "left":
            return low, high
        flip = np.array([j.mirrored for j in self.joints])
        return np.where(flip, -high, low), np.where(flip, -low, high)

    @property
    def speeds(self) -> Array:
        """(6,) the most a joint moves in a second."""
        import numpy as np

        return np.array([j.speed for j in self.joints])

    def joint_names(self) -> tuple[str, ...]:
        """left_<name>_<unit> for all joints of both arms, left first."""
        return tuple(f"{side}_{j.name}_{j.unit}" for side in SIDES for j in self.joints)


ELBOW = (
    Joint("waist", "z", -2.6, 2.6, 0.0, 2.8),
    Joint("shoulder", "y", -1.9, 1.9, -0.35, 2.8),
    Joint("elbow", "y", -1.6, 2.4, 0.55, 2.8),
    Joint("forearm_roll", "x", -2.9, 2.9, 0.0, 3.5),
    Joint("wrist", "y", -2.0, 2.2, 0.95, 3.5),
    Joint("tool_roll", "x", -2.9, 2.9, 0.0, 4.0),
)
OFFSET = (
    Joint("waist", "z", -3.0, 3.0, 0.0, 3.1),
    Joint("shoulder", "y", -2.2, 2.2, -0.35, 3.1),
    Joint("elbow", "y", -1.6, 2.6, 0.55, 3.1),
    Joint("wrist_pitch", "y", -2.8, 2.8, 0.95, 3.1),
    Joint("wrist_yaw", "z", -2.4, 2.4, 0.0, 3.1),
    Joint("tool_roll", "x", -3.0, 3.0, 0.0, 3.1),
)
COLUMN = (
    Joint("lift", "z", 0.05, 0.60, 0.36, 0.7, kind="slide"),
    Joint("shoulder", "z", -2.7, 2.7, 0.9, 3.0),
    Joint("elbow", "z", -2.8, 2.8, -1.8, 3.0),
    Joint("wrist_yaw", "z", -2.9, 2.9, 0.9, 4.0),
    Joint("wrist_pitch", "y", -0.5, 1.9, 1.15, 4.0),
    Joint("tool_roll", "x", -2.9, 2.9, 0.0, 4.0),
)

BUILDS: dict[str, Build] = {
    build.name: build
    for build in (
        Build(
            "alder", "elbow arms, grey and blue, flat fingers",
            "elbow", ELBOW, (0.13, 0.30, 0.28), 0.17, (-0.02, 0.27), 0.028,
            (0.72, 0.73, 0.74), (0.20, 0.35, 0.60), Jaws(0.080, 0.010, "box", 0.010, 0.010),
        ),
        Build(
            "birch", "slim arms with an offset wrist, black, wide thin fingers",
            "offset", OFFSET, (0.20, 0.36, 0.31, 0.05), 0.15, (-0.10, 0.22), 0.022,
            (0.13, 0.13, 0.14), (0.60, 0.60, 0.62), Jaws(0.090, 0.012, "box", 0.014, 0.006),
        ),
        Build(
            "cedar", "arms that slide on columns, orange, round fingers",
            "column", COLUMN, (0.62, 0.34, 0.31), 0.20, (-0.13, 0.30), 0.032,
            (0.88, 0.45, 0.12), (0.15, 0.15, 0.16), Jaws(0.100, 0.010, "capsule", 0.007, 0.014),
        ),
        Build(
            "dogwood", "elbow arms on a driving base, white and green, flat fingers",
            "elbow", ELBOW, (0.18, 0.32, 0.30), 0.16, (-0.11, 0.26), 0.030,
            (0.90, 0.91, 0.90), (0.10, 0.45, 0.28), Jaws(0.085, 0.010, "box", 0.011, 0.008),
            mobile=True,
        ),
    )
}  # fmt: skip


def find_build(name: str) -> Build:
    """A robot by name; BadInputError lists the names there are."""
    if name not in BUILDS:
        raise BadInputError(f"no robot {name!r}; there are: {', '.join(BUILDS)}")
    return BUILDS[name]


def robot_xml(build: Build) -> str:
    """Both arms on a body ``robot`` that can be placed, for a scene's worldbody."""
    arms = "".join(_arm(build, side) for side in SIDES)
    trunk = ""
    if build.mobile:
        link, joint = _rgba(build.link_rgb), _rgba(build.joint_rgb)
        trunk = (
            f'<geom type="box" size="0.16 0.27 0.14" pos="-0.30 0 -0.52" {joint}/>'
            f'<geom type="box" size="0.07 0.10 0.28" pos="-0.30 0 -0.18" {link}/>'
            f'<geom type="box" size="0.05 0.26 0.03" pos="-0.18 0 0.03" {link}/>'
        )
    return f'<body name="robot" mocap="true">{trunk}{arms}</body>'


def _rgba(rgb: Vector) -> str:
    return f'rgba="{rgb[0]} {rgb[1]} {rgb[2]} 1"'


def _link(end: Vector, radius: float, look: str) -> str:
    x, y, z = end
    where = f'fromto="0 0 0 {x:.4f} {y:.4f} {z:.4f}"'
    return f'<geom type="capsule" {where} size="{radius:.4f}" {look}/>'


def _arm(build: Build, side: str) -> str:
    sign = 1.0 if side == "left" else -1.0
    chain = {"elbow": _elbow_arm, "offset": _offset_arm, "column": _column_arm}[build.kind]
    foot = f'<geom type="cylinder" size="{2.2 * build.radius:.4f} 0.02" pos="0 0 0.02" '
    return (
        f'<body name="{side}_base" pos="{build.base[0]} {sign * build.base[1]} 0">'
        f"{foot}{_rgba(build.joint_rgb)}/>{chain(build, side)}</body>"
    )


def _hinge(build: Build, side: str, number: int) -> str:
    joint = build.joints[number]
    low, high = (float(v[number]) for v in build.limits(side))
    axis = {"x": "1 0 0", "y": "0 1 0", "z": "0 0 1"}[joint.axis]
    return (
        f'<joint name="{side}_{number + 1}" type="{joint.kind}" axis="{axis}" '
        f'range="{low} {high}"/>'
    )


def _elbow_arm(build: Build, side: str) -> str:
    """Waist, shoulder, elbow, forearm roll, wrist, tool roll."""
    height, upper, fore = build.links
    link, r = _rgba(build.link_rgb), build.radius
    knob = f'<geom type="sphere" size="{1.25 * r:.4f}" {_rgba(build.joint_rgb)}/>'
    first, second = 0.55 * fore, 0.45 * fore
    return (
        f'<body pos="0 0 0.04">{_hinge(build, side, 0)}'
        f"{_link((0, 0, height - 0.04), 1.2 * r, link)}"
        f'<body pos="0 0 {height - 0.04:.4f}">{_hinge(build, side, 1)}{knob}'
        f"{_link((0, 0, upper), r, link)}"
        f'<body pos="0 0 {upper}">{_hinge(build, side, 2)}{knob}{_link((first, 0, 0), r, link)}'
        f'<body pos="{first:.4f} 0 0">{_hinge(build, side, 3)}'
        f"{_link((second, 0, 0), 0.85 * r, link)}"
        f'<body pos="{second:.4f} 0 0">{_hinge(build, side, 4)}{knob}'
        f"{_hand(build, side)}</body></body></body></body></body>"
    )


def _offset_arm(build: Build, side: str) -> str:
    """Waist, shoulder, elbow and wrist pitch in one plane, then wrist yaw and tool roll."""
    height, upper, fore, wrist = build.links
    link, r = _rgba(build.link_rgb), build.radius
    drum = f'type="cylinder" size="{1.4 * r:.4f} {1.5 * r:.4f}" {_rgba(build.joint_rgb)}'
    lying = f'<geom {drum} quat="0.7071 0.7071 0 0"/>'
    return (
        f'<body pos="0 0 0.04">{_hinge(build, side, 0)}'
        f"{_link((0, 0, height - 0.04), 1.3 * r, link)}"
        f'<body pos="0 0 {height - 0.04:.4f}">{_hinge(build, side, 1)}{lying}'
        f"{_link((0, 0, upper), r, link)}"
        f'<body pos="0 0 {upper}">{_hinge(build, side, 2)}{lying}{_link((fore, 0, 0), r, link)}'
        f'<body pos="{fore} 0 0">{_hinge(build, side, 3)}{lying}{_link((wrist, 0, 0), r, link)}'
        f'<body pos="{wrist} 0 0">{_hinge(build, side, 4)}<geom {drum}/>'
        f"{_hand(build, side)}</body></body></body></body></body>"
    )


def _column_arm(build: Build, side: str) -> str:
    """A carriage on a column, two level links, then wrist yaw, wrist pitch and tool roll."""
    column, upper, fore = build.links
    link, joint, r = _rgba(build.link_rgb), _rgba(build.joint_rgb), build.radius
    drum = f'<geom type="cylinder" size="{1.3 * r:.4f} {1.2 * r:.4f}" {joint}/>'
    return (
        f'<geom type="box" size="0.025 0.025 {column / 2}" pos="-0.06 0 {column / 2}" {joint}/>'
        f'<body>{_hinge(build, side, 0)}<geom type="box" size="0.045 0.04 0.03" {link}/>'
        f"<body>{_hinge(build, side, 1)}{drum}{_link((upper, 0, 0), r, link)}"
        f'<body pos="{upper} 0 0">{_hinge(build, side, 2)}{drum}'
        f"{_link((fore, 0, 0), 0.9 * r, link)}"
        f'<body pos="{fore} 0 0">{_hinge(build, side, 3)}{drum}'
        f'<body>{_hinge(build, side, 4)}<geom type="sphere" size="{r:.4f}" {joint}/>'
        f"{_hand(build, side)}</body></body></body></body></body>"
    )


def _hand(build: Build, side: str) -> str:
    """What turns with the last joint: palm, jaws, tool point, camera."""
    link, joint, jaws = _rgba(build.link_rgb), _rgba(build.joint_rgb), build.jaws
    root = build.tool_m + jaws.tip_m - jaws.length_m  # where the fingers begin
    half = jaws.width_m / 2
    fingers = "".join(
        f'<body name="{side}_jaw_{n}" pos="{root:.4f} 0 0">'
        f'<joint name="{side}_jaw_{n}" type="slide" axis="0 {s} 0" range="0 {half}"/>'
        f"{_finger(jaws, s, joint)}</body>"
        for n, s in (("a", 1), ("b", -1))
    )
    return (
        f'<body name="{side}_wrist">{_hinge(build, side, 5)}'
        f"{_link((root - 0.03, 0, 0), 0.7 * build.radius, link)}"
        f'<geom type="box" size="0.016 {half + 0.005:.4f} 0.018" pos="{root - 0.014:.4f} 0 0" '
        f"{link}/>"
        f'{fingers}<site name="{side}_tool" pos="{build.tool_m} 0 0" quat="{TOOL_QUAT[side]}" '
        'rgba="0 0 0 0"/>'
        f'<camera name="{side}_wrist" pos="{root - 0.060:.4f} 0 0.074" '
        f'xyaxes="0 -1 0 0.45 0 0.89" fovy="{math.degrees(WRIST_FOV_Y):.4f}"/></body>'
    )


def _finger(jaws: Jaws, sign: int, look: str) -> str:
    """The inner face lies on the joint's zero."""
    off, half = sign * jaws.thickness_m / 2, jaws.length_m / 2
    if jaws.shape == "capsule":
        r = jaws.thickness_m / 2
        ends = f"{r} {off} 0 {jaws.length_m - r} {off} 0"
        return f'<geom type="capsule" fromto="{ends}" size="{r}" {look}/>'
    size = f"{half} {jaws.thickness_m / 2} {jaws.half_width_m}"
    return f'<geom type="box" size="{size}" pos="{half} {off} 0" {look}/>'
