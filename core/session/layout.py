"""Every path of a session folder, known in this one place; relative, with forward slashes."""

SESSION_JSON = "session.json"
RAW = "raw"

FRAMES = "capture/frames.parquet"
TICKS = "capture/ticks.parquet"
IMU = "capture/imu.parquet"
CALIBRATION = "capture/calibration.json"
REDACTIONS = "capture/redactions.parquet"
QUALITY = "capture/quality.json"

DETECTIONS = "hands/detections.parquet"
HANDS = "hands/hands.parquet"
END_EFFECTORS = "hands/end_effectors.parquet"
HANDS_REPORT = "hands/report.json"

TRAJECTORY = "slam/trajectory.parquet"
POINTS = "slam/points.parquet"
SLAM_REPORT = "slam/report.json"
SLAM_PICTURE = "slam/path.png"
REFINED_CALIBRATION = "slam/calibration.json"
POINTS_PLY = "slam/points.ply"

SEGMENTS = "annotate/segments.parquet"

TRUTH = "truth"

OPERATORS = "operators"  # in the folder that holds the sessions: what is known of their people

STAGES = ("capture", "hands_detect", "slam", "hands", "annotate")


def mark_path(room: str, stage: str) -> str:
    """Where a stage says that it is done: the last file it writes."""
    return f"{room}/_done.{stage}.json"


def failure_path(room: str, stage: str) -> str:
    """Where the runner leaves the message and traceback of a stage that failed."""
    return f"{room}/_failed.{stage}.txt"


def under(root: str, path: str) -> str:
    """The same path below another root: ``under("truth", TRAJECTORY)`` is the exact trajectory."""
    return f"{root}/{path}" if root else path
