"""SQL tables of sessions, people, labels and jobs."""
