"""What one render may use up, and what it used.

Jinja compiles a template to Python, so nothing can interrupt it from outside but ending the process.
Instead everything that can repeat or grow (loops, calls, filters, operators, outputs) passes through
here first, and what cannot is bounded by the template's own size. The deadline is looked at each time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from sojourn.clock import processor_time
from sojourn.content.answers import Answers
from sojourn.content.live import MAX_PARTS, Spec
from sojourn.content.pictures import SOURCE as PICTURE
from sojourn.content.pictures import host_of
from sojourn.content.speech import Speech
from sojourn.errors import RenderError

MAX_STEPS = 5_000
MAX_OUTPUT = 512 * 1024
MAX_TEXT = 64 * 1024
MAX_ITEMS = 2_000
BETWEEN_LOOKS = 16  # steps between two looks at the time: a look costs more than a step
MAX_SECONDS = 1.0  # of the processor: nobody loses a message because the machine was busy


@dataclass
class Run:
    """One render: its budget, and the tokens it has used.

    `paths` knows by identity what each container of the facts is called, so that `item.price` in a loop
    is told as `event.products[0].price`.
    """

    content: str
    deadline: float  # in this thread's processor time
    steps: int = 0
    look_at: int = 0  # the step at which to look at the time again
    output: int = 0
    header: bool = False  # a subject is being rendered: its values must not carry control characters
    paths: dict[int, str] = field(default_factory=dict)
    tokens: dict[str, dict[str, Any]] = field(default_factory=dict)
    answers: Answers | None = None  # None where nothing was judged
    speech: Speech = field(default_factory=Speech)  # language, zone and moment
    holes: list[str] | None = None  # what stands in each hole; None where values stand themselves
    lists: dict[str, list[Any]] = field(default_factory=dict)  # of recommended items, by how many were asked for
    live: list[Spec] = field(default_factory=list)  # what is shown as it is when the message is opened, by number
    live_url: Callable[[str, int], str] | None = None
    live_urls: list[str] = field(default_factory=list)
    place: Callable[[str, int], str] = "{}:{}".format  # gives a line of a template as a line of its file
    allows: Callable[[str], bool] | None = None  # whether a picture of a host may be shown; None: any

    def step(self, number: int = 1) -> None:
        """Use up steps.

        Raises:
            RenderError: there are none left, or no time.
        """
        self.steps += number
        if self.steps > MAX_STEPS:
            raise RenderError(f"{self.content} takes more than {MAX_STEPS} steps to render; loop over less")
        if self.steps < self.look_at:
            return
        self.look_at = self.steps + BETWEEN_LOOKS
        if processor_time() > self.deadline:
            raise RenderError(f"{self.content} takes longer than {MAX_SECONDS:g} s of the processor to render; loop over less")

    def write(self, size: int) -> None:
        """Use up output: what is shown, also where it is only kept for later.

        Raises:
            RenderError: there is too much of it.
        """
        self.output += size
        self.fits(self.output)

    def fits(self, size: int) -> None:
        """Refuse a message of more than a size.

        Raises:
            RenderError: it is too large.
        """
        if size > MAX_OUTPUT:
            raise RenderError(f"{self.content} renders to more than {MAX_OUTPUT // 1024} kB; show less")

    def live_address(self, form: str, spec: Spec) -> str:
        """Return the address of a live part, of the form `picture` or `list`; the same part has the same number.

        Raises:
            RenderError: there are too many of them.
        """
        self.step()
        if spec not in self.live:
            if len(self.live) >= MAX_PARTS:
                raise RenderError(f"{self.content} has more than {MAX_PARTS} live parts; show less")
            self.live.append(spec)
        number = self.live.index(spec)
        url = self.live_url(form, number) if self.live_url is not None else f"https://live.invalid/{form}/{number}"
        if url not in self.live_urls:
            self.live_urls.append(url)
        self.because(f"live[{number}]", spec["kind"], "live", "asked anew whenever the message is opened")
        return url

    def token(self, path: str, value: Any, source: str) -> None:
        """Keep a token's value and where it came from."""
        self.tokens[path] = {"value": value, "source": source}

    def shows(self, url: str) -> bool:
        """Tell whether a picture may be shown; keep that it may not."""
        host = host_of(url)
        if self.allows is None or self.allows(host):
            return True
        self.left_out(host)
        return False

    def left_out(self, host: str) -> None:
        """Keep that pictures of a host are left out."""
        because = f"{host} is no host that the shop named; name it in shop.yaml: `pictures: {{hosts: [{host}]}}`"
        self.because(f"picture.{host}", "left out", PICTURE, because)

    def because(self, name: str, value: Any, source: str, because: str) -> None:
        """Keep what was decided, and why."""
        self.tokens[name] = {"value": value, "source": source, "because": because}


_running: ContextVar[Run] = ContextVar("sojourn_render")


@contextmanager
def running(content: str, seconds: float = MAX_SECONDS) -> Iterator[Run]:
    """Give the render within a fresh budget."""
    run = Run(content, processor_time() + seconds)
    mark = _running.set(run)
    try:
        yield run
    finally:
        _running.reset(mark)


def current() -> Run | None:
    """Return the render that is going on; None while a template is being compiled."""
    return _running.get(None)
