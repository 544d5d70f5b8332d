"""How long the bones of a hand are, as fractions of its length, and how sure that is.

Hand length = wrist crease to middle fingertip. Segment lengths between joint centres are fractions
of
it: Buchholz, Armstrong, Goldstein, "Anthropometric data for describing the kinematics of the human
hand", Ergonomics 35(3), 1992. Adult hand length, both sexes pooled: ANSUR, 181.5 mm, sd 12 mm.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POPULATION_HAND_LENGTH_M = 0.1815
POPULATION_SIGMA_M = 0.012
MEASURED_SIGMA_M = 0.002  # a ruler on a hand
BONE_SIGMA = 0.06  # of a bone's length: how far people differ in proportion at one hand length

# Where a finger starts is a matter of definition: anatomists put the middle knuckle at 0.45 of the
# hand's length (Buchholz), Aria's tracker at 0.50. These are the means of the two.
# rows thumb, index, middle, ring, pinky; columns wrist-to-first-joint, then the three bones outward
_FRACTIONS = np.array([
    [0.180, 0.235, 0.180, 0.143],
    [0.490, 0.222, 0.135, 0.107],
    [0.474, 0.246, 0.157, 0.113],
    [0.448, 0.224, 0.152, 0.112],
    [0.434, 0.183, 0.112, 0.098],
])
# where the first joints lie from the wrist, palm frame of a right hand (x to the fingers, y to the
# little finger, z out of the palm): directions of an open, slightly arched palm; from index to
# pinky 0.33 of the hand's length
_FIRST_JOINT_DIRECTIONS = np.array([
    [0.52, -0.72, 0.46],
    [0.924, -0.350, 0.075],
    [0.991, -0.123, 0.0],
    [0.991, 0.123, 0.0],
    [0.921, 0.358, 0.080],
])


@dataclass(frozen=True, eq=False)
class HandShape:
    """One person's hand, the right one; the left is its mirror image.

    bones_m: ``(5,4)``, thumb to little finger: wrist to first joint, then outward.
    first_joint_directions: ``(5,3)`` unit, from the wrist, in the palm's axes.
    length_m: wrist to middle fingertip; length_sigma_m: how sure its scale is.
    scale_source: ``measured``, ``marker``, ``stereo``, ``wrist_camera`` or ``prior``.
    bones_known: they were estimated from this person's other sessions and are kept.
    """

    bones_m: Floats
    first_joint_directions: Floats
    length_m: float
    length_sigma_m: float
    scale_source: str
    bones_known: bool = False


def hand_shape(hand_length_mm: float | None) -> HandShape:
    """The average hand of the given length, or of the population if it was not measured."""
    measured = hand_length_mm is not None
    length_m = hand_length_mm / 1e3 if hand_length_mm is not None else POPULATION_HAND_LENGTH_M
    directions = _FIRST_JOINT_DIRECTIONS
    return HandShape(
        bones_m=_FRACTIONS * length_m,
        first_joint_directions=directions / np.linalg.norm(directions, axis=1, keepdims=True),
        length_m=length_m,
        length_sigma_m=MEASURED_SIGMA_M if measured else POPULATION_SIGMA_M,
        scale_source="measured" if measured else "prior",
    )


def scaled_shape(shape: HandShape, length_m: float) -> HandShape:
    """The same hand at another length; how sure that is stays as it was."""
    factor = length_m / shape.length_m
    return replace(shape, bones_m=shape.bones_m * factor, length_m=length_m)
