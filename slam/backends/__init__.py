"""Ways to the head's path behind one protocol: built in, imported, COLMAP."""
