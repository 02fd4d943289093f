"""What each normaliser takes and refuses; each gives its own result back unchanged, and none ever raises."""

import re

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import example, given
from hypothesis import strategies as st
from laws import law

from sojourn.customers.normalise import (
    NO_HINTS,
    TYPES,
    Hints,
    Refusal,
    country,
    country_of_zone,
    dates,
    email,
    names,
    phone,
    region,
)

GERMANY = Hints(country="DE", currency="EUR")
EVERY = {
    **{f"type {name}": normalise for name, normalise in TYPES.items()},
    "email": email(), "email folded": email(drop_tag=True, fold_gmail=True), "email as written": email(keep_case=True),
    "phone": phone(), "phone of Austria": phone("AT"), "country": country(), "region": region(), "region of France": region("FR"),
    "dates": dates(), "dates month first": dates("mdy"), "names": names(), "first names": names("first"), "last names": names("last"),
}  # fmt: skip


def refused(value):
    return isinstance(value, Refusal)


@pytest.mark.parametrize(
    ("options", "said", "kept"),
    [
        ({}, "Ada@EXAMPLE.com", "ada@example.com"),
        ({}, " mailto:ada@example.com ", "ada@example.com"),
        ({}, "\uff41da@example.com", "ada@example.com"),  # a letter of full width
        ({}, "ada@BÜCHER.de", "ada@bücher.de"),
        ({}, "ada+news@example.com", "ada+news@example.com"),
        ({"drop_tag": True}, "ada+news@example.com", "ada@example.com"),
        ({"keep_case": True}, "Ada@Example.com", "Ada@example.com"),
        ({}, "a.d.a@gmail.com", "a.d.a@gmail.com"),
        ({"fold_gmail": True}, "A.d.a+x@googlemail.com", "ada@gmail.com"),
        ({"fold_gmail": True}, "a.d.a+x@example.com", "a.d.a+x@example.com"),
    ],
)
def test_an_email_address_has_one_form(options, said, kept):
    assert email(**options)(said, NO_HINTS) == kept


@pytest.mark.parametrize(
    "said", ["", "null", "ada", "ada@", "@example.com", "a b@example.com", "ada@localhost", "a@b..de", 5, None, "x" * 400]
)
def test_what_is_no_email_address_is_refused(said):
    found = email()(said, NO_HINTS)
    assert refused(found)
    assert str(said) == "" or str(said) not in found.reason


_near_addresses = st.from_regex(r"\A[A-Za-z0-9._+-]{1,12}@[A-Za-z0-9.-]{1,16}\.[A-Za-z]{1,9}\Z")


@given(_near_addresses)
@example("a@x.local")
@example("a@x.invalid")
@example("a@ab--c.de")
@example("a.@x.de")
def test_what_the_library_takes_is_taken_as_it_reads_it_and_no_more_but_for_hyphens(text):
    took = email(keep_case=True)(text, NO_HINTS)
    try:
        found = validate_email(text, check_deliverability=False, test_environment=True)
        assert took == f"{found.local_part}@{found.domain}"
    except EmailNotValidError:
        # RFC 5321 allows two hyphens in the third place; the library takes them for A-labels.
        assert refused(took) or re.search(r"[@.](?!xn--)[a-z0-9]{2}--", text.lower())


@pytest.mark.parametrize(
    ("hints", "said", "kept"),
    [
        (GERMANY, "030 12345678", "+493012345678"),
        (GERMANY, "+44 20 7946 0958", "+442079460958"),
        (GERMANY, "0049 (30) 1234-5678", "+493012345678"),
        (Hints("US"), "(650) 253-0000", "+16502530000"),
        (NO_HINTS, "+49 30 12345678", "+493012345678"),
        (Hints("GB"), 2079460958, "+442079460958"),
    ],
)
def test_a_telephone_number_is_e164(hints, said, kept):
    assert phone()(said, hints) == kept


