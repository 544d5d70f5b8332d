"""Accuracy may not silently get worse: the sample's figures against the limits that are kept.

    python benchmarks/ratchet.py            measure, compare, say what got better
    python benchmarks/ratchet.py --write    measure and set the limits anew

The sample take (`samples/session`) goes through every stage with its defaults and is compared with
its truth. A limit is the figure as last written plus a margin for other processors and library
builds: of errors 15 % and a bit more by unit (`SLACK`), of shares 3 points, of F1 0.15. Written
limits are committed with the change that earned them; to loosen one shows in the diff.
"""

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.evaluate import evaluate
from app.evaluate.figures import Figure
from capture.ingest import ingest
from core.session.hashes import hash_stream
from hands.config import HandsConfig
from pipeline.run import run_sessions

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "samples" / "session"
LIMITS = ROOT / "tests" / "benchmarks" / "ratchet.json"
COMMAND = "python benchmarks/ratchet.py --write"

SHARE_OF_VALUE = 0.15
SLACK = {"mm": 0.5, "deg": 0.5, "px": 0.5, "share": 0.01, "": 0.0}
LEAST_LOSS = {"share": 0.03, "": 0.15}  # of figures that should be high
HIGHER_IS_BETTER = (
    ("slam", "tracked"),
    ("hands_detect", "found"),
    ("hands_detect", "side is right"),
    ("hands", "found"),
    ("hands", "visibility precision"),
    ("hands", "visibility recall"),
    ("annotate", "proposed boundary F1 at 0.5 s"),
    ("annotate", "proposed segment F1 at IoU 0.5"),
)
LOWER_IS_BETTER = (
    ("hands_detect", "pixel error"),
    ("slam", "ATE RMSE"),
    ("slam", "rotation error"),
    ("slam", "scale error"),
    ("slam", "gravity error"),
    ("slam", "RPE over 1 s"),
    ("hands", "swapped"),
    ("hands", "MPJPE"),
    ("hands", "MPJPE wrist-relative"),
    ("hands", "MPJPE Procrustes"),
    ("hands", "palm position"),
    ("hands", "palm rotation"),
    ("hands", "jitter at rest"),
    ("chunks", "position after 0.5 s"),
    ("chunks", "position after 1 s"),
    ("chunks", "rotation after 1 s"),
)


def measure(sample: Path, work: Path) -> list[Figure]:
    """The sample's figures. Raises RuntimeError where a stage failed."""
    session = ingest(sample, work, session_id="ratchet-sample")
    configs = {"hands": HandsConfig(contact_sheet=False)}
    (outcome,) = run_sessions([session], configs=configs, jobs=0, quiet=True)
    for stage in outcome.stages:
        if stage.state in {"failed", "blocked"}:
            raise RuntimeError(f"{stage.stage} {stage.state}: {stage.message}")
    return evaluate(session).figures


def limits_of(figures: list[Figure], sample: Path) -> dict[str, Any]:
    """The document that is kept: figures as measured, and the worst that is let through."""
    known = {(figure.stage, figure.name): figure for figure in figures}
    rows = {}
    for keys, sign in ((LOWER_IS_BETTER, 1.0), (HIGHER_IS_BETTER, -1.0)):
        for key in keys:
            figure = known[key]
            slack = LEAST_LOSS.get(figure.unit, 0.0)
            if sign > 0:
                slack = SLACK[figure.unit] + SHARE_OF_VALUE * figure.value
            rows[f"{key[0]}: {key[1]}"] = {
                "measured": round(figure.value, 4),
                "limit": round(figure.value + sign * slack, 4),
                "unit": figure.unit,
                "better": "lower" if sign > 0 else "higher",
            }
    return {"command": COMMAND, "sample": fingerprint(sample), "figures": rows}


def fingerprint(sample: Path) -> str:
    """Of the sample's pictures and truth: limits measured on another sample mean nothing."""
    parts = []
    for name in ("head.mp4", "truth/hands/hands.parquet"):
        with (sample / name).open("rb") as file:
            parts.append(hash_stream(file))
    return "-".join(part[:12] for part in parts)


def worse(figures: list[Figure], limits: dict[str, Any]) -> list[str]:
    """One line for every figure beyond its limit; a figure that is gone counts as worse."""
    known = {f"{figure.stage}: {figure.name}": figure for figure in figures}
    lines = []
    for name, row in limits["figures"].items():
        figure = known.get(name)
        if figure is None:
            lines.append(f"{name}: is no longer measured")
            continue
        sign = 1.0 if row["better"] == "lower" else -1.0
        if not sign * figure.value <= sign * row["limit"]:  # also refuses NaN
            lines.append(
                f"{name}: {figure.value:.4g} {row['unit']}, limit {row['limit']:.4g}, "
                f"when the limit was set {row['measured']:.4g}"
            )
    return lines


def better(figures: list[Figure], limits: dict[str, Any]) -> list[str]:
    """Figures so much better than when their limits were set that these should be set anew."""
    known = {f"{figure.stage}: {figure.name}": figure for figure in figures}
    lines = []
    for name, row in limits["figures"].items():
        gained = known[name].value - row["measured"] if name in known else 0.0
        gained = -gained if row["better"] == "lower" else gained
        if gained > abs(row["limit"] - row["measured"]):
            lines.append(
                f"{name}: {known[name].value:.4g} {row['unit']}, was {row['measured']:.4g}"
            )
    return lines


def main() -> int:
    """Measure and compare, or write the limits."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--write", action="store_true", help="set the limits from this run")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the measured figures")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        figures = measure(SAMPLE, Path(work))
    if given.json is not None:
        rows = [figure.to_dict() for figure in figures]
        given.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    if given.write:
        document = limits_of(figures, SAMPLE)
        LIMITS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
        print(f"{LIMITS}: {len(document['figures'])} limits written")
        return 0
    limits = json.loads(LIMITS.read_text(encoding="utf-8"))
    if limits["sample"] != fingerprint(SAMPLE):
        print(f"the limits were set on another sample: {COMMAND}")
        return 1
    lines = worse(figures, limits)
    print("\n".join(["worse than the limits:", *lines] if lines else ["no figure is worse"]))
    gained = better(figures, limits)
    if gained:
        print("\n".join([f"better; tighten with {COMMAND}:", *gained]))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
