"""A shop in virtual time, for tests."""
