"""YAML as people read it, with the place of every word.

YAML 1.2's core rules by our own hand over ruamel.yaml's parser: `on`, `no` and `21:00` are texts. Refused
with a sentence: duplicate keys, tabs, tags, merge keys, more than one document, and whatever is too big,
too deep or repeats itself by aliases until it is.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, StringMark
from ruamel.yaml.events import (
    AliasEvent,
    CollectionEndEvent,
    DocumentStartEvent,
    Event,
    MappingStartEvent,
    ScalarEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

from sojourn.language.problems import DefinitionError, Problem, shown

MAX_BYTES = 256 * 1024
MAX_DEPTH = 64
MAX_NODES = 20_000
MAX_DIGITS = 18

_INT = re.compile(r"^[-+]?[0-9]+$")
_FLOAT = re.compile(r"^[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,3})?$")
_NOT_FINITE = re.compile(r"^([-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$")
_WORDS: dict[str, Any] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_SURROGATE = re.compile("[\ud800-\udfff]")
_TAB = re.compile(r"^[ ]*\t[ \t]*(?=\S)", re.MULTILINE)


@dataclass
class Node:
    """A value with its place; lines and columns are counted from 1.

    `value` is a scalar, a list of nodes or a dict of nodes by key; `keys` holds the place of each key.
    """

    line: int
    column: int
    value: Any
    raw: str = ""  # a scalar as it stands in the file, quotes and all
    keys: dict[str, tuple[int, int]] = field(default_factory=dict)
    size: int = 1  # of it and all within, aliases counted as often as they stand
    depth: int = 1

    def plain(self) -> Any:
        """Return the value as plain data."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def place(self, offset: int | None = None) -> tuple[int, int]:
        """Return line and column of the character of a text at an offset, folded and quoted texts included.

        Spaces are not compared, since folding changes them: the nth visible character of the value is the
        nth of the source.
        """
        if offset is None or not isinstance(self.value, str):
            return self.line, self.column
        raw, quote = self.raw, self.raw[:1] if self.raw[:1] in ("'", '"') else ""
        block = self.raw[:1] in ("|", ">")
        at = raw.find("\n") + 1 if block else len(quote)
        left = len("".join(self.value[:offset].split()))
        while at < len(raw):
            if not raw[at].isspace():
                if left == 0:
                    break
                escaped = (quote == '"' and raw[at] == "\\") or (quote == "'" and raw[at : at + 2] == "''")
                at += 1 if escaped else 0
                left -= 1
            at += 1
        before = raw[:at]
        lines = before.count("\n")
        return self.line + lines, len(before) - before.rfind("\n") if lines else self.column + len(before)


def read(source: str | bytes, file: str) -> Node:
    """Return the one document of a YAML text.

    Raises:
        DefinitionError: it is not YAML as it is read here.
    """
    root, problems = read_leniently(source, file)
    if problems:
        raise DefinitionError(problems)
    return root


def read_leniently(source: str | bytes, file: str) -> tuple[Node, list[Problem]]:
    """Return the one document of a YAML text, and what is wrong with it that leaves the rest readable: keys that stand twice.

    Raises:
        DefinitionError: it cannot be read at all.
    """
    text = _decode(source, file)
    tab = _TAB.search(text)
    if tab is not None:
        line = text.count("\n", 0, tab.start()) + 1
        raise _error(file, line, text[tab.start() : tab.end()].index("\t") + 1, "a tab; indent with spaces, two a level")
    try:
        reader = _Reader(file, text)
        return reader.document(), reader.problems
    except MarkedYAMLError as error:
        unclosed = "quoted scalar" in str(error.context) or "flow" in str(error.context)
        mark = (error.context_mark if unclosed else None) or error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (1, 1)
        raise _error(file, line, column, _wording(error)) from None
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - (text.rfind("\n", 0, error.position) + 1) + 1
        raise _error(file, line, column, "a character that YAML does not allow; remove it") from None
    except DefinitionError:
        raise
    except Exception as error:  # ruamel.yaml lets a few of Python's own errors through on broken escapes and directives
        raise _error(file, 1, 1, f"cannot be read as YAML ({type(error).__name__}); look for a broken escape or directive") from None


def _decode(source: str | bytes, file: str) -> str:
    if len(source) > MAX_BYTES:
        raise _error(file, 1, 1, f"larger than {MAX_BYTES // 1024} kB; split it into several definitions")
    if isinstance(source, str):
        return source.removeprefix("\ufeff").replace("\r\n", "\n")
    try:
        return source.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = source.count(b"\n", 0, error.start) + 1
        column = error.start - (source.rfind(b"\n", 0, error.start) + 1) + 1
        raise _error(file, line, column, "not UTF-8; save the file as UTF-8") from None


def _error(file: str, line: int, column: int, message: str) -> DefinitionError:
    return DefinitionError([Problem(file, line, column, message)])


