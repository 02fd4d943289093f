"""The whole console script, built once for all tests that type commands."""

from sojourn.cli import build

app = build()
