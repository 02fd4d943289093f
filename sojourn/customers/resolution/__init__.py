"""Batch resolution: profiles without a common key that are one person's, found by probabilistic record linkage.

records → pairs, scored by Fellegi and Sunter's model → clusters, guarded → merges and a queue for review.
splink and duckdb are imported where they are used, and only there: no role that serves customers needs them.
"""
