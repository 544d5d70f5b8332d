"""The room's two stages: hands in the images, then metric hands in the head frame."""

import json
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

from core.session.calibration import Calibration
from core.session.info import Operator, SessionInfo
from core.session.layout import (
    CALIBRATION,
    DETECTIONS,
    FRAMES,
    HANDS_REPORT,
    REDACTIONS,
    SESSION_JSON,
    TICKS,
)
from core.session.stage import Progress, StageOutcome
from core.session.storage import SessionFolder
from core.session.tables import Detections, Ticks
from hands.association import BYSTANDER
from hands.cameras.joined import Joined
from hands.cameras.look_again import cameras_of, other_cameras
from hands.cameras.views_report import cameras_report
from hands.config import HandsConfig, HandsDetectConfig
from hands.cross_check import APART
from hands.detection.detect import WRIST_STREAMS, detect_streams, detections_table, tick_of_rows
from hands.detection.model_file import hand_model_digest, hand_model_path
from hands.located import NO_ROW, located_wearer, rate_hz
from hands.model.proportions import HandShape, hand_shape
from hands.operator_hand import OperatorHand, kept_digest, kept_hand
from hands.pictures.contact_sheet import ContactSheet, DrawnAt, write_view_sheet
from hands.pictures.overlays import drawn_hands
from hands.reconstruct import TOO_FAR
from hands.report import hands_report
from hands.sources import LocatedHands
from hands.sources.mediapipe import hands_of
from hands.sources.registry import source_named
from hands.tables import end_effectors_table, hands_table
from hands.wearer import wearer_hands

if TYPE_CHECKING:
    from hands.size_by_marker import BesideMarker

FAR_SHARE = 0.2  # of the frames; more speak of a wrong calibration rather than of other people


class HandsDetectStage:
    """Boxes and 21 points of every hand in every head image."""

    name, room, version = "hands_detect", "hands", 6
    needs = ("capture",)
    config_type = HandsDetectConfig

    def inputs(self, folder: SessionFolder, config: HandsDetectConfig) -> list[str]:
        info = SessionInfo.read(folder)
        streams = [name for name in _streams(config) if info.has_stream(name)]
        paths = [info.stream(name).path for name in streams]
        return [*paths, SESSION_JSON, FRAMES, TICKS, CALIBRATION]

    def outside(self, folder: SessionFolder, config: HandsDetectConfig) -> dict[str, str]:
        return {"hand_landmarker.task": hand_model_digest(config.model)}

    def run(
        self, folder: SessionFolder, config: HandsDetectConfig, progress: Progress
    ) -> StageOutcome:
        progress.note("hand model")
        model = hand_model_path(config.model)
        info, ticks = SessionInfo.read(folder), Ticks.read(folder)
        streams = [name for name in _streams(config) if name == "head" or info.has_stream(name)]
        found, frames = detect_streams(
            folder, streams, model=model, config=config, progress=progress
        )
        tables = [
            detections_table(stream, hands, tick_of_rows(folder, stream, ticks))
            for stream, hands in found.items()
        ]
        table = Detections.concat(tables)
        output = table.write(folder)
        return StageOutcome(
            [output],
            counts={"frames": frames, "hands": len(table)},
            warnings=[] if len(table) else ["no hand was found in any frame"],
        )


class HandsStage:
    """17 metric landmarks per hand, palm frames, figures and a contact sheet."""

    name, room, version = "hands", "hands", 12
    needs = ("capture", "hands_detect")
    uses = ("slam",)  # wrist cameras' places, a refined lens; hands in the head frame need neither
    config_type = HandsConfig

    def inputs(self, folder: SessionFolder, config: HandsConfig) -> list[str]:
        redactions = [REDACTIONS] if folder.exists(REDACTIONS) else []  # seen on the sheet
        read = source_named(config.source).inputs(config)
        videos = [SessionInfo.read(folder).stream(name).path for name in cameras_of(folder, config)]
        seen = [FRAMES, *videos] if videos else []
        return [SESSION_JSON, TICKS, CALIBRATION, DETECTIONS, *redactions, *read, *seen]

    def outside(self, folder: SessionFolder, config: HandsConfig) -> dict[str, str]:
        model = (
            {"hand_landmarker.task": hand_model_digest(config.model)}
            if cameras_of(folder, config)
            else {}
        )
        name = SessionInfo.read(folder).operator.name
        kept = kept_digest(folder, name) if config.kept_hand else {}
        return {**source_named(config.source).outside(config), **model, **kept}

    def run(self, folder: SessionFolder, config: HandsConfig, progress: Progress) -> StageOutcome:
        info, ticks = SessionInfo.read(folder), Ticks.read(folder)
        camera = Calibration.refined(folder).stream("head").camera
        sheet = ContactSheet(folder, ticks) if config.contact_sheet and len(ticks) else None
        source = source_named(config.source)
        found = source.read(folder, ticks, config=config, progress=progress)
        others = other_cameras(folder, ticks, config=config, progress=progress)
        kept = kept_hand(folder, info.operator.name) if config.kept_hand else None
        lain = None
        if config.marker_size_m and not isinstance(found, LocatedHands):
            from hands.size_by_marker import beside_marker  # loads OpenCV

            lain = beside_marker(
                folder, found, ticks, camera=camera, config=config, progress=progress
            )
        progress.note("fitting hands")
        if isinstance(found, LocatedHands):
            wearer = located_wearer(
                found, ticks_ns=ticks.timestamp_ns, camera=camera, source=source.name, config=config
            )
        else:
            wearer = wearer_hands(
                found,
                timestamps_ns=ticks.timestamp_ns,
                camera=camera,
                shape=_shape(info.operator, kept, lain),
                config=config,
                others=others,
            )
        hands = wearer.hands
        located = isinstance(found, LocatedHands)
        detections = Detections.read(folder) if folder.exists(DETECTIONS) else None
        report = hands_report(
            wearer,
            camera=camera,
            timestamps_ns=ticks.timestamp_ns,
            source=source.name,
            located_hz=rate_hz(found) if isinstance(found, LocatedHands) else None,
            seen=hands_of(detections, ticks) if located and detections is not None else None,
        )
        report["operator_sessions"] = list(kept.sessions) if kept else None
        report["other_cameras"] = cameras_report(wearer, others)
        if config.marker_size_m:
            report["beside_marker"] = lain and lain.figures()
        sources = wearer.joined.sources(source.name) if wearer.joined else source.name
        table, palms = hands_table(hands, ticks, sources), end_effectors_table(hands, ticks)
        outputs = [table.write(folder), palms.write(folder)]
        folder.write_bytes(HANDS_REPORT, (json.dumps(report, indent=2) + "\n").encode())
        outputs.append(HANDS_REPORT)
        if sheet:
            progress.note("contact sheet")
            drawn_at = partial(
                drawn_hands, table, palms, origin_ns=info.clock_origin, detections=detections
            )
            with ThreadPoolExecutor() as pool:  # pictures are made outside Python's lock
                head = pool.submit(sheet.write, drawn_at, camera=camera)
                outputs += _view_sheets(folder, drawn_at, ticks, joint=wearer.joined, pool=pool)
                outputs.append(head.result())
        return StageOutcome(outputs, counts=_counts(report), warnings=_warnings(report))


