"""Where metres come from besides the IMU: a second camera, depth, markers."""
