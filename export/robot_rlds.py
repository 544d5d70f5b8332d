"""Robot episodes from an RLDS dataset (TFRecord files and `features.json`) into our own schema.

One arm is taken as the side its `embodiment.toml` names; the other stays masked. The base stands
still at the world's origin. Poses are base_from_palm: the tool frame turned, once and for all, onto
the palm's meaning.
"""

import hashlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import IDENTITY_POSE7, Embodiment
from core.dataset.episode import (
    CAMERAS,
    GRIPPER_COLUMN,
    GRIPPER_VALID,
    HEAD,
    POSE_COLUMNS,
    POSE_VALID,
    Episode,
)
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.video import Image
from core.errors import BadInputError
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from core.session.stage import NO_PROGRESS, Progress
from export.card import CardFacts, card_text, redaction_sentence
from export.report import ExportReport, finished_before
from export.rlds_layout import RldsLayout, find_rlds, picture_sizes, read_robot_description
from export.tfrecord import Value, parse_example, read_records

VERSION = 2  # raise it when the same files would give another dataset
STATE_WIDTH = 7  # x y z roll pitch yaw gripper
NO_TEXT = "no instruction given"


def import_robot(
    source: Path | str,
    embodiment_toml: Path | str,
    out: Path | str,
    *,
    split: str = "train",
    replace: bool = False,
    progress: Progress = NO_PROGRESS,
) -> ExportReport:
    """Write the dataset folder ``out`` from an RLDS folder and report what is in it.

    embodiment_toml: its path, or the name of one of ours. Nothing is done when ``out`` was made of
    the same files and description.
    """
    embodiment, layout = read_robot_description(embodiment_toml)
    folder = find_rlds(Path(source))
    files = sorted(folder.glob(f"*-{split}.tfrecord*"))
    if not files:
        raise BadInputError(f"{folder}: no file of split {split!r} (*-{split}.tfrecord-*)")
    root, sizes = Path(out), picture_sizes(folder, layout)
    key = _content_key(files, embodiment, layout)
    done = finished_before(root, key)
    if done is not None:
        return done
    writer = DatasetWriter(root, fps=layout.rate_hz, cameras=sizes, key=key, replace=replace)
    report = ExportReport(path=root, sessions=len(files), cameras=tuple(sizes))
    for path in files:
        progress.note(f"importing {path.name}")
        for number, record in enumerate(read_records(path)):
            name = f"{path.name}:{number}"
            episode, pictures = _read_episode(record, embodiment, layout, name=name)
            if not writer.is_staged(report.episodes):
                writer.add_episode(episode, pictures, index=report.episodes)
            report.count(episode)
            progress.advance()
    if not report.episodes:
        raise BadInputError(f"{folder}: split {split!r} holds no episode")
    described = {"format": "rlds", "folder": folder.name, "files": [path.name for path in files]}
    writer.finish(
        redaction=redaction_sentence([]),
        card=card_text(_card_facts(report, embodiment, sizes=sizes, fps=layout.rate_hz)),
        extra={"source": described, "content_key": key, "report": report.to_dict()},
    )
    return report


def _content_key(files: list[Path], embodiment: Embodiment, layout: RldsLayout) -> str:
    facts = [f"{path.name} {path.stat().st_size}" for path in files]
    text = "\n".join([f"version {VERSION}", *facts, str(embodiment.to_dict()), str(layout)])
    return hashlib.sha256(text.encode()).hexdigest()


def _card_facts(
    report: ExportReport, embodiment: Embodiment, *, sizes: dict[str, tuple[int, int]], fps: int
) -> CardFacts:
    return CardFacts(
        name=report.path.name,
        fps=fps,
        episodes=report.episodes,
        frames=report.frames,
        cameras=sizes,
        shares={"left arm": report.left_valid, "right arm": report.right_valid},
        sessions=[],
        embodiment=f"{embodiment.name} (robot). {embodiment.note}",
        warnings=report.warnings,
    )


def _read_episode(
    record: bytes, embodiment: Embodiment, layout: RldsLayout, *, name: str
) -> tuple[Episode, dict[str, list[Image]]]:
    """An episode and the pictures of the cameras that show anything."""
    try:
        example = parse_example(record)
        shots = {c: _pictures(example, feature) for c, feature in layout.cameras.items()}
        pictures = present(shots)
        return episode_from(example, embodiment, layout, name=name, cameras=set(pictures)), pictures
    except BadInputError as error:
        raise BadInputError(f"{name}: {error}") from error


