"""Live segments."""
