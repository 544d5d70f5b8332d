"""Write a LeRobot v3.0 dataset that upstream opens unmodified, plus `meta/handoff.json`.

Episodes are staged one by one in a hidden folder beside the target; `finish` assembles the tree and
renames it into place. A writer killed in between goes on at the first episode that is not staged.
"""

import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from core.dataset.assemble import Assembly, assemble
from core.dataset.chunk_settings import ChunkSettings
from core.dataset.episode import CAMERAS, Episode
from core.dataset.meta_tables import read_json, write_json
from core.dataset.staged_episode import FACTS, commit, write_facts
from core.dataset.video import Image, encode_video
from core.errors import BadInputError, StorageError

DEFAULT_CHUNKS = (ChunkSettings(), ChunkSettings(reference="per_tick"))


class DatasetWriter:
    """Builds one dataset.

    root: the folder to make; must not exist unless ``replace``.   cameras: ``{name: (height,
    width)}``
    of head, left_wrist, right_wrist.   key: what the content depends on; staged episodes of another
    key are thrown away.   chunks: the settings whose statistics `meta/handoff.json` will hold.
    """

    def __init__(
        self,
        root: Path | str,
        *,
        fps: int,
        cameras: dict[str, tuple[int, int]],
        key: str = "",
        replace: bool = False,
        chunks: tuple[ChunkSettings, ...] = DEFAULT_CHUNKS,
    ) -> None:
        self.root = Path(root)
        self.fps = fps
        self.cameras = cameras
        self._replace = replace
        self._chunks = chunks
        unknown = sorted(set(cameras) - set(CAMERAS))
        if unknown:
            raise BadInputError(f"{root}: camera {unknown[0]!r} is none of {', '.join(CAMERAS)}")
        if self.root.exists() and not replace:
            raise BadInputError(
                f"{root}: is there already, made of other sessions or settings; choose another "
                "--name, or --replace it"
            )
        self._partial = self.root.parent / f".{self.root.name}.partial"
        self._open_staging({
            "key": key,
            "fps": fps,
            "cameras": {c: list(s) for c, s in cameras.items()},
        })

    def _open_staging(self, settings: dict[str, Any]) -> None:
        path = self._partial / "settings.json"
        try:
            if path.is_file() and read_json(path) != settings:
                shutil.rmtree(self._partial)
            if self._partial.exists() and not path.is_file():
                shutil.rmtree(self._partial)
            (self._partial / "episodes").mkdir(parents=True, exist_ok=True)
            write_json(path, settings)
        except OSError as error:
            raise _unwritable(self._partial, error) from error

    def _folder(self, index: int) -> Path:
        return self._partial / "episodes" / f"{index:06d}"

    def is_staged(self, index: int) -> bool:
        """Whether this episode was finished by an earlier, interrupted run."""
        return (self._folder(index) / FACTS).is_file()

    @property
    def staged(self) -> int:
        """How many episodes are finished, counted from the first without a hole."""
        count = 0
        while self.is_staged(count):
            count += 1
        return count

    def add_episode(
        self, episode: Episode, videos: dict[str, Iterable[Image]], *, index: int | None = None
    ) -> int:
        """Stage one episode; returns its index (the next one unless given).

        videos: per camera as many RGB frames ``(H, W, 3)`` uint8 as the episode has. A camera of
        the
        dataset that is not given gets black frames, and must then be invalid in ``camera_valid``.
        """
        if episode.fps != self.fps:
            raise BadInputError(
                f"episode of {episode.session!r} has {episode.fps} fps, not {self.fps}"
            )
        if index is None:
            index = self.staged
        final = self._folder(index)
        partial = final.with_suffix(".tmp")
        try:
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir(parents=True)
            histograms = self._encode(partial, episode, videos)
            write_facts(partial, episode, histograms)
            commit(partial, final)
        except OSError as error:
            raise _unwritable(final, error) from error
        return index

    def _encode(
        self, folder: Path, episode: Episode, videos: dict[str, Iterable[Image]]
    ) -> dict[str, Any]:
        unknown = sorted(set(videos) - set(self.cameras))
        if unknown:
            raise BadInputError(f"camera {unknown[0]!r} is not declared for {self.root.name}")
        histograms = {}
        for camera, (height, width) in self.cameras.items():
            frames = videos.get(camera)
            if frames is None:
                if episode.camera_valid[:, CAMERAS.index(camera)].any():
                    raise BadInputError(
                        f"episode of {episode.session!r} has no frames for {camera}"
                    )
                black = np.zeros((height, width, 3), dtype=np.uint8)
                frames = (black for _ in range(len(episode)))
            encoded = encode_video(
                folder / f"{camera}.mp4",
                frames,
                fps=self.fps,
                size_hw=(height, width),
                count=len(episode),
            )
            if camera in videos:
                histograms[camera] = encoded.histogram
        return histograms

    def finish(
        self,
        *,
        sessions: list[dict[str, Any]] | None = None,
        redaction: str = "",
        card: str = "",
        extra: dict[str, Any] | None = None,
    ) -> Path:
        """Assemble what is staged and rename it to ``root``; returns it.

        sessions: facts about each source.   redaction: one sentence on faces and screens.
        card: text of README.md.   extra: more keys for `meta/handoff.json`.
        """
        count = self.staged
        if count == 0:
            raise BadInputError(
                f"{self.root}: no episode was added, so there is no dataset to write"
            )
        tree = self._partial / "tree"
        shutil.rmtree(tree, ignore_errors=True)
        assembly = Assembly(
            tree=tree,
            fps=self.fps,
            cameras=self.cameras,
            chunks=self._chunks,
            facts={"sessions": sessions or [], "redaction": redaction, **(extra or {})},
        )
        try:
            assemble(assembly, [self._folder(index) for index in range(count)])
            if card:
                (tree / "README.md").write_text(card, encoding="utf-8")
            self._swap_in(tree)
        except OSError as error:
            raise _unwritable(self.root, error) from error
        return self.root

    def _swap_in(self, tree: Path) -> None:
        if self.root.exists():
            if not self._replace:
                raise BadInputError(f"{self.root} exists already: choose another name")
            old = self._partial / "replaced"
            self.root.rename(old)
        tree.rename(self.root)
        shutil.rmtree(self._partial)


def _unwritable(path: Path, error: OSError) -> StorageError:
    why = error.strerror or str(error)
    return StorageError(
        f"{path}: cannot be written: {why}; free some space or write elsewhere, then run again: "
        "finished episodes are kept"
    )
