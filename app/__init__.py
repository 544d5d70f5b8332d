"""The command line, viewer, reports: what people touch."""
