"""From what a rig recorded to a session on one clock: ingest, times, calibration, quality."""
