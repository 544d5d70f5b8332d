"""What really happened in a take, as tables: poses, what hides what, the clocks."""
