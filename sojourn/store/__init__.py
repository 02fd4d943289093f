"""Tables and the database."""
