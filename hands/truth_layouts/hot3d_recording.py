"""HOT3D's full recordings with Aria glasses: one folder per take, its pictures inside a VRS file.

``recording.vrs``; ``headset_trajectory.csv``, the device in the world; ``box2d_hands.csv``, how
much of each hand every picture shows; ``umetrack_hand_pose_trajectory.jsonl`` and
``umetrack_hand_user_profile.json``, the hands. Rows belong together by time stamp (time code);
hand "0" is the left one. Quest 3 recordings need another VRS reader and are refused.
"""

import json
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from core.errors import BadInputError
from core.geometry.landmarks import SIDES, mediapipe21_from_aria21
from core.geometry.se3 import SE3
from hands.cameras.vrs import camera_of, open_vrs, rgb_picture
from hands.quiet import quiet_library
from hands.truth_layouts.hot3d_poses import SEEN, UP, pose_of, upright_turn
from hands.truth_layouts.picture import Image, TrueHand, TruePicture, array_of, read_json
from hands.truth_layouts.umetrack import UmeTrackHand

HANDS, PROFILE = "umetrack_hand_pose_trajectory.jsonl", "umetrack_hand_user_profile.json"
PATH, BOXES, VRS, ABOUT = (
    "headset_trajectory.csv",
    "box2d_hands.csv",
    "recording.vrs",
    "metadata.json",
)
TIME, SHARE = "timestamp[ns]", "visibility_ratio[%]"  # a share from 0 to 1 in spite of its name
POSE = ("t_wo_x[m]", "t_wo_y[m]", "t_wo_z[m]", "q_wo_w", "q_wo_x", "q_wo_y", "q_wo_z")
SAME_MOMENT_NS = 2_000_000


def recordings_in(folder: Path) -> list[Path]:
    """Folders of full recordings: the folder itself, or those in it."""
    return sorted(path.parent for path in [*folder.glob(HANDS), *folder.glob(f"*/{HANDS}")])


