"""Events in: HTTP, durable log, identity, routing."""
