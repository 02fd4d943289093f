"""Bulk in and out: files of people and of events become what intake would have made of them, and back."""
