"""From what a rig recorded to a session with one clock: ingest, timestamps, calibration, quality."""
