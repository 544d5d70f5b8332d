"""How fast datasets are written and read, per CPU-second (user + system, children included).

usage: python -m benchmarks.dataset_speed [--size 640x480] [--frames 300]
"""

import argparse
import json
import os
import tempfile
from pathlib import Path

import numpy as np

from core.dataset.chunks import ChunkEncoder, ChunkSettings
from core.dataset.episode import CAMERAS, Episode
from core.dataset.lerobot_reader import Dataset
from core.dataset.lerobot_writer import DatasetWriter
from core.dataset.video import Image


def cpu_s() -> float:
    """CPU seconds used so far."""
    t = os.times()
    return t.user + t.system + t.children_user + t.children_system


def panned(frames: int, size_wh: tuple[int, int], seed: int) -> list[Image]:
    """A window moving over smooth noise with some grain: about as hard to code as a camera."""
    width, height = size_wh
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 255, (height // 16 + 8, width // 16 + 8, 3)).astype(np.uint8)
    scene = np.kron(coarse, np.ones((16, 16, 1), dtype=np.uint8))
    grain = rng.integers(0, 12, (height, width, 3)).astype(np.uint8)
    return [
        np.minimum(scene[i % 96 : i % 96 + height, i % 96 : i % 96 + width], 240) + grain
        for i in range(frames)
    ]


def still_episode(frames: int) -> Episode:
    """All poses at the identity, everything valid."""
    pose = np.tile(np.float32([0, 0, 0, 1, 0, 0, 0]), (frames, 1))
    gripper = np.zeros((frames, 1), dtype=np.float32)
    state = np.concatenate([pose, gripper, pose, gripper], axis=1)
    none = np.zeros(frames, dtype=np.int64)
    return Episode(
        fps=30,
        task="benchmark",
        state=state,
        head_pose=pose,
        action=np.concatenate([state, pose], axis=1),
        valid=np.tile([True, False, True, False, True], (frames, 1)),
        action_valid=np.tile([True, False, True, False, True], (frames, 1)),
        landmarks=np.zeros((frames, 102), dtype=np.float32),
        landmarks_valid=np.ones((frames, 34), dtype=bool),
        camera_valid=np.ones((frames, 3), dtype=bool),
        subtask=none,
        subtask_left=none,
        subtask_right=none,
        map_id=none,
        timestamp_ns=np.round(np.arange(frames) * 1e9 / 30).astype(np.int64),
    )


def main() -> None:
    """Write one three-camera dataset, read it frame by frame at random and in windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", default="640x480")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    size_wh = tuple(int(n) for n in arguments.size.split("x"))
    pictures = {c: panned(arguments.frames, size_wh, seed) for seed, c in enumerate(CAMERAS)}
    sizes = dict.fromkeys(CAMERAS, (size_wh[1], size_wh[0]))
    found: dict[str, object] = {"size": arguments.size, "cameras": 3}
    with tempfile.TemporaryDirectory() as folder:
        start = cpu_s()
        writer = DatasetWriter(Path(folder) / "set", fps=30, cameras=sizes)
        writer.add_episode(still_episode(arguments.frames), dict(pictures))
        root = writer.finish()
        found["write_images_per_cpu_s"] = round(3 * arguments.frames / (cpu_s() - start), 1)
        video_bytes = sum(path.stat().st_size for path in root.rglob("*.mp4"))
        found["kb_per_image"] = round(video_bytes / 3e3 / arguments.frames, 1)
        dataset = Dataset(root)
        order = np.random.default_rng(0).permutation(arguments.frames)
        start = cpu_s()
        for index in order:
            for camera in CAMERAS:
                dataset.image(camera, int(index))
        found["random_samples_per_cpu_s"] = round(len(order) / (cpu_s() - start), 1)
        start = cpu_s()
        for camera in CAMERAS:
            dataset.images(camera, np.arange(arguments.frames))
        found["sequential_samples_per_cpu_s"] = round(arguments.frames / (cpu_s() - start), 1)
        encoder = ChunkEncoder(dataset.episode(0), ChunkSettings())
        start = cpu_s()
        for index in order:
            encoder.encode([int(index)])
        found["chunks_per_cpu_s"] = round(len(order) / (cpu_s() - start), 1)
    print(json.dumps(found))
    if arguments.json:
        arguments.json.write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    main()
