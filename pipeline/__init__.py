"""The order of the stages; runs, skips, resumes, scales out."""
