"""Scoring models and their registry."""