@pytest.mark.parametrize(("said", "reason"), [("030 12345678", "no country is known"), ("call me", "not a telephone"), ("+49 1", "")])
def test_what_is_no_telephone_number_is_refused_with_its_reason(said, reason):
    found = phone()(said, NO_HINTS)
    assert refused(found)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("de", "DE"), ("DEU", "DE"), ("Deutschland", "DE"), ("ALLEMAGNE", "DE"), ("Niemcy", "DE"), ("ドイツ", "DE"), ("Германия", "DE"),
        ("U.S.A.", "US"), ("UK", "GB"), ("Côte d'Ivoire", "CI"), ("cote divoire", None), ("Österreich", "AT"), ("Türkiye", "TR"),
        ("भारत", "IN"), ("Kosovo", "XK"), ("Narnia", None), ("Kongo", None), ("", None), (49, None),
    ],
)  # fmt: skip
def test_a_country_is_known_by_its_codes_and_its_names_in_many_languages(said, kept):
    found = country()(said, NO_HINTS)
    assert (None if refused(found) else found) == kept


@pytest.mark.parametrize(
    ("hints", "said", "kept"),
    [
        (GERMANY, "Bayern", "DE-BY"), (GERMANY, "bavaria", "DE-BY"), (GERMANY, "BY", "DE-BY"), (GERMANY, "US-CA", "US-CA"),
        (Hints("US"), "California", "US-CA"), (Hints("US"), "CA", "US-CA"), (NO_HINTS, "US-CA", "US-CA"),
        (NO_HINTS, "Bayern", None), (GERMANY, "Ontario", None), (GERMANY, "DE-XX", None), (GERMANY, 7, None),
    ],
)  # fmt: skip
def test_a_region_is_known_within_its_country(hints, said, kept):
    found = region()(said, hints)
    assert (None if refused(found) else found) == kept


@pytest.mark.parametrize(
    ("zone", "lies_in"), [("Europe/Berlin", "DE"), ("Asia/Calcutta", "IN"), ("US/Pacific", "US"), ("Etc/GMT-1", None), ("UTC", None)]
)
def test_a_time_zone_lies_in_a_country(zone, lies_in):
    assert country_of_zone(zone) == lies_in


@pytest.mark.parametrize(
    ("order", "said", "kept"),
    [
        ("dmy", "1990-04-03", "1990-04-03"), ("dmy", "1990-04-03T23:30:00Z", "1990-04-03"), ("dmy", "3.4.1990", "1990-04-03"),
        ("dmy", "03/04/1990", "1990-04-03"), ("mdy", "03/04/1990", "1990-03-04"), ("dmy", "04/25/1990", "1990-04-25"),
        ("mdy", "25/04/1990", "1990-04-25"), ("dmy", "1990/04/03", "1990-04-03"), ("dmy", "19900403", "1990-04-03"),
        ("dmy", 19900403, "1990-04-03"), ("dmy", "3 April 1990", "1990-04-03"), ("dmy", "Apr 3, 1990", "1990-04-03"),
        ("dmy", {"year": 1990, "month": 4, "day": 3}, "1990-04-03"), ("mdy", "3.4.1990", "1990-04-03"),
        ("dmy", "30.2.1990", None), ("dmy", "3.4.90", None), ("dmy", "soon", None), ("dmy", "", None), ("dmy", {"year": 1990}, None),
    ],
)  # fmt: skip
def test_a_date_is_read_from_the_forms_in_which_it_is_written(order, said, kept):
    found = dates(order)(said, NO_HINTS)
    assert (None if refused(found) else found) == kept


