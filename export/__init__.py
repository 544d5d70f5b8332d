"""Sessions and robot recordings to training datasets."""
