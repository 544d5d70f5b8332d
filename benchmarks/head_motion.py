"""How fast the synthetic head turns and moves, per task, over several seeds.

    python benchmarks/head_motion.py [--seeds 4] [--seconds 60] [--json FILE]

Median and 95th percentile of the angular speed (degrees per second) and the speed (metres per
second) of the head, with the default manner. Glasses worn while walking show about 27 and 63 deg/s.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sim.record import perform
from sim.rig import find_preset, find_rig
from sim.variation import TASK_CHOICES


def head_speeds(task: str, seed: int, seconds: float) -> dict[str, float]:
    """Percentiles of one take, at a hundred instants per second."""
    take = perform(
        task, seconds=seconds, seed=seed, rig=find_rig("head"), preset=find_preset("clean")
    )
    at, head = np.arange(0.0, seconds, 0.01), take.human.head
    turning = np.degrees(np.linalg.norm(head.angular_velocity(at), axis=1))
    moving = np.linalg.norm(head.velocity(at), axis=1)
    return {
        "deg_s_p50": float(np.percentile(turning, 50)),
        "deg_s_p95": float(np.percentile(turning, 95)),
        "m_s_p50": float(np.percentile(moving, 50)),
        "m_s_p95": float(np.percentile(moving, 95)),
    }


def main() -> None:
    """One line per task: the mean over the seeds."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, default=4, help="seeds 0 to N - 1")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = []
    for task in TASK_CHOICES:
        takes = [head_speeds(task, seed, given.seconds) for seed in range(given.seeds)]
        means = {key: round(float(np.mean([t[key] for t in takes])), 2) for key in takes[0]}
        results.append({"task": task, "takes": len(takes), **means})
        print(json.dumps(results[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
