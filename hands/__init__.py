"""What the hands did: detection, left/right over time, 17 metric landmarks, the palm frame."""
