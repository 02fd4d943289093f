"""Contents: what is sent, rendered from a team's templates and a person's facts."""

from sojourn.content.contents import Contents
from sojourn.content.facts import Rendered, RenderFacts
from sojourn.content.links import rewrite_links

__all__ = ["Contents", "RenderFacts", "Rendered", "rewrite_links"]
