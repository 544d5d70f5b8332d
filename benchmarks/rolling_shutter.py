"""What the simulator's rolling shutter leaves out, in pixels.

    python benchmarks/rolling_shutter.py [--seeds 1 2] [--seconds 20] [--tasks bus_table] [--json F]

Every row of a picture is drawn with the turn that the camera had when the row was read; where the
camera was, and where the hands were, is that of the middle row. Here points of the desk, and the
hands' landmarks, are projected both ways and exactly, at every tenth of a second of a take.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from core.geometry.rotations import matrix_from_rotvec
from core.geometry.se3 import SE3
from sim.record import Performance, perform
from sim.rig import find_preset, find_rig
from sim.scene.choreography import camera_pose, camera_rate

Array = NDArray[np.float64]

GRID = np.stack(np.meshgrid(np.linspace(0, 0.6, 9), np.linspace(-0.4, 0.4, 9), [0.0]), -1)
DESK = GRID.reshape(-1, 3)
ROUNDS = 3  # a point's row decides when it is seen, and that its row


def left_out(show: Performance, stream: str, at_s: float) -> dict[str, Array]:
    """Of desk and hands in one picture: pixels (N,) between what is drawn and what is so."""
    camera = show.rig.spec(stream).camera()
    readout_s, rows = show.preset.readout_ms / 1e3, camera.size_wh[1]
    now = np.array([at_s])
    middle, rate = camera_pose(show.human, stream, now)[0], camera_rate(show.human, stream, now)[0]

    def seen(pose: SE3, points: Array) -> Array:
        uv, ahead = camera.project(pose.inverse().apply(points))
        return np.where((ahead & camera.in_image(uv))[:, None], uv, np.nan)

    def hands_at(seconds: Array) -> Array:
        hands = [show.human.hand(side, seconds).landmarks_in_desk for side in ("left", "right")]
        return np.concatenate(hands, 1)

    found = {}
    for name, points in (("desk", DESK), ("hands", hands_at(now)[0])):
        delay = np.zeros(len(points))
        for _ in range(ROUNDS):
            turned = SE3(
                middle.rotation @ matrix_from_rotvec(delay[:, None] * rate),
                np.broadcast_to(middle.translation, points.shape),
            )
            drawn = seen(turned, points)
            delay = np.nan_to_num(readout_s * (drawn[:, 1] / (rows - 1) - 0.5))
        there = points
        if name == "hands":
            there = np.diagonal(hands_at(at_s + delay)).T
        exact = seen(camera_pose(show.human, stream, at_s + delay), there)
        off = np.linalg.norm(exact - drawn, axis=1)
        found[name] = off[np.isfinite(off)]
    return found


def main() -> None:
    """One line per preset, camera and kind of point."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--tasks", nargs="+", default=["bus_table"])
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    results = []
    for preset in ("default", "harsh"):
        off: dict[tuple[str, str], list[Array]] = {}
        for task in given.tasks:
            for seed in given.seeds:
                show = perform(
                    task, seconds=given.seconds, seed=seed, rig=find_rig("default"),
                    preset=find_preset(preset),
                )  # fmt: skip
                for stream in show.rig.streams:
                    for at in np.arange(0.5, given.seconds, 0.1):
                        for name, values in left_out(show, stream, float(at)).items():
                            off.setdefault((stream, name), []).append(values)
        for (stream, name), values in off.items():
            low, high = np.percentile(np.concatenate(values), [50, 95])
            one = {"preset": preset, "camera": stream, "points": name}
            results.append(one | {"px_p50": round(low, 2), "px_p95": round(high, 2)})
            print(json.dumps(results[-1]), flush=True)
    if given.json:
        given.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
