"""Poses, cameras, clocks, hands: pure arrays in, arrays out. Imports no other part of core."""
