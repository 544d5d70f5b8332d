"""Does co-training beat its baselines on frames it never saw, and does a control fail to?

    python benchmarks/train.py DATASET [DATASET ...] [--minutes 3] [--seeds 1] [--json FILE]

Trains the small policy on the datasets, then once more with labels exchanged among the training
frames (the control), and prints the errors on held-out frames beside staying still and the nearest
training frame. Exit code 1 when the policy does not beat both, or the control does.
"""

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from vla_train.config import TrainConfig, demo
from vla_train.loop import train
from vla_train.predict import beats, predict


def main() -> int:
    """Run, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("datasets", nargs="+")
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the reports here")
    arguments = parser.parse_args()
    fine, found = True, {}
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(arguments.seeds):
            config = demo(tuple(arguments.datasets), str(Path(folder) / str(seed)))
            config = replace(config, minutes=arguments.minutes, seed=seed)
            title = f"policy, seed {seed}"
            found[title] = measure(config, title)
            fine &= all(beats(report) for report in found[title])
        control = replace(config, run=str(Path(folder) / "control"), shuffle_labels=True)
        found["control"] = measure(control, "control")
        fine &= not all(beats(report) for report in found["control"])
    if arguments.json:
        arguments.json.write_text(json.dumps({"fine": fine, **found}, indent=2), encoding="utf-8")
    print("policy beats both baselines, control does not" if fine else "FAILED")
    return 0 if fine else 1


def measure(config: TrainConfig, title: str) -> list[dict[str, Any]]:
    """Train, predict every dataset's held-out frames, print one line each."""
    started = time.process_time()
    result = train(config)
    spent = time.process_time() - started
    print(f"{title}: {result.steps} steps, {spent:.0f} CPU s, {spent / result.steps:.3f} a step")
    reports = [predict(config.run, dataset).report for dataset in config.datasets]
    for report in reports:
        parts = [f"{name} {figures(errors)}" for name, errors in report["errors"].items()]
        print(f"  {report['embodiment']}, {report['count']} frames: {'; '.join(parts)}")
    return reports


def figures(errors: dict[str, Any]) -> str:
    """Both arms' errors: mean over steps / last step."""
    arms = errors["arms"]
    position, rotation = arms["position_mm"], arms["rotation_deg"]
    return (
        f"{position['mean']:.1f}/{position['final']:.1f} mm "
        f"{rotation['mean']:.1f}/{rotation['final']:.1f} deg"
    )


if __name__ == "__main__":
    sys.exit(main())
