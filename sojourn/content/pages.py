"""The structures of a content that were compiled, each once: a bounded number, the latest used."""

from __future__ import annotations

from collections.abc import Hashable
from threading import Lock
from typing import TypeVar

from sojourn.content.direction import directed
from sojourn.content.holes import MARK, filled, mark
from sojourn.content.page import Page, compile_page, seen_by_mjml

MAX_PAGES = 64  # of one content; each is some 30 kB
V = TypeVar("V")


class Pages:
    """The pages of one content, by structure."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.compiled = 0  # how often MJML was asked
        self._structures: dict[Hashable, tuple[str, tuple[int, ...]]] = {}
        self._pages: dict[Hashable, Page] = {}
        self._lock = Lock()

    def get(self, skeleton: str, values: list[str], language: str) -> Page:
        """Return the page of a structure, compiled now where it was not before.

        Args:
            skeleton: MJML with markers in the place of values.
            values: what stands in each hole; those that MJML reckons with are part of the structure.
            language: the one that it speaks, in whose direction it is read.

        Raises:
            RenderError: it is no MJML, or has a link that is refused.
        """
        known = self._structures.get((skeleton, language))
        if known is None:
            structure = directed(skeleton, language)
            known = structure, seen_by_mjml(structure)
            self._keep(self._structures, (skeleton, language), known)
        structure, seen = known
        key = (structure, *(values[number] for number in seen))
        page = self._pages.get(key)
        if page is None:
            page = compile_page(self.name, _with(structure, seen, values) if seen else structure)
            self.compiled += 1
            self._keep(self._pages, key, page)
        return page

    def _keep(self, kept: dict[Hashable, V], key: Hashable, value: V) -> None:
        with self._lock:  # read without it: one thread at most compiles what another just did
            if len(kept) >= MAX_PAGES:
                del kept[next(iter(kept))]
            kept[key] = value


def _with(skeleton: str, seen: tuple[int, ...], values: list[str]) -> str:
    """Return a structure with the values that MJML has to see; a value that looks like a marker is none."""
    standing = [values[i] if i in seen else mark(i) for i in range(len(values))]
    return MARK.sub(lambda found: filled(found[0], standing), skeleton)
