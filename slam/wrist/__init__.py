"""Cameras on the wrists, localised in the head's map."""
