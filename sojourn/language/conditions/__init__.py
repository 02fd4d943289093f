"""Conditions: one grammar, one parser, one checked tree, asked by closure or by SQL."""
