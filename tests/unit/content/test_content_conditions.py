"""Sections and slots: the conditions of journeys, judged before a message is made, and kept with their because."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.content import Answers, Contents, answer, by_score
from sojourn.content.slots import Arm, with_slots
from sojourn.errors import RenderError
from sojourn.language.conditions import EventFact, Facts, ListHistory, parse
from sojourn.language.finding import Known
from tests.unit.content.pages import facts, one, problems, text

NOW = datetime(2026, 1, 5, 10, 0, tzinfo=UTC)
SECTION = """{% section if="segment.vip and not did('Order Completed', within='7d')" %}<mj-text>yes</mj-text>
{% else %}<mj-text>no</mj-text>{% endsection %}"""
NOTE = "---\ninputs: {words: {type: text, required: true}}\n---\n<mj-text>{{ words }}</mj-text>"
SLOTS = """subject: Hello
slots:
  hero:
    - {if: segment.vip, block: note, with: {words: "vip {{ profile.name | default('you') }}"}}
    - {by: rfm, arms: [{at_least: 0.6, block: note, with: {words: regular}}, {at_least: 0.3, block: note, with: {words: sometimes}}]}"""
HERO = "<div data-content='hero'><mj-text>its own</mj-text></div>"
VIP = {"vip": parse("profile.tier == 'gold'")}


def judged(contents: Contents, known: Facts, score: float = 0.0) -> Answers:
    return answer(contents.asks("mail"), known, VIP, by_score(lambda model: (score, "so it says")))


def test_a_section_is_shown_where_its_condition_holds_by_history_and_segments() -> None:
    contents = one(SECTION)
    bought = ListHistory([EventFact("Order Completed", NOW - timedelta(days=2), {})])
    gold = {"tier": "gold"}
    assert text(contents, answers=judged(contents, Facts(now=NOW, profile=gold))) == "yes"
    assert text(contents, answers=judged(contents, Facts(now=NOW, profile=gold, history=bought))) == "no"
    assert text(contents, answers=judged(contents, Facts(now=NOW))) == "no"


def test_the_answer_is_kept_with_its_because() -> None:
    contents = one('{% section if="event.price >= 20" %}x{% endsection %}')
    known = Facts(now=NOW, event=EventFact("Product Added", NOW, {"price": 45}))
    kept = contents.render("mail", facts(answers=judged(contents, known))).tokens["section event.price >= 20"]
    assert kept == {"value": True, "source": "condition", "because": "event.price >= 20 (45)"}


@pytest.mark.parametrize("body", [SECTION, HERO])
def test_what_nobody_judged_is_an_error_and_not_a_guess(body: str) -> None:
    contents = one(body, SLOTS if body is HERO else "subject: Hello", blocks__note=NOTE)
    with pytest.raises(RenderError, match="not judged before"):
        contents.render("mail", facts())


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{% section if='segment.vipp' %}x{% endsection %}", "mail.mjml:5:1: `section`: unknown segment `vipp`; did you mean `vip`?"),
        ("\n{% section if='score.rfn > 1' %}x{% endsection %}", "mail.mjml:6:1: `section`: unknown model `rfn`; did you mean `rfm`?"),
        ("{% section if='segment.vip and' %}x{% endsection %}", "`segment.vip and`: the condition stops too early"),
        ("{% section if='event.price = 3' %}x{% endsection %}", "write == to compare"),
        ("{% section %}x{% endsection %}", "`section` needs a condition"),
        ("{% section if=segment.vip %}x{% endsection %}", "`section` needs a condition"),
    ],
)
def test_a_wrong_condition_is_told_as_in_a_journey(body: str, told: str) -> None:
    found = problems(f"<mj-raw>{body}</mj-raw>" if not body.startswith("\n") else body, known=_known())
    assert len(found) == 1
    assert told in found[0]


def _known() -> Known:
    return Known(segments=frozenset({"vip"}), models=frozenset({"rfm"}))


@pytest.mark.parametrize(
    ("profile", "score", "words", "because"),
    [
        ({"tier": "gold", "name": "Ada"}, 0.9, "vip Ada", "segment.vip"),
        ({}, 0.7, "regular", "not segment.vip; rfm is 0.70 (so it says)"),
        ({}, 0.3, "sometimes", "not segment.vip; rfm is 0.30 (so it says)"),
        ({}, 0.1, "its own", "not segment.vip; rfm is 0.10 (so it says)"),
    ],
)
def test_the_first_line_that_holds_fills_a_slot_and_a_model_chooses_among_arms(
    profile: dict[str, str], score: float, words: str, because: str
) -> None:
    contents = one(HERO, SLOTS, blocks__note=NOTE)
    answers = judged(contents, Facts(now=NOW, profile=profile), score)
    assert text(contents, profile=profile, answers=answers) == words
    kept = contents.render("mail", facts(profile=profile, answers=answers)).tokens["slot.hero"]
    assert kept == {"value": "its own" if words == "its own" else "note", "source": "slot", "because": because}


def test_any_model_that_chooses_can_stand_in_the_place_of_one_that_scores() -> None:
    contents = one(HERO, SLOTS, blocks__note=NOTE)
    asked: list[tuple[str, tuple[float | None, ...]]] = []

    def bandit(model: str, arms: tuple[Arm, ...]) -> tuple[int, str]:
        asked.append((model, tuple(arm.at_least for arm in arms)))
        return 1, "it explores"

    answers = answer(contents.asks("mail"), Facts(now=NOW), VIP, bandit)  # type: ignore[arg-type]
    assert text(contents, answers=answers) == "sometimes"
    assert asked == [("rfm", (0.6, 0.3))]


def test_a_slot_of_a_layout_is_filled_by_each_content_for_itself() -> None:
    slot = "{% slot 'hero' %}<mj-text>its own</mj-text>{% endslot %}"
    layout = f"<mjml><mj-body><mj-section><mj-column>{slot}</mj-column></mj-section></mj-body></mjml>"
    body = "{% extends 'layouts/base.mjml' %}"
    head = "---\nsubject: a\nslots: {hero: [{block: note, with: {words: filled}}]}\n---\n"
    contents = one("x", layouts__base=layout, blocks__note=NOTE, a=head + body, b=f"---\nsubject: b\n---\n{body}")
    assert "filled" in contents.render("a", facts(answers=answer(contents.asks("a"), Facts(now=NOW), {}, by_score(lambda m: (0, ""))))).text
    assert "its own" in contents.render("b", facts()).text


@pytest.mark.parametrize(
    ("slots", "told"),
    [
        ("{hreo: [{block: note, with: {words: a}}]}", "no slot is called `hreo`; did you mean `hero`?"),
        ("{hero: [{block: nota, with: {words: a}}]}", "`slots.hero`: unknown file `blocks/nota.mjml`; did you mean `blocks/note.mjml`?"),
        ("{hero: [{block: note}]}", "`slots.hero`: `blocks/note.mjml` needs `words`"),
        ("{hero: [{block: note, by: rfm}]}", "write one of the two"),
        ("{hero: [{by: rfm}]}", "`by` and `arms` belong together"),
        ("{hero: [{by: rfn, arms: [{block: note, with: {words: a}}]}]}", "unknown model `rfn`; did you mean `rfm`?"),
        ("{hero: [{if: segment.vipp, block: note, with: {words: a}}]}", "unknown segment `vipp`"),
        ("{hero: [{block: note, with: {words: a}}, {if: segment.vip, block: note, with: {words: b}}]}", "so it stands last"),
        ("{hero: [{block: note, with: {words: '{{ profil.x }}'}}]}", "`slots.hero`: unknown token `profil`; did you mean `profile`?"),
    ],
)
def test_what_fills_a_slot_is_checked_in_the_front_matter(slots: str, told: str) -> None:
    found = problems(HERO, f"subject: Hello\nslots: {slots}", _known(), blocks__note=NOTE)
    assert [line for line in found if told in line] != []
    assert all(line.startswith("mail.mjml:3:") for line in found)


def test_a_slot_within_what_fills_it_is_refused_at_load() -> None:
    block = "---\ninputs: {words: {type: text}}\n---\n{% slot 'hero' %}{% endslot %}"
    assert "that would never end" in problems(HERO, "subject: a\nslots: {hero: [{block: note}]}", blocks__note=block)[0]


def test_the_check_renders_each_section_both_ways_and_each_filling() -> None:
    assert "event.price is missing" in problems("{% section if='segment.vip' %}<mj-text>{{ event.price }}</mj-text>{% endsection %}")[0]
    note = NOTE.replace("{{ words }}", "{{ words }} {{ event.price }}")
    assert "event.price is missing" in problems(HERO, SLOTS, blocks__note=note)[0]


def test_a_div_stays_within_a_text_and_goes_among_components() -> None:
    in_text = with_slots("<mj-text>\n<div data-content='a' style='x'>1<div>2</div></div></mj-text>")
    assert in_text == "<mj-text>\n<div style='x'>{% slot \"a\" %}1<div>2</div>{% endslot %}</div></mj-text>"
    assert with_slots("<mj-column><div data-content='a'>1</div></mj-column>") == '<mj-column>{% slot "a" %}1{% endslot %}</mj-column>'


PIECES = ["<div>", "</div>", "<div data-content='a'>", "x", "\n", "<div class=\n'b'\n data-content=\"c\">", "<mj-text>", "</mj-text>"]


@given(st.lists(st.sampled_from(PIECES), max_size=12))
def test_slots_never_move_a_line(parts: list[str]) -> None:
    body = "".join(parts)
    assert with_slots(body).count("\n") == body.count("\n")
