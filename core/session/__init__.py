"""The session folder: where files lie, what they hold, how they are read and written."""
