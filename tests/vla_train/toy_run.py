"""A toy training run in a process of its own, for the test that kills it: toy_run.py CONFIG.json"""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from conftest import ToySource

from core.dataset.embodiments import HUMAN, TWO_ARM_ROBOT
from vla_train.loop import train
from vla_train.run_folder import config_from_dict

if __name__ == "__main__":
    config = config_from_dict(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    datasets = {"human": ToySource(HUMAN), "robot": ToySource(TWO_ARM_ROBOT)}
    train(config, opener=datasets.__getitem__)
