import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from good import GOOD
from hypothesis import given
from hypothesis import strategies as st

from sojourn.language.diagram import draw, escaped
from sojourn.language.loader import load_journey
from sojourn.language.model import VERBS, Journey
from sojourn.language.outline import walk
from sojourn.language.schema import SCHEMAS, schema
from sojourn.language.source import read

BAD = Path(__file__).parents[2] / "bad_definitions"
# Wrong in shape alone: what an editor can see without knowing other definitions.
SHAPES = (
    "description_missing", "duration_in_words", "end_without_outcome", "goal_without_window", "hours_wrong", "key_path_wrong",
    "key_unknown",
    "key_with_underscore", "name_with_capitals", "number_where_text_belongs", "priority_is_true", "priority_too_high", "step_is_a_list",
    "step_without_verb", "then_is_empty", "two_verbs", "verb_unknown", "wait_for_list_item_wrong", "wait_with_no_end", "word_wrong",
)  # fmt: skip


def _valid(kind: str, text: str) -> bool:
    return jsonschema_rs.validator_for(schema(kind)).is_valid(read(text, "x").plain())


def test_a_good_journey_fits_its_schema() -> None:
    assert _valid("journey", GOOD)


@pytest.mark.parametrize("name", SHAPES)
def test_what_is_wrong_in_shape_does_not_fit_the_schema(name: str) -> None:
    assert not _valid("journey", (BAD / f"journey__{name}.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("kind", SCHEMAS)
def test_every_key_that_a_team_may_write_is_described_in_the_schema(kind: str) -> None:
    def undescribed(part: dict[str, Any], path: str) -> list[str]:
        missing = []
        for key, value in part.get("properties", {}).items():
            known = json.dumps(value)
            if '"description"' not in known and "$ref" not in known:
                missing.append(f"{path}.{key}")
        return missing

    whole = schema(kind)
    assert undescribed(whole, kind) + [each for name, part in whole.get("$defs", {}).items() for each in undescribed(part, name)] == []


def test_the_schema_knows_every_verb() -> None:
    defined = schema("journey")["$defs"]
    assert {model.__name__ for model in VERBS.values()} <= set(defined)


NODE = re.compile(r'^  n\d+(\(\["|\{\{"|\{"|\[\["|\[")(?P<label>[^"<>`]|<br/>)*("\]\)|"\}\}|"\}|"\]\]|"\])$')
EDGE = re.compile(r'^  n\d+ (-->(\|"([^"<>`|]|<br/>)*"\|)?|-\.->) n\d+$')
STYLE = re.compile(r"^  class(Def \w+ [\w:#,]+| [n\d,]+ \w+)$")


def test_every_line_of_a_diagram_is_a_node_an_edge_or_a_style() -> None:
    lines = draw(load_journey(GOOD)).splitlines()
    assert lines[0] == "flowchart TD"
    for line in lines[1:]:
        assert NODE.match(line) or EDGE.match(line) or STYLE.match(line), line


def test_every_step_is_a_node_and_every_node_is_joined() -> None:
    journey = load_journey(GOOD)
    lines = draw(journey).splitlines()
    nodes = {line.split("(")[0].split("{")[0].split("[")[0].strip() for line in lines if NODE.match(line)}
    joined = {word for line in lines if EDGE.match(line) for word in (line.split()[0], line.split()[-1])}
    assert nodes == joined
    # one for each step, the trigger, `completed`, and two for each way to leave
    assert len(nodes) == len(list(walk(journey))) + 2 + 2 * len(journey.leave)


def test_a_diagram_says_what_a_reader_asks() -> None:
    text = draw(load_journey(GOOD)).replace("<br/>", " ")
    for words in (
        "send cart_reminder as reminder (plain / playful)",
        "not within 24h",
        "long: 75 %",
        "at any time: Order Completed",
        "otherwise",
    ):
        assert words in text


@given(st.text())
def test_any_text_becomes_a_label_that_ends_nowhere_but_at_its_end(text: str) -> None:
    label = escaped(text)
    assert label
    assert not re.search(r'["`\\\n]|<(?!br/>)', label)


@given(st.text(alphabet="abc \"#;&<>`'|(){}[]", min_size=1).filter(str.strip))
def test_a_condition_with_any_signs_keeps_the_diagram_whole(text: str) -> None:
    data = {"journey": "a", "description": "b", "enter": {"on": text}, "steps": [{"if": text, "then": [{"end": "done"}]}]}
    for line in draw(Journey.model_validate(data)).splitlines()[1:]:
        assert NODE.match(line) or EDGE.match(line) or STYLE.match(line), line
