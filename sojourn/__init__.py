"""Sojourn: a workflow-orchestration journey engine."""
