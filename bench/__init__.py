"""Measures Sojourn: each module is a command of its own, `python -m bench` runs them all and writes RESULTS.md."""
