"""Hands drawn over the pictures they were seen in."""
