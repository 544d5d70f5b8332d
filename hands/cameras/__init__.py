"""Other cameras than the head's: which, what they saw of a hand, and what that tells the fit."""
