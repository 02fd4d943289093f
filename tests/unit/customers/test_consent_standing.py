"""Which word about a purpose stands, and which yes waits: decided of the words alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.customers.consent_standing import UNDATED, Consent, standing_of

START = datetime(2026, 1, 5, tzinfo=UTC)


def word(
    at: int, granted: bool, *, own: bool = False, stream: str | None = None, until: int | None = None, pending: bool = False
) -> Consent:
    kind = "deed" if own else "state"
    said, last = START + timedelta(hours=at), None if until is None else START + timedelta(hours=until)
    id_ = f"{kind}-{at}-{granted}-{stream}"
    return Consent(id_, "marketing", granted and not pending, said, kind, None, own, pending, stream, last)


def deed(at: int, granted: bool, **more: bool) -> Consent:
    return word(at, granted, own=True, **more)


yes, no = True, False
CASES: list[tuple[str, list[Consent], bool | None]] = [
    ("nothing was said", [], None),
    ("a state alone counts", [word(0, yes)], yes),
    ("a state that turned is heard", [word(0, yes), word(1, no)], no),
    ("and so it is where it turned back", [word(0, yes, until=2), word(1, no)], yes),
    ("a deed outweighs the state before it", [word(0, yes), deed(1, no)], no),
    ("and the one after it", [deed(1, no), word(2, yes)], no),
    ("a repeated state changes nothing", [word(0, yes, until=9), deed(1, no)], no),
    ("nor does one that turned to yes", [deed(1, no), word(2, no), word(3, yes)], no),
    ("only a later deed does", [deed(1, no), deed(2, yes)], yes),
    ("and no earlier one, whenever it is told", [deed(2, no), deed(1, yes)], no),
    ("of two deeds at one moment the no stands", [deed(1, no), deed(1, yes)], no),
    ("a stale no takes nothing from a yes by deed", [word(0, no, until=9), deed(1, yes)], yes),
    ("nor does one first heard after it", [deed(1, yes), word(2, no)], yes),
    ("a state that turned to no after it does", [word(0, yes), deed(1, yes), word(2, no)], no),
    ("but not where it only follows a no that she took back", [word(0, yes), deed(1, no), deed(2, yes), word(3, no)], yes),
    ("but it does where it said yes since", [word(0, yes, until=3), deed(1, no), deed(2, yes), word(4, no)], no),
    ("but not of a browser whose yes came before and whose no is old", [word(0, yes), word(1, no, until=9), deed(2, yes)], yes),
    ("one browser's no is not the other's", [word(0, yes, stream="a", until=9), deed(1, yes), word(2, no, stream="b")], yes),
    ("what one repeats does not outweigh what another turned to", [word(0, yes, stream="a", until=9), word(1, no, stream="b")], no),
    ("an undated yes counts where nobody said no", [word(9, yes, stream=UNDATED)], yes),
    ("and outweighs no no", [word(0, no), word(9, yes, stream=UNDATED)], no),
    ("a yes that waits is none", [word(0, yes, pending=True)], None),
    ("and takes nothing from one that stands", [deed(0, yes), word(1, yes, pending=True)], yes),
]


@pytest.mark.parametrize(("words", "granted"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_what_stands(words: list[Consent], granted: bool | None) -> None:
    found = standing_of(words).word
    assert (None if found is None else found.granted) is granted


WAITING: list[tuple[str, list[Consent], str | None]] = [
    ("a form that is to be confirmed", [deed(0, yes, pending=True)], "deed"),
    ("until it is", [deed(0, yes, pending=True), deed(1, yes)], None),
    ("or a no came", [deed(0, yes, pending=True), deed(1, no)], None),
    ("a stale banner is none", [word(0, no, until=9), deed(1, yes, pending=True)], "deed"),
    ("a form after a no", [deed(0, no), deed(1, yes, pending=True)], "deed"),
    ("a state that is to be confirmed", [word(0, yes, pending=True)], "state"),
    ("but not where it is repeated after a no", [word(0, yes, pending=True, until=9), deed(1, no)], None),
    ("nor where it is first heard after one", [deed(1, no), word(2, yes, pending=True)], None),
    ("a state that turned to yes after a no by deed", [deed(1, no), word(2, no), word(3, yes)], "state"),
    ("or that turned before and after", [word(0, no), deed(1, no), word(2, yes)], "state"),
    ("until it turns back", [deed(1, no), word(2, no, until=5), word(3, yes)], None),
]


@pytest.mark.parametrize(("words", "kind"), [case[1:] for case in WAITING], ids=[case[0] for case in WAITING])
def test_what_waits(words: list[Consent], kind: str | None) -> None:
    found = standing_of(words).waits
    assert (None if found is None else found.source) == kind


WORDS = st.lists(
    st.builds(
        lambda at, granted, own, stream, lasted, waits: replace(
            word(at, granted, own=own, stream=None if own else stream, until=None if own else at + lasted, pending=waits and granted),
            id=f"{at}{granted}{own}{stream}{lasted}{waits}",
        ),
        st.integers(0, 6), st.booleans(), st.booleans(), st.sampled_from(["a", "b", UNDATED]), st.integers(0, 4), st.booleans(),
    ),
    max_size=7,
)  # fmt: skip


@given(words=WORDS, data=st.data())
def test_the_order_in_which_words_are_told_changes_nothing(words: list[Consent], data: st.DataObject) -> None:
    mixed = data.draw(st.permutations(words))
    assert standing_of(mixed) == standing_of(words)


@given(words=WORDS)
def test_a_no_by_deed_is_outweighed_only_by_a_later_yes_by_deed(words: list[Consent]) -> None:
    stands = standing_of(words)
    refused = max((one.last for one in words if one.own and not one.granted and not one.pending), default=None)
    agreed = max((one.last for one in words if one.own and one.granted), default=None)
    if refused is not None and (agreed is None or agreed <= refused):
        assert not stands.granted


@given(words=WORDS)
def test_what_waits_never_counts(words: list[Consent]) -> None:
    stands = standing_of(words)
    assert stands.word is None or not stands.word.pending
    assert not (stands.granted and stands.waits)


@pytest.mark.parametrize("others", [[], [deed(-5, no)], [word(-5, yes)]], ids=["alone", "after a deed", "after another yes"])
@pytest.mark.parametrize("kind", [yes, no])
def test_one_state_told_under_two_ids_of_a_person_stands_since_its_first(kind: bool, others: list[Consent]) -> None:
    together = standing_of([*others, word(0, kind, stream="a", until=3)])
    for apart in ([(0, 1), (3, 3)], [(0, 3), (1, 2)], [(3, 3), (0, 2)]):
        rows = [replace(word(at, kind, stream="a", until=last), id=f"under {number}") for number, (at, last) in enumerate(apart)]
        found = standing_of([*others, *rows])
        for was, is_now in ((together.word, found.word), (together.waits, found.waits)):
            assert (was is None) is (is_now is None)
            assert was is None or is_now is None or (was.at, was.last, was.granted) == (is_now.at, is_now.last, is_now.granted)


@pytest.mark.parametrize("kind", [yes, no])
def test_of_two_states_of_one_moment_the_same_stands_whatever_their_ids(kind: bool) -> None:
    def named(*ids: str) -> str:
        rows = [word(0, kind, stream="a"), replace(word(0, kind), source="identify")]
        found = standing_of([replace(row, id=id_) for row, id_ in zip(rows, ids, strict=True)]).word
        assert found is not None
        return found.source

    assert named("1", "2") == named("2", "1")
