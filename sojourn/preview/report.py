"""What is to be known of one message before it goes out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sojourn.content.check import GMAIL_CLIPS_AT
from sojourn.preview.accessible import accessibility
from sojourn.preview.findings import Finding, Level
from sojourn.preview.following import Link, links_of
from sojourn.preview.making import Made
from sojourn.preview.spam import Spam

DECISIONS = {"condition": "section", "slot": "slot", "missing": "dropped", "language": "language"}
NEAR_CLIP = 0.9


@dataclass(frozen=True)
class Token:
    """A token of a message: its value, and where it came from."""

    name: str
    value: Any
    source: str
    origin: str


@dataclass(frozen=True)
class Decision:
    """What was decided for a message, and why.

    Attributes:
        kind: section, slot, dropped or language.
    """

    kind: str
    name: str
    value: Any
    because: str


@dataclass(frozen=True)
class Report:
    """What is to be known of one message.

    Attributes:
        spam: its score; a text says why there is none.
        pictures: of each screen, the file's name.
        notes: what could not be looked at, and why.
    """

    made: Made
    findings: tuple[Finding, ...] = ()
    links: tuple[Link, ...] = ()
    tokens: tuple[Token, ...] = ()
    decisions: tuple[Decision, ...] = ()
    spam: Spam | str | None = None
    pictures: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def problems(self) -> list[Finding]:
        """What to mend before it goes out."""
        return [finding for finding in self.findings if finding.level is Level.PROBLEM]

    @property
    def html_bytes(self) -> int:
        """The size that Gmail looks at."""
        return len(self.made.rendered.html.encode()) if self.made.rendered is not None else 0

    def language(self) -> tuple[str, str]:
        """Return the language of the message, and why it is that."""
        found = next((one for one in self.decisions if one.kind == "language"), None)
        return (str(found.value), found.because) if found is not None else ("", "")

    def data(self) -> dict[str, Any]:
        """Return it as plain data."""
        made, case, rendered = self.made, self.made.case, self.made.rendered
        language, why = self.language()
        return {
            "content": case.content, "variant": case.variant, "language": language, "language_because": why,
            "for": {"kind": case.subject.kind.value, "name": case.subject.name, "description": case.subject.description},
            "sent_by": {"journey": made.occasion.journey, "send": made.occasion.send_id, "purpose": made.occasion.purpose},
            "problem": made.problem,
            "subject": rendered.subject if rendered else None, "preheader": rendered.preheader if rendered else None,
            "size": {
                "html": self.html_bytes, "text": len(rendered.text.encode()) if rendered else 0, "raw": len(made.raw),
                "gmail_clips_at": GMAIL_CLIPS_AT, "clipped": self.html_bytes > GMAIL_CLIPS_AT,
            },
            "spam": asdict(self.spam) if isinstance(self.spam, Spam) else self.spam,
            "findings": [asdict(one) for one in self.findings], "links": [asdict(one) for one in self.links],
            "tokens": [asdict(one) for one in self.tokens], "decisions": [asdict(one) for one in self.decisions],
            "pictures": dict(self.pictures), "notes": list(self.notes),
        }  # fmt: skip


def report(made: Made, spam: Spam | str | None = None, links: Sequence[Link] | None = None) -> Report:
    """Return what is to be known of a message.

    Args:
        made: the message.
        spam: its score, or why there is none; None where nobody asked.
        links: its links, followed; default: as they stand in it.
    """
    rendered = made.rendered
    if rendered is None:
        return Report(made, (Finding(Level.PROBLEM, "message", made.problem or "there is none"),), spam=spam)
    tokens, decisions = _told(made)
    language = next((str(one.value) for one in decisions if one.kind == "language"), None)
    found = [*_size(len(rendered.html.encode())), *accessibility(rendered.html, language), *_text(rendered.text)]
    if made.header_problem is not None:
        found.append(Finding(Level.PROBLEM, "headers", f"the message would not go out: {made.header_problem}"))
    if isinstance(spam, Spam) and spam.is_spam:
        found.append(Finding(Level.PROBLEM, "spam", f"SpamAssassin gives {spam.score:g} points; {spam.required:g} are taken for spam"))
    shown = links_of(rendered.html) if links is None else list(links)
    found += [Finding(Level.PROBLEM, "links", f"“{one.words}” {one.url}: {one.answer}") for one in shown if one.broken]
    found += [
        Finding(Level.HINT, "links", f"“{one.words}” leads to {one.url}, which is not encrypted")
        for one in shown
        if one.url[:7] == "http://"
    ]
    return Report(made, tuple(found), tuple(shown), tokens, decisions, spam)


def _size(size: int) -> list[Finding]:
    limit = GMAIL_CLIPS_AT // 1024
    if size > GMAIL_CLIPS_AT:
        message = f"{size / 1024:.0f} kB of HTML: Gmail cuts it at {limit} kB, the footer and its unsubscribe link with it"
        return [Finding(Level.PROBLEM, "size", message)]
    if size > GMAIL_CLIPS_AT * NEAR_CLIP:
        message = f"{size / 1024:.0f} kB of HTML: Gmail cuts at {limit} kB, and tracked links are longer than these"
        return [Finding(Level.HINT, "size", message)]
    return []


def _text(text: str) -> list[Finding]:
    return [] if text.strip() else [Finding(Level.PROBLEM, "text part", "the text part is empty")]


def _told(made: Made) -> tuple[tuple[Token, ...], tuple[Decision, ...]]:
    assert made.rendered is not None
    tokens: list[Token] = []
    decisions: list[Decision] = []
    for name, told in made.rendered.tokens.items():
        source = str(told["source"])
        if "because" in told:
            decisions.append(Decision(DECISIONS.get(source, source), name, told["value"], str(told["because"])))
        else:
            tokens.append(Token(name, told["value"], source, _origin(made, name, source)))
    return tuple(sorted(tokens, key=lambda one: one.name)), tuple(decisions)


def _origin(made: Made, name: str, source: str) -> str:
    assert made.rendered is not None
    if source == "variant" and made.rendered.language is not None:
        return f"{made.case.content}.{made.rendered.language}.yaml"
    return made.origins.get(name) or made.origins.get(source, source)
