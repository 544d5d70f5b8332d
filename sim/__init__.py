"""Synthetic sessions and robot episodes with exact truth."""
