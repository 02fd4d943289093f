"""A shop in virtual time: say what people do and let time pass, then look at what became of it."""

from __future__ import annotations

from sojourn.testing.answers import Done
from sojourn.testing.broadcast_verbs import BroadcastVerbs
from sojourn.testing.people import People
from sojourn.testing.readers import Readers


class Shop(People, Readers, BroadcastVerbs):
    """A shop whose clock stands still until it is moved.

    Everything but Temporal, the mail server and the clock is the real thing. Every method does its work before it
    returns, and what it returns can be used at once or awaited first. Use it as `async with` or `with`.

    Args:
        journeys_dir: a folder of definitions; one without a shop.yaml gets a test shop (UTC, no quiet hours, no caps).
        database_url: where the store is: in memory, a new SQLite file, or an empty PostgreSQL database.
        start: when the shop opens.
        journeys: more journeys, as YAML or as models.
        segments: more segments, as YAML or as models.
        contents: more contents, as MJML by their names.
        settings: the shop's, as YAML or as a model, instead of the folder's shop.yaml.

    Raises:
        DefinitionError: the definitions are wrong; with every problem.
    """

    def release_brake(self, journey: str) -> Done:
        """Release a journey's brake by hand (`*`: the whole shop's), as `sojourn brakes release` does; NotFound where none is on."""
        self._run(self._engine.release_brake(journey))
        return Done()
