"""A preview is the message that a journey would send, and nothing else comes of it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from sojourn.errors import NotFound
from sojourn.language.loader import DefinitionError, load
from sojourn.preview.making import Case, Workshop
from sojourn.preview.report import report
from sojourn.preview.subjects import SAMPLE, of_person
from sojourn.store.database import Database
from sojourn.store.tables import messages, metadata
from sojourn.testing import Shop

JOURNEYS = Path(__file__).parents[3] / "journeys"
SETTINGS = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\nlocale: en\n"
JOURNEY = (
    "journey: hello\ndescription: d\nenter: {on: Began}\nsteps: [{score: rfm}, {send: note, id: first, with: {code: X1}}, {wait: 1h}]\n"
)
NOTE = """\
---
subject: A note to {{ profile.first_name | default("you") }}
needs: [event.thing]
slots:
  extra:
    - {if: 'did("Order Completed")', block: regular}
    - {by: rfm, arms: [{at_least: 0.9, block: regular}, {block: newcomer}]}
---
<mjml><mj-body><mj-section><mj-column><mj-text>Hello, {{ event.thing }} {{ profile.orders }} {{ with.code }} {{ shop.postal_address }}
{% section if='profile.orders >= 2' %}You came back.{% endsection %}
<a href="https://shop.example/one">One thing</a> <a href="{{ unsubscribe_url }}">Unsubscribe</a></mj-text>
<div data-content="extra"><mj-text>nothing more</mj-text></div></mj-column></mj-section></mj-body></mjml>
"""
BLOCKS = {f"blocks/{name}": f"---\ninputs: {{}}\n---\n<mj-text>for a {name}</mj-text>" for name in ("regular", "newcomer")}
PROFILE = 'computed: {orders: count("Order Completed")}\n'


def folder(place: Path) -> Path:
    (place / "content" / "blocks").mkdir(parents=True)
    (place / "shop.yaml").write_text(SETTINGS)
    (place / "profile.yaml").write_text(PROFILE)
    (place / "hello.yaml").write_text(JOURNEY)
    (place / "content" / "note.mjml").write_text(NOTE)
    for name, text in BLOCKS.items():
        (place / "content" / f"{name}.mjml").write_text(text)
    return place


def kept(database: Database) -> str:
    """Return a fingerprint of every row of every table."""

    def read(connection: object) -> str:
        rows = [sorted(map(repr, connection.execute(select(table)))) for table in metadata.sorted_tables]  # type: ignore[attr-defined]
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    return database.read_now(read)


def told(tokens: Mapping[str, Any]) -> dict[str, tuple[Any, str]]:
    """Return values and sources; our own links differ, and a score that was taken on the way has another because."""
    return {name: (each["value"], each["source"]) for name, each in tokens.items() if name != "unsubscribe_url"}


@pytest.mark.parametrize("orders", [0, 2])
def test_a_preview_for_a_person_is_what_their_journey_sends_and_leaves_no_trace(tmp_path: Path, orders: int) -> None:
    place = folder(tmp_path)
    url = f"sqlite:///{tmp_path}/preview.db"
    with Shop(journeys_dir=place, database_url=url) as shop:
        shop.identify("ann", {"email": "ann@example.com", "first_name": "Zoë"})
        for n in range(orders):
            shop.track("ann", "Order Completed", {"order_id": f"o{n}", "revenue": 30})
        shop.track("ann", "Began", {"thing": "a jug"})
        (sent,) = shop.inbox("ann")
        database = Database(url)
        before = kept(database)
        workshop = Workshop.load(place)
        made = database.read_now(lambda connection: workshop.make(Case("note", of_person(connection, "ann", shop.now))))
        assert kept(database) == before
        frozen = database.read_now(lambda connection: connection.execute(select(messages.c.tokens)).scalar_one())
        database.close_now()
    assert made.rendered is not None
    assert made.message is not None
    assert made.rendered.subject == sent.subject == "A note to Zoë"
    assert made.rendered.text.split("https://")[0] == sent.text.split("http://")[0].split("https://")[0]
    assert f"a jug {orders} X1" in made.rendered.text
    assert f"a jug {orders} X1" in sent.text
    assert ("You came back." in made.rendered.text) is (orders >= 2) is ("You came back." in sent.text)
    block = "for a regular" if orders else "for a newcomer"
    assert block in made.rendered.text
    assert block in sent.text
    assert told(made.rendered.tokens) == told(frozen)


def test_a_preview_of_a_real_person_carries_no_link_that_works(tmp_path: Path) -> None:
    place = folder(tmp_path)
    url = f"sqlite:///{tmp_path}/preview.db"
    with Shop(journeys_dir=place, database_url=url) as shop:
        shop.identify("ann", {"email": "ann@example.com"})
        shop.track("ann", "Began", {"thing": "a jug"})
        (sent,) = shop.inbox("ann")
        working = sent.headers["List-Unsubscribe"].strip("<>")
        database = Database(url)
        made = database.read_now(lambda connection: Workshop.load(place).make(Case("note", of_person(connection, "ann", shop.now))))
        database.close_now()
    raw = made.raw.decode()
    assert working.split("://")[1].split("/")[0] not in raw
    assert "List-Unsubscribe: <https://unsubscribe.invalid/>" in raw
    assert 'href="https://unsubscribe.invalid/"' in (made.rendered.html if made.rendered else "")
    assert made.case.slug == "note--person"  # a file's name says nothing of who it is


def test_a_person_who_is_not_there_is_said(tmp_path: Path) -> None:
    with Shop(journeys_dir=folder(tmp_path), database_url=f"sqlite:///{tmp_path}/preview.db"):
        database = Database(f"sqlite:///{tmp_path}/preview.db")
        with pytest.raises(NotFound, match="no such person"):
            database.read_now(of_person, "nobody", SAMPLE.now)
        database.close_now()


def test_what_cannot_be_rendered_says_why(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "personas").mkdir()
    (place / "personas" / "one.yaml").write_text("persona: one\ndescription: x\nevent: {other: 1}\n")
    workshop = Workshop.load(place)
    made = workshop.make(Case("note", workshop.persona("one")))
    assert made.rendered is None
    assert made.problem == "note needs event.thing, which is missing"
    assert [finding.message for finding in report(made).problems] == [made.problem]


def test_headers_that_could_not_be_written_are_said(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "personas").mkdir()
    text = 'persona: one\ndescription: x\nprofile: {first_name: "Ann", email: "a b@c.example"}\nevent: {thing: x}\n'
    (place / "personas" / "one.yaml").write_text(text)
    (place / "content" / "note.mjml").write_text(NOTE.replace('A note to {{ profile.first_name | default("you") }}', "A note"))
    made = Workshop.load(place).make(Case("note", Workshop.load(place).persona("one")))
    assert made.header_problem is not None
    assert made.raw == b""
    assert "headers" in {finding.about for finding in report(made).problems}


def test_every_shipped_content_can_be_shown_for_every_shipped_persona() -> None:
    workshop = Workshop.load(JOURNEYS)
    people = workshop.personas()
    assert len(people) >= 3
    cases = [case for name in workshop.contents.names() for person in people for case in workshop.cases(name, person)]
    assert len({case.slug for case in cases}) == len(cases) > len(people) * len(workshop.contents.names())
    for case in cases:
        found = report(workshop.make(case))
        assert not found.problems, (case.slug, found.problems)


def test_each_variant_comes_in_the_persons_language_and_in_every_other() -> None:
    workshop = Workshop.load(JOURNEYS)
    cases = list(workshop.cases("cart_reminder", workshop.persona("jonas")))
    spoken = {(case.variant, report(workshop.make(case)).language()) for case in cases}
    assert {(variant, language) for variant, (language, _) in spoken} == {
        (variant, language) for variant in ("plain", "playful") for language in ("de", "en-GB")
    }
    assert (("plain", ("de", "the person's locale is de-AT"))) in spoken


def test_a_value_says_where_it_came_from() -> None:
    workshop = Workshop.load(JOURNEYS)
    found = {token.name: token for token in report(workshop.make(Case("cart_offer", workshop.persona("ada")))).tokens}
    assert (found["event.name"].value, found["event.name"].origin) == ("Oak side table", "persona ada")
    assert (found["with.code"].value, found["with.code"].origin) == ("CART10", "cart_abandonment, step offer")
    assert found["shop.name"].origin == "shop.yaml"
    spoken = report(workshop.make(Case("cart_reminder", workshop.persona("jonas"), "plain")))
    assert {token.origin for token in spoken.tokens if token.source == "variant"} == {"cart_reminder.de.yaml"}
    sample = report(workshop.make(Case("cart_offer", SAMPLE)))
    assert {token.origin for token in sample.tokens if token.source == "event"} == {"`sample` of the content"}


def test_what_is_not_there_is_named_with_what_is_near(tmp_path: Path) -> None:
    workshop = Workshop.load(JOURNEYS)
    for case, words in (
        (Case("cart_ofer", SAMPLE), "cart_offer"),
        (Case("cart_reminder", SAMPLE, "playfull"), "playful"),
        (Case("cart_offer", SAMPLE, "plain"), "has no variants"),
        (Case("cart_offer", SAMPLE, language="fr"), "not translated into fr"),
        (Case("cart_offer", SAMPLE, journey="onboarding"), "cart_abandonment"),
    ):
        with pytest.raises(NotFound, match=words):
            workshop.make(case)
    with pytest.raises(NotFound, match="ada"):
        workshop.persona("adda")


def test_a_personas_names_are_checked_beside_the_rest_of_the_folder(tmp_path: Path) -> None:
    place = folder(tmp_path)
    (place / "personas").mkdir()
    text = "persona: one\ndescription: x\nprofile: {orders: 3}\nsegments: {loyall: true}\nscores: {rfn: 0.2}\n"
    (place / "personas" / "one.yaml").write_text(text)
    (place / "personas" / "two.yaml").write_text("persona: one\ndescription: x\n")
    (place / "seeds.yaml").write_text("seeds: [a@b.example, a@b.example]\n")
    with pytest.raises(DefinitionError) as caught:
        load(place)
    found = [str(problem).removeprefix(f"{place}/") for problem in caught.value.problems]
    assert "personas/one.yaml:3:11: `orders` is computed, so it follows from `history`; say what happened there" in found
    assert any(line.startswith("personas/one.yaml:4:12: unknown segment `loyall`") for line in found)
    assert any(line.startswith("personas/one.yaml:5:10: unknown model `rfn`") for line in found)
    assert any(line.startswith("personas/two.yaml:1:10: a second persona called `one`") for line in found)
    assert "seeds.yaml:1:22: this address stands here twice" in found
