"""Temporal activities: thin; load, call the domain, return."""
