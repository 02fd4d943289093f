"""Laws of cursors and listeners, over generated programs."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from sojourn.language.model import End, Enter, Journey, Send, Set, Wait, WaitFor
from sojourn.travel.program import Program, blocks

leaves = st.sampled_from([{"wait": "1h"}, {"score": "m"}, {"send": "hello"}, {"set": {"a": 1}}, {"enter": "other"}, {"end": "done"}])


def _with_blocks(steps: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    block = st.lists(steps, max_size=3)
    return st.one_of(
        st.builds(lambda then, else_: {"if": "event.n > 1", "then": then, "else": else_}, block, block),
        st.builds(lambda then, else_: {"wait_for": "A", "up_to": "1h", "then": then, "else": else_}, block, block),
        st.builds(lambda one, two: {"choose": [{"if": "event.n > 1", "then": one}, {"then": two}]}, block, block),
        st.builds(lambda one: {"split": {"a": 1, "b": 1}, "arms": {"a": one}}, block),
    )


steps = st.recursive(leaves, _with_blocks, max_leaves=8)
programs = st.lists(steps, min_size=1, max_size=4).map(
    lambda found: Program(Journey.model_validate({"journey": "j", "description": "x", "enter": {"on": "T"}, "steps": found}))
)


def ways(program: Program, cursor: str) -> set[str | None]:
    return {program.after(cursor), *(program.into(cursor, block) for block in blocks(program.steps[cursor]))}


@given(programs)
def test_every_way_leads_to_a_step_or_to_the_end(program: Program) -> None:
    for cursor in program.steps:
        assert all(way is None or way in program.steps for way in ways(program, cursor))


@given(programs)
def test_every_step_can_be_reached_from_the_start_where_ends_are_passed_over(program: Program) -> None:
    seen: set[str] = set()
    ahead: list[str | None] = [program.start()]
    while ahead:
        cursor = ahead.pop()
        if cursor is not None and cursor not in seen:
            seen.add(cursor)
            ahead.extend(ways(program, cursor))
    assert seen == set(program.steps)


@given(programs)
def test_no_way_leads_back_so_every_walk_ends(program: Program) -> None:
    order = {cursor: place for place, cursor in enumerate(program.steps)}
    for cursor in program.steps:
        assert all(way is None or order[way] > order[cursor] for way in ways(program, cursor))


@given(programs)
def test_may_act_holds_wherever_an_effect_stands_before_the_next_wait(program: Program) -> None:
    def reaches(cursor: str | None) -> bool:
        if cursor is None or isinstance(program.steps[cursor], Wait | WaitFor | End):
            return False
        if isinstance(program.steps[cursor], Send | Set | Enter):
            return True
        return any(reaches(way) for way in ways(program, cursor))

    for cursor in program.steps:
        assert program.may_act(cursor) or not reaches(cursor)


def test_listeners_are_the_leave_lines_the_resets_and_the_branches() -> None:
    program = Program(Journey.model_validate({
        "journey": "j", "description": "x", "enter": {"on": "T"}, "leave": [{"on": "Gone", "as": "gone", "if": "event.n > 1"}],
        "steps": [
            {"wait": "1h", "reset_on": "Again"}, {"send": "hello", "id": "s"},
            {"wait_for": [{"on": "s.clicked"}, {"on": "Bought", "if": "event.n > 2"}], "up_to": "1h"},
        ],
    }))  # fmt: skip
    assert [(each.handle, each.event, each.condition, each.send_id) for each in program.listeners()] == [
        ("leave/0", "Gone", "event.n > 1", None),
        ("0/reset", "Again", None, None),
        ("2/b0", "Email Link Clicked", None, "s"),
        ("2/b1", "Bought", "event.n > 2", None),
    ]


def test_a_heading_is_the_next_send_of_the_definition() -> None:
    program = Program(Journey.model_validate({
        "journey": "j", "description": "x", "enter": {"on": "T"},
        "steps": [{"wait": "1h"}, {"send": "hello", "id": "one"}, {"wait": "1h"}, {"send": "bye"}, {"end": "done"}],
    }))  # fmt: skip
    assert [program.heading(cursor) for cursor in ("0", "1", "2", "4", None)] == ["one", "one", "bye", "end", "end"]
