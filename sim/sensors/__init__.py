"""What sensors make of a scene: lenses, clocks, inertia, depth, sound, video files."""
