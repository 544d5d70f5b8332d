"""One module per command: its help page, its options, and the one function it calls."""