def _shape(operator: Operator, kept: OperatorHand | None, lain: "BesideMarker | None") -> HandShape:
    """The operator's hand: bones as they are known from other sessions, the length as somebody
    measured it, or as it lay beside a marker here.
    """
    shape = kept.shape_for(operator) if kept else hand_shape(operator.hand_length_mm)
    return lain.measured(shape) if lain and shape.scale_source == "prior" else shape


def _view_sheets(
    folder: SessionFolder, drawn_at: DrawnAt, ticks: Ticks, *, joint: Joined | None, pool: Executor
) -> list[str]:
    sheets = [
        pool.submit(
            write_view_sheet,
            folder,
            drawn_at,
            ticks,
            view=view,
            readings=joint.checked[view.name].readings,
        )
        for view in (joint.others.views if joint else ())
        if joint
    ]
    return [path for sheet in sheets if (path := sheet.result()) is not None]


def _streams(config: HandsDetectConfig) -> tuple[str, ...]:
    return ("head", *WRIST_STREAMS) if config.wrist_streams else ("head",)


def _counts(report: dict[str, Any]) -> dict[str, Any]:
    shares = {
        f"{side}_{name}": figures[name]
        for side, figures in report["hands"].items()
        for name in ("measured_share", "interpolated_share", "missing_share")
    }
    return {
        "ticks": report["ticks"],
        "detections": report["detections"],
        "rejected_detections": report["rejected_detections"],
        "both_hands_share": report["both_hands_share"],
        **shares,
    }


def _warnings(report: dict[str, Any]) -> list[str]:
    found = []
    if report["scale_source"] == "prior":
        found.append(
            "hand size is a guess (population average ± 7 %): give the operator's hand_length_mm, "
            "or lay a hand beside a printed marker (hands.marker_size_m), for metric hands"
        )
    if report.get("beside_marker", {}) is None:
        found.append(
            "no hand lay flat and still beside a printed marker: check marker_size_m and "
            "marker_family, and that both are in the picture for a second"
        )
    for side, figures in report["hands"].items():
        far = figures["missing_reasons"].get(TOO_FAR, 0)
        if far > FAR_SHARE * report["ticks"]:
            found.append(
                f"the {side} hand is {TOO_FAR} in {far} of {report['ticks']} frames: check the "
                "focal length of the calibration and hand_length_mm, or raise hands.farthest_m"
            )
        elif not figures["measured_share"]:
            why = ", ".join(figures["missing_reasons"])
            unseen = why in ("", NO_ROW)
            found.append(f"the {side} hand was never {'seen' if unseen else f'measured: {why}'}")
        apart = figures.get("from_detections_palms_median")
        if apart is not None and apart > APART:
            found.append(
                f"the {side} hand of {report['source']} lies {apart:.1f} palm lengths from the "
                "hands seen in the pictures: check source_body_from_head, source_offset_ns and the "
                "calibration"
            )
    strangers = report["rejected_detections"].get(BYSTANDER, 0)
    undecided = report["undecided_ticks"]
    if undecided > FAR_SHARE * report["ticks"]:
        found.append(
            f"in {undecided} of {report['ticks']} frames another person's hands are as likely the "
            "operator's: whose were kept is chance; keep others out of the picture, and turn one "
            "that is upside down (rotate in rig.toml)"
        )
    elif strangers > FAR_SHARE * report["ticks"]:
        found.append(
            f"{strangers} of {report['detections']} detections were taken for other people's "
            "hands, too far or from the far side: if they are the operator's, check the focal "
            "length of the calibration, hand_length_mm and that the picture is upright"
        )
    return found


HANDS_DETECT = HandsDetectStage()
HANDS = HandsStage()
