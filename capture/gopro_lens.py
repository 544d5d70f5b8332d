"""What an action camera's lens is about, where nobody has calibrated it.

HERO11 and newer write their model's polynomial into the file. For the others: the lens modes of
HERO10 and HERO11 Black as Gyroflow's calibrators measured them on boards
(github.com/gyroflow/lens_profiles: "GoPro_HERO10 Black_Wide_16by9" and its siblings). Other models
share a mode's name and, to a few per cent, its angles. Whatever comes from here is an estimate and
says so.
"""

import numpy as np

from capture.gopro import GoProFacts
from core.geometry.cameras import Camera, KannalaBrandt

Radial = tuple[float, float, float, float]
WIDE, LINEAR, NARROW = "W", "L", "N"
NAMES = {WIDE: "Wide", LINEAR: "Linear", NARROW: "Narrow", "S": "SuperView", "H": "HyperView"}
ASPECTS = {"16:9": 16 / 9, "4:3": 4 / 3, "8:7": 8 / 7}
# focal length over picture width, then k1 to k4 of the equidistant model
LENSES: dict[tuple[str, str], tuple[float, Radial]] = {
    (WIDE, "16:9"): (0.46791, (0.034214, 0.067673, -0.074090, 0.029944)),
    (WIDE, "4:3"): (0.44686, (0.032858, 0.055737, -0.038399, 0.006865)),
    (WIDE, "8:7"): (0.44364, (0.031396, 0.059741, -0.043367, 0.009924)),
    (LINEAR, "16:9"): (0.47720, (0.350297, 0.030718, 0.298200, -0.159002)),
    (LINEAR, "4:3"): (0.47845, (0.348527, 0.043874, 0.267322, -0.129448)),
    (NARROW, "16:9"): (0.67338, (0.348412, 0.069128, 0.090974, 0.178731)),
}
STABILISED_CROP = {WIDE: 0.928, LINEAR: 0.913}  # of the width that HyperSmooth keeps, same source
CLOSE = 0.02  # 848x480 is called 16:9


def estimated_lens(facts: GoProFacts, size_wh: tuple[int, int]) -> tuple[Camera, str] | None:
    """A camera for the recorded picture and where it is from; None for modes that are not known."""
    width, height = size_wh
    named = f"{facts.model or 'GoPro'} {mode_name(facts)}".strip()
    if facts.angle_by_radius:
        return _fitted(facts.angle_by_radius, size_wh), f"{named}, the model's lens in the file"
    aspect = next((a for a, r in ASPECTS.items() if abs(width / height / r - 1) < CLOSE), "")
    if (facts.lens, aspect) not in LENSES:
        return None
    focal_per_width, radial = LENSES[facts.lens, aspect]
    crop = STABILISED_CROP.get(facts.lens, 1.0) if facts.stabilised else 1.0
    focal = focal_per_width * width / crop
    camera = KannalaBrandt(
        params=(focal, focal, (width - 1) / 2, (height - 1) / 2, *radial), size_wh=size_wh
    )
    return camera, f"{named} {aspect}, from HERO10/11 boards"


def _fitted(angle_by_radius: tuple[float, ...], size_wh: tuple[int, int]) -> KannalaBrandt:
    """The equidistant model that puts every angle where the file's polynomial has it."""
    width, height = size_wh
    share = np.linspace(0, 1, 200)[1:]
    angle = np.polynomial.polynomial.polyval(share, angle_by_radius)
    radius_px = share * float(np.hypot(width, height)) / 2
    odd = angle[:, None] ** np.array([1, 3, 5, 7, 9])
    focal, *bent = np.linalg.lstsq(odd, radius_px, rcond=None)[0].tolist()
    radial = [b / focal for b in bent]
    return KannalaBrandt(
        params=(focal, focal, (width - 1) / 2, (height - 1) / 2, *radial), size_wh=size_wh
    )


def mode_name(facts: GoProFacts) -> str:
    """The lens mode in words; the letter where it has no name here."""
    return NAMES.get(facts.lens, facts.lens)
