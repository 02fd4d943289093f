"""Reads the catalogue and the rules of recommendation, strictly: what is wrong is said with its file and line.

A catalogue is one file: `catalog.yaml` for a handful of items, `catalog.csv` or `catalog.jsonl` as a shop exports it.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path

from pydantic import ValidationError

from sojourn.csv_reader import NotCsv, read_table
from sojourn.language.catalog_model import Catalog, CatalogFile, Item, Match, RecommendationSettings
from sojourn.language.finding import Finding, Findings
from sojourn.language.outline import Way
from sojourn.language.problems import DefinitionError, Problem, listed, unknown
from sojourn.language.source import Node, read
from sojourn.language.wording import problems_of

CATALOG = "catalog"
RECOMMENDATIONS_FILE = "recommendations.yaml"
MAX_FILE = 64 * 1024 * 1024
MAX_ITEMS = 100_000
MAX_PROBLEMS = 50  # of one file; whoever exported it wrong did so in every line
_TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_Placed = tuple[Item, int, int]


def catalog_files(folder: Path) -> list[Path]:
    """Return the files of a folder that are a catalogue; there should be one."""
    return [path for suffix in ("yaml", "csv", "jsonl") if (path := folder / f"{CATALOG}.{suffix}").is_file()]


def load_catalog(folder: Path) -> Catalog:
    """Return the catalogue of a folder of definitions; an empty one where there is none.

    Raises:
        DefinitionError: with every problem of it, at most fifty.
    """
    files = catalog_files(folder)
    if len(files) > 1:
        names = listed([path.name for path in files])
        raise DefinitionError([Problem(str(files[1]), 1, 1, f"a second catalogue; of {names} keep one")])
    return read_catalog(files[0].read_bytes(), str(files[0])) if files else Catalog()


def read_catalog(source: bytes, file: str) -> Catalog:
    """Return the catalogue that a file holds, by the ending of its name.

    Raises:
        DefinitionError: with every problem of it, at most fifty.
    """
    if len(source) > MAX_FILE:
        raise DefinitionError([Problem(file, 1, 1, f"larger than {MAX_FILE // 1024 // 1024} MB; leave out what is not sold")])
    problems: list[Problem] = []
    items: dict[str, Item] = {}
    for item, line, column in {"csv": _csv, "jsonl": _jsonl}.get(file.rpartition(".")[2], _yaml)(source, file, problems):
        if item.id in items:
            problems.append(Problem(file, line, column, f"a second item with the id `{item.id}`; take one out"))
        items[item.id] = item
        if len(items) > MAX_ITEMS:
            problems.append(Problem(file, line, column, f"more than {MAX_ITEMS} items; leave out what is not sold"))
        if len(problems) >= MAX_PROBLEMS:
            break
    if problems:
        raise DefinitionError(problems[:MAX_PROBLEMS])
    return Catalog(items)


def check_recommendations(settings: RecommendationSettings, catalog: Catalog) -> list[Finding]:
    """Return what rules name that the catalogue does not have."""
    found = Findings()

    def item(name: str, way: Way) -> None:
        if name not in catalog.items:
            found.add(way, unknown("item", name, catalog.items) + " (items stand in the catalogue)")

    def match(one: Match, way: Way) -> None:
        if one.item is not None:
            item(one.item, (*way, "item"))
        elif one.category not in catalog.categories:
            found.add((*way, "category"), unknown("category", str(one.category), catalog.categories) + " (of an item in the catalogue)")

    for i, rule in enumerate(settings.rules):
        match(rule.bought, ("rules", i, "bought"))
        if isinstance(rule.then, Match):
            match(rule.then, ("rules", i, "then"))
        else:
            for j, name in enumerate(rule.then):
                item(name, ("rules", i, "then", j))
    for i, name in enumerate(settings.best_sellers):
        item(name, ("best_sellers", i))
    return found.all


def _text(source: bytes, file: str) -> str:
    try:
        return source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DefinitionError([Problem(file, source.count(b"\n", 0, error.start) + 1, 1, "not UTF-8; save the file as UTF-8")]) from None


def _item(node: Node, file: str, problems: list[Problem]) -> Item | None:
    try:
        return Item.model_validate_json(json.dumps(node.plain()), strict=True)
    except ValidationError as error:
        problems += problems_of(error, node, file, Item)
    return None


def _yaml(source: bytes, file: str, problems: list[Problem]) -> Iterator[_Placed]:
    root = read(source, file)
    if not isinstance(root.value, dict) or not isinstance(getattr(root.value.get("items"), "value", None), list):
        raise DefinitionError([Problem(file, root.line, root.column, "begin with `items:` and a list, each item with id, name and url")])
    try:
        whole = CatalogFile.model_validate_json(json.dumps(root.plain()), strict=True)
    except ValidationError as error:
        problems += problems_of(error, root, file, CatalogFile)
        return
    for item, node in zip(whole.items, root.value["items"].value, strict=True):
        yield item, *node.value["id"].place()


def _jsonl(source: bytes, file: str, problems: list[Problem]) -> Iterator[_Placed]:
    for number, line in enumerate(_text(source, file).split("\n"), 1):
        if not line.strip():
            continue
        try:
            yield Item.model_validate_json(line, strict=True), number, 1
        except ValidationError:  # read again by the reader that knows where each word stands
            try:
                node = read("\n" * (number - 1) + line, file) if number < 1000 else read(line, file)
            except DefinitionError as error:
                problems += [Problem(file, number, problem.column, problem.message) for problem in error.problems]
                continue
            if not isinstance(node.value, dict):
                problems.append(Problem(file, number, 1, 'each line is one JSON object, such as {"id": …, "name": …, "url": …}'))
                continue
            faults: list[Problem] = []
            _item(node, file, faults)
            problems += [Problem(file, number, fault.column, fault.message) for fault in faults] or [
                Problem(file, number, 1, "cannot be read as JSON")
            ]


def _csv(source: bytes, file: str, problems: list[Problem]) -> Iterator[_Placed]:
    try:
        columns, records = read_table(io.BytesIO(source))
    except NotCsv as error:
        problems.append(Problem(file, 1, 1, f"{error}, such as id,name,url,price,in_stock,category"))
        return
    header = [name.strip() for name in columns]
    for name in header:
        if name not in Item.model_fields:
            problems.append(Problem(file, 1, 1, unknown("column", name, Item.model_fields)))
    if len(set(header)) < len(header):
        problems.append(Problem(file, 1, 1, "the first line names each column once, such as id,name,url,price,in_stock,category"))
    if problems:
        return
    for record in records:
        line = record.line
        if record.cells is None:
            problems.append(Problem(file, line, 1, record.reason))
            continue
        if not any(record.cells):
            continue
        cells = {name: Node(line, 1, _cell(name, cell.strip())) for name, cell in zip(header, record.cells, strict=True) if cell.strip()}
        item = _item(Node(line, 1, cells, keys=dict.fromkeys(cells, (line, 1))), file, problems)
        if item is not None:
            yield item, line, 1


def _cell(name: str, text: str) -> str | int | bool:
    if name == "in_stock":
        return _TRUTH.get(text.lower(), text)
    if name == "stock" and text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return text
