"""What the scripted expert and chance score at every task with every robot, in the closed loop.

usage: python benchmarks/rollouts.py [--episodes 20] [--robots alder,birch] [--policies expert]
       [--workers 2] [--out DIR] [--max-seconds S] [--json FILE]

Hours of processor time in all; --out keeps every episode, so that it can be stopped and gone on
with at any time.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from sim.robots.builds import BUILDS
from sim.robots.controller import Aimless
from sim.robots.expert import Expert
from sim.robots.rollout import RolloutReport, RolloutSettings, rollout

CHEAP_FIRST = (
    "there_and_back",
    "dresser",
    "spice_rack",
    "blocks_to_tray",
    "bus_table",
    "sort_eggs",
)
SCRIPTED: dict[str, Any] = {"expert": Expert, "random": Aimless}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, default=20)
    parser.add_argument("--seed", type=int, default=100)
    parser.add_argument("--robots", default=",".join(BUILDS))
    parser.add_argument("--tasks", default=",".join(CHEAP_FIRST))
    parser.add_argument("--policies", default="expert,random")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", help="keep the episodes here; a second run goes on")
    parser.add_argument("--max-seconds", type=float, help="begin no episode after this long")
    parser.add_argument("--json", help="write the figures to this file")
    asked = parser.parse_args()
    root = Path(asked.out or tempfile.mkdtemp())
    until = time.monotonic() + (asked.max_seconds or float("inf"))
    rows = []
    for policy in asked.policies.split(","):
        for robot in asked.robots.split(","):
            for task in asked.tasks.split(","):
                settings = RolloutSettings(policy=policy, task=task, robot=robot, seed=asked.seed)
                report = rollout(
                    root / f"{policy}-{robot}-{task}",
                    SCRIPTED[policy],
                    settings,
                    episodes=asked.episodes,
                    workers=asked.workers,
                    max_seconds=max(until - time.monotonic(), 0.0) if asked.max_seconds else None,
                )
                if report.episodes:
                    rows.append(_row(report))
                    print(_line(rows[-1]), flush=True)
    if asked.json:
        Path(asked.json).write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


def _row(report: RolloutReport) -> dict[str, Any]:
    settings = report.settings
    count = len(report.episodes)
    return {
        "policy": settings.policy,
        "robot": settings.robot,
        "task": settings.task,
        "episodes": count,
        "mean": report.mean,
        "standard_error": report.standard_error,
        "success_share": report.success_share,
        "again_per_episode": sum(e.failed_tries for e in report.episodes) / count,
        "unreachable": sum(len(e.unreachable) for e in report.episodes),
        "cpu_s_per_episode": sum(e.cpu_s for e in report.episodes) / count,
        "seconds_per_episode": sum(e.seconds for e in report.episodes) / count,
    }


def _line(row: dict[str, Any]) -> str:
    error = row["standard_error"] or 0.0
    return (
        f"{row['policy']:<7} {row['robot']:<8} {row['task']:<15} {row['mean']:.3f} ± {error:.3f}  "
        f"of {row['episodes']} episodes  "
        f"again {row['again_per_episode']:.1f}  unreachable {row['unreachable']}  "
        f"{row['seconds_per_episode']:.0f} s in {row['cpu_s_per_episode']:.1f} CPU s"
    )


if __name__ == "__main__":
    main()
