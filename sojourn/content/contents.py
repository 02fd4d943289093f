"""All contents of a folder, compiled once and rendered per person."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from jinja2 import DictLoader, Template, TemplateError, nodes

from sojourn.content.amp import MAX_BYTES as MAX_AMP
from sojourn.content.amp import MUSTACHE
from sojourn.content.amp import SUFFIX as AMP_SUFFIX
from sojourn.content.answers import Asks
from sojourn.content.asked import PROFILE, traits_asked
from sojourn.content.attributes import with_plain_values
from sojourn.content.budget import MAX_SECONDS, Run, current, running
from sojourn.content.calling import recommends
from sojourn.content.direction import amp_directed
from sojourn.content.facts import Rendered, RenderFacts, plain
from sojourn.content.fetches import Wanted
from sojourn.content.holes import per_person
from sojourn.content.library import Library, read_library
from sojourn.content.links import refuse_schemes
from sojourn.content.pages import Pages
from sojourn.content.pictures import Allows, allowing, foreign, host_of, hosts_named, hosts_within, without
from sojourn.content.reach import File, Reach, reach
from sojourn.content.rendering import fetched_values, message_of, require, run_template, speech_for, subject_line
from sojourn.content.sample import sample_of
from sojourn.content.sandbox import LINE, ContentEnvironment, Words, roots
from sojourn.content.source import LANGUAGE, Source, Variant
from sojourn.content.speech import Speech
from sojourn.content.translations import Translation, chosen
from sojourn.errors import NotFound, RenderError
from sojourn.language.catalog import catalog_files
from sojourn.language.finding import NOTHING_KNOWN, Known
from sojourn.language.problems import DefinitionError, Problem, unknown

DEFAULT_LOCALE = "en"


@dataclass(frozen=True)
class _Compiled:
    body: Template
    text: Template | None
    amp: Template | None
    addresses: dict[str, Template]  # of what is fetched
    headers: dict[str | None, tuple[Template, Template, dict[str, Any]]]  # per variant: subject, preheader, tokens
    pages: Pages | None  # None where it has to be compiled for each person


@dataclass(frozen=True)
class _Environments:
    html: ContentEnvironment
    plain: ContentEnvironment


class Contents:
    """The contents of a folder of definitions, by name."""

    def __init__(self, folder: Path, files: Mapping[str, str]) -> None:
        self.library: Library = read_library(folder, files)
        self.sources: dict[str, Source] = self.library.sources
        self.bodies = self.library.bodies
        self._environments: dict[str | None, _Environments] = {}
        self._compiled: dict[tuple[str, str | None], _Compiled] = {}
        self._traits: dict[str, frozenset[str] | None] = {}
        self._asks: dict[str, Asks] = {}
        self._named: dict[str, frozenset[str]] = {}  # hosts that a content names, by its name
        self.picture_hosts: frozenset[str] = frozenset()  # of the catalogue
        problems = list(self.library.problems)
        for name, source in self.sources.items():
            for language in (None, *self.library.languages(name)):
                faults = list(self.reach(name, language).faults)
                if f"{name}{AMP_SUFFIX}" in self.bodies:
                    faults += reach(self.environments(language).html, self.bodies, f"{name}{AMP_SUFFIX}").faults
                problems += [self.place(path, line, 1, message) for path, line, message in faults]
                if not faults:
                    problems += self._compile(source, language)
        if problems:
            raise DefinitionError(problems)

    @classmethod
    def load(cls, folder: Path) -> Contents:
        """Return the contents of a folder of definitions: `<folder>/content/` and what they are made of.

        Raises:
            DefinitionError: a content cannot be read; all problems of all files.
        """
        made = cls(folder, Library.load(folder))
        made.picture_hosts = hosts_named(" ".join(path.read_text("utf-8", "replace") for path in catalog_files(folder)))
        return made

    def names(self) -> frozenset[str]:
        """Return the names that a `send` may bear."""
        return frozenset(self.sources)

    def variants(self, name: str) -> frozenset[str]:
        """Return the variants that a content describes."""
        return frozenset(self.source(name).front.variants)

    def source(self, name: str) -> Source:
        """Return a content as its author wrote it.

        Raises:
            NotFound: there is none of this name.
        """
        if name not in self.sources:
            raise NotFound(unknown("content", name, self.sources))
        return self.sources[name]

    def render(
        self, name: str, facts: RenderFacts, variant: str | None = None, seconds: float = MAX_SECONDS, *, ahead: bool = True
    ) -> Rendered:
        """Return a content rendered for a person.

        Args:
            name: the content's.
            facts: the person's, and the answers to what the content `asks`.
            variant: which variant; None for the content without one.
            seconds: the time it may take.
            ahead: False has MJML compile it anew for this person, and gives the same.

        Raises:
            NotFound: there is no such content.
            MissingFact: a fact is missing without which the content says not to send.
            RenderError: a token is missing, a limit is passed, or a subject or link is refused.
        """
        source, compiled, values, speech, (language, why) = self._prepared(name, facts, variant)
        with running(name, seconds) as run:
            run.speech, run.answers, run.live_url = speech, facts.answers, facts.live_url
            run.allows, run.place = self._showing(name, facts), partial(self._said_place, source)
            values["fetched"] = fetched_values(source, facts, run)
            run.paths.update(roots(values))
            run.because("language", language or self._own_language(source, values["shop"]), "language", why)
            require(name, source.front.needs, values)
            subject, preheader, _ = compiled.headers.get(variant) or compiled.headers[None]
            run.header = True
            line = subject_line(name, run_template(subject, values, run))
            run.header = False
            values["subject"] = line
            line_ahead = " ".join(run_template(preheader, values, run).split())
            written = None if compiled.text is None else run_template(compiled.text, values, run)
            own = facts.own_links()
            message = message_of(
                compiled.body, compiled.pages, values, run, line_ahead, own.values(), speech.locale, text=written is None, ahead=ahead
            )
            amp = None if compiled.amp is None else amp_directed(self._amp(name, compiled.amp, values, run), speech.locale)
            allows = allowing("", [*map(host_of, (*own.values(), *run.live_urls))])
            html, amp = (None if part is None else self._own_pictures(part, run, allows) for part in (message.html, amp))
            message = replace(message, html=html or "")
            run.fits(len(message.html))
            run.tokens.update({token: {"value": url, "source": "link"} for token, url in own.items() if url in message.html})
            text = message.text or "" if written is None else written
            return Rendered(line, line_ahead, message.html, text, message.links, run.tokens, language, amp, tuple(run.live))

    def _showing(self, name: str, facts: RenderFacts) -> Allows:
        """Return what tells whose pictures a message may show: those that the shop named itself, not those that only an event names."""
        if name not in self._named:
            paths = [path for path in self.bodies if "/" in path or path.split(".")[0] == name]
            said = self.source(name).front.model_dump(exclude={"sample", "fetches"})
            theme = hosts_within(self.library.theme.model_dump())
            texts = hosts_named(f"{self.library.catalogue.own} {self.library.catalogue.shared}")
            self._named[name] = hosts_named(" ".join(self.bodies[path] for path in paths) + str(said)) | theme | texts | self.picture_hosts
        shop = facts.shop
        settings = [host for key in ("pictures", "connected") for host in (shop.get(key) or {}).get("hosts") or ()]
        items = [item for item, _ in (facts.answers.recommended or ())] if facts.answers is not None else []
        others = self._named[name] | hosts_within(facts.with_) | hosts_within(items) | hosts_within({**shop, "url": None})
        return allowing(host_of(str(shop.get("url") or "")), others | frozenset(settings))

    @staticmethod
    def _own_pictures(html: str, run: Run, ours: Allows) -> str:
        """Return a page without strangers' pictures, and keep whose were left out."""

        def allows(host: str) -> bool:
            return ours(host) or run.allows is None or run.allows(host)

        refused = foreign(html, allows)
        for host in sorted(refused):
            run.left_out(host)
        return without(html, allows) if refused else html

    def wanted(self, name: str, facts: RenderFacts) -> tuple[Wanted, ...]:
        """Return what a content asks of other services for a person; whoever renders asks them first and hands the answers over.

        Raises:
            NotFound: there is no such content.
        """
        source = self.source(name)
        if not source.front.fetches:
            return ()
        _, compiled, values, speech, _ = self._prepared(name, facts, None)
        found: list[Wanted] = []
        with running(name) as run:
            run.speech, run.answers = speech, facts.answers
            run.paths.update(roots(values))
            for each, fetch in source.front.fetches.items():
                url, because = None, ""
                try:
                    url = run_template(compiled.addresses[each], values, run)
                except RenderError as error:
                    because = str(error)
                found.append(Wanted(each, url, fetch.seconds, fetch.kept_seconds, because))
        return tuple(found)

    def _amp(self, name: str, template: Template, values: dict[str, Any], run: Run) -> str:
        part = with_plain_values(run_template(template, values, run))
        refuse_schemes(MUSTACHE.sub('"#"', part), name)
        if len(part.encode()) > MAX_AMP:
            raise RenderError(f"the AMP part of {name} is larger than {MAX_AMP // 1000} kB; show less")
        return part

    def mjml(self, name: str, facts: RenderFacts, variant: str | None = None) -> str:
        """Return the MJML of a message, before it is compiled: for the check, and for who looks into it.

        Raises:
            NotFound: there is no such content.
            RenderError: a token is missing, or a limit is passed.
        """
        _, compiled, values, speech, _ = self._prepared(name, facts, variant)
        with running(name) as run:
            run.speech, run.answers, run.live_url = speech, facts.answers, facts.live_url
            run.allows, run.place = self._showing(name, facts), partial(self._said_place, self.source(name))
            values["fetched"] = fetched_values(self.source(name), facts, run)
            run.paths.update(roots(values))
            return run_template(compiled.body, {**values, "subject": name}, run)

    def _prepared(
        self, name: str, facts: RenderFacts, variant: str | None
    ) -> tuple[Source, _Compiled, dict[str, Any], Speech, tuple[str | None, str]]:
        """Return what a render needs: the content, its templates in the language of the person, the values, how to speak, and why so."""
        source = self.source(name)
        unanswered = source.front.slots.keys() - (facts.answers.slots if facts.answers is not None else ())
        if unanswered:
            raise RenderError(f"what fills the slot {min(unanswered)} of {name} was not judged before")
        shop = plain(facts.shop)
        locale = facts.locale if facts.locale is not None and re.match(LANGUAGE, facts.locale) else None
        language, why = chosen(self.library.languages(name), self._own_language(source, shop), locale, shop.get("locale"))
        compiled = self._compiled[name, language]
        _, _, tokens = compiled.headers.get(variant) or compiled.headers[None]
        speech = speech_for(facts, locale, shop, language or self._own_language(source, shop))
        values = {
            "profile": plain(facts.profile), "event": plain(facts.event), "shop": shop, "with": plain(facts.with_),
            "score": plain(facts.scores), "variant": {"name": variant, **tokens}, **facts.own_links(),
            "language": speech.locale, "fetched": {},
        }  # fmt: skip
        return source, compiled, values, speech, (language, why)

    def asks(self, name: str) -> Asks:
        """Return what a content asks about a person; `answer` gives the answers.

        Raises:
            NotFound: there is no such content.
        """
        if name not in self._asks:
            source = self.source(name)
            trees = [file.tree for language in (None, *self.library.languages(name)) for file in self.every_file(name, language)]
            conditions = [node.condition for tree in trees for node in tree.find_all(nodes.If) if hasattr(node, "condition")]
            self._asks[name] = Asks(name, tuple(dict.fromkeys(conditions)), source.front.slots, recommends(trees))
        return self._asks[name]

    def check(self, name: str, known: Known = NOTHING_KNOWN) -> list[Problem]:
        """Return what is wrong with a content, with file and line; nothing where it can be sent.

        Args:
            name: the content's.
            known: names that exist beside it; those that are None are not checked.
        """
        from sojourn.content.check import check  # the checks know this class; it needs them only here

        return check(self, self.source(name), known)

    def notes(self, name: str) -> list[Problem]:
        """Return the warnings about a content, with file and line."""
        found = self.per_person(name)
        return [found] if found is not None else []

    def reach(self, name: str, language: str | None = None) -> Reach:
        """Return the files that a content is made of, in a language."""
        return reach(self.environments(language).html, self.bodies, f"{name}.mjml")

    def every_file(self, name: str, language: str | None = None) -> list[File]:
        """Return the files of all parts of a content, in a language: HTML, AMP and text."""
        made = self.environments(language)
        files = list(self.reach(name, language).files)
        for environment, start in ((made.html, f"{name}{AMP_SUFFIX}"), (made.plain, f"{name}.txt")):
            if start in self.bodies:
                files += reach(environment, self.bodies, start).files
        return files

    def per_person(self, name: str) -> Problem | None:
        """Return why a content has to be compiled by MJML for each person, with its place; None where once is enough."""
        files = self.reach(name).files
        found = per_person(file.tree for file in files)
        if found is None:
            return None
        place, line, why = found
        return self.place(files[place].path, line, 1, f"{why}: compiled anew for each person, which takes longer")

    def traits(self, name: str) -> frozenset[str] | None:
        """Return the traits that a content asks for, in any variant and language; None where it may ask for any."""
        if name not in self._traits:
            source = self.source(name)
            trees: list[nodes.Template] = []
            for language in (None, *self.library.languages(name)):
                made = self.environments(language)
                said: Iterable[Variant | Translation | Any] = self._said(source, language)
                lines = [line for each in said for line in (each.subject, each.preheader) if line]
                trees += [file.tree for file in self.every_file(name, language)]
                lines += [each.url for each in source.front.fetches.values()]
                trees += [made.plain.parse(line, f"{name}.mjml") for line in lines]
            asked = traits_asked(trees)
            needed = {token.split(".")[1] for token in source.front.needs if token.startswith(f"{PROFILE}.")}
            self._traits[name] = None if asked is None else asked | needed
        return self._traits[name]

    def place(self, path: str, line: int, column: int, message: str) -> Problem:
        """Return a problem at a line of a template's body, as a line of its file."""
        return self.library.place(path, line, column, message)

    def _said_place(self, source: Source, path: str, line: int) -> str:
        """Return a line of a template, as errors call it: that of the file, or of the key of the front matter."""
        if path == LINE:
            current_run = current()
            key = "subject" if current_run is not None and current_run.header else "preheader"
            return f"{source.file}:{source.places.get(key, (1, 1))[0]} (`{key}`)"
        found = self.place(path, line, 1, "")
        return f"{found.file}:{found.line}"

    def sample(self, name: str, shop: Mapping[str, Any] | None = None) -> RenderFacts:
        """Return the facts of a content's own `sample`, for a check or a preview; what they leave open does not hold."""
        front = self.source(name).front
        return sample_of(front.sample, self.asks(name), shop, front.fetches)

    def environments(self, language: str | None) -> _Environments:
        """Return the environments in which templates say their texts in a language."""
        if language not in self._environments:
            words = Words(language, self.library.catalogue, self.library.theme, self.library.blocks)
            loader = DictLoader(self.bodies)
            self._environments[language] = _Environments(
                ContentEnvironment(loader, words, html=True), ContentEnvironment(loader, words, html=False)
            )
        return self._environments[language]

    @staticmethod
    def _own_language(source: Source, shop: Mapping[str, Any]) -> str:
        return source.front.language or str(shop.get("locale") or DEFAULT_LOCALE)

    def _said(self, source: Source, language: str | None) -> list[Any]:
        """Return what bears a subject and a preheader: the front matter or the translation, then its variants."""
        front = source.front if language is None else self.library.translations[source.name, language]
        return [front, *front.variants.values()]

    def _compile(self, source: Source, language: str | None) -> list[Problem]:
        try:
            self._compiled[source.name, language] = self._made(source, language)
        except TemplateError as error:
            path = getattr(error, "name", None) or f"{source.name}.mjml"
            return [self.place(path, getattr(error, "lineno", None) or 1, 1, str(error.message))]
        return []

    def _made(self, source: Source, language: str | None) -> _Compiled:
        made, name = self.environments(language), source.name
        front = source.front if language is None else self.library.translations[name, language]
        tokens = {**source.front.tokens, **front.tokens}

        def header(changes: Variant, inherited: Mapping[str, Any]) -> tuple[Template, Template, dict[str, Any]]:
            return (
                made.plain.line(changes.subject or front.subject, name),
                made.plain.line(front.preheader if changes.preheader is None else changes.preheader, name),
                {**inherited, **changes.tokens},
            )

        headers: dict[str | None, tuple[Template, Template, dict[str, Any]]] = {None: header(Variant(), tokens)}
        for variant, changes in source.front.variants.items():
            spoken = changes if language is None else front.variants.get(variant, Variant())
            headers[variant] = header(spoken, {**tokens, **changes.tokens})
        text = made.plain.get_template(f"{name}.txt") if f"{name}.txt" in self.bodies else None
        amp = made.html.get_template(f"{name}{AMP_SUFFIX}") if f"{name}{AMP_SUFFIX}" in self.bodies else None
        addresses = {each: made.plain.address(fetch.url, name) for each, fetch in source.front.fetches.items()}
        pages = Pages(name) if self.per_person(name) is None else None
        return _Compiled(made.html.get_template(f"{name}.mjml"), text, amp, addresses, headers, pages)
