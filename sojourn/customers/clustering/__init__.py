"""Clusters: people grouped by behaviour, named by what sets each group apart, kept as segments with a version.

numpy and scikit-learn are imported inside functions only: roles that never cluster do not pay for them.
"""
