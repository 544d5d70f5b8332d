"""From a rig folder or one video file to a session folder: checked, copied, never changed.

Every file is checked before the first byte is copied. session.json is written last: a killed ingest
leaves no session, and running it again completes the copy. The id comes from the streams' hashes,
so the same recording is recognised, whatever it is called.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from capture.bare_video import GivenLens, bare_video_rig
from capture.copying import Item, copy_items, copy_truth, item_of
from capture.foreign import PICTURE_SUFFIXES, what_is_there
from capture.rig import LABELS_CSV, RIG_TOML, Rig, parse_rig
from capture.sources import VideoSource, open_all
from core.errors import BadInputError
from core.session.info import UNNAMED, Operator, SessionInfo, StreamInfo
from core.session.layout import RAW, SESSION_JSON
from core.session.storage import SessionFolder, storage_errors


@dataclass(frozen=True, eq=False)
class _Source:
    """A checked recording. notes: what its owner must know, a line each."""

    rig: Rig
    items: list[Item]
    clock_origin_ns: int
    notes: tuple[str, ...] = ()


def ingest(
    source: str | Path,
    out_root: str | Path,
    *,
    session_id: str | None = None,
    focal_px: float | None = None,
    intrinsics: Sequence[float] | None = None,
    fov_deg: float | None = None,
    model: str = "pinhole_radtan",
    operator: str | None = None,
    hand_length_mm: float | None = None,
    task: str | None = None,
    scene: str | None = None,
    device: str | None = None,
    consent: str | None = None,
    say: Callable[[str], None] = lambda _: None,
    warn: Callable[[str], None] = lambda _: None,
) -> SessionFolder:
    """Copy a recording into ``out_root/<id>`` and write its session.json.

    source: a folder with rig.toml, or one video file; the file needs one of ``focal_px``,
    ``intrinsics`` (fx, fy, cx, cy and the distortion of the camera ``model``) and ``fov_deg``
    (width of the upright picture), unless it is an action camera's whose lens mode is known. The
    texts given here win over rig.toml's. ``say`` hears what happened, also that a recording is
    already there; ``warn`` what in a single video will make things worse.
    Raises BadInputError (one line: file, value, cure) or StorageError; the session is not there
    then.
    """
    source = Path(source)
    lens = GivenLens(focal_px=focal_px, intrinsics=intrinsics, fov_deg=fov_deg, model=model)
    if source.is_dir():
        if lens.kinds and (source / RIG_TOML).is_file():
            raise BadInputError(
                f"{source}: intrinsics are given, but a folder brings its own in {RIG_TOML}"
            )
        checked = _rig_folder(source)
    else:
        checked = _bare_video(source, lens)
    for note in checked.notes:
        warn(f"{source}: {note}")
    given = {"task": task, "scene": scene, "device": device, "consent": consent}
    texts = {key: checked.rig.session[key] if v is None else v for key, v in given.items()}
    name = operator or checked.rig.session["operator"] or UNNAMED
    length = checked.rig.hand_length_mm if hand_length_mm is None else hand_length_mm
    info = SessionInfo(
        id=session_id or session_id_of(checked.items),
        operator=Operator(name=name, hand_length_mm=length),
        streams=tuple(
            StreamInfo(i.name, f"{RAW}/{i.raw_name}", i.sha256, i.kind) for i in checked.items
        ),
        clock_origin=checked.clock_origin_ns,
        **texts,
    )
    folder = SessionFolder(f"{str(out_root).rstrip('/')}/{info.id}")
    if folder.exists(SESSION_JSON):
        _recognise(folder, info, source=source)
        say(f"{source}: already ingested as {folder.url}; nothing to do")
        return folder
    copy_items(checked.items, folder)
    if source.is_dir():
        copy_truth(source, folder)
    info.write(folder)
    say(f"{source}: ingested as {folder.url}")
    return folder


def session_id_of(items: Sequence[Item]) -> str:
    """An id made of the hashes of what the sensors recorded: labels and calibration do not change
    it.
    """
    recorded = sorted(f"{i.name} {i.sha256}" for i in items if i.kind not in {"rig", "labels"})
    return f"session-{hashlib.sha256('; '.join(recorded).encode()).hexdigest()[:16]}"


def _rig_folder(source: Path) -> _Source:
    rig_path = source / RIG_TOML
    if (source / SESSION_JSON).exists():
        raise BadInputError(f"{source}: this is a session already; use: handoff run {source}")
    if not rig_path.is_file():
        raise BadInputError(f"{source}: no {RIG_TOML} here {what_is_there(source)}")
    with storage_errors("read", str(rig_path)):
        data = rig_path.read_bytes()
    rig = parse_rig(data, str(rig_path))
    for name in rig.files():
        if not (source / name).is_file():
            raise BadInputError(
                f"{source / name}: named in {RIG_TOML}, but not there; copy it or remove its entry"
            )
    videos, _ = open_all(rig, find=lambda name: source / name, place=str(rig_path))
    items = []
    for name, stream in rig.streams.items():
        items.append(item_of(name, source / stream.file, stream.kind))
        if stream.timestamps:
            items.append(item_of(f"{name}_timestamps", source / stream.timestamps, "other"))
    if rig.imu and rig.imu.file not in {item.raw_name for item in items}:
        items.append(item_of("imu", source / rig.imu.file, "imu"))
    items.append(item_of("rig", rig_path, "rig"))
    if (source / LABELS_CSV).is_file():
        items.append(item_of("labels", source / LABELS_CSV, "labels"))
    return _Source(rig, items, _origin(videos))


def _bare_video(source: Path, lens: GivenLens) -> _Source:
    if not source.exists():
        raise BadInputError(f"{source}: no such file or folder; check the path")
    if source.suffix.lower() in PICTURE_SUFFIXES:
        raise BadInputError(f"{source}: a single picture; give a video, or a folder of a rig")
    bare = bare_video_rig(source, lens)
    data = bare.text.encode()
    rig = parse_rig(data, f"{source} ({RIG_TOML} made of the options)")
    videos, _ = open_all(rig, find=lambda _: source, place=str(source))
    digest = hashlib.sha256(data).hexdigest()
    items = [
        item_of("head", source, "video", raw_name=bare.raw_name),
        Item("rig", RIG_TOML, "rig", digest, data=data),
    ]
    return _Source(rig, items, _origin(videos), bare.notes)


def _origin(videos: dict[str, VideoSource]) -> int:
    return int(videos["head"].times_ns[0])


def _recognise(folder: SessionFolder, info: SessionInfo, *, source: Path) -> None:
    """Let the same recording pass; refuse another one, or one with other calibration, labels or
    texts.
    """
    there, here = _facts(SessionInfo.read(folder)), _facts(info)
    differing = sorted(n for n in {*there, *here} if there.get(n) != here.get(n))
    if not differing:
        return
    if "head" in differing:
        raise BadInputError(
            f"{source}: {folder.url} holds another recording; give another --session-id"
        )
    labels = f"; for labels alone: handoff annotate {folder.url} --labels {source / LABELS_CSV}"
    raise BadInputError(
        f"{source}: {folder.url} is there, and differs in {', '.join(differing)}; remove that "
        f"folder to replace it, or give another --session-id{labels * (differing == ['labels'])}"
    )


def _facts(info: SessionInfo) -> dict[str, object]:
    """Everything that session.json states, by a name people know."""
    streams = {s.name: s.sha256 for s in info.streams}
    texts = {key: getattr(info, key) for key in ("task", "scene", "device", "consent")}
    length = info.operator.hand_length_mm
    return {**streams, **texts, "operator": info.operator.name, "hand_length_mm": length}
