"""What the hand side costs beside MediaPipe: the benchmark's own sums."""

from benchmarks.hands_speed import compared


def test_detection_and_reconstruction_are_held_against_the_recording_and_mediapipe():
    parts = {
        "hands_detect": {"cpu_s": 6.0, "wall_s": 3.5},
        "hands": {"cpu_s": 2.0, "wall_s": 1.5},
        "mediapipe_alone": {"cpu_s": 5.0, "wall_s": 5.0},
    }
    figures = compared(parts, 10.0)
    assert figures["over_recorded"] == {"cpu_s": 0.8, "wall_s": 0.5}
    assert figures["over_mediapipe_alone"] == {"cpu_s": 1.6, "wall_s": 1.0}
    assert figures["hands"] == parts["hands"]
