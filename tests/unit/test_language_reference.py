"""journeys/README.md is the language reference: what stands in it is true, and nothing of the language is left out."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import BaseModel

from sojourn.content import Contents, RenderFacts, answer, by_score
from sojourn.content.blocks import Block, Input
from sojourn.content.calling import CALLABLE
from sojourn.content.fetches import Fetch
from sojourn.content.filters import allowed
from sojourn.content.library import Library
from sojourn.content.sandbox import ROOTS
from sojourn.content.slots import Arm, Line
from sojourn.content.source import Front, parse
from sojourn.content.tags import Verbs
from sojourn.content.theme import Colours, Fonts, Logo, Theme
from sojourn.content.translations import Translation
from sojourn.language.broadcast_model import Broadcast
from sojourn.language.catalog import read_catalog
from sojourn.language.catalog_model import CatalogFile, Item, Match, RecommendationSettings, Rule
from sojourn.language.conditions import Facts
from sojourn.language.conditions import parse as parse_condition
from sojourn.language.conditions.functions import FUNCTIONS
from sojourn.language.delivery_model import Carrier, DeliverySettings, DomainRate, WarmUp
from sojourn.language.events.model import EventDefinition
from sojourn.language.loader import (
    load,
    load_broadcast,
    load_delivery,
    load_event,
    load_journey,
    load_persona,
    load_profile,
    load_recommendations,
    load_seeds,
    load_segment,
    load_shop,
)
from sojourn.language.model import VERBS, Goal, Journey, Leave, Segment, Trigger, WaitBranch
from sojourn.language.profile_model import MERGES_OF, OBSERVED, Bands, Normaliser, ProfileSettings, TraitRule
from sojourn.language.shop import BrakeRule, Brakes, Cap, Connected, ConsentRule, Sender, ShopSettings, Topic
from sojourn.prediction import Models
from sojourn.prediction.logistic import Feature, Logistic
from sojourn.prediction.rfm import Rfm

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "journeys"
PAGE = (FOLDER / "README.md").read_text("utf-8")
MODELS: list[type[BaseModel]] = [
    *VERBS.values(), Journey, Trigger, Leave, Goal, WaitBranch, Segment, Broadcast, EventDefinition, Front, Logistic, Feature, Rfm,
    DeliverySettings, Carrier, DomainRate, WarmUp,
    ShopSettings, Cap, ConsentRule, Sender, Topic, Brakes, BrakeRule, ProfileSettings, TraitRule, Normaliser, Bands,
    Block, Input, Line, Arm, Theme, Colours, Fonts, Logo, Translation, Fetch, Connected, Item, CatalogFile, Rule, Match,
    RecommendationSettings,
]  # fmt: skip
AROUND = {
    "enter": "enter: {on: Product Added}\n",
    "steps": "steps:\n  - score: purchase_propensity\n  - send: cart_reminder\n    id: reminder\n  - end: no_response\n",
}


def blocks(kind: str) -> list[str]:
    fenced = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    return [block for found, block in fenced if found == kind]


def whole(block: str) -> str:
    """Return a journey that a fragment of one stands in."""
    head = "journey: page\ndescription: d\n"
    if block.startswith("- "):
        block = "steps:\n" + "".join(f"  {line}\n" for line in block.splitlines())
    return head + block + "".join(text for key, text in AROUND.items() if not re.search(rf"^{key}:", block, re.MULTILINE))


@pytest.mark.parametrize("block", blocks("yaml"))
def test_every_definition_on_the_page_loads(block: str, tmp_path: Path) -> None:
    first = block.split(":")[0]
    if first == "segment":
        assert load_segment(block)
    elif first == "event":
        assert load_event(block)
    elif first == "broadcast":
        assert load_broadcast(block)
    elif first == "name":
        assert load_shop(block)
    elif first == "providers":
        assert load_delivery(block)
    elif first == "persona":
        assert load_persona(block)
    elif first == "seeds":
        assert load_seeds(block)
    elif first == "items":
        assert read_catalog(block.encode(), "catalog.yaml").items
    elif first == "not_again_for":
        assert load_recommendations(block).rules
    elif first == "fetches":
        assert parse("page", "page.mjml", f"---\nsubject: s\n{block}---\n").front.fetches
    elif first == "undeclared":
        assert load_profile(block).trees
    elif first == "model":
        name = block.split("\n")[0].removeprefix("model: ")
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / f"{name}.yaml").write_text(block)
        assert name in Models.load(tmp_path).names()
    elif first == "journey":
        assert load_journey(block)
    else:
        assert load_journey(whole(block))


def test_the_page_has_definitions_of_every_kind() -> None:
    firsts = {block.split(":")[0].strip() for block in blocks("yaml")}
    assert {"journey", "segment", "event", "model", "name", "undeclared", "providers", "enter", "examples", "persona", "seeds"} <= firsts
    assert {f"- {verb}" for verb in VERBS} <= firsts


def test_the_conditions_on_the_page_are_understood() -> None:
    for line in blocks("")[0].splitlines():
        assert parse_condition(line)


def test_the_content_and_the_block_on_the_page_are_rendered() -> None:
    _, content, block = blocks("")
    use = re.search(r"`({% use .*? %})`", PAGE)
    assert use is not None
    files = Library.load(FOLDER) | {"page.mjml": content, "blocks/item.mjml": block}
    page = f"<mjml><mj-body><mj-section><mj-column>{use[1]}</mj-column></mj-section></mj-body></mjml>"
    files["item.mjml"] = f"---\nsubject: Item\n---\n{page}"
    kept = ("page.mjml", "item.mjml", "theme.yaml", "texts.yaml")
    files = {path: text for path, text in files.items() if "/" in path or path in kept}
    contents = Contents(FOLDER, files)
    now = datetime(2026, 1, 5, tzinfo=UTC)
    asks, yes = contents.asks("page"), {"high_value": parse_condition("1 == 1")}
    answers = answer(asks, Facts(now=now), yes, by_score(lambda model: (0.5, "")))
    shop = contents.sample("page").shop
    event = {"until": "2026-01-09", "name": "Linen throw", "price": 45}
    facts = RenderFacts({"first_name": "Ada"}, event, shop, {"discount_percent": 10, "valid_days": 3}, answers=answers)
    text = contents.render("page", facts).text
    said = ("If it helps", "Hello Ada,", "Ada, this one is for you first.", "It is good until January 9, 2026.")
    assert all(words in text for words in said)
    assert "Linen throw, €45" in contents.render("item", facts).text
    assert "Linen" not in contents.render("item", RenderFacts({}, {}, shop)).text


def _keys(model: type[BaseModel]) -> Iterator[str]:
    for name, field in model.model_fields.items():
        yield field.alias or name


@pytest.mark.parametrize("model", MODELS)
def test_every_option_of_the_language_is_named(model: type[BaseModel]) -> None:
    assert [key for key in _keys(model) if not re.search(rf"\b{key}\b", PAGE)] == []


def test_every_verb_function_filter_and_root_is_named() -> None:
    assert [verb for verb in VERBS if f"\n### {verb}" not in PAGE] == []
    assert [name for name in FUNCTIONS if f"`{name}(" not in PAGE] == []
    filters = {name for name in allowed() if name not in ("d", "e")}
    assert [name for name in filters if not re.search(rf"`{name}\b", PAGE)] == []
    assert [name for name in (*MERGES_OF, *OBSERVED) if f"`{name}`" not in PAGE] == []
    assert [root for root in ROOTS if f"`{root}.*`" not in PAGE] == []
    assert [name for name in CALLABLE if f"{name}(" not in PAGE] == []
    assert [tag for tag in Verbs.tags if f"{{% {tag} " not in PAGE] == []


def test_the_diagrams_are_those_that_draw_draws() -> None:
    spec = importlib.util.spec_from_file_location("diagrams", ROOT / "docs" / "diagrams.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert PAGE.count("```mermaid") == len(load(FOLDER).journeys) == 4
    assert module.with_diagrams(PAGE, FOLDER) == PAGE, "run `python docs/diagrams.py`"
