"""Robot episodes from an RLDS dataset (TFRecord files and `features.json`) into our own schema.

One arm is taken as the side its `embodiment.toml` names; the other stays masked. The base stands
still at the world's origin. Poses are base_from_palm: the tool frame turned, once and for all, onto
the palm's meaning.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from core.dataset.embodiments import SIDES, Embodiment, embodiment_from_dict
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
from core.dataset.meta_tables import read_json
from core.dataset.video import Image
from core.errors import BadInputError
from core.geometry.rotations import matrix_from_ypr
from core.geometry.se3 import SE3
from core.session.stage import NO_PROGRESS, Progress
from export.card import CardFacts, card_text, redaction_sentence
from export.report import ExportReport
from export.tfrecord import Value, parse_example, read_records

STATE_WIDTH = 7  # x y z roll pitch yaw gripper
NO_TEXT = "no instruction given"
OURS = Path(__file__).with_name("embodiments")


@dataclass(frozen=True, kw_only=True)
class RldsLayout:
    """The `[source]` table of an `embodiment.toml`: where things are in an RLDS step.

    cameras: ours -> theirs.   gripper_command: a feature whose last column commands the gripper.
    """

    rate_hz: int
    arm: str
    state: str
    text: str
    cameras: dict[str, str] = field(default_factory=dict)
    gripper_command: str = ""


def read_robot_description(path: Path | str) -> tuple[Embodiment, RldsLayout]:
    """Embodiment and source layout of one file, given by its path or by the name of one of ours."""
    ours = {file.stem: file for file in sorted(OURS.glob("*.toml"))}
    if str(path) in ours:
        path = ours[str(path)]
    elif not Path(path).is_file():
        raise BadInputError(f"{path}: no such embodiment file; ours are: {', '.join(ours)}")
    try:
        values = tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInputError(f"{path}: not a readable embodiment file: {error}") from error
    source = values.pop("source", None)
    if not isinstance(source, dict):
        raise BadInputError(f"{path}: needs a [source] table that says where the data is")
    embodiment = embodiment_from_dict(values, source=str(path))
    try:
        layout = RldsLayout(**source)
    except TypeError as error:
        raise BadInputError(f"{path}: [source]: {error}") from error
    if layout.arm not in embodiment.arms or layout.arm not in SIDES:
        raise BadInputError(f"{path}: [source] arm {layout.arm!r} is no arm of this embodiment")
    if embodiment.base or embodiment.head or len(embodiment.arms) != 1:
        raise BadInputError(f"{path}: RLDS import knows one arm on a fixed base only")
    unknown = sorted(set(layout.cameras) - set(CAMERAS))
    if unknown:
        raise BadInputError(f"{path}: camera {unknown[0]!r} is none of {', '.join(CAMERAS)}")
    return embodiment, layout


def import_robot(
    source: Path | str,
    embodiment_toml: Path | str,
    out: Path | str,
    *,
    split: str = "train",
    replace: bool = False,
    progress: Progress = NO_PROGRESS,
) -> ExportReport:
    """Write the dataset folder ``out`` from an RLDS folder and report what is in it."""
    embodiment, layout = read_robot_description(embodiment_toml)
    folder = find_rlds(Path(source))
    files = sorted(folder.glob(f"*-{split}.tfrecord*"))
    if not files:
        raise BadInputError(f"{folder}: no file of split {split!r} (*-{split}.tfrecord-*)")
    sizes = _sizes(folder, layout)
    root = Path(out)
    facts = [(path.name, path.stat().st_size) for path in files]
    key = f"{facts} {embodiment.to_dict()} {layout} {split}"
    writer = DatasetWriter(root, fps=layout.rate_hz, cameras=sizes, key=key, replace=replace)
    report = ExportReport(path=root, sessions=len(files), cameras=tuple(sizes))
    valid = np.zeros(5)
    for path in files:
        progress.note(f"importing {path.name}")
        for number, record in enumerate(read_records(path)):
            place = f"{path}: record {number}"
            example = _located(place, record)
            pictures = {c: _pictures(example, layout.cameras[c], place) for c in sizes}
            name = f"{path.name}:{number}"
            episode = episode_from(
                example, embodiment, layout, place=place, name=name, pictures=pictures
            )
            if not writer.is_staged(report.episodes):
                writer.add_episode(episode, _present(pictures), index=report.episodes)
            report.episodes += 1
            report.frames += len(episode)
            valid += episode.valid.sum(axis=0)
            progress.advance()
    if not report.episodes:
        raise BadInputError(f"{folder}: split {split!r} holds no episode")
    shares = valid / report.frames
    report.left_valid, report.right_valid, report.head_valid = (
        float(shares[POSE_VALID["left"]]),
        float(shares[POSE_VALID["right"]]),
        float(shares[HEAD]),
    )
    card = CardFacts(
        name=root.name,
        fps=layout.rate_hz,
        episodes=report.episodes,
        frames=report.frames,
        cameras=sizes,
        shares={"left arm": report.left_valid, "right arm": report.right_valid},
        sessions=[],
        embodiment=f"{embodiment.name} (robot). {embodiment.note}",
        warnings=report.warnings,
    )
    source_facts = {
        "source": {"format": "rlds", "folder": folder.name, "files": [n for n, _ in facts]}
    }
    writer.finish(redaction=redaction_sentence([]), card=card_text(card), extra=source_facts)
    return report


def find_rlds(source: Path) -> Path:
    """The folder with `features.json`, at or below ``source``."""
    found = sorted(path.parent for path in source.rglob("features.json")) if source.is_dir() else []
    if len(found) != 1:
        raise BadInputError(
            f"{source}: {len(found)} RLDS datasets found (folders with features.json); name one"
        )
    return found[0]


def _located(place: str, record: bytes) -> dict[str, Value]:
    try:
        return parse_example(record)
    except BadInputError as error:
        raise BadInputError(f"{place}: {error}") from error


def _sizes(folder: Path, layout: RldsLayout) -> dict[str, tuple[int, int]]:
    """Height and width of the wanted cameras, from `features.json`."""
    known = dict(_leaves(read_json(folder / "features.json"), ""))
    sizes = {}
    for camera, feature in layout.cameras.items():
        image = known.get(feature, {}).get("image")
        if image is None:
            raise BadInputError(f"{folder}/features.json: no image feature {feature!r}")
        height, width, _ = (int(n) for n in image["shape"]["dimensions"])
        sizes[camera] = (height, width)
    return {camera: sizes[camera] for camera in CAMERAS if camera in sizes}


def _leaves(node: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if "featuresDict" in node:
        for name, child in node["featuresDict"]["features"].items():
            yield from _leaves(child, f"{path}/{name}" if path else name)
    elif "sequence" in node:
        yield from _leaves(node["sequence"]["feature"], path)
    else:
        yield path, node


def _pictures(example: dict[str, Value], feature: str, place: str) -> list[Image]:
    """All pictures of a camera in an episode, RGB ``(H, W, 3)``."""
    pictures = []
    for data in _get(example, feature, place):
        image = cv2.imdecode(np.frombuffer(data, dtype=np.uint8), cv2.IMREAD_COLOR)
        if image is None:
            raise BadInputError(f"{place}: {feature} holds a picture that does not decode")
        pictures.append(cv2.cvtColor(image, cv2.COLOR_BGR2RGB))
    return pictures


def _present(pictures: dict[str, list[Image]]) -> dict[str, list[Image]]:
    """Cameras that show anything: absent ones come as pictures of one colour.

    The format's own `has_image_*` flags are false in real datasets whose pictures are there.
    """
    return {c: shots for c, shots in pictures.items() if any(int(np.ptp(s)) > 8 for s in shots)}


def _get(example: dict[str, Value], feature: str, place: str) -> Any:
    if feature not in example:
        raise BadInputError(
            f"{place}: no feature {feature!r}; there are {', '.join(sorted(example))}"
        )
    return example[feature]


def episode_from(
    example: dict[str, Value],
    embodiment: Embodiment,
    layout: RldsLayout,
    *,
    place: str,
    name: str,
    pictures: dict[str, list[Image]],
) -> Episode:
    """One RLDS episode. The pose target is the next state; the last frame has none."""
    rows = _rows(example, layout.state, place)
    frames, side = len(rows), layout.arm
    palm = base_from_palm(rows[:, :6], embodiment, side)
    state = np.zeros((frames, 16))
    state[:, [3, 11]] = 1.0  # the identity for the arm that is not there
    state[:, POSE_COLUMNS[side]] = palm
    state[:, GRIPPER_COLUMN[side]] = embodiment.closed_fraction(rows[:, 6])
    base = np.tile([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0], (frames, 1))
    following = np.minimum(np.arange(frames) + 1, frames - 1)
    action = np.concatenate([state[following], base], axis=1)
    valid = np.zeros((frames, 5), dtype=bool)
    valid[:, [POSE_VALID[side], GRIPPER_VALID[side], HEAD]] = True
    action_valid = valid.copy()
    action_valid[-1] = False
    if layout.gripper_command:
        command = _rows(example, layout.gripper_command, place)[:, -1]
        action[:, GRIPPER_COLUMN[side]] = embodiment.closed_fraction(command)
        action_valid[:, GRIPPER_VALID[side]] = True
    there = _present(pictures)
    camera_valid = np.tile([camera in there for camera in CAMERAS], (frames, 1))
    none = np.zeros(frames, dtype=np.int64)
    return Episode(
        fps=layout.rate_hz,
        task=_text(example, layout.text),
        state=state.astype(np.float32),
        head_pose=base.astype(np.float32),
        action=action.astype(np.float32),
        valid=valid,
        action_valid=action_valid,
        landmarks=np.zeros((frames, 102), dtype=np.float32),
        landmarks_valid=np.zeros((frames, 34), dtype=bool),
        camera_valid=camera_valid,
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
    tool_from_palm = SE3.from_pose7(
        np.array(embodiment.tool_from_palm.get(side, (0, 0, 0, 1, 0, 0, 0)))
    )
    poses: NDArray[np.float64] = (SE3(turned, numbers[:, :3]) @ tool_from_palm).to_pose7()
    return poses


def _rows(example: dict[str, Value], feature: str, place: str) -> NDArray[np.float64]:
    values = np.asarray(_get(example, feature, place), dtype=np.float64)
    if len(values) == 0 or len(values) % STATE_WIDTH or not np.isfinite(values).all():
        raise BadInputError(
            f"{place}: {feature} holds {len(values)} numbers; rows of {STATE_WIDTH} finite ones "
            "(x y z roll pitch yaw gripper) are needed"
        )
    return values.reshape(-1, STATE_WIDTH)


def _text(example: dict[str, Value], feature: str) -> str:
    found = example.get(feature)
    texts = [t.decode(errors="replace").strip() for t in found] if isinstance(found, list) else []
    return next((text for text in texts if text), NO_TEXT)
