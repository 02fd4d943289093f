"""Segments: who is in which, live."""
