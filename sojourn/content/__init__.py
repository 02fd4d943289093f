"""Contents: what is sent, rendered from a team's templates and a person's facts."""

from sojourn.content.answers import Answers, Asks, answer, by_score
from sojourn.content.contents import Contents
from sojourn.content.facts import Rendered, RenderFacts
from sojourn.content.links import rewrite_links

__all__ = ["Answers", "Asks", "Contents", "RenderFacts", "Rendered", "answer", "by_score", "rewrite_links"]
