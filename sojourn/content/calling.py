"""What a template may call: `recommend(3)`, and the addresses of what is live when a message is opened.

None of them asks anything: items were chosen before (`answers.py`), and a live address only says what to show later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, cast

from jinja2 import nodes

from sojourn.content.budget import Run, current
from sojourn.content.live import MAX_NAMED, countdown, recommended, stock
from sojourn.content.missing import Missing
from sojourn.errors import RenderError

RECOMMEND = "recommend"
RECOMMENDED = "recommended"  # what tokens of an item are called: recommended[0].name
MAX_RECOMMENDED = 12


def _run() -> Run:
    run = current()
    if run is None:
        raise RenderError("nobody is written to")
    return run


def recommend(n: Any = 3, at_least: Any = 1) -> list[Mapping[str, Any]]:
    """Return at most `n` items for the person, best first; none at all where there are fewer than `at_least`.

    Raises:
        RenderError: nobody chose them before.
    """
    run = _run()
    found = run.answers.recommended if run.answers is not None else None
    if found is None:
        raise RenderError(f"the items that {run.content} recommends were not chosen before")
    if not _is_count(n) or not _is_count(at_least):
        raise RenderError(f"`recommend` takes numbers from 1 to {MAX_RECOMMENDED}, such as recommend(3)")
    if len(found) < max(at_least, 1):
        run.because(RECOMMENDED, 0, "recommendation", f"only {len(found)} of at least {at_least} were found")
        return []
    key = f"{RECOMMENDED}({n})"
    if key not in run.lists:
        run.lists[key] = [dict(item) for item, _ in found[:n]]
        for i, (item, because) in enumerate(found[:n]):
            run.because(f"{RECOMMENDED}[{i}]", item.get("id", ""), "recommendation", because)
    items = run.lists[key]
    run.paths[id(items)] = RECOMMENDED
    for i, each in enumerate(items):
        run.paths[id(each)] = f"{RECOMMENDED}[{i}]"
    return cast(list[Mapping[str, Any]], items)


def live_countdown(until: Any) -> str:
    """Return the address of a picture that shows, whenever it is opened, how long it is until a moment."""
    return _run().live_address("picture", countdown(_given(until)))


def live_stock(item: Any) -> str:
    """Return the address of a picture that shows, whenever it is opened, whether an item is in stock."""
    return _run().live_address("picture", stock([_given(item)]))


def live_list(items: Any = None, until: Any = None, recommend: Any = None) -> str:
    """Return the address of a list for `amp-list`: of named items as they are, of a moment's distance, or of items for the person."""
    given = [each for each in (items, until, recommend) if each is not None]
    if len(given) != 1:
        raise RenderError("`live_list` takes one of items=[…], until=… and recommend=3")
    _given(given[0])
    if until is not None:
        return _run().live_address("list", countdown(until))
    if recommend is not None:
        if not _is_count(recommend):
            raise RenderError(f"`live_list` takes recommend=1 to {MAX_RECOMMENDED}")
        return _run().live_address("list", recommended(recommend))
    if not isinstance(items, list) or not 0 < len(items) <= MAX_NAMED:
        raise RenderError(f"`live_list` takes a list of 1 to {MAX_NAMED} items' ids")
    return _run().live_address("list", stock([_given(each) for each in items]))


CALLABLE: dict[str, Callable[..., Any]] = {
    RECOMMEND: recommend, "live_countdown": live_countdown, "live_stock": live_stock, "live_list": live_list,
}  # fmt: skip


def _given(value: Any) -> Any:
    if isinstance(value, Missing):
        value._fail_with_undefined_error()
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_RECOMMENDED


def recommends(trees: Iterable[nodes.Template]) -> int:
    """Return how many items templates show at most."""
    return max((count for tree in trees for _, count in _asked(tree) if count is not None), default=0)


def unclear_counts(tree: nodes.Template) -> Iterator[int]:
    """Give the lines of a template in which `recommend` is not told a number that is known before."""
    return (line for line, count in _asked(tree) if count is None)


def _asked(tree: nodes.Template) -> Iterator[tuple[int, int | None]]:
    for call in tree.find_all(nodes.Call):
        if not isinstance(call.node, nodes.Name) or call.node.name != RECOMMEND:
            continue
        given: dict[str, Any] = {key.key: key.value for key in call.kwargs}
        given |= dict(zip(("n", "at_least"), call.args, strict=False))
        counts = [value.value if isinstance(value, nodes.Const) else None for value in given.values()]
        known = set(given) <= {"n", "at_least"} and all(map(_is_count, counts))
        n = given.get("n")
        yield call.lineno, (n.value if isinstance(n, nodes.Const) else 3) if known else None
