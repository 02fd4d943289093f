"""Contents on the whole road: conditions judged by what is stored, languages, and messages that say not to send."""

from __future__ import annotations

from datetime import UTC, datetime

from sojourn.testing import Shop

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
JOURNEY = """journey: hello
description: d
enter: {on: Signed Up}
steps:
  - send: mail
  - end: done
"""
VIP = "segment: vip\ndescription: d\nmembers: count('Order Completed') >= 2\n"
FOOT = "<mj-text><a href='{{ unsubscribe_url }}'>stop</a> {{ shop.postal_address }}</mj-text>"


def page(body: str, front: str = "subject: Hello") -> str:
    return f"---\n{front}\n---\n<mjml><mj-body><mj-section><mj-column>{body}{FOOT}</mj-column></mj-section></mj-body></mjml>"


SECTION = page("{% section if=\"segment.vip and did('Order Completed', within='7d')\" %}<mj-text>for you first</mj-text>{% endsection %}")


def test_a_section_is_judged_by_the_stored_history_and_the_answer_is_kept() -> None:
    with Shop(journeys=[JOURNEY], segments=[VIP], contents={"mail": SECTION}, start=START) as shop:
        for person, orders in (("ada", 2), ("bob", 1)):
            shop.identify(person, {"email": f"{person}@example.com"})
            for _ in range(orders):
                shop.track(person, "Order Completed", {"revenue": 10})
            shop.track(person, "Signed Up")
        ada, bob = shop.inbox("ada")[0], shop.inbox("bob")[0]
        assert "for you first" in ada.text
        assert "for you first" not in bob.text


def test_a_model_fills_a_slot_by_its_score_of_the_person() -> None:
    front = "subject: Hello\nslots: {hero: [{by: rfm, arms: [{at_least: 0.1, block: note, with: {words: welcome back}}]}]}"
    contents = {
        "mail": page("<div data-content='hero'><mj-text>new here</mj-text></div>", front),
        "blocks/note": "---\ninputs: {words: {type: text, required: true}}\n---\n<mj-text>{{ words }}</mj-text>",
    }
    with Shop(journeys=[JOURNEY], contents=contents, start=START) as shop:
        shop.identify("ada", {"email": "ada@example.com"})
        shop.track("ada", "Order Completed", {"revenue": 900})
        shop.track("ada", "Signed Up")
        shop.identify("bob", {"email": "bob@example.com"})
        shop.track("bob", "Signed Up")
        assert "welcome back" in shop.inbox("ada")[0].text
        assert "new here" in shop.inbox("bob")[0].text


def test_a_message_without_a_fact_that_it_needs_is_not_sent_and_the_journey_goes_on_with_the_reason() -> None:
    with Shop(journeys=[JOURNEY], contents={"mail": page("x", "subject: Hello\nneeds: [event.plan]")}, start=START) as shop:
        shop.identify("ada", {"email": "ada@example.com"})
        shop.track("ada", "Signed Up")
        assert shop.inbox("ada") == []
        sent, entry = shop.sends("ada")[0], shop.entries("ada")[0]
        assert (sent.state, sent.reason) == ("suppressed", "mail needs event.plan, which is missing")
        assert entry.outcome == "done"
        assert entry.trail[0].because == "not sent: mail needs event.plan, which is missing"
        shop.identify("bob", {"email": "bob@example.com"})
        shop.track("bob", "Signed Up", {"plan": "gold"})
        assert len(shop.inbox("bob")) == 1


def test_a_message_that_cannot_be_rendered_says_so_and_is_not_taken_for_one_that_lacks_a_need() -> None:
    with Shop(journeys=[JOURNEY], contents={"mail": page("<mj-text>{{ event.plan }}</mj-text>")}, start=START) as shop:
        shop.identify("ada", {"email": "ada@example.com"})
        shop.track("ada", "Signed Up")
        assert str(shop.sends("ada")[0].reason).startswith("cannot be rendered: event.plan is missing")


def test_a_person_gets_the_shipped_reminder_in_their_language() -> None:
    with Shop(journeys_dir="journeys", start=START) as shop:
        shop.identify("ada", {"email": "ada@example.com", "first_name": "Ada"}, context={"locale": "de-AT", "timezone": "Europe/Vienna"})
        shop.track("ada", "Product Added", {"cart_id": "c1", "product_id": "p1", "name": "Leinendecke", "price": 45.5})
        shop.advance("1d")
        reminder = shop.inbox("ada")[0]
        assert reminder.subject in ("Dein Warenkorb ist noch da", "Da wartet jemand in deinem Warenkorb")
        assert "Hallo Ada," in reminder.text
        assert "€ 45,50" in reminder.text.replace("\u00a0", " ")
