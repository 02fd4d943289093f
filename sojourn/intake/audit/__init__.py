"""Looks over the log for what is wrong with the events themselves: a report, and never a change."""
