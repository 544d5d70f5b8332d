"""How accurate every stage is, on synthetic takes with exact truth.

    python benchmarks/accuracy.py [--seeds 1 2] [--tasks sort_eggs] [--rigs head fisheye-head]
        [--workers 2] [--cache DIR] [--json figures.json]

Records takes (`sim`), takes them in, runs every stage with its defaults and compares the results
with the truth, as `handoff evaluate` does; each take in a process of its own. Figures are medians
and means over the takes of one rig and preset, in brackets the least and the greatest.

`--cache DIR` keeps recorded takes and figures: a take is used again as long as nothing it was made
with has changed, figures as long as no code at all has. So a run that was stopped goes on.

"detected": of the hands that are at least half visible and over 60 px, those on which a detection
lies; "MediaPipe alone" is the plain landmarker on whole pictures, "measured" what is left when the
hands stage has chosen. Rigs are listed apart, fisheye ones too.
"""

import argparse
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from app.evaluate import evaluate
from app.evaluate.figures import Figure
from app.evaluate.summary import over_all
from benchmarks.mediapipe_alone import found_alone
from benchmarks.slam import Clock
from capture.ingest import ingest
from core.errors import HandoffError
from hands.config import HandsConfig, HandsDetectConfig
from pipeline.run import run_sessions
from sim.record import record

ROOT = Path(__file__).resolve().parents[1]
TAKE_IS_MADE_OF = ("sim", "core/geometry", "core/session")
ROOMS = ("core", "capture", "slam", "hands", "annotate", "sim", "pipeline")
FIGURES_ARE_MADE_OF = (*ROOMS, "app/evaluate", "benchmarks")
ALONE = ("hands_detect", "found by MediaPipe alone")
VERDICT_OF = {"mediapipe_alone": ALONE, "detector": ("hands_detect", "found")}
ENOUGH_DETECTED = 0.9
CELL = 36  # characters

SHOWN = (
    ALONE,
    ("hands_detect", "found"),
    ("hands_detect", "side is right"),
    ("hands_detect", "measured by the hands stage"),
    ("capture", "left wrist: time offset"),
    ("capture", "right wrist: time offset"),
    ("capture", "imu: time offset"),
    ("slam", "tracked"),
    ("slam", "ATE RMSE"),
    ("slam", "rotation error"),
    ("slam", "scale error"),
    ("slam", "gravity error"),
    ("slam", "RPE over 1 s"),
    ("slam", "position within 1 sigma"),
    ("slam", "left wrist camera: located"),
    ("slam", "left wrist camera: position"),
    ("slam", "left wrist camera: rotation"),
    ("hands", "found"),
    ("hands", "swapped"),
    ("hands", "visibility precision"),
    ("hands", "visibility recall"),
    ("hands", "MPJPE"),
    ("hands", "MPJPE wrist-relative"),
    ("hands", "MPJPE Procrustes"),
    ("hands", "palm position"),
    ("hands", "palm rotation"),
    ("hands", "landmarks across the ray within 1 sigma"),
    ("hands", "landmarks along the ray within 1 sigma"),
    ("hands", "jitter at rest"),
    ("chunks", "position after 0.5 s"),
    ("chunks", "position after 1 s"),
    ("chunks", "rotation after 1 s"),
    ("annotate", "proposed boundary F1 at 0.5 s"),
)


@dataclass(frozen=True)
class Take:
    """What is recorded."""

    rig: str
    preset: str
    task: str
    seed: int
    seconds: float

    @property
    def name(self) -> str:
        """A folder's name, also good as a session's id."""
        words = (self.rig, self.preset, self.task, str(self.seed), f"{self.seconds:g}")
        return "-".join(words).replace("_", "-").replace(".", "-").lower()


def code_hash(places: Sequence[str] = TAKE_IS_MADE_OF) -> str:
    """Of everything a recorded take, or its figures, depend on beside its settings."""
    digest = hashlib.sha256()
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def recorded(take: Take, cache: Path) -> Path:
    """The rig folder of a take; recorded if the cache has none."""
    folder = cache / f"{take.name}-{code_hash()}"
    if not folder.is_dir():
        part = cache / f".{folder.name}.{os.getpid()}"
        shutil.rmtree(part, ignore_errors=True)
        settings = asdict(take)
        record(part, **settings)
        part.rename(folder)
    return folder


def result_of(take: Take, cache: Path) -> dict[str, Any]:
    """The figures of a take; measured if the cache has none. Failures are not kept."""
    kept = cache / "figures" / f"{take.name}-{code_hash(FIGURES_ARE_MADE_OF)}.json"
    if kept.is_file():
        return dict(json.loads(kept.read_text(encoding="utf-8")))
    result = measured(take, cache)
    if "error" not in result:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_text(json.dumps(result), encoding="utf-8")
        part.replace(kept)
    return result


def measured(take: Take, cache: Path) -> dict[str, Any]:
    """Record, run, evaluate. A failure is a result, too: ``error``."""
    clock = Clock()
    result: dict[str, Any] = asdict(take)
    try:
        rig_folder = recorded(take, cache)
        with tempfile.TemporaryDirectory() as temp:
            session = ingest(rig_folder, temp, session_id=take.name)
            configs = {"hands_detect": HandsDetectConfig(workers=1)}
            configs["hands"] = HandsConfig(contact_sheet=False)
            (outcome,) = run_sessions([session], configs=configs, jobs=0, quiet=True)
            failed = [s for s in outcome.stages if s.state in {"failed", "blocked"}]
            if failed:
                return result | {"error": f"{failed[0].stage}: {failed[0].message}"}
            figures = evaluate(session).figures
        alone = found_alone(rig_folder)
    except HandoffError as error:
        return result | {"error": str(error)}
    share = alone["found"] / alone["wanted"] if alone["wanted"] else float("nan")
    figures.append(Figure(*ALONE, share, "share", f"of {alone['wanted']} hands"))
    result["figures"] = [figure.to_dict() for figure in figures]
    return result | clock.seconds()


