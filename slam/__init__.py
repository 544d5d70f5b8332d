"""Where the head was: visual(-inertial) odometry with keyframes and bundle adjustment."""
