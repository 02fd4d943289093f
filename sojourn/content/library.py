"""What stands in `journeys/content/`, read and taken apart: contents, layouts and blocks, theme, texts and translations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sojourn.content.amp import SUFFIX as AMP_SUFFIX
from sojourn.content.blocks import FOLDER as BLOCKS
from sojourn.content.blocks import Block
from sojourn.content.holes import PREFIX
from sojourn.content.slots import files_of, with_slots
from sojourn.content.source import M, Source, parse, split, validated
from sojourn.content.theme import FILE as THEME
from sojourn.content.theme import Theme
from sojourn.content.theme import faults as theme_faults
from sojourn.content.translations import FILE, SHARED, Catalogue, Texts, Translation, code, lacks
from sojourn.language.problems import DefinitionError, Problem, nearest, shown, unknown
from sojourn.language.source import Node, read

MAX_FILE = 200 * 1024
SUFFIXES = (".mjml", ".txt", ".yaml", AMP_SUFFIX)


@dataclass
class Library:
    """The files of a folder of contents.

    Attributes:
        bodies: templates by their file, front matter taken off; those that fill slots are among them.
        heads: where a template does not begin in the first line of its file, the line in which it does.
        sources: contents by name.
        blocks: what each block declares, by its file; None where it declares nothing.
        translations: by content and language.
        places: of the keys of a translation or the theme, by file.
        problems: what is wrong with any of them by itself.
    """

    folder: Path
    bodies: dict[str, str] = field(default_factory=dict)
    heads: dict[str, int] = field(default_factory=dict)
    sources: dict[str, Source] = field(default_factory=dict)
    blocks: dict[str, Block | None] = field(default_factory=dict)
    theme: Theme = field(default_factory=Theme)
    catalogue: Catalogue = field(default_factory=Catalogue)
    translations: dict[tuple[str, str], Translation] = field(default_factory=dict)
    places: dict[str, dict[str, tuple[int, int]]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    @classmethod
    def load(cls, folder: Path) -> dict[str, str]:
        """Return the files of `<folder>/content`, by their paths within it.

        Raises:
            DefinitionError: one is too large, or is not UTF-8.
        """
        root = folder / "content"
        paths = [path for path in sorted(root.rglob("*")) if path.name.endswith(SUFFIXES) and path.is_file()]
        large = [path for path in paths if path.stat().st_size > MAX_FILE]
        if large:
            raise DefinitionError(Problem(p.as_posix(), 1, 1, f"larger than {MAX_FILE // 1024} kB") for p in large)
        found, broken = {}, []
        for path in paths:
            try:
                found[path.relative_to(root).as_posix()] = path.read_text("utf-8-sig")
            except UnicodeDecodeError as error:
                line = error.object.count(b"\n", 0, error.start) + 1
                broken.append(Problem(path.as_posix(), line, 1, "not UTF-8; save the file as UTF-8"))
        if broken:
            raise DefinitionError(broken)
        return found

    def file(self, path: str) -> str:
        """Return a file as problems call it."""
        return (self.folder / "content" / path).as_posix()

    def languages(self, content: str) -> tuple[str, ...]:
        """Return the languages that a content is translated into."""
        return tuple(sorted(language for name, language in self.translations if name == content))

    def place(self, path: str, line: int, column: int, message: str) -> Problem:
        """Return a problem at a line of a template, as a line of its file; of what fills a slot, as a line of the front matter."""
        folder, *rest = path.split("/")
        if folder == "slots":
            source = self.sources[rest[0]]
            return Problem(source.file, *source.places.get("slots", (1, 1)), f"`slots.{rest[1]}`: {message}")
        return Problem(self.file(path), line + self.heads.get(path, 1) - 1, column, message)

    def key(self, path: str, key: str, message: str) -> Problem:
        """Return a problem at a key of a YAML file; at its beginning, where the key does not stand there."""
        return Problem(self.file(path), *self.places.get(path, {}).get(key, (1, 1)), message)


def read_library(folder: Path, files: Mapping[str, str]) -> Library:
    """Return files, taken apart; what is wrong with each by itself stands in `problems`."""
    library = Library(folder)
    # Contents come before what translates them, or stands beside them.
    for path, text in sorted(files.items(), key=lambda file: file[0].endswith((".yaml", AMP_SUFFIX))):
        try:
            if PREFIX in text:
                library.problems.append(Problem(library.file(path), 1, 1, f"`{PREFIX}` has a meaning of its own; write something else"))
            elif path.endswith(".yaml"):
                _yaml(library, path, text)
            elif path.endswith(".mjml") and "/" not in path:
                _content(library, path, text)
            else:
                _part(library, path, text)
        except DefinitionError as error:
            library.problems += error.problems
    _translated(library)
    return library


def _content(library: Library, path: str, text: str) -> None:
    name = path.removesuffix(".mjml")
    source = library.sources[name] = parse(name, library.file(path), text)
    library.heads[path], library.bodies[path] = source.first_line, with_slots(source.body)
    library.catalogue.own[name, None] = dict(source.front.texts)
    library.bodies.update((filling, body) for _, filling, body in files_of(name, source.front.slots))


def _part(library: Library, path: str, text: str) -> None:
    node, body, first_line = split(library.file(path), text)
    if path.endswith(AMP_SUFFIX) and "/" not in path and path.removesuffix(AMP_SUFFIX) not in library.sources:
        raise DefinitionError([Problem(library.file(path), 1, 1, unknown("content", path.removesuffix(AMP_SUFFIX), library.sources))])
    library.heads[path], library.bodies[path] = first_line, with_slots(body) if path.endswith(".mjml") else body
    if path.startswith(BLOCKS):
        library.blocks[path] = None
        if node is not None:
            library.blocks[path] = validated(node, library.file(path), Block)


def _yaml(library: Library, path: str, text: str) -> None:
    file, found = library.file(path), FILE.match(path)
    node = read(text, file)
    if path == THEME:
        library.theme = _model(library, node, path, Theme)
        for mode, name, message in theme_faults(library.theme):
            where = node.value.get(mode) if isinstance(node.value, dict) else None
            line, column = (where.keys.get(name) or where.place()) if where is not None else (1, 1)
            library.problems.append(Problem(file, line, column, message))
        return
    if found is None or "/" in path:
        raise DefinitionError([Problem(file, 1, 1, "not read; here stand theme.yaml, texts.yaml, texts.de.yaml and <content>.de.yaml")])
    language = code(found["language"]) if found["language"] else None
    if found["name"] == SHARED:
        library.catalogue.shared[language] = dict(_model(library, node, path, Texts).root)
        return
    if found["name"] not in library.sources or language is None:
        known = library.sources if language is not None else {"theme", SHARED}
        kind = "content" if language is not None else "file"
        raise DefinitionError([Problem(file, 1, 1, unknown(kind, found["name"], known))])
    translation = _model(library, node, path, Translation)
    library.translations[found["name"], language] = translation
    library.catalogue.own[found["name"], language] = dict(translation.texts)


def _model(library: Library, node: Node, path: str, model: type[M]) -> M:
    made = validated(node, library.file(path), model)
    library.places[path] = dict(node.keys)
    return made


def _translated(library: Library) -> None:
    """Note what translations lack."""
    files = {(found["name"], code(found["language"])): path for path in library.places if (found := FILE.match(path)) and found["language"]}
    for (name, language), translation in library.translations.items():
        for key, message in lacks(library.sources[name].front, translation):
            library.problems.append(library.key(files[name, language], key, message))
    shared = library.catalogue.shared
    for language in sorted({language for _, language in library.translations} | {spoken for spoken in shared if spoken is not None}):
        lacking = sorted(set(shared.get(None, ())) - set(shared.get(language, ())))
        over = sorted(set(shared.get(language, ())) - set(shared.get(None, ())))
        path = files.get((SHARED, language), f"{SHARED}.{language}.yaml")
        library.problems += [library.key(path, key, f"{shown(key)} is not translated") for key in lacking]
        said = {key: f"{SHARED}.yaml has no {shown(key)}{nearest(key, shared.get(None, ()))}" for key in over}
        library.problems += [library.key(path, key, message) for key, message in said.items()]
