"""Profiles, traits, consent, suppression."""
