"""Which traits a content asks for, so that only those are computed for it."""

from __future__ import annotations

from collections.abc import Iterable

from jinja2 import nodes

PROFILE = "profile"


def traits_asked(trees: Iterable[nodes.Template]) -> frozenset[str] | None:
    """Return the traits that templates name after `profile.`; None where they may ask for any."""
    found: set[str] = set()
    for tree in trees:
        named: set[int] = set()
        for node in tree.find_all(nodes.Expr):
            match node:
                case nodes.Getattr(node=nodes.Name(name="profile") as root, attr=str() as key):
                    pass
                case nodes.Getitem(node=nodes.Name(name="profile") as root, arg=nodes.Const(value=str() as key)):
                    pass
                case _:
                    continue
            found.add(key)
            named.add(id(root))
        if any(node.name == PROFILE and id(node) not in named for node in tree.find_all(nodes.Name)):
            return None
    return frozenset(found)
