import json
from pathlib import Path

import pytest
from bad_cases import KNOWN, problems_in
from good import GOOD
from hypothesis import given
from hypothesis import strategies as st
from laws import law

from sojourn.language.checks import check_journey
from sojourn.language.definitions import version
from sojourn.language.finding import NOTHING_KNOWN
from sojourn.language.loader import DefinitionError, load, load_journey
from sojourn.language.model import Journey, Send, Set
from sojourn.language.outline import walk
from sojourn.language.source import read

SHOP = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"


def test_a_journey_with_every_verb_is_read_as_written() -> None:
    journey = load_journey(GOOD, known=KNOWN)
    assert journey.name == "everything"
    send = next(step for _, step in walk(journey) if isinstance(step, Send))
    assert send.with_ == {"discount_percent": 10, "codes": ["on", "no", 1.5, True, None]}
    assert next(step for _, step in walk(journey) if isinstance(step, Set)).set == {"last_asked": "now", "tries": 2}
    assert [line.as_ for line in journey.leave] == ["purchased", "cart_emptied"]


def test_a_journey_built_in_python_is_held_to_the_same_checks() -> None:
    journey = Journey.model_validate(
        {"journey": "sample", "description": "A sample.", "enter": {"on": "X"}, "steps": [{"wait": "600w"}, {"end": "a"}, {"end": "b"}]}
    )
    assert [finding.way for finding in check_journey(journey, NOTHING_KNOWN)] == [("steps", 0, "wait"), ("steps", 2)]


def test_a_folder_is_loaded_with_the_names_of_contents_and_models(tmp_path: Path) -> None:
    for name, text in {
        "shop.yaml": SHOP,
        "everything.yaml": GOOD,
        "onboarding.yaml": "journey: onboarding\ndescription: A sample.\nenter: {on: Signed Up}\nsteps: [end: done]\n",
        "segments/high_value.yaml": 'segment: high_value\ndescription: Rich.\nmembers: count("Order Completed") > 3\n',
        "models/propensity.yaml": "weights: {}\n",
        "content/cart_reminder.mjml": "",
        "content/cart_offer.mjml": "",
        "content/blocks/footer.mjml": "",
        "content/layouts/plain.mjml": "",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = load(tmp_path)
    assert set(found.journeys) == {"everything", "onboarding"}
    assert set(found.segments) == {"high_value"}
    assert found.contents == {"cart_reminder", "cart_offer"}
    assert found.models == {"propensity", "rfm"}
    assert found.shop.needs_consent("marketing")
    assert not found.shop.needs_consent("transactional")


def test_a_folder_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DefinitionError, match="no such folder"):
        load(tmp_path / "nowhere")


def test_the_version_changes_with_behaviour_and_not_with_prose_or_examples() -> None:
    journey = load_journey(GOOD)
    prose = GOOD.replace("Uses each verb once", "Says it otherwise").replace("owner: lifecycle", "owner: growth")
    assert version(load_journey(prose)) == version(journey)
    assert version(load_journey(GOOD.split("examples:")[0])) == version(journey)
    changes = [("wait: 1h", "wait: 2h"), ("{short: 1, long: 3}", "{long: 3, short: 1}"), ("priority: 60", "priority: 61")]
    assert len({version(journey), *(version(load_journey(GOOD.replace(*change))) for change in changes)}) == 4


def test_the_version_survives_a_journey_s_way_through_json() -> None:
    journey = load_journey(GOOD)
    assert version(Journey.model_validate_json(journey.model_dump_json(by_alias=True))) == version(journey)


@pytest.mark.parametrize(
    "written",
    [
        '"{}"',
        "'{}'",
        ">\n      {}",
        "|\n      {}",
        ">-\n      x or\n      {}",
        "x or\n      {}",
        '"x or\n      {}"',
        '"\\"a\\" == x or {}"',
    ],
)
def test_a_problem_inside_a_condition_has_its_own_line_and_column_however_the_text_is_written(written: str) -> None:
    condition = written.replace("x ", "event.x ").format("segment.nowhere")
    text = f"journey: a\ndescription: b\nenter: {{on: C}}\nsteps:\n  - if: {condition}\n    then: [end: done]\n"
    lines = text.split("\n")
    line = next(i for i, each in enumerate(lines) if "segment.nowhere" in each)
    assert [(each.line, each.column) for each in problems_in(text)] == [(line + 1, lines[line].index("segment.nowhere") + 1)]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"), ("no", "no"), ("21:00", "21:00"), ("1.10", 1.1), ("0o7", "0o7"), ("010", 10), ("2026-01-05", "2026-01-05"),
        ("yes", "yes"), ("true", True), ("~", None), ("", None), ("'1'", "1"), ("1e3", 1000.0), ("10%", "10%"), ("1_000", "1_000"),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(written: str, meant: object) -> None:
    value = read(f"key: {written}\n", "x").plain()["key"]
    assert value == meant
    assert type(value) is type(meant)


def test_a_file_with_windows_line_ends_and_a_byte_order_mark_is_read_alike() -> None:
    assert load_journey(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()) == load_journey(GOOD)


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    assert [each.message for each in problems_in("#" * 300_000)] == ["larger than 256 kB; split it into several definitions"]


# -- whatever stands in a file, it is a definition or a DefinitionError ------------------------------

lines_of = GOOD.splitlines(keepends=True)
words = st.sampled_from(sorted({word for word in GOOD.replace(":", " ").split() if word}))
scraps = st.one_of(
    words, st.text(max_size=8), st.sampled_from(["- ", ": ", "\n", "{", "[", "*a", "&a ", "!!x ", "\t", "? ", "<<: ", "%YAML 9", '"\\'])
)


@st.composite
def spoilt(draw: st.DrawFn) -> str:
    text = GOOD
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.integers(0, 30)))
        text = text[:start] + draw(scraps) + text[end:]
    return text


@st.composite
def reshuffled(draw: st.DrawFn) -> str:
    picked = draw(st.lists(st.sampled_from(lines_of), max_size=30))
    return "".join(picked)


def _is_read_or_refused(source: str | bytes) -> None:
    for problem in problems_in(source):
        assert problem.line >= 1
        assert problem.column >= 1
        assert problem.message


@law(150)
@given(st.one_of(st.text(), st.binary()))
def test_any_text_or_bytes_is_read_or_refused_with_a_place(source: str | bytes) -> None:
    _is_read_or_refused(source)


def test_a_key_without_a_name_is_refused() -> None:
    (problem,) = problems_in(": # a comment, and no key\n" + "".join(lines_of))
    assert (problem.line, problem.column) == (1, 1)
    assert "unknown key" in problem.message


@law(250)
@given(spoilt())
def test_a_spoilt_definition_is_read_or_refused_with_a_place(text: str) -> None:
    _is_read_or_refused(text)


@law(100)
@given(reshuffled())
def test_reshuffled_lines_are_read_or_refused_with_a_place(text: str) -> None:
    _is_read_or_refused(text)


plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | words,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(words | st.sampled_from(["steps", "then", "arms", "events"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@law(150)
@given(st.sampled_from(["steps", "enter", "leave", "goal", "examples", "description", "holdout"]), plain)
def test_any_value_in_the_place_of_a_good_one_is_read_or_refused_with_a_place(key: str, value: object) -> None:
    head = {"journey": "a", "description": "b", "enter": {"on": "C"}, "steps": [{"end": "done"}]}
    _is_read_or_refused(json.dumps({**head, key: value}))
