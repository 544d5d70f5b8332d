"""Settings that several sources read: the file, its clock, where its body sits."""

import numpy as np

from core.errors import BadInputError
from core.geometry.se3 import SE3
from hands.config import HandsConfig


def path_of(config: HandsConfig, *, what: str, example: str) -> str:
    """The file that `source_path` names; BadInputError says what belongs there."""
    if not config.source_path:
        raise BadInputError(
            f"hands: source={config.source!r} needs source_path, {what}, such as {example}"
        )
    return config.source_path


def body_from_head(text: str) -> SE3:
    """The pose of the head camera in the source's body, from x,y,z,qw,qx,qy,qz."""
    wanted = "give x,y,z,qw,qx,qy,qz of the head camera in the device, metres"
    try:
        values = np.array([float(part) for part in text.split(",")])
    except ValueError as error:
        raise BadInputError(f"hands: source_body_from_head={text!r}; {wanted}") from error
    if len(values) != 7 or abs(float(np.linalg.norm(values[3:])) - 1.0) > 1e-3:
        raise BadInputError(
            f"hands: source_body_from_head={text!r}; {wanted}, the quaternion of length 1"
        )
    values[3:] /= np.linalg.norm(values[3:])
    return SE3.from_pose7(values)
