"""The map: grown, adjusted, closed, joined, found again, and made metric."""
