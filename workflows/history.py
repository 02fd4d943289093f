"""What every workflow of ours asks about its own history."""

from __future__ import annotations

from temporalio import workflow

from workflows import policies


def has_grown() -> bool:
    """Tell whether a workflow is to continue as new; the server's word and the history's length are the same at every replay."""
    info = workflow.info()
    return info.is_continue_as_new_suggested() or info.get_current_history_length() >= policies.MAX_HISTORY_EVENTS
