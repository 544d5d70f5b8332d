"""Read a dataset with upstream LeRobot and print what it sees, one JSON line per frame.

Runs in the environment of tests/lerobot_env.sh, where nothing of ours is installed.
usage: upstream_lerobot.py DATASET
"""

import json
import sys
from pathlib import Path

import torch

# beside CPU torch, PyPI's torchvision cannot register these two operators by itself
operators = torch.library.Library("torchvision", "DEF")
operators.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
operators.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

from lerobot.datasets.lerobot_dataset import LeRobotDataset  # noqa: E402

root = Path(sys.argv[1])
dataset = LeRobotDataset("local/dataset", root=root, video_backend="torchcodec")
future = {"action": [k / dataset.fps for k in range(8)]}
ahead = LeRobotDataset(
    "local/dataset", root=root, video_backend="torchcodec", delta_timestamps=future
)
for index in range(len(dataset)):
    item = dataset[index]
    line = {
        "index": item["index"].item(),
        "episode": item["episode_index"].item(),
        "task": item["task"],
        "subtask": item["subtask"],
        "state": item["observation.state"].tolist(),
        "valid": item["observation.valid"].tolist(),
        "timestamp_ns": item["timestamp_ns"].item(),
        "future": ahead[index]["action"].tolist(),
        "padded": ahead[index]["action_is_pad"].tolist(),
        "grey": {k: 255 * item[k].mean().item() for k in dataset.meta.video_keys},
        "shape": {k: list(item[k].shape) for k in dataset.meta.video_keys},
    }
    sys.stdout.write(json.dumps(line) + "\n")
print(json.dumps({"stats": {k: v["q99"].tolist() for k, v in dataset.meta.stats.items()}}))  # noqa: T201