class Recording:
    """One take. A picture is named by its stream and its time stamp."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        missing = [n for n in (VRS, PATH, BOXES, PROFILE) if not (folder / n).is_file()]
        if missing:
            raise BadInputError(f"{folder}: no {missing[0]} in it; is the HOT3D take complete?")
        if (folder / ABOUT).is_file():
            headset = read_json(folder / ABOUT).get("headset", "Aria")
            if headset != "Aria":
                raise BadInputError(
                    f"{folder}: recorded with {headset}, whose VRS file is not read here; give the "
                    "same take as HOT3D-Clips (clip-*.tar)"
                )

    def pictures(self) -> list[tuple[str, str]]:
        """Time stamps and streams of pictures whose hands and device are known."""
        stamps = sorted({(stamp, stream) for stamp, stream, _ in self._shares})
        known = self._hands.keys() & self._poses.keys()
        return [(str(stamp), stream) for stamp, stream in stamps if stamp in known]

    def picture(self, frame: str, stream: str) -> TruePicture:
        """One stream's picture at one time stamp, upright."""
        where = f"{self._folder.name}/{frame}"
        try:
            return self._picture(int(frame), stream, where=where)
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInputError(f"{where}: not HOT3D's fields ({error!r})") from error

    def _picture(self, stamp: int, stream: str, *, where: str) -> TruePicture:
        camera, device_from_camera = camera_of(self._provider, self._label(stream))
        camera_from_world = (self._poses[stamp] @ device_from_camera).inverse()
        hands = []
        for number, side in enumerate(SIDES):
            pose = self._hands[stamp].get(str(number))
            if pose is None or self._shares.get((stamp, stream, number), 0.0) < SEEN:
                continue
            angles = array_of(pose["joint_angles"], (-1,), where)
            wrist = pose_of(pose["wrist_xform"], where)
            points = self._shape.landmarks_in_world(angles, wrist, side)
            joints = camera_from_world.apply(mediapipe21_from_aria21(points))
            hands.append(TrueHand.seen_by(camera, joints, side))
        upright = upright_turn(camera_from_world.rotate(UP["aria"]))
        picture = TruePicture(
            f"{where}.image_{stream}",
            lambda: self._image(stamp, stream),
            camera,
            tuple(hands),
            complete=True,
        )
        return picture.turned(upright)

    def _image(self, stamp: int, stream: str) -> Image:
        from projectaria_tools.core.sensor_data import TimeDomain, TimeQueryOptions
        from projectaria_tools.core.stream_id import StreamId

        number = StreamId(stream)
        stamps: NDArray[np.int64] = np.array(
            self._provider.get_timestamps_ns(number, TimeDomain.TIME_CODE), dtype=np.int64
        )
        if not len(stamps) or np.abs(stamps - stamp).min() > SAME_MOMENT_NS:
            raise BadInputError(
                f"{self._folder / VRS}: stream {stream} has no picture at time code {stamp}; are "
                "the files of one take?"
            )
        with quiet_library():
            record, _ = self._provider.get_image_data_by_time_ns(
                number, stamp, TimeDomain.TIME_CODE, TimeQueryOptions.CLOSEST
            )
        return rgb_picture(record)

    def _label(self, stream: str) -> str:
        from projectaria_tools.core.stream_id import StreamId

        return str(self._provider.get_label_from_stream_id(StreamId(stream)))

    @cached_property
    def _provider(self) -> Any:
        return open_vrs(self._folder / VRS)

    @cached_property
    def _shape(self) -> UmeTrackHand:
        path = self._folder / PROFILE
        profile = read_json(path)
        if not isinstance(profile, dict) or "hand_model" not in profile:
            raise BadInputError(f"{path}: no 'hand_model' in it")
        return UmeTrackHand.from_json(profile["hand_model"], str(path))

    @cached_property
    def _poses(self) -> dict[int, SE3]:
        """World from device by time stamp."""
        stamps, values = self._columns(PATH, POSE)
        values[:, 3:] /= np.linalg.norm(values[:, 3:], axis=1, keepdims=True)
        return dict(zip(stamps.tolist(), map(SE3.from_pose7, values), strict=True))

    @cached_property
    def _shares(self) -> dict[tuple[int, str, int], float]:
        """What share of a hand (0 left, 1 right) a stream shows at a time stamp."""
        from pyarrow import csv

        stamps, values = self._columns(BOXES, ("hand_index", SHARE))
        streams = csv.read_csv(self._folder / BOXES)["stream_id"].to_pylist()
        rows = zip(stamps.tolist(), streams, values[:, 0].astype(int).tolist(), strict=True)
        return dict(zip(rows, values[:, 1].tolist(), strict=True))

    @cached_property
    def _hands(self) -> dict[int, dict[str, Any]]:
        """Hand poses by time stamp; "0" left, "1" right."""
        path = self._folder / HANDS
        rows = {}
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                row = json.loads(line)
                rows[int(row["timestamp_ns"])] = dict(row["hand_poses"])
            except (json.JSONDecodeError, KeyError, TypeError, ValueError) as error:
                raise BadInputError(f"{path}: line {number}: not HOT3D's ({error!r})") from error
        return rows

    def _columns(
        self, name: str, wanted: tuple[str, ...]
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Time stamps ``(N,)`` and the other columns ``(N,C)`` of a CSV file."""
        import pyarrow as pa
        from pyarrow import csv

        path = self._folder / name
        kinds = {TIME: pa.int64()} | dict.fromkeys(wanted, pa.float64())
        options = csv.ConvertOptions(include_columns=[TIME, *wanted], column_types=kinds)
        try:
            table = csv.read_csv(path, convert_options=options)
        except (pa.ArrowInvalid, pa.ArrowKeyError) as error:
            raise BadInputError(f"{path}: {str(error).splitlines()[0]}") from error
        values = np.stack([table[c].to_numpy() for c in wanted], axis=1)
        return table[TIME].to_numpy(), values
