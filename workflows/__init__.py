"""Temporal workflows: deterministic code, its names and policies, and the client adapter."""
