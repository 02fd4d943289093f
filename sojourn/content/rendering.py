"""What happens in one render: templates run within their budget, what others said is handed over, a subject is held to its form."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from jinja2 import Template

from sojourn.content.budget import Run
from sojourn.content.direction import directed
from sojourn.content.facts import KINDS, RenderFacts, plain
from sojourn.content.fetches import stands_for
from sojourn.content.header_text import subject_text
from sojourn.content.holes import Unholed
from sojourn.content.page import Message, afresh
from sojourn.content.pages import Pages
from sojourn.content.sandbox import LINE
from sojourn.content.source import Source
from sojourn.content.speech import Speech
from sojourn.content.translations import base, code
from sojourn.errors import MissingFact, RenderError, SojournError

MAX_SAID = 150
TEMPLATES = (".mjml", ".txt", ".html")
_TYPE = re.compile(r"'?\b(str|int|float|bool|list|tuple|dict|NoneType)\b'?")


def run_template(template: Template, values: Mapping[str, Any], run: Run) -> str:
    """Return what a template says, within what a render may take.

    Raises:
        RenderError: a limit is passed, or the template fails.
    """
    parts: list[str] = []
    size = 0
    try:
        for part in template.generate(values):
            run.step()
            size += len(part)
            run.fits(size)
            parts.append(part)
    except (MissingFact, Unholed):
        raise
    except RenderError as error:
        raise _placed(error, run) from None
    except SojournError:
        raise
    except RecursionError:
        raise RenderError(f"{run.content} is nested too deeply to render") from None
    except Exception as error:  # whatever else a template can cause; its words may hold a person's data, so they are not kept
        said = f"{type(error).__name__}: {_of_types(str(error))}" if isinstance(error, TypeError | AttributeError) else type(error).__name__
        raise _placed(RenderError(f"{run.content} cannot be rendered ({said})").with_traceback(error.__traceback__), run) from None
    return "".join(parts)


def _of_types(words: str) -> str:
    """Return what Python says of types that do not fit, in the words of contents; it names no value."""
    return _TYPE.sub(lambda found: KINDS.get(found[1], found[0]), words)[:MAX_SAID]


def _placed(error: RenderError, run: Run) -> RenderError:
    """Return an error that says in which line of which file it came about; the innermost one, of a block or layout too."""
    if error.at is not None:
        return error
    at: tuple[str, int] | None = None
    frame = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename.endswith((*TEMPLATES, LINE)):
            at = frame.tb_frame.f_code.co_filename, frame.tb_lineno
        frame = frame.tb_next
    if at is None:
        return error
    placed = RenderError(f"{error}, in {run.place(*at)}")
    placed.at = at
    return placed


def message_of(
    template: Template,
    pages: Pages | None,
    values: dict[str, Any],
    run: Run,
    preheader: str,
    own: Collection[str],
    language: str,
    *,
    text: bool,
    ahead: bool,
) -> Message:
    """Return a message's HTML, text and links: from its structure, compiled before, where that can be.

    Args:
        template: of its MJML.
        pages: the structures that were compiled; None where it has to be compiled for each person.
        values: the person's.
        run: the render that this belongs to.
        preheader: the line ahead.
        own: addresses that lead back to us.
        language: the one that it speaks.
        text: whether a text is to be made of it.
        ahead: False has MJML compile it anew.

    Raises:
        RenderError: a token is missing, a limit is passed, or a link is refused.
    """
    if ahead and pages is not None:
        before = run.steps, run.output
        holes: list[str] = []
        run.holes = holes
        try:
            skeleton = run_template(template, values, run)
            message = pages.get(skeleton, holes, language).fill(run.content, holes, preheader, (*own, *run.live_urls), text=text)
        except Unholed:
            message = None
        run.holes = None
        if message is not None:
            return message
        run.steps, run.output = before
    mjml = directed(run_template(template, values, run), language)
    return afresh(run.content, mjml, preheader, (*own, *run.live_urls), text=text)


def speech_for(facts: RenderFacts, locale: str | None, shop: Mapping[str, Any], language: str) -> Speech:
    """Return how to speak to a person: by the locale that goes with the language of the message."""
    spoken = base(language)
    said = next((code(tag) for tag in (locale, shop.get("locale")) if tag and base(tag) == spoken), language)
    zone = facts.zone or str(shop.get("zone") or "UTC")
    return Speech(said, zone, facts.now, str(shop.get("currency") or "EUR"))


def fetched_values(source: Source, facts: RenderFacts, run: Run) -> dict[str, Any]:
    """Return what other services answered, or what stands for it, and keep which it is.

    Raises:
        MissingFact: there is no answer, and the content says not to send without.
        RenderError: nobody asked before.
    """
    values: dict[str, Any] = {}
    for name, fetch in source.front.fetches.items():
        found = facts.fetched.get(name) if facts.fetched is not None else None
        if found is None:
            raise RenderError(f"what {source.name} fetches as {name} was not asked before")
        if found.value is None and fetch.on_failure == "do_not_send":
            raise MissingFact(f"{source.name} needs fetched.{name}, which is missing: {found.because}")
        value, word = stands_for(name, fetch, found)
        run.because(f"fetched.{name}", word, "fetch", found.because)
        if value is not None:
            values[name] = plain(value)
            if isinstance(values[name], dict | list):
                run.paths[id(values[name])] = f"fetched.{name}"
    return values


def require(name: str, needs: Iterable[str], values: Mapping[str, Any]) -> None:
    """Refuse to go on without what a content says it needs.

    Raises:
        MissingFact: it is not there, or empty.
    """
    for token in needs:
        value: Any = values
        for part in token.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None or value == "":
            raise MissingFact(f"{name} needs {token}, which is missing")


def subject_line(name: str, text: str) -> str:
    """Return a subject as it may stand in a header.

    Raises:
        RenderError: it is empty.
    """
    line = subject_text(text)
    if not line:
        raise RenderError(f"the subject of {name} is empty")
    return line
