"""Inertial readings: checks, preintegration, clock, axes, rows of a rolling shutter."""