def _pictures(example: dict[str, Value], feature: str) -> list[Image]:
    """All pictures of a camera in an episode, RGB ``(H, W, 3)``."""
    pictures = []
    for data in _get(example, feature):
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise BadInputError(f"{feature} holds a picture that does not decode")
        pictures.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return pictures


def present(pictures: dict[str, list[Image]]) -> dict[str, list[Image]]:
    """Cameras that show anything: absent ones come as pictures of one colour.

    The format's own `has_image_*` flags are false in real datasets whose pictures are there.
    """
    return {c: shots for c, shots in pictures.items() if any(int(np.ptp(s)) > 8 for s in shots)}


def _get(example: dict[str, Value], feature: str) -> Any:
    if feature not in example:
        raise BadInputError(f"no feature {feature!r}; there are {', '.join(sorted(example))}")
    return example[feature]


def episode_from(
    example: dict[str, Value],
    embodiment: Embodiment,
    layout: RldsLayout,
    *,
    name: str,
    cameras: set[str],
) -> Episode:
    """One RLDS episode. The pose target is the next state; the last frame has none."""
    rows = _rows(example, layout.state)
    frames, side = len(rows), layout.arm
    state = np.tile(np.float32([*IDENTITY_POSE7, 0, *IDENTITY_POSE7, 0]), (frames, 1))
    state[:, POSE_COLUMNS[side]] = base_from_palm(rows[:, :6], embodiment, side)
    state[:, GRIPPER_COLUMN[side]] = embodiment.closed_fraction(rows[:, 6])
    base = np.tile(np.float32(IDENTITY_POSE7), (frames, 1))
    action = np.concatenate([state[np.minimum(np.arange(frames) + 1, frames - 1)], base], axis=1)
    valid = np.zeros((frames, 5), dtype=bool)
    valid[:, [POSE_VALID[side], GRIPPER_VALID[side], HEAD]] = True
    action_valid = valid.copy()
    action_valid[-1] = False
    if layout.gripper_command:
        command = _rows(example, layout.gripper_command)[:, -1]
        action[:, GRIPPER_COLUMN[side]] = embodiment.closed_fraction(command)
        action_valid[:, GRIPPER_VALID[side]] = True
    none = np.zeros(frames, dtype=np.int64)
    return Episode(
        fps=layout.rate_hz,
        task=_text(example, layout.text),
        state=state,
        head_pose=base,
        action=action,
        valid=valid,
        action_valid=action_valid,
        landmarks=np.zeros((frames, 102), dtype=np.float32),
        landmarks_valid=np.zeros((frames, 34), dtype=bool),
        camera_valid=np.tile([camera in cameras for camera in CAMERAS], (frames, 1)),
        subtask=none,
        subtask_left=none,
        subtask_right=none,
        map_id=none,
        timestamp_ns=np.round(np.arange(frames) * 1e9 / layout.rate_hz).astype(np.int64),
        embodiment=embodiment,
        session=name,
    )


def base_from_palm(
    xyz_rpy: NDArray[np.floating[Any]], embodiment: Embodiment, side: str
) -> NDArray[np.float64]:
    """Tool poses ``(T, 6)``, x y z roll pitch yaw with R = Rz Ry Rx, as palm poses ``(T, 7)``."""
    numbers = np.asarray(xyz_rpy, dtype=np.float64)
    turned = matrix_from_ypr(numbers[:, 5], numbers[:, 4], numbers[:, 3])
    tool_from_palm = SE3.from_pose7(np.array(embodiment.tool_from_palm.get(side, IDENTITY_POSE7)))
    poses: NDArray[np.float64] = (SE3(turned, numbers[:, :3]) @ tool_from_palm).to_pose7()
    return poses


def _rows(example: dict[str, Value], feature: str) -> NDArray[np.float64]:
    values = np.asarray(_get(example, feature), dtype=np.float64)
    if len(values) == 0 or len(values) % STATE_WIDTH or not np.isfinite(values).all():
        raise BadInputError(
            f"{feature} holds {len(values)} numbers; rows of {STATE_WIDTH} finite ones "
            "(x y z roll pitch yaw gripper) are needed"
        )
    return values.reshape(-1, STATE_WIDTH)


def _text(example: dict[str, Value], feature: str) -> str:
    found = example.get(feature)
    texts = [t.decode(errors="replace").strip() for t in found] if isinstance(found, list) else []
    return next((text for text in texts if text), NO_TEXT)
