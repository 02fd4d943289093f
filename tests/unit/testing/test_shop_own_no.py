"""P21: a reader's own no is outweighed only by a later yes of their own, whatever is repeated, imported, merged or told by a provider."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from laws import law
from shop_definitions import NOTE, journey, small_shop

from sojourn.bulk.people import write_people
from sojourn.bulk.policy import Policy
from sojourn.bulk.preparing import prepare
from sojourn.bulk.records import Origin
from sojourn.customers.identity import random_id
from sojourn.delivery.webhooks.base import Kind
from sojourn.errors import NotFound, SojournError
from sojourn.testing import Shop
from sojourn.testing.engine import SECRET

PLAIN = "enter: {on: Began, key: event.n}\nsteps:\n  - send: note\n"
OFFER = "enter: {on: Began, key: event.n}\ntopic: offers\nsteps:\n  - send: note\n"
SHOP = """\
name: Test Shop
url: https://shop.example
sender: {name: Test Shop, address: hello@shop.example}
postal_address: Test Shop, 1 Sample Street, 10115 Berlin, Germany
consent:
  marketing: {required: true, description: News until I say stop.}
"""
TOPICS = "topics: {offers: {title: Offers}, reminders: {title: R}, guides: {title: G}, news: {title: N}}\n"
DOUBLE = SHOP.replace("required: true", "required: true, double_opt_in: true")
ANN, BOB = "ann@example.com", "bob@example.com"
BANNER_YES = {"consent": {"categoryPreferences": {"marketing": True}}}
BANNER_NO = {"consent": {"categoryPreferences": {"marketing": False}}}


def arrives(shop: Shop, person: str = "ann") -> bool:
    """Let someone begin a journey, and tell whether its message arrives."""
    before = len(shop.inbox(person))
    shop.track(person, "Began", {"n": str(shop.now.timestamp())})
    shop.advance("1m")
    return len(shop.inbox(person)) > before


def known(shop: Shop) -> Shop:
    """Let Ann agree as a site says it, and get a message."""
    shop.identify("ann", {"email": ANN}, context=BANNER_YES)
    assert arrives(shop)
    shop.advance("1h")
    return shop


def repeat(shop: Shop, days: int = 21) -> None:
    """Let the site say what it says with each page and each log-in."""
    for _ in range(days):
        shop.advance("1d")
        shop.track("ann", "Looked", context=BANNER_YES, anonymous_id="browser")
        shop.identify("ann", {"email": ANN}, consent=["marketing"])


def take_rows(shop: Shop, *records: Mapping[str, Any]) -> None:
    """Import rows of people, as `sojourn import profiles` does a page of them."""
    origin, policy = Origin(f"{shop.now.timestamp()}".ljust(64, "0"), shop.now, shop.now), Policy(secret=SECRET)
    rows = [prepare(dict(record), number, number, origin, policy, random_id) for number, record in enumerate(records, 1)]
    shop._run(shop._engine.store.write(write_people, rows, origin, policy))


NOES = {
    "one click": lambda shop: shop.unsubscribe("ann"),
    "the preference page": lambda shop: shop.prefer("ann", all="off"),
    "a complaint": lambda shop: shop.complain("ann"),
    "the event": lambda shop: shop.track("ann", "Unsubscribed"),
    "the provider": lambda shop: shop._run(shop._engine.notice(Kind.UNSUBSCRIBED, shop.inbox("ann")[-1].key)),
}


@pytest.fixture(params=list(NOES))
def refused(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """A shop in which Ann has said no herself."""
    with small_shop(PLAIN, settings=SHOP) as shop:
        NOES[request.param](known(shop))
        shop.advance("1h")
        assert not arrives(shop)
        yield shop


def test_what_a_site_repeats_undoes_no_own_no(refused: Shop) -> None:
    repeat(refused)
    assert not arrives(refused)


def test_a_state_that_turns_to_yes_undoes_no_own_no_and_a_form_does(refused: Shop) -> None:
    for consent in ({"marketing": False}, {"marketing": True}):
        refused.identify("ann", consent=consent)
        refused.advance("1d")
    assert not arrives(refused)
    assert refused.profile("ann").consents == {"marketing": False}


@pytest.mark.parametrize("dated", [True, False])
def test_an_import_undoes_no_own_no_whatever_address_and_date_it_has(refused: Shop, dated: bool) -> None:
    when = {"time": (refused.now - timedelta(minutes=1)).isoformat()} if dated else {}
    take_rows(refused, {"user_id": "ann", "traits": {"email": BOB}, "consent": {"marketing": True}, **when})
    refused.advance("1h")
    assert refused.profile("ann").traits["email"] == BOB
    assert not arrives(refused)


@pytest.mark.parametrize("how", ["identify", "import"])
def test_the_address_gets_nothing_under_a_new_user_id(refused: Shop, how: str) -> None:
    if how == "identify":
        refused.identify("ann-2", {"email": "Ann@Example.com"}, context=BANNER_YES)
    else:
        take_rows(refused, {"user_id": "ann-2", "traits": {"email": ANN}, "consent": {"marketing": True}})
    assert not arrives(refused, "ann-2")


def test_a_new_address_of_hers_is_hers_under_another_user_id_too(refused: Shop) -> None:
    refused.identify("ann", {"email": BOB})
    refused.identify("bob", {"email": BOB})
    assert not arrives(refused)
    assert not arrives(refused, "bob")


def test_a_no_said_before_the_address_was_known_holds_for_it() -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        shop.track("ann", "Unsubscribed")
        shop.identify("ann", {"email": ANN}, consent=["marketing"])
        shop.identify("ann-2", {"email": ANN})
        assert not arrives(shop)
        assert not arrives(shop, "ann-2")


def test_who_is_merged_with_someone_who_agreed_as_a_site_says_it_stays_refused_and_so_it_is_apart_again(refused: Shop) -> None:
    refused.identify("bob", {"email": BOB})
    was = refused.profile("bob").id
    refused.merge("ann", "bob")
    assert not arrives(refused)
    refused.unmerge(was)
    assert not arrives(refused)
    assert arrives(refused, "bob")


@pytest.mark.parametrize("no", ["one click", "the preference page", "the event", "the provider"])
def test_a_later_yes_of_her_own_counts(no: str) -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        NOES[no](known(shop))
        shop.advance("1h")
        shop.track("ann", "Subscribed", {"wording": "2026-01"})
        shop.advance("1m")
        assert arrives(shop)
        assert shop.profile("ann").consents == {"marketing": True}


def test_what_she_chose_on_the_preference_page_outlasts_a_banners_stale_no() -> None:
    with small_shop(OFFER, settings=SHOP + TOPICS) as shop:
        known(shop)
        shop.unsubscribe("ann")
        shop.advance("1h")
        shop.prefer("ann", frequency="normal", topic_offers="on")
        for _ in range(3):
            shop.advance("1d")
            shop.track("ann", "Looked", context=BANNER_NO, anonymous_id="browser")
            shop.identify("ann", consent={"marketing": False})
            assert arrives(shop)


def test_who_saves_the_page_as_it_is_has_chosen() -> None:
    with small_shop(OFFER, settings=SHOP + TOPICS) as shop:
        known(shop)
        shop.prefer("ann", frequency="normal", topic_offers="on", topic_news="on", topic_guides="on", topic_reminders="on")
        shop.advance("1d")
        shop.track("ann", "Looked", context=BANNER_NO, anonymous_id="browser")
        assert arrives(shop)


def test_a_choice_of_nothing_holds_also_where_nothing_stood() -> None:
    with small_shop(PLAIN, "enter: {on: Paid}\npurpose: transactional\nsteps:\n  - send: note\n", settings=SHOP) as shop:
        shop.identify("ann", {"email": ANN}, consent={"marketing": False})
        shop.track("ann", "Paid")
        shop.prefer("ann", all="off")
        shop.advance("1h")
        shop.identify("ann", consent={"marketing": True})
        assert not arrives(shop)


def test_a_topic_that_she_turned_off_stays_off_under_a_new_user_id() -> None:
    with small_shop(OFFER, settings=SHOP + TOPICS) as shop:
        known(shop)
        shop.prefer("ann", frequency="normal", topic_news="on")
        shop.identify("ann-2", {"email": ANN})
        assert not arrives(shop, "ann-2")


def test_who_unsubscribes_after_a_banners_no_has_said_it_herself() -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        known(shop)
        shop.identify("ann", consent={"marketing": False})
        shop.unsubscribe("ann")
        shop.advance("1h")
        shop.identify("ann", consent={"marketing": True})
        assert not arrives(shop)


def test_a_second_click_outweighs_a_form_between_the_two_that_is_told_late() -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        message = known(shop).inbox("ann")[-1]
        shop.unsubscribe(message)
        shop.advance("2h")
        shop.unsubscribe(message)
        shop.track("ann", "Subscribed", at=shop.now - timedelta(hours=1))
        assert not arrives(shop)


def test_a_banner_that_turns_to_no_still_stops_the_mail() -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        known(shop)
        shop.track("ann", "Subscribed")
        for context in (BANNER_YES, BANNER_NO):
            shop.advance("1h")
            shop.track("ann", "Looked", context=context, anonymous_id="browser")
        assert not arrives(shop)


def test_double_opt_in_asks_once_and_a_repeated_state_not_again_after_her_no() -> None:
    with Shop(journeys_dir="journeys", settings=DOUBLE + TOPICS, journeys=[journey("offer", PLAIN)], contents={"note": NOTE}) as shop:
        shop.identify("ann", {"email": ANN}, context=BANNER_YES)
        shop.confirm(shop.inbox("ann")[0])
        shop.advance("1h")
        assert arrives(shop)
        shop.unsubscribe("ann")
        repeat(shop)
        asked = [send for send in shop.inbox("ann") if send.content == "confirm_subscription"]
        assert len(asked) == 1
        for _ in range(3):  # turned to yes since: asked once more, and no more than once
            shop.advance("8d")
            shop.identify("ann", consent={"marketing": False})
            shop.advance("8d")
            shop.identify("ann", consent={"marketing": True})
        asked = [send for send in shop.inbox("ann") if send.content == "confirm_subscription"]
        assert len(asked) == 2
        assert not arrives(shop)
        shop.confirm(asked[-1])
        assert arrives(shop)


def test_a_reader_who_subscribes_again_at_the_provider_gets_mail_again() -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        key = known(shop).inbox("ann")[-1].key
        shop._run(shop._engine.notice(Kind.UNSUBSCRIBED, key))
        shop.advance("1h")
        shop._run(shop._engine.notice(Kind.RESUBSCRIBED, key))
        shop.advance("1h")
        assert arrives(shop)


def test_the_verdict_and_the_profile_say_which_word_it_was(refused: Shop) -> None:
    refused.track("ann", "Began", {"n": "again"})
    reasons = " ".join(refusal.reason for refusal in refused.refusals("ann"))
    assert "marketing" in reasons


# -- in any sequence -----------------------------------------------------------------------------------


@dataclass
class Lives:
    """What two people did, and who is one with whom: by which every message that arrives is judged.

    A deed in a message of people who are one is counted as long as they are.
    """

    shop: Shop
    deeds: list[tuple[str, bool, datetime, str]] = field(default_factory=list)  # who, yes or no, when, at which address
    one: str | None = None  # the profile that was merged

    def group(self, who: str) -> set[str]:
        return {"ann", "bob", "both"} if self.one is not None else {who}

    def address(self, who: str) -> str:
        return str(self.shop.profile(who).traits.get("email", ""))

    def did(self, who: str, granted: bool, at: datetime, *, message: bool = False) -> None:
        self.deeds.append(("both" if message and self.one else who, granted, at, self.address(who)))

    def may(self, who: str) -> bool:
        """Tell whether no no of theirs, nor of whoever bore the address, is without a later yes of their own."""
        mine = self.group(who)
        agreed = max((at for one, granted, at, _ in self.deeds if granted and one in mine), default=None)
        refused = [at for one, granted, at, address in self.deeds if not granted and (one in mine or address == self.address(who))]
        return all(agreed is not None and at < agreed for at in refused)


def _identify(lives: Lives, who: str, number: int) -> None:
    consent: Any = [{"marketing": True}, {"marketing": False}, ()][number % 3]
    lives.shop.identify(who, {"email": [ANN, BOB][number // 3 % 2]}, consent=consent)


def _banner(lives: Lives, who: str, number: int) -> None:
    context = BANNER_YES if number % 2 else BANNER_NO
    lives.shop.track(who, "Looked", context=context, anonymous_id=f"{who}-{number // 2 % 2}")


def _event(lives: Lives, who: str, number: int) -> None:
    at = lives.shop.now - timedelta(hours=number // 2 % 4)
    lives.shop.track(who, "Subscribed" if number % 2 else "Unsubscribed", at=at)
    lives.did(who, bool(number % 2), at)


def _message(lives: Lives, who: str, number: int) -> None:
    with suppress(NotFound):  # there is no message yet
        do = (lives.shop.unsubscribe, lives.shop.complain, lambda one: lives.shop.prefer(one, all="off"))[number % 3]
        do(lives.shop.inbox(who)[-1] if lives.shop.inbox(who) else who)
        lives.did(who, False, lives.shop.now, message=True)


def _provider(lives: Lives, who: str, number: int) -> None:
    if found := lives.shop.inbox(who):
        kind = (Kind.UNSUBSCRIBED, Kind.BOUNCED, Kind.OPENED, Kind.DELIVERED)[number % 4]
        lives.shop._run(lives.shop._engine.notice(kind, found[-1].key))
        if kind is Kind.UNSUBSCRIBED:
            lives.did(who, False, lives.shop.now, message=True)


def _import(lives: Lives, who: str, number: int) -> None:
    row: dict[str, Any] = {"user_id": who, "traits": {"email": [ANN, BOB][number % 2]}, "consent": {"marketing": number // 2 % 4 != 0}}
    if number // 8 % 2:
        row["time"] = (lives.shop.now - timedelta(hours=number % 3)).isoformat()
    take_rows(lives.shop, row)


def _merge(lives: Lives, who: str, number: int) -> None:
    del who, number
    if lives.one is None:
        loser = lives.shop.profile("bob").id
        with suppress(SojournError):  # identity refuses it
            lives.shop.merge("ann", "bob")
            lives.one = loser
    else:
        lives.shop.unmerge(lives.one)
        lives.one = None


DOINGS = [_identify, _banner, _event, _message, _provider, _import, _merge]
STEPS = st.lists(st.tuples(st.sampled_from(DOINGS), st.sampled_from(["ann", "bob"]), st.integers(0, 15)), min_size=3, max_size=10)


@pytest.mark.slow
@law(60, suppress_health_check=[HealthCheck.too_slow])
@given(steps=STEPS)
def test_no_sequence_ends_with_a_mail_after_an_own_no(steps: list[tuple[Any, str, int]]) -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        lives = Lives(shop)
        for who, address in (("ann", ANN), ("bob", BOB)):
            shop.identify(who, {"email": address})
            arrives(shop, who)
        for doing, who, number in steps:
            shop.advance("1h")
            doing(lives, who, number)
            for one in ("ann", "bob"):
                shop.advance("1h")
                may = lives.may(one)
                assert not arrives(shop, one) or may, [(done.__name__, *rest) for done, *rest in steps]


def test_a_no_on_the_page_of_two_who_were_one_stays_with_the_mailbox_that_it_was_said_from() -> None:
    with small_shop(PLAIN, settings=SHOP) as shop:
        lives = Lives(shop)
        for who, address in (("ann", ANN), ("bob", BOB)):
            shop.identify(who, {"email": address})
            arrives(shop, who)
        shop.track("ann", "Unsubscribed")
        shop.advance("1h")
        assert arrives(shop, "bob")
        _merge(lives, "ann", 0)
        shop.prefer(shop.inbox("bob")[-1], all="off")
        shop.advance("1h")
        _merge(lives, "ann", 0)
        assert not arrives(shop, "bob")
