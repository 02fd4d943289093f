"""Walks a journey in any World."""
