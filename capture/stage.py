"""The stage CAPTURE: raw files to frames, ticks, inertial samples, calibration and quality facts.

Costs one pass over every video (decoding it, unless ``decode_all`` is off).
"""

from collections import Counter
from pathlib import Path
from typing import Any

from capture.config import CaptureConfig
from capture.frame_index import index_frames, make_ticks
from capture.gopro import read_facts
from capture.pictures import look_through
from capture.quality import (
    Finding,
    imu_figures,
    imu_findings,
    light_of,
    stream_figures,
    stream_findings,
    sync_figures,
    sync_findings,
)
from capture.rig import Rig, parse_rig
from capture.sources import VideoSource, open_all
from capture.upright import upright_calibration
from core.errors import BadInputError
from core.geometry.se3 import SE3
from core.session.documents import write_document
from core.session.info import SessionInfo
from core.session.layout import IMU, QUALITY, RAW, REDACTIONS, SESSION_JSON
from core.session.stage import Progress, StageOutcome
from core.session.storage import SessionFolder
from core.session.tables import Frames, Imu, Ticks

NOT_REDACTED = "no redactor has run: faces, screens and plates may be visible"


class Capture:
    """Reads session.json and raw/; writes the tables of capture/."""

    name = "capture"
    room = "capture"
    version = 4
    needs: tuple[str, ...] = ()
    config_type: type[Any] = CaptureConfig

    def inputs(self, folder: SessionFolder, config: Any) -> list[str]:
        """Every raw file but the labels."""
        streams = SessionInfo.read(folder).streams
        return [SESSION_JSON, *(s.path for s in streams if s.kind != "labels")]

    def run(self, folder: SessionFolder, config: Any, progress: Progress) -> StageOutcome:
        assert isinstance(config, CaptureConfig)
        rig, place = session_rig(folder)
        progress.note("reading the streams")

        def find(name: str) -> Path:
            return folder.local_path(f"{RAW}/{name}")

        videos, imu = open_all(rig, find=find, place=place)
        frames = {
            name: index_frames(name, video.info.pts, times_ns=video.times_ns, config=config)
            for name, video in videos.items()
        }
        ticks = make_ticks(frames)
        turns = {name: video.info.rotate_deg for name, video in videos.items()}
        calibration = upright_calibration(rig, turns, source=_origin_of(rig))
        quality = self._quality(
            frames,
            videos=videos,
            ticks=ticks,
            imu=imu,
            rig=rig,
            head_from_imu=calibration.imu.head_from_imu if calibration.imu else None,
            config=config,
            progress=progress,
        )
        quality["redacted"] = folder.exists(REDACTIONS)
        if not quality["redacted"]:
            quality["notes"] = [NOT_REDACTED]
        outputs = [
            Frames.concat(list(frames.values())).write(folder),
            ticks.write(folder),
            calibration.write(folder),
            *_write_imu(folder, imu),
            write_document(folder, QUALITY, quality),
        ]
        reasons = Counter(str(r) for f in frames.values() for r in f.reason if r is not None)
        pictures = sum(video.info.n for video in videos.values())
        counts = {"pictures": pictures, "ticks": len(ticks), **reasons}
        return StageOutcome(outputs=outputs, counts=counts, warnings=list(quality["reasons"]))

    @staticmethod
    def _quality(
        frames: dict[str, Frames],
        *,
        videos: dict[str, VideoSource],
        ticks: Ticks,
        imu: Imu | None,
        rig: Rig,
        head_from_imu: SE3 | None,
        config: CaptureConfig,
        progress: Progress,
    ) -> dict[str, Any]:
        """The document quality.json, without what redaction adds."""
        progress.note("looking at the pictures")
        progress.total(sum(v.info.n for v in videos.values()), "frame")
        findings: list[Finding] = []
        streams = {}
        for name, video in videos.items():
            facts = look_through(
                video.path,
                video.info,
                samples=config.samples,
                decode_all=config.decode_all,
                progress=progress,
            )
            streams[name] = stream_figures(frames[name], facts)
            if rig.streams[name].kind == "video":  # depth is not looked at by eye
                findings += stream_findings(
                    name,
                    streams[name],
                    pause_s=config.pause_s,
                    estimated=rig.streams[name].estimated,
                )
        document: dict[str, Any] = {"streams": streams}
        if imu is not None and rig.imu is not None and head_from_imu is not None:
            document["imu"] = imu_figures(imu, head_from_imu)
            carrier = [v.path for v in videos.values() if v.path.name == rig.imu.file]
            findings += imu_findings(
                document["imu"],
                noise_given=rig.imu.noise_given,
                stabilised=(read_facts(carrier[0]).stabilised or "") if carrier else "",
            )
        document["sync"] = sync_figures(ticks, imu)
        findings += sync_findings(document["sync"])
        findings.sort(key=lambda f: f.light, reverse=True)  # red before amber
        return {
            "light": light_of(findings),
            "reasons": [f.text for f in findings],
            "findings": [{"light": f.light, "about": f.about, "text": f.text} for f in findings],
            **document,
        }


def session_rig(folder: SessionFolder) -> tuple[Rig, str]:
    """The rig of a session and the address of its rig.toml."""
    rigs = [s.path for s in SessionInfo.read(folder).streams if s.kind == "rig"]
    if not rigs:
        raise BadInputError(f"{folder.url}: session.json names no rig.toml; ingest it again")
    place = folder.place(rigs[0])
    return parse_rig(folder.read_bytes(rigs[0]), place), place


def _origin_of(rig: Rig) -> str:
    """Where the calibration comes from: says which lenses are guesses."""
    guesses = [f"{name} estimated: {s.estimated}" for name, s in rig.streams.items() if s.estimated]
    return "; ".join(["rig.toml", *guesses])


def _write_imu(folder: SessionFolder, imu: Imu | None) -> list[str]:
    """Write the samples; without an inertial sensor a table of an earlier run is taken away."""
    if imu is not None:
        return [imu.write(folder)]
    folder.remove(IMU)
    return []


CAPTURE = Capture()
