"""Says where pictures alone contradict the focal length that they are said to be taken with."""

from copy import deepcopy

import numpy as np

from core.geometry.cameras import Camera
from slam.config import SlamConfig
from slam.map.mapping import SceneMap
from slam.map.self_calibration import CLEARLY, HIDDEN_FOCAL_ALONE, Refinement

LEAST_KEYFRAMES = 10  # fewer say too little
DOUBTED = 0.075  # share of a focal length; right ones came out up to 5 % off


def lens_doubt(scene_map: SceneMap, config: SlamConfig, *, camera: Camera) -> str | None:
    """One line about a focal length that does not fit, with the cure; the map stays as it is.

    What holds the focal length to the calibration lets it come out nearer than it is. Costs a
    tenth of the stage.
    """
    if len(scene_map.posed) < LEAST_KEYFRAMES:
        return None
    asked = Refinement(deepcopy(scene_map), config, camera=camera)
    sigma = float(np.hypot(asked.settle(["focal"])[0], HIDDEN_FOCAL_ALONE))
    if abs(asked.log_focal) < max(DOUBTED, CLEARLY * sigma):
        return None
    off = np.expm1(asked.log_focal)
    return (
        f"the focal length does not fit these pictures: one at least {abs(off):.0%} "
        f"{'longer' if off > 0 else 'shorter'} does; give the intrinsics of this video's size, "
        "zoom and mode"
    )