def figures_of(result: dict[str, Any]) -> list[Figure]:
    """Back from JSON values."""
    nan = float("nan")
    return [
        Figure(**{**one, "value": nan if one["value"] is None else one["value"]})
        for one in result.get("figures", [])
    ]


def groups(results: Iterable[dict[str, Any]], *keys: str) -> dict[str, list[dict[str, Any]]]:
    """Takes that share these settings, by their words."""
    found: dict[str, list[dict[str, Any]]] = {}
    for result in results:
        found.setdefault(", ".join(str(result[key]) for key in keys), []).append(result)
    return found


def table(rig: str, results: Sequence[dict[str, Any]]) -> str:
    """Figures down, presets across: median | mean (least to greatest) over the takes that have one.

    Figures that the rig has no use for, as those of wrist cameras it lacks, have no line.
    """
    columns = {}
    for name, part in groups(results, "preset").items():
        whole = [figures_of(one) for one in part if "error" not in one]
        cells = {(a.stage, a.name): _cell(a, b, whole) for a, b in over_all(whole)}
        columns[name] = cells | {("", "takes"): str(len(whole))}
    keys = [("", "takes"), *SHOWN]
    width = max(len(f"{stage}: {name}") for stage, name in keys)
    title = f"{rig}: median | mean (least to greatest)"
    lines = [f"{title:<{width}}" + "".join(f"{name:>{CELL}}" for name in columns)]
    for key in keys:
        if not any(key in column for column in columns.values()):
            continue
        word = f"{key[0]}: {key[1]}" if key[0] else key[1]
        cells = "".join(f"{column.get(key, 'none'):>{CELL}}" for column in columns.values())
        lines.append(f"{word:<{width}}{cells}")
    return "\n".join(lines)


def _cell(middle: Figure, average: Figure, takes: Sequence[Sequence[Figure]]) -> str:
    """Values of one unit, which is said once."""
    key = (middle.stage, middle.name)
    values = [f.value for take in takes for f in take if (f.stage, f.name) == key]
    values = sorted(value for value in values if value == value)
    text = f"{_number(middle)} | {average.shown()}"
    if len(values) < 2:
        return text
    low, high = (_number(replace(middle, value=value)) for value in (values[0], values[-1]))
    return f"{text} ({low} to {high})"


def _number(figure: Figure) -> str:
    return figure.shown().partition(" ")[0]


def verdicts(results: Sequence[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Per rig and preset, over all hands of all takes: is the share of 90 % reached?"""
    found = {}
    for name, part in groups(results, "rig", "preset").items():
        shares = {}
        for word, key in VERDICT_OF.items():
            hands = [
                (f.value, int(f.note.split()[1]))
                for one in part
                for f in figures_of(one)
                if (f.stage, f.name) == key and f.value == f.value
            ]
            wanted = sum(count for _, count in hands)
            share = sum(v * count for v, count in hands) / wanted if wanted else float("nan")
            shares[word] = round(share, 4)
            shares["hands"] = wanted
        reached = [word for word in VERDICT_OF if shares[word] >= ENOUGH_DETECTED]
        found[name] = {**shares, "reached_by": reached}
    return found


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--presets", nargs="+", default=["clean", "default", "harsh"])
    parser.add_argument("--tasks", nargs="+", default=["blocks_to_tray"])
    parser.add_argument("--rigs", nargs="+", default=["head", "fisheye-head"])
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="takes at a time")
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--cache", type=Path, metavar="DIR", help="keep takes and figures here")
    return parser.parse_args(words)


def main() -> int:
    """Run every take, print the tables and write them as JSON."""
    given = parse()
    takes = [
        Take(rig, preset, task, seed, given.seconds)
        for rig in given.rigs
        for preset in given.presets
        for task in given.tasks
        for seed in given.seeds
    ]
    results = []
    with tempfile.TemporaryDirectory() as temp:
        cache = given.cache or Path(temp)
        cache.mkdir(parents=True, exist_ok=True)
        with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
            jobs = {pool.submit(result_of, take, cache): take for take in takes}
            for job in as_completed(jobs):
                result = job.result()
                results.append(result)
                said = result.get("error") or f"{result['cpu_s']} s of CPU"
                print(f"{jobs[job].name}: {said}", flush=True)
    order = [take.name for take in takes]
    results.sort(key=lambda one: order.index(Take(**{k: one[k] for k in asdict(takes[0])}).name))
    for rig, part in groups(results, "rig").items():
        print(f"\n{table(rig, part)}")
    print()
    reached = verdicts(results)
    for name, one in reached.items():
        words = [
            f"{word.replace('_', ' ')} {100 * one[word]:.1f} %"
            + ("" if word in one["reached_by"] else " (less than 90 %)")
            for word in VERDICT_OF
        ]
        print(f"{name}: of {one['hands']} hands detected: {', '.join(words)}")
    if given.json is not None:
        document = {"settings": vars(given) | {"json": None, "cache": None}}
        document |= {"takes": results, "detection": reached}
        given.json.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return 1 if any("error" in one for one in results) else 0


if __name__ == "__main__":
    sys.exit(main())
