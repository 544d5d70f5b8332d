"""HOT3D, as clips or as full recordings (`hot3d_recording`).

Clips are ``clip-*.tar``, or the same files unpacked, one folder per clip.

Of every frame: ``<frame>.image_<stream>.jpg``, ``<frame>.cameras.json``, ``<frame>.hands.json``; of
the clip ``__hand_shapes.json__``. The UmeTrack pose of each hand is taken (see `umetrack`): 20 of
MediaPipe's joints, the thumb's CMC is not in it. Only hands that the set calls visible in a stream
are taken. Aria's sensors lie on their side: pictures are turned until up is up.
"""

import tarfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from core.errors import BadInputError
from core.geometry.cameras import Camera, Fisheye624
from core.geometry.landmarks import mediapipe21_from_aria21
from hands.truth_layouts.hot3d_poses import SEEN, UP, pose_of, upright_turn
from hands.truth_layouts.hot3d_recording import Recording, recordings_in
from hands.truth_layouts.picture import (
    Image,
    TrueHand,
    TruePicture,
    TruthLayout,
    array_of,
    decoded,
    fields_of,
    parsed,
)
from hands.truth_layouts.umetrack import UmeTrackHand

SHAPES = "__hand_shapes.json__"
ARIA_RGB = "214-1"


class Hot3d(TruthLayout):
    """One picture for every stream of every frame; split: a stream id, as in 214-1."""

    name = "hot3d"
    about = (
        "HOT3D: clip-*.tar, or unpacked (*.cameras.json, *.hands.json, *.image_*.jpg), or full "
        "Aria recordings (recording.vrs, umetrack_hand_pose_trajectory.jsonl, …)"
    )

    @classmethod
    def recognises(cls, folder: Path) -> bool:
        return bool(_clips(folder) or recordings_in(folder))

    def __init__(self, folder: Path, split: str | None = None) -> None:
        takes: list[Clip | Recording] = [Clip(path) for path in _clips(folder)]
        takes += [Recording(path) for path in recordings_in(folder)]
        self._rows = [
            (take, frame, stream)
            for take in takes
            for frame, stream in take.pictures()
            if split is None or stream == split
        ]
        if not self._rows:
            raise BadInputError(f"{folder}: no frames with hands and a picture in it")

    def __len__(self) -> int:
        return len(self._rows)

    def picture(self, index: int) -> TruePicture:
        take, frame, stream = self._rows[index]
        return take.picture(frame, stream)


class Clip:
    """The files of one clip, in a tar archive or a folder."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if path.is_dir():
            self._names = {p.name for p in path.iterdir()}
        else:
            try:
                with tarfile.open(path) as archive:
                    self._names = set(archive.getnames())
            except (OSError, tarfile.TarError) as error:
                raise BadInputError(f"{path}: not a tar archive that can be read") from error

    def pictures(self) -> list[tuple[str, str]]:
        """Frames with truth, and their streams."""
        found = []
        for name in sorted(self._names):
            frame, _, rest = name.partition(".image_")
            if rest.endswith(".jpg") and f"{frame}.hands.json" in self._names:
                found.append((frame, rest.removesuffix(".jpg")))
        return found

    def picture(self, frame: str, stream: str) -> TruePicture:
        """One stream's picture at one frame, upright."""
        where = f"{self._path.name}/{frame}"
        with fields_of(where, "HOT3D-Clips' fields"):
            return self._picture(frame, stream, where=where)

    def _picture(self, frame: str, stream: str, *, where: str) -> TruePicture:
        entry = self._json(f"{frame}.cameras.json").get(stream)
        if entry is None:
            raise BadInputError(f"{where}.cameras.json: no camera {stream}")
        camera = camera_of(entry["calibration"], f"{where}.cameras.json, {stream}")
        world_from_camera = pose_of(entry["T_world_from_camera"], where)
        hands = []
        shape = UmeTrackHand.from_json(self._json(SHAPES)["umetrack"], f"{where}: {SHAPES}")
        for side, known in self._json(f"{frame}.hands.json").items():
            if known is None or known.get("visibilities_modeled", {}).get(stream, 1.0) < SEEN:
                continue
            pose = known["umetrack_pose"]
            angles = array_of(pose["joint_angles"], (-1,), where)
            wrist = pose_of(pose.get("T_world_from_wrist", pose.get("wrist_xform")), where)
            points = shape.landmarks_in_world(angles, wrist, side)
            joints = world_from_camera.inverse().apply(mediapipe21_from_aria21(points))
            hands.append(TrueHand.seen_by(camera, joints, side))
        device = "aria" if f"{frame}.image_{ARIA_RGB}.jpg" in self._names else "quest3"
        upright = upright_turn(world_from_camera.inverse().rotate(UP[device]))
        name = f"{where}.image_{stream}.jpg"
        image = f"{frame}.image_{stream}.jpg"
        picture = TruePicture(name, lambda: self._image(image), camera, tuple(hands), complete=True)
        return picture.turned(upright)

    def _json(self, name: str) -> Any:
        return _json_of(self, name)

    def _image(self, name: str) -> Image:
        return decoded(self.read(name), f"{self._path}: {name}")

    def read(self, name: str) -> bytes:
        """A file of the clip."""
        if name not in self._names:
            raise BadInputError(f"{self._path}: no {name} in it; is the clip complete?")
        if self._path.is_dir():
            return (self._path / name).read_bytes()
        with tarfile.open(self._path) as archive:
            file = archive.extractfile(name)
            if file is None:
                raise BadInputError(f"{self._path}: {name} is no file")
            return file.read()

    @property
    def path(self) -> Path:
        """Where the clip lies."""
        return self._path


@lru_cache(maxsize=8)
def _json_of(clip: Clip, name: str) -> Any:
    """The last few files: streams of one frame share theirs, frames share the clip's shapes."""
    return parsed(clip.read(name), f"{clip.path}: {name}")


def _clips(folder: Path) -> list[Path]:
    """Archives, or folders that hold a clip's files (the folder itself, or those in it)."""
    archives = sorted(folder.glob("clip-*.tar"))
    inside = (
        [folder, *(p for p in sorted(folder.iterdir()) if p.is_dir())] if folder.is_dir() else []
    )
    return archives + [p for p in inside if (p / SHAPES).is_file()]


def camera_of(calibration: Any, where: str) -> Camera:
    """FISHEYE624 with one focal length (15 numbers) or the same one twice (16)."""
    kind = str(calibration.get("projection_model_type", ""))
    if not kind.endswith("FISHEYE624"):
        raise BadInputError(f"{where}: camera model {kind!r}; HOT3D's is FISHEYE624")
    params = array_of(calibration["projection_params"], (-1,), where)
    if len(params) == 16:
        if abs(params[0] - params[1]) > 1e-3 * params[0]:
            raise BadInputError(f"{where}: focal lengths {params[:2]}; one is expected for both")
        params = np.concatenate([[params[:2].mean()], params[2:]])
    size_wh = (int(calibration["image_width"]), int(calibration["image_height"]))
    return Fisheye624(params=tuple(params), size_wh=size_wh)
