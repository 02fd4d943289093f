"""Other services, as a test says that they answer: nothing is asked over the web."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from sojourn.errors import Unanswerable, Unanswered
from sojourn.outbound import Got, Question
from sojourn.testing.answers import Done


@dataclass(frozen=True)
class Posted:
    """What a `call` step posted.

    Attributes:
        url: where to.
        body: what it says.
        headers: key, time and signature among them.
    """

    url: str
    body: Mapping[str, Any]
    headers: Mapping[str, str] = field(repr=False)


class Services:
    """Answers what a test gave; what it gave nothing for fails, as a service that says no."""

    def __init__(self) -> None:
        self.posted: list[Posted] = []
        self._answers: list[tuple[str, Any]] = []

    def answer(self, url: str, value: Any) -> Done:
        """Let all addresses that begin so be answered with this; the last word stands."""
        self._answers.insert(0, (url, value))
        return Done()

    async def get_all(self, questions: Sequence[Question]) -> list[Got | Unanswerable | Unanswered]:
        """Return what was given."""
        answers: list[Got | Unanswerable | Unanswered] = []
        for question in questions:
            try:
                answers.append(self._answer(question.url))
            except Unanswerable as error:
                answers.append(error)
        return answers

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Got:
        """Keep what is posted, and return what was given."""
        self.posted.append(Posted(url, orjson.loads(body), dict(headers)))
        return self._answer(url)

    def _answer(self, url: str) -> Got:
        value = next((value for start, value in self._answers if url.startswith(start)), None)
        if value is None:
            raise Unanswerable("no answer was given in this test")
        return Got(value, "answered by this test")
