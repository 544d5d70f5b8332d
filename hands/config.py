"""Settings of the two hand stages."""

from dataclasses import dataclass

from core.errors import BadInputError


@dataclass(frozen=True)
class HandsDetectConfig:
    """Finding hands in images."""

    model: str | None = (
        None  # path of a .task file of your own; None: HANDOFF_HAND_MODEL or the cached one
    )
    wrist_streams: bool = False  # also look in the wrist cameras' images
    min_detection_confidence: float = 0.4  # of the palm detector, when a hand is searched
    min_tracking_confidence: float = 0.4  # below it a followed hand counts as lost
    most_hands: int = 4  # looked for when somebody else's hands are in view
    probe_every: int = 15  # frames between looks for hands beyond the wearer's two
    search_every: int = (
        2  # frames between looks into parts of the image for a missing hand; 0: never
    )
    patience_frames: int = 3  # frames through which a hand not seen is still expected where it was
    confirm_frames: int = 3  # a new hand is followed so long before it is followed back
    memory_mib: int = 96  # of pictures through which hands are followed back; part of the result
    chunk_frames: int = (
        900  # frames that one worker follows hands through, at most; part of the result
    )
    overlap_frames: int = 8  # looked at before and after a chunk, so that nothing is lost there
    workers: int = 2  # threads; no part of the result

    def __post_init__(self) -> None:
        _positive(
            self,
            "most_hands",
            "probe_every",
            "confirm_frames",
            "memory_mib",
            "chunk_frames",
            "workers",
        )
        _fractions(self, "min_detection_confidence", "min_tracking_confidence")


@dataclass(frozen=True)
class HandsConfig:
    """From detections to metric hands."""

    source: str = "mediapipe"  # mediapipe, aria_mps, aria_device, egodex, mano (docs/hands.md)
    source_path: str = ""  # what the source reads: in the session, "raw/hand_tracking_results.csv"
    source_body_from_head: str = ""  # "x,y,z,qw,qx,qy,qz" of the head camera in the source's device
    source_offset_ns: int = 0  # session clock minus the source's clock
    source_min_confidence: float = 0.5  # hands of which the source is less sure are left out
    max_gap_s: float = 0.25  # shorter gaps are bridged and marked interpolated, longer stay empty
    min_stretch_s: float = 0.2  # a hand seen for less is taken for a false detection
    marker_size_m: float = 0.0  # side of a printed marker that a hand lies beside; 0: there is none
    marker_family: str = "apriltag_36h11"  # which markers were printed (docs/hands.md)
    lifter: bool = True  # put MediaPipe's answers right with the learned lifter
    landmark_sigma: float = 0.035  # error of an image landmark, as a fraction of the palm's length
    finger_guess_sigma_m: float = 0.008  # error of the detector's own 3D finger bones, per axis
    palm_guess_sigma_m: float = 0.05  # the same of bones in the palm: which way the hand faces
    acceleration_m_s2: float = 3.0  # what a calm hand does; fast ones are allowed by heavy tails
    angular_acceleration_rad_s2: float = 30.0  # the same for turning
    joint_acceleration_rad_s2: float = 60.0  # the same for finger joints
    outlier_offset: float = (
        0.25  # reject frames whose landmarks miss the fit by this part of a palm
    )
    most_sigma_m: float = 0.15  # a palm known no better, along any axis, is left out
    most_sigma_deg: float = 60.0  # nor one that may be turned so far about any of its axes
    farthest_m: float = 1.0  # a wearer's own hand cannot be farther from the head camera
    kept_hand: bool = True  # use what `handoff hands operator` found of this person, where it did
    bone_frames: int = 200  # frames from which the operator's bone lengths are estimated
    contact_sheet: bool = True  # write hands/contact_sheet.png
    other_cameras: bool = True  # fit what other cameras saw too: rigid ones, located wrist cameras
    model: str | None = None  # .task file to read their pictures with; None: as in hands_detect

    @property
    def guess_sigma_m(self) -> tuple[float, float]:
        return self.finger_guess_sigma_m, self.palm_guess_sigma_m

    def __post_init__(self) -> None:
        _positive(
            self, "max_gap_s", "min_stretch_s", "landmark_sigma", "farthest_m",
            "finger_guess_sigma_m", "palm_guess_sigma_m", "outlier_offset", "bone_frames",
            "most_sigma_m", "most_sigma_deg", "acceleration_m_s2", "angular_acceleration_rad_s2",
            "joint_acceleration_rad_s2",
        )  # fmt: skip
        _fractions(self, "source_min_confidence")
        if not 0 <= self.marker_size_m <= 1:
            raise BadInputError(
                f"hands: marker_size_m={self.marker_size_m}; give metres, 0.08 for 8 cm"
            )


def _positive(config: object, *names: str) -> None:
    for name in names:
        if not getattr(config, name) > 0:
            raise BadInputError(f"{name} is {getattr(config, name)}; it must be positive")


def _fractions(config: object, *names: str) -> None:
    for name in names:
        if not 0 <= getattr(config, name) <= 1:
            raise BadInputError(f"{name} is {getattr(config, name)}; it must be from 0 to 1")
