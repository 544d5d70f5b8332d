"""Running a user's MANO regressor on the hands that were found.

The network takes ``(1,3,256,256)``: a square crop of the picture, RGB with ImageNet's mean and
deviation, left hands mirrored. It gives joints ``(1,21,3)`` in metres and a weak-perspective camera
``(1,3)`` (scale, x, y of the crop), as HaMeR and WiLoR define them: focal length 5000 for 256
pixels. One hand at a time, on the GPU where there is one.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, MissingExtraError
from core.session.frames import open_frames
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Ticks
from hands.model.evidence import MIRROR
from hands.sources.protocol import SourceHands

Floats = NDArray[np.float64]
Image = NDArray[np.uint8]

SIDE_PX = 256
FOCAL_PX = 5000.0  # what the weak-perspective scale refers to
ROOM = 2.0  # side of the crop, of the landmarks' box
MEAN, DEVIATION = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])


def regress(
    folder: SessionFolder, found: SourceHands, *, network: Path, progress: Progress
) -> SourceHands:
    """The same hands with the network's points instead of the detector's."""
    model = load_network(network)
    stamps = Ticks.read(folder).timestamp_ns
    px, points = found.raw21_px.copy(), found.raw21_in_hand.copy()
    progress.note("MANO regressor")
    progress.total(len(found), "hand")
    with open_frames(folder, "head", redact=False) as frames:
        for k, row in enumerate(found.row.tolist()):
            image = frames.near(int(stamps[row])).image_rgb
            left = bool(found.left_label[k] > 0.5)
            centre, side = square_of(found.raw21_px[k])
            px[k], points[k] = model.hand(image, centre, side=side, left=left)
            progress.advance()
    return SourceHands(found.row, found.left_label, px, points)


def square_of(raw21_px: Floats) -> tuple[Floats, float]:
    """Middle ``(2,)`` and side of the square that is cut out around 21 pixels."""
    low, high = raw21_px.min(axis=0), raw21_px.max(axis=0)
    return (low + high) / 2, ROOM * float(np.max(high - low))


def cut(image_rgb: Image, centre: Floats, *, side: float, left: bool) -> NDArray[np.float32]:
    """``(3,256,256)``, normalised, mirrored for left hands; black where the picture ends."""
    import cv2

    scale = SIDE_PX / side
    flip = -1.0 if left else 1.0
    middle = (SIDE_PX - 1) / 2
    move = np.array([
        [flip * scale, 0.0, middle - flip * scale * centre[0]],
        [0.0, scale, middle - scale * centre[1]],
    ])
    crop = cv2.warpAffine(image_rgb, move, (SIDE_PX, SIDE_PX), flags=cv2.INTER_AREA)
    normal = (crop.astype(np.float64) / 255.0 - MEAN) / DEVIATION
    return np.ascontiguousarray(normal.transpose(2, 0, 1)).astype(np.float32)


def in_picture(
    joints: Floats, camera: Floats, *, centre: Floats, side: float, left: bool
) -> tuple[Floats, Floats]:
    """Pixels ``(21,2)`` and hand-centred metres ``(21,3)``, unmirrored, of the network's output."""
    scale, x, y = camera
    depth = 2.0 * FOCAL_PX / (SIDE_PX * scale)
    placed = joints + np.array([x, y, depth])
    share = placed[:, :2] / placed[:, 2:] * FOCAL_PX / SIDE_PX  # of the crop's side
    flip = np.array([-1.0, 1.0]) if left else np.ones(2)
    points = joints * (MIRROR if left else 1.0)
    return centre + share * flip * side, points - points.mean(axis=0)


class Network:
    """A loaded regressor."""

    def __init__(self, module: Any, path: Path, device: str) -> None:
        self._module, self._path, self._device = module, path, device

    def hand(
        self, image_rgb: Image, centre: Floats, *, side: float, left: bool
    ) -> tuple[Floats, Floats]:
        """One hand of a picture. BadInputError where the network gives something else."""
        import torch

        crop = torch.from_numpy(cut(image_rgb, centre, side=side, left=left))[None]
        try:
            with torch.inference_mode():
                output = self._module(crop.to(self._device))
            joints, camera = (np.asarray(o.detach().cpu(), dtype=np.float64) for o in output)
        except (RuntimeError, TypeError, ValueError, AttributeError) as error:
            raise BadInputError(f"{self._path}: {self._wanted}: {_first_line(error)}") from error
        if joints.shape != (1, 21, 3) or camera.shape != (1, 3):
            raise BadInputError(
                f"{self._path}: {self._wanted}; it gave {joints.shape} and {camera.shape}"
            )
        if not (np.isfinite(joints).all() and np.isfinite(camera).all() and camera[0, 0] > 0):
            raise BadInputError(f"{self._path}: gave numbers that are no hand; wrong weights?")
        return in_picture(joints[0], camera[0], centre=centre, side=side, left=left)

    @property
    def _wanted(self) -> str:
        return "a network (1,3,256,256) -> joints (1,21,3), camera (1,3) is needed"


def load_network(path: Path) -> Network:
    """The exported program. MissingExtraError without torch, BadInputError for another file."""
    try:
        import torch
    except ImportError as error:
        raise MissingExtraError(
            "a MANO regressor needs torch: pip install 'handoff-ego[train]'"
        ) from error
    device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        module = torch.export.load(path).module().to(device)
    except Exception as error:
        raise BadInputError(
            f"{path}: not a network saved by torch.export ({_first_line(error)}); docs/hands.md "
            "says how to export one"
        ) from error
    return Network(module, path, device)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