def _wording(error: MarkedYAMLError) -> str:
    problem = str(error.problem or "cannot be read as YAML")
    if "'\\t'" in problem:
        return "a tab; indent with spaces, two a level"
    if "mapping values are not allowed" in problem:
        return "a colon where none may stand; put a text that contains `: ` in quotes, or check the indentation"
    if "could not find expected ':'" in problem:
        return "a key without its colon; write `key: value`"
    if "while scanning a quoted scalar" in str(error.context):
        return "a quote that is not closed"
    if "expected <block end>" in problem:
        return "the indentation does not fit what stands above; align keys of one mapping, and the `-` of one list"
    if "expected ',' or" in problem:
        return "a bracket or brace that is not closed, or a comma that is missing"
    if "cannot start any token" in problem:
        return f"{problem}; put the text in quotes"
    return f"not YAML: {problem}"


class _Reader:
    """Builds nodes from parser events, without recursion, counting as it goes."""

    def __init__(self, file: str, text: str) -> None:
        self._file, self._text = file, text
        self._events = YAML(typ="safe", pure=True).parse(text)
        self._open: list[tuple[Node, str | None]] = []  # collections begun, each with the anchor it bears
        self._pending: list[tuple[str, tuple[int, int]] | None] = []  # of each open mapping, the key that waits for its value
        self._anchors: dict[str, Node] = {}
        self.problems: list[Problem] = []
        self._count = 0
        self._root: Node | None = None

    def document(self) -> Node:
        for event in self._events:
            if isinstance(event, DocumentStartEvent) and self._root is not None:
                raise self._fail(event, "a second document; keep one definition in a file")
            self._take(event)
        return self._root or Node(1, 1, None)

    def _take(self, event: Event) -> None:
        if isinstance(event, CollectionEndEvent):
            node, anchor = self._open.pop()
            self._pending.pop()
            self._finish(event, node, anchor)
        elif isinstance(event, AliasEvent):
            if event.anchor not in self._anchors:
                raise self._fail(event, f"`*{event.anchor}` repeats what is not complete; an alias may only repeat what stands before it")
            self._finish(event, self._anchors[event.anchor], None)
        elif isinstance(event, (ScalarEvent, MappingStartEvent, SequenceStartEvent)):
            if event.ctag is not None:
                raise self._fail(event, f"a tag ({shown(event.ctag)}); tags are not used here, leave it out")
            self._begin(event)

    def _begin(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent) -> None:
        mark = event.start_mark
        if self._wants_key():
            if not isinstance(event, ScalarEvent):
                raise self._fail(event, "a key must be a text")
            self._key(event)
            return
        self._count += 1
        if isinstance(event, ScalarEvent):
            raw = self._text[mark.index : event.end_mark.index]
            self._finish(event, Node(mark.line + 1, mark.column + 1, self._scalar(event), raw), event.anchor)
        else:
            if len(self._open) >= MAX_DEPTH:
                raise self._fail(event, f"nested deeper than {MAX_DEPTH} levels")
            value: Any = {} if isinstance(event, MappingStartEvent) else []
            self._open.append((Node(mark.line + 1, mark.column + 1, value), event.anchor))
            self._pending.append(None)

    def _wants_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1][0].value, dict) and self._pending[-1] is None

    def _key(self, event: ScalarEvent) -> None:
        parent, key, mark = self._open[-1][0], str(event.value), event.start_mark
        place = (mark.line + 1, mark.column + 1)
        if _SURROGATE.search(key):
            raise self._fail(event, "half a character (a lone surrogate); remove it")
        if key == "<<":
            raise self._fail(event, "`<<` is not part of YAML 1.2; write the keys out")
        if key in parent.keys:
            self.problems.append(
                Problem(self._file, *place, f"{shown(key)} stands twice in one mapping; the first is in line {parent.keys[key][0]}")
            )
        else:
            parent.keys[key] = place
        self._pending[-1] = (key, place)

    def _finish(self, event: Event, node: Node, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        if not self._open:
            self._root = node
            return
        parent = self._open[-1][0]
        parent.size += node.size
        parent.depth = max(parent.depth, node.depth + 1)
        if parent.size > MAX_NODES or parent.depth + len(self._open) > MAX_DEPTH + 1:
            raise self._fail(event, f"too much: more than {MAX_NODES} values or {MAX_DEPTH} levels, aliases counted as often as they stand")
        if isinstance(parent.value, list):
            parent.value.append(node)
            return
        pending = self._pending[-1]
        if pending is None:
            raise self._fail(event, "a key must be a text")
        parent.value.setdefault(pending[0], node)
        self._pending[-1] = None

    def _scalar(self, event: ScalarEvent) -> Any:
        text: str = event.value
        if _SURROGATE.search(text):
            raise self._fail(event, "half a character (a lone surrogate); remove it")
        if event.style:
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.match(text):
            if len(text) > MAX_DIGITS:
                raise self._fail(event, f"a number of more than {MAX_DIGITS} digits; put it in quotes to keep it as a text")
            return int(text)
        if _NOT_FINITE.match(text):
            raise self._fail(event, f"{shown(text)} is not a number that can be kept; write a finite one, or quote it")
        if _FLOAT.match(text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                raise self._fail(event, f"{shown(text)} is too large a number")
            return number
        return text

    def _fail(self, event: Event, message: str) -> DefinitionError:
        mark: StringMark = event.start_mark
        return DefinitionError([*self.problems, Problem(self._file, mark.line + 1, mark.column + 1, message)])
