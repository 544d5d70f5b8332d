"""Nouns, geometry, storage and the contracts every room shares. Imports nothing of ours."""
