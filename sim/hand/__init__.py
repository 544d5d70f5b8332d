"""The human hand: its bones, its skin and paint, and how it takes a thing."""
