"""Numbers about a person, each with its because."""

from sojourn.prediction.models import Models
from sojourn.prediction.score import Score

__all__ = ["Models", "Score"]
