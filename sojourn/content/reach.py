"""Which files a content is made of: itself, its layout and what they include."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from jinja2 import TemplateError, nodes

from sojourn.content.sandbox import ContentEnvironment
from sojourn.content.slots import FOLDER as SLOTS
from sojourn.language.problems import listed, nearest, shown


@dataclass(frozen=True)
class File:
    """One template of a content, parsed."""

    path: str
    body: str
    tree: nodes.Template


@dataclass
class Reach:
    """The files of a content in the order they are met, its slots, and what is wrong on the way: (file, line, message)."""

    files: list[File] = field(default_factory=list)
    slots: set[str] = field(default_factory=set)
    faults: list[tuple[str, int, str]] = field(default_factory=list)


def reach(environment: ContentEnvironment, bodies: Mapping[str, str], start: str) -> Reach:
    """Return the files that a template reaches; one that reaches itself is a fault."""
    found = Reach()
    seen: set[str] = set()

    def visit(path: str, way: tuple[str, ...]) -> None:
        seen.add(path)
        try:
            tree = environment.tree(path, bodies[path])
        except TemplateError as error:
            found.faults.append((path, getattr(error, "lineno", None) or 1, error.message or "cannot be read as a template"))
            return
        found.files.append(File(path, bodies[path], tree))
        found.faults += [(path, line, message) for line, message in getattr(tree, "noted", ())]
        for node in tree.find_all((nodes.Extends, nodes.Include)):
            slot = getattr(node, "slot", None)
            if slot is not None:
                found.slots.add(slot)
                for filling in sorted(name for name in bodies if name.startswith(f"{SLOTS}/{start.rpartition('.')[0]}/{slot}/")):
                    if filling in (*way, path):
                        found.faults.append((path, node.lineno, f"the slot {shown(slot)} stands in what fills it; that would never end"))
                    elif filling not in seen:
                        visit(filling, (*way, path))
                continue
            target = _target(node)
            if target not in bodies:
                there = sorted(name for name in bodies if "/" in name and not name.startswith(SLOTS))
                hint = nearest(target, bodies) or f"; there are {listed(there)}"
                found.faults.append((path, node.lineno, f"unknown file {shown(target)}{hint}"))
            elif target == path or target in way:
                found.faults.append((path, node.lineno, f"{shown(target)} includes itself; that would never end"))
            elif target not in seen:
                visit(target, (*way, path))

    visit(start, ())
    return found


def _target(node: nodes.Node) -> str:
    template = node.template if isinstance(node, nodes.Extends | nodes.Include) else None
    if isinstance(template, nodes.Filter) and template.node is not None:  # as sandbox.py rewrites an include
        template = template.node
    return str(template.value) if isinstance(template, nodes.Const) else ""
