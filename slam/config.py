"""Settings of the `slam` stage. Defaults suit head cameras from phone quality upwards."""

from dataclasses import dataclass

from core.errors import BadInputError


@dataclass(frozen=True)
class SlamConfig:
    """One field per decision; lengths in pixels are those of the tracked (perhaps shrunk) image."""

    backend: str = "builtin"  # builtin, imported or colmap: who makes the path (docs/slam.md)
    stream: str = "head"  # the camera whose path is estimated
    use_imu: bool = True  # False: camera only, even where an IMU was recorded
    use_depth: bool = True  # False: leave out the depth pictures, even where there are some
    use_stereo: bool = True  # False: leave out the second camera, even where there is one
    locate_wrists: bool = True  # False: leave out the cameras on the wrists, even where there are
    mask_hands: bool = True  # leave out corners on the hands that hands_detect found
    tracked_side_px: int = 800  # images with a longer side are shrunk to it before tracking
    target_tracks: int = 350  # corners followed at a time, one per grid cell
    flow_window_px: int = 21  # side of the Lucas-Kanade patch
    flow_levels: int = 4  # pyramid levels above the full image; two where the gyro predicts
    round_trip_px: float = 0.7  # a corner that does not come back this close is dropped
    epipolar_px: float = 1.5  # distance from the epipolar plane above which a corner is dropped
    pixel_sigma: float = 1.0  # of a tracked corner; its errors in neighbouring frames are alike
    outlier_px: float = 2.5  # reprojection error above which an observation leaves the map
    keyframe_parallax_px: float = 12.0  # movement, rotation taken out, that makes a keyframe
    keyframe_share: float = 0.4  # and so does losing more than this share of the corners
    keyframe_min_s: float = 0.08  # keyframes are never closer than this
    keyframe_max_s: float = 0.35  # nor further apart, unless the picture is at rest
    min_landmarks: int = 15  # a pose that rests on fewer points is lost
    max_lost_s: float = 0.5  # longer gaps without a pose split the map
    min_map_keyframes: int = 4  # smaller maps are dropped
    max_scale_sigma: float = 0.1  # a relative scale uncertainty above this is called unknown
    marker_size_m: float = 0.0  # side of a printed marker's black square in view; 0: there is none
    marker_family: str = "apriltag_36h11"  # which markers were printed (docs/slam.md)
    refine: str = ""  # "focal", "extrinsics" (the IMU's turn and place) or both: "focal,extrinsics"
    loop_closure: bool = True  # look for places seen before and join their points
    imported_path: str = ""  # imported: the trajectory file in the session, "raw/poses.txt"
    imported_body_from_head: str = ""  # "x,y,z,qw,qx,qy,qz" of the head camera in the file's body
    imported_up: str = "imu"  # who knows up where the file does not: "imu", or "file", its z axis
    imported_metric: bool = True  # False: the file's unit of length is not the metre
    imported_offset_ns: int = 0  # session clock minus the file's clock
    imported_max_gap_s: float = 0.1  # frames between rows further apart than this have no pose

    def __post_init__(self) -> None:
        if self.target_tracks < 50:
            raise BadInputError(f"slam: target_tracks={self.target_tracks}; give at least 50")
        if self.pixel_sigma <= 0 or self.outlier_px <= self.pixel_sigma:
            raise BadInputError(
                f"slam: outlier_px={self.outlier_px} must exceed pixel_sigma={self.pixel_sigma} > 0"
            )
        if not 0 <= self.marker_size_m <= 5:
            raise BadInputError(
                f"slam: marker_size_m={self.marker_size_m}; give metres, 0.08 for 8 cm"
            )
        if not set(self.refine.split(",")) <= {"", "focal", "extrinsics"}:
            raise BadInputError(
                f"slam: refine={self.refine!r}; give 'focal', 'extrinsics' or 'focal,extrinsics'"
            )
        if self.imported_up not in {"imu", "file"}:
            raise BadInputError(f"slam: imported_up={self.imported_up!r}; give 'imu' or 'file'")