@pytest.mark.parametrize(
    ("part", "said", "kept"),
    [
        ("full", "  DR. ANNA-MARIA   VON TRAPP ", "Anna-Maria von Trapp"),
        ("last", "VAN GOGH", "van Gogh"), ("last", "O'NEIL", "O'Neil"), ("last", "MCDONALD", "McDonald"),
        ("full", "Doe, John", "John Doe"), ("full", "Smith, Jr.", "Smith, Jr."), ("last", "Doe, John", "Doe, John"),
        ("full", "HENRY VIII", "Henry VIII"), ("first", "JP", "JP"), ("first", "Frau Erika", "Erika"), ("first", "Frau", "Frau"),
        # What a person may have meant so stays.
        ("full", "bell hooks", "bell hooks"), ("full", "Ludwig van Beethoven", "Ludwig van Beethoven"), ("last", "McIntyre", "McIntyre"),
        ("last", "Null", "Null"), ("first", "Don", "Don"), ("first", "X Æ A-Xii", "X Æ A-Xii"), ("first", "李小龍", "李小龍"),
        ("first", "İPEK", "İpek"), ("last", "ΠΑΠΑΣ", "Παπας"), ("first", "علی\u200cرضا", "علی\u200cرضا"),  # noqa: RUF001
        ("first", "", None), ("first", " - ", None), ("first", "12345", None), ("first", "ada@example.com", None),
        ("first", "http://x.example", None), ("first", "<b>Ada</b>", None), ("first", {"a": 1}, None),
    ],
)  # fmt: skip
def test_a_name_is_treated_with_a_light_hand(part, said, kept):
    found = names(part)(said, NO_HINTS)
    assert (None if refused(found) else found) == kept


@pytest.mark.parametrize(
    ("kind", "said", "kept"),
    [
        ("text", 5, "5"), ("text", True, None), ("number", "12.5", 12.5), ("number", True, None), ("number", "1e9", None),
        ("boolean", "YES", True), ("boolean", 0, False), ("boolean", 2, None), ("boolean", "maybe", None),
        ("moment", "2026-01-31", "2026-01-31T00:00:00.000000Z"), ("moment", "2026-01-31T01:00:00+02:00", "2026-01-30T23:00:00.000000Z"),
        ("moment", "tomorrow", None), ("money", 12.5, {"amount": 12.5, "currency": "EUR"}),
        ("money", "12.50 USD", {"amount": 12.5, "currency": "USD"}), ("money", {"amount": "3"}, {"amount": 3, "currency": "EUR"}),
        ("money", {"amount": 3, "currency": "euro"}, None), ("list", "a", None), ("list", ["a"], ["a"]), ("object", [], None),
    ],
)  # fmt: skip
def test_a_type_takes_what_is_meant_by_it(kind, said, kept):
    found = TYPES[kind](said, GERMANY)
    assert (None if refused(found) else found) == kept


def test_an_amount_needs_a_currency():
    assert refused(TYPES["money"](5, NO_HINTS))


_json = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=30), _near_addresses,
        st.from_regex(r"\A[+0-9 ()/.-]{3,16}\Z"), st.dates().map(str), st.text("ABCÇİSẞßδΣ'- .,", max_size=14),
        st.sampled_from(["de", "Bayern", "3/4/1990", "DR. X Y", "ADA, B", "12 EUR", "2026-01-01T10:00", 10**4000, "٣/٤/١٩٩٠", "ﬁ@x.de"]),
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["year", "month", "day", "amount", "currency"]), inner),
    max_leaves=6,
)  # fmt: skip


@law(300)  # each value is tried on all of them: making one up takes longer than all of these
@given(value=_json, hints=st.sampled_from([NO_HINTS, GERMANY, Hints("US", "USD")]))
@example(value=10**4000, hints=NO_HINTS)
@example(value={"year": 10**30, "month": 1, "day": 1}, hints=NO_HINTS)
def test_no_normaliser_ever_raises_and_each_gives_its_own_result_back(value, hints):
    assert len(EVERY) > 20
    for name, normalise in EVERY.items():
        once = normalise(value, hints)
        if not refused(once):
            assert normalise(once, hints) == once, name
