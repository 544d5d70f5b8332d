"""What people look at and other programs read: report, plots, clouds, meshes, trajectories."""
