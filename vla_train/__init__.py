"""Co-training on human and robot datasets: transforms, mixture, policy, losses, training."""
