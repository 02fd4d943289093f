"""Events as a team declares them in `journeys/events/`: the model, the JSON Schema inside, and how it is asked."""
