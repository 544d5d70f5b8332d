"""Says where intrinsics cannot belong to these pictures; messages hold the cure."""

import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import Camera

OFF_CENTRE = 0.2  # of the picture's side: lenses sit over their sensors' middle to a few per cent
LEAST_FOV_DEG = 15.0  # a telephoto lens is on nobody's head
DARK_SHARE = 0.5  # of the picture's border that no ray leads to


def check_camera(camera: Camera, *, source: str) -> list[str]:
    """Warnings about a camera model beside its picture's size.

    Raises BadInputError where the optical axis does not even meet the image. ``source`` names the
    file in messages.
    """
    width, height = camera.size_wh
    centre, valid = camera.project(np.array([[0.0, 0.0, 1.0]]))
    if not valid[0] or not camera.in_image(centre)[0]:
        raise BadInputError(
            f"{source}: the optical axis meets pixel {centre[0].round(1).tolist()}, outside the "
            f"{width}x{height} image; give the intrinsics of this resolution"
        )
    return [*_off_centre(camera, centre[0], source), *_lens(camera, source)]


def _off_centre(camera: Camera, centre_px: np.ndarray, source: str) -> list[str]:
    size = np.array(camera.size_wh)
    off = (centre_px + 0.5) / size - 0.5
    if np.abs(off).max() < OFF_CENTRE:
        return []
    looks = ""
    if abs(off[0] - off[1]) < 0.05:  # both by the same share: calibrated at another size
        width, height = np.rint(2 * centre_px + 1).astype(int)
        looks = f"; they look like those of a {width}x{height} image"
    return [
        f"{source}: the optical axis meets pixel {centre_px.round(1).tolist()} of a "
        f"{size[0]}x{size[1]} image{looks}: give the intrinsics of this resolution"
    ]


def _lens(camera: Camera, source: str) -> list[str]:
    width, height = camera.size_wh
    across, down = np.linspace(0, width - 1, 21), np.linspace(0, height - 1, 21)
    level = np.stack([across, np.full(21, (height - 1) / 2)], axis=1)
    rim = [np.stack([across, np.full(21, y)], axis=1) for y in (0.0, height - 1.0)]
    rim += [np.stack([np.full(21, x), down], axis=1) for x in (0.0, width - 1.0)]
    _, seen = camera.unproject(np.concatenate(rim))
    warnings = []
    if camera.model == "pinhole_radtan" and np.mean(seen) < 1 - DARK_SHARE:
        warnings.append(
            f"{source}: the distortion folds over inside the image: no ray leads to "
            f"{np.mean(~seen):.0%} of its border; calibrate again, or with a fisheye model"
        )
    rays, valid = camera.unproject(level[[0, -1]])
    if valid.all():
        fov_deg = float(np.rad2deg(np.arccos(np.clip(rays[0] @ rays[1], -1, 1))))
        if fov_deg < LEAST_FOV_DEG:
            warnings.append(
                f"{source}: the image would be {fov_deg:.1f} degrees wide; give the focal length "
                "in pixels of this resolution"
            )
    return warnings
