"""Hands of EgoDex: ARKit's joints as 4 x 4 poses, one HDF5 file beside each video.

``transforms/<joint>`` and ``transforms/camera`` are ``(T,4,4)`` in a world of the recording's own,
``confidences/<joint>`` ``(T,)``; row k belongs to picture k. The camera's axes are OpenCV's.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError, MissingExtraError
from core.geometry.landmarks import FINGERS, SIDES
from core.geometry.se3 import SE3
from core.session.stage import Progress
from core.session.storage import SessionFolder
from core.session.tables import Frames, Ticks
from hands.config import HandsConfig
from hands.sources.protocol import LocatedHands
from hands.sources.settings import path_of

Floats = NDArray[np.float64]

CAMERA = "camera"
FINGER_NAMES = dict(zip(FINGERS, ("Index", "Middle", "Ring", "Little"), strict=True))
# in MediaPipe's order; ARKit's thumb knuckle is the joint at the wrist (CMC)
JOINTS = (
    "Hand",
    *(f"Thumb{part}" for part in ("Knuckle", "IntermediateBase", "IntermediateTip", "Tip")),
    *(
        f"{FINGER_NAMES[finger]}Finger{part}"
        for finger in FINGERS
        for part in ("Knuckle", "IntermediateBase", "IntermediateTip", "Tip")
    ),
)


class EgoDex:
    """ARKit's joints at every picture, in the head frame."""

    name = "egodex"

    def inputs(self, config: HandsConfig) -> list[str]:
        """The HDF5 file. BadInputError where none is named."""
        return [path_of(config, what="the take's HDF5 file in the session", example="raw/0.hdf5")]

    def outside(self, config: HandsConfig) -> dict[str, str]:
        """Nothing."""
        return {}

    def read(
        self, folder: SessionFolder, ticks: Ticks, *, config: HandsConfig, progress: Progress
    ) -> LocatedHands:
        """Raises BadInputError for a file with other fields or of another video."""
        path = folder.local_path(self.inputs(config)[0])
        joints, confidence = read_joints(path)
        frames = Frames.read(folder)
        head = np.array([name == "head" for name in frames.stream]) & (frames.frame_index >= 0)
        index, times_ns = frames.frame_index[head], frames.timestamp_ns[head]
        if len(index) != len(joints):
            raise BadInputError(
                f"{path}: {len(joints)} rows, but the head stream has {len(index)} pictures; give "
                "the file of this video"
            )
        order = np.argsort(times_ns, kind="stable")
        rows = np.argsort(np.argsort(index, kind="stable"))[order]
        return located(
            times_ns[order] + config.source_offset_ns,
            joints[rows],
            confidence[rows],
            least=config.source_min_confidence,
        )


EGODEX = EgoDex()


def located(
    times_ns: NDArray[np.int64], joints: Floats, confidence: Floats, *, least: float
) -> LocatedHands:
    """Joints ``(N,2,21,3)`` in the head frame and their confidences ``(N,2,21)``, 1 where the file
    has none. A hand counts by the mean over its joints.
    """
    reason = np.full(joints.shape[:2], None, dtype=object)
    reason[confidence.mean(axis=-1) < least] = "low confidence"
    reason[~np.isfinite(joints).all(axis=(-1, -2))] = "not seen"
    joints = np.where(np.equal(reason, None)[..., None, None], joints, np.nan)
    return LocatedHands(times_ns, joints, joints, reason, np.inf)


def read_joints(path: Path) -> tuple[Floats, Floats]:
    """Joints ``(T,2,21,3)`` in the camera at each row and confidences ``(T,2,21)``."""
    h5py = _h5py()
    try:
        with h5py.File(path, "r") as file:
            camera = _poses(file, CAMERA, path)
            names = [[f"{side}{joint}" for joint in JOINTS] for side in SIDES]
            world = np.stack(
                [np.stack([_poses(file, n, path)[:, :3, 3] for n in side], 1) for side in names], 1
            )
            given = file.get("confidences")
            confidence = np.ones(world.shape[:3])
            if given is not None:
                for side, parts in enumerate(names):
                    for joint, name in enumerate(parts):
                        if name in given:
                            confidence[:, side, joint] = given[name][()]
    except (OSError, ValueError) as error:
        raise BadInputError(f"{path}: no EgoDex file that can be read ({error})") from error
    camera_from_world = SE3.from_matrix(camera).inverse()
    shape = world.shape
    in_camera = camera_from_world.apply(world.reshape(shape[0], -1, 3))
    return np.asarray(in_camera).reshape(shape), confidence


def _poses(file: Any, name: str, path: Path) -> Floats:
    key = f"transforms/{name}"
    if key not in file:
        raise BadInputError(f"{path}: no {key}; EgoDex files have one for every joint")
    poses = np.asarray(file[key][()], dtype=np.float64)
    if poses.ndim != 3 or poses.shape[1:] != (4, 4):
        raise BadInputError(f"{path}: {key} has shape {poses.shape}, expected (T, 4, 4)")
    return poses


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as error:
        raise MissingExtraError(
            "EgoDex files need h5py: pip install 'handoff-ego[egodex]'"
        ) from error
    return h5py
