"""One page with pictures about sessions and a training run."""
