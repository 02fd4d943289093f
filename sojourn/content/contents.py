"""All contents of a folder, compiled once and rendered per person."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Template, TemplateError
from sojourn.content.asked import PROFILE, traits_asked
from sojourn.content.budget import MAX_SECONDS, Run, running
from sojourn.content.facts import Rendered, RenderFacts, plain
from sojourn.content.holes import Unholed, per_person
from sojourn.content.page import Message, afresh
from sojourn.content.pages import Pages
from sojourn.content.reach import Reach, reach
from sojourn.content.sandbox import ENCODED_WORD, ContentEnvironment, has_control, roots
from sojourn.content.source import Source, parse
from sojourn.errors import NotFound, RenderError, SojournError
from sojourn.language.problems import DefinitionError, Problem, unknown

MAX_FILE = 200 * 1024
MAX_SUBJECT = 250


@dataclass(frozen=True)
class _Compiled:
    source: Source
    body: Template
    text: Template | None
    headers: dict[str | None, tuple[Template, Template, dict[str, Any]]]  # per variant: subject, preheader, tokens
    pages: Pages | None  # None where it has to be compiled for each person


class Contents:
    """The contents of a folder of definitions, by name."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.folder = folder
        self.files = dict(files)
        self.sources: dict[str, Source] = {}
        problems: list[Problem] = []
        for path, text in sorted(files.items()):
            if path.endswith(".mjml") and "/" not in path:
                try:
                    self.sources[path.removesuffix(".mjml")] = parse(path.removesuffix(".mjml"), self._file(path), text)
                except DefinitionError as error:
                    problems += error.problems
        self.bodies = {path: text for path, text in files.items() if "/" in path or path.endswith(".txt")}
        self.bodies |= {f"{name}.mjml": source.body for name, source in self.sources.items()}
        self.html = ContentEnvironment(DictLoader(self.bodies), html=True)
        self.plain = ContentEnvironment(DictLoader(self.bodies), html=False)
        self._compiled: dict[str, _Compiled] = {}
        self._traits: dict[str, frozenset[str] | None] = {}
        for name, source in self.sources.items():
            faults = self.reach(name).faults
            problems += [self.place(path, line, 1, message) for path, line, message in faults]
            if not faults:
                try:
                    self._compiled[name] = self._compile(source)
                except TemplateError as error:
                    problems.append(self.place(error_file(error, source), getattr(error, "lineno", None) or 1, 1, str(error.message)))
        if problems:
            raise DefinitionError(problems)

    @classmethod
    def load(cls, folder: Path) -> Contents:
        """Return the contents of a folder of definitions: `<folder>/content/*.mjml` and what they include.

        Raises:
            DefinitionError: a content cannot be read; all problems of all files.
        """
        root = folder / "content"
        paths = [path for path in sorted(root.rglob("*")) if path.suffix in (".mjml", ".txt") and path.is_file()]
        large = [path for path in paths if path.stat().st_size > MAX_FILE]
        if large:
            raise DefinitionError(Problem(p.as_posix(), 1, 1, f"larger than {MAX_FILE // 1024} kB") for p in large)
        return cls(folder, {path.relative_to(root).as_posix(): path.read_text("utf-8") for path in paths})

    def names(self) -> frozenset[str]:
        """Return the names that a `send` may bear."""
        return frozenset(self.sources)

    def variants(self, name: str) -> frozenset[str]:
        """Return the variants that a content describes."""
        return frozenset(self._get(name).source.front.variants)

    def render(self, name: str, facts: RenderFacts, variant: str | None = None, seconds: float = MAX_SECONDS, *, ahead: bool = True) -> Rendered:
        """Return a content rendered for a person.

        Args:
            name: the content's.
            facts: the person's.
            variant: which variant; None for the content without one.
            seconds: the time it may take.
            ahead: False has MJML compile it anew for this person, and gives the same.

        Raises:
            NotFound: there is no such content.
            RenderError: a token is missing, a limit is passed, or a subject or link is refused.
        """
        compiled = self._get(name)
        subject, preheader, tokens = compiled.headers.get(variant) or compiled.headers[None]
        values = {
            "profile": plain(facts.profile), "event": plain(facts.event), "shop": plain(facts.shop), "with": plain(facts.with_),
            "score": plain(facts.scores), "variant": {"name": variant, **tokens}, "unsubscribe_url": facts.unsubscribe_url,
        }  # fmt: skip
        with running(name, seconds) as run:
            run.paths.update(roots(values))
            _require(name, compiled.source.front.needs, values)
            run.header = True
            line = _subject(name, self._run(subject, values, run))
            run.header = False
            values["subject"] = line
            line_ahead = " ".join(self._run(preheader, values, run).split())
            written = None if compiled.text is None else self._run(compiled.text, values, run)
            message = self._message(name, compiled, values, run, line_ahead, text=written is None, ahead=ahead)
            run.fits(len(message.html))
            run.tokens["unsubscribe_url"] = {"value": facts.unsubscribe_url, "source": "link"}
            return Rendered(line, line_ahead, message.html, written or message.text or "", message.links, run.tokens)

    def check(self, name: str) -> list[Problem]:
        """Return what is wrong with a content, with file and line; nothing where it can be sent."""
        from sojourn.content.check import check  # the checks know this class; it needs them only here

        return check(self, self._get(name).source)

    def reach(self, name: str) -> Reach:
        """Return the files that a content is made of."""
        return reach(self.html, self.bodies, f"{name}.mjml")

    def per_person(self, name: str) -> Problem | None:
        """Return why a content has to be compiled by MJML for each person, with its place; None where once is enough."""
        files = self.reach(name).files
        found = per_person(file.tree for file in files)
        if found is None:
            return None
        place, line, why = found
        return self.place(files[place].path, line, 1, f"{why}: compiled anew for each person, which takes longer")

    def traits(self, name: str) -> frozenset[str] | None:
        """Return the traits that a content asks for, in any variant; None where it may ask for any."""
        if name not in self._traits:
            front = self._get(name).source.front
            lines = [front.subject, front.preheader, *(line for v in front.variants.values() for line in (v.subject, v.preheader) if line)]
            trees = [file.tree for file in self.reach(name).files] + [self.plain.parse(line) for line in lines]
            trees += [file.tree for file in reach(self.plain, self.bodies, f"{name}.txt").files] if f"{name}.txt" in self.bodies else []
            asked = traits_asked(trees)
            needed = {token.split(".")[1] for token in front.needs if token.startswith(f"{PROFILE}.")}
            self._traits[name] = None if asked is None else asked | needed
        return self._traits[name]

    def place(self, path: str, line: int, column: int, message: str) -> Problem:
        """Return a problem at a line of a template's body, as a line of its file."""
        source = self.sources.get(path.removesuffix(".mjml"))
        return Problem(self._file(path), line + (source.first_line - 1 if source is not None else 0), column, message)

    def sample(self, name: str, shop: Mapping[str, Any] | None = None) -> RenderFacts:
        """Return the facts of a content's own `sample`, for a check or a preview."""
        found: dict[str, dict[str, Any]] = {"profile": {}, "event": {}, "with": {}, "score": {}, "shop": dict(shop or _SHOP)}
        for dotted, value in self._get(name).source.front.sample.items():
            root, _, rest = dotted.partition(".")
            *way, last = rest.split(".")
            place = found.setdefault(root, {})
            for part in way:
                place = place.setdefault(part, {})
            place[last] = value
        return RenderFacts(found["profile"], found["event"], found["shop"], found["with"], found["score"])

    def _file(self, path: str) -> str:
        return (self.folder / "content" / path).as_posix()

    def _get(self, name: str) -> _Compiled:
        if name not in self._compiled:
            raise NotFound(unknown("content", name, self._compiled))
        return self._compiled[name]

    def _compile(self, source: Source) -> _Compiled:
        front = source.front
        headers: dict[str | None, tuple[Template, Template, dict[str, Any]]] = {
            None: (self.plain.from_string(front.subject), self.plain.from_string(front.preheader), dict(front.tokens))
        }
        for variant, changes in front.variants.items():
            headers[variant] = (
                self.plain.from_string(changes.subject or front.subject),
                self.plain.from_string(front.preheader if changes.preheader is None else changes.preheader),
                {**front.tokens, **changes.tokens},
            )
        text = self.plain.get_template(f"{source.name}.txt") if f"{source.name}.txt" in self.files else None
        pages = Pages(source.name) if self.per_person(source.name) is None else None
        return _Compiled(source, self.html.get_template(f"{source.name}.mjml"), text, headers, pages)

    def _run(self, template: Template, values: dict[str, Any], run: Run) -> str:
        parts: list[str] = []
        size = 0
        try:
            for part in template.generate(values):
                run.step()
                size += len(part)
                run.fits(size)
                parts.append(part)
        except (SojournError, Unholed):
            raise
        except RecursionError:
            raise RenderError(f"{run.content} is nested too deeply to render") from None
        except Exception as error:  # whatever else a template can cause; its words may hold a person's data, so they are not kept
            raise RenderError(f"{run.content} cannot be rendered ({type(error).__name__})") from None
        return "".join(parts)

    def _message(self, name: str, compiled: _Compiled, values: dict[str, Any], run: Run, preheader: str, *, text: bool, ahead: bool) -> Message:
        """Return the message's HTML, text and links: from its structure, compiled before, where that can be."""
        url = values["unsubscribe_url"]
        if ahead and compiled.pages is not None:
            before = run.steps, run.output
            run.holes = holes = []
            try:
                skeleton = self._run(compiled.body, values, run)
                message = compiled.pages.get(skeleton, holes).fill(name, holes, preheader, url, text=text)
            except Unholed:
                message = None
            run.holes = None
            if message is not None:
                return message
            run.steps, run.output = before
        return afresh(name, self._run(compiled.body, values, run), preheader, url, text=text)


def error_file(error: TemplateError, source: Source) -> str:
    """Return the template in which an error stands."""
    return getattr(error, "name", None) or f"{source.name}.mjml"


_SHOP = {
    "name": "Sample Shop", "url": "https://shop.example", "currency": "EUR", "locale": "en", "zone": "UTC",
    "postal_address": "1 Sample Street, 10115 Berlin", "reply_to": "hello@shop.example",
    "sender": {"name": "Sample Shop", "address": "hello@shop.example"},
}  # fmt: skip


def _require(name: str, needs: Iterable[str], values: Mapping[str, Any]) -> None:
    for token in needs:
        value: Any = values
        for part in token.split("."):
            value = value.get(part) if isinstance(value, dict) else None
        if value is None or value == "":
            raise RenderError(f"{name} needs {token}, which is missing")


def _subject(name: str, text: str) -> str:
    line = text.strip()
    if has_control(line) or ENCODED_WORD in line:
        raise RenderError(f"the subject of {name} has a line break, a control character or `=?`; write it on one line")
    if not line:
        raise RenderError(f"the subject of {name} is empty")
    if len(line) > MAX_SUBJECT:
        raise RenderError(f"the subject of {name} is longer than {MAX_SUBJECT} characters")
    return line
