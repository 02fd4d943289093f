"""Several providers at once: shares, warm-up, rates, and who steps in only where nothing was accepted."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from delivery_world import NOON, DeliveryWorld
from hypothesis import given
from hypothesis import strategies as st
from laws import law

from sojourn import breaker
from sojourn.clock import VirtualClock
from sojourn.delivery import ledger, sending
from sojourn.delivery.ledger import State
from sojourn.delivery.outcomes import Accepted, AlreadySettled, Claimed, Held, NotAccepted, Refused, Suppressed, Unclear
from sojourn.delivery.providers import Klass
from sojourn.delivery.providers.memory import Memory
from sojourn.delivery.routing import Carriers
from sojourn.errors import ProviderBusy, ProviderLocked, ProviderUnclear
from sojourn.language.delivery_model import OPTIONS
from sojourn.language.loader import DefinitionError, load_delivery
from sojourn.store.tables import consents


class Post(Memory):
    """A provider under a name, that fails as it is told to."""

    def __init__(self, name: str, klass: Klass = Klass.EVIDENTIAL) -> None:
        super().__init__()
        self.name, self.klass, self.error, self.posts = name, klass, None, 0

    async def deliver(self, message):
        self.posts += 1
        if self.error is not None:
            raise self.error
        return await super().deliver(message)


class Time:
    """A clock for breakers."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


class Office:
    """Two providers, as a delivery.yaml puts them to work."""

    def __init__(self, world: DeliveryWorld, text: str) -> None:
        self.world, self.time = world, Time()
        made = load_delivery(text)
        self.posts = {each.provider: Post(each.provider) for each in made.providers}
        self.carriers = Carriers.of(made, self.posts, self.time)
        self.count = 0

    def plan(self, address: str = "ann@example.com") -> str:
        self.count += 1
        return self.world.plan(self.world.another(str(self.count), to_address=address)).key

    async def deliver(self, key: str, now: datetime = NOON) -> object:
        try:
            return await sending.deliver(self.world.db, self.carriers, key, VirtualClock(now), self.world.rules)
        except ProviderBusy as busy:
            return busy

    def row(self, key: str) -> ledger.SendRow:
        return self.world.db.write_now(ledger.load, key)

    def shares(self) -> dict[str, int]:
        return {name: len(post.messages) for name, post in self.posts.items()}


TWO = "providers:\n  - {provider: resend, weight: 3}\n  - {provider: postmark, weight: 1}\n"


async def test_messages_fall_to_providers_by_their_weights_and_each_always_to_the_same(world: DeliveryWorld) -> None:
    office = Office(world, TWO)
    keys = [office.plan() for _ in range(200)]
    first = {}
    for key in keys:
        assert isinstance(await office.deliver(key), Accepted)
        first[key] = office.row(key).provider
    shares = Counter(first.values())
    assert 125 < shares["resend"] < 175
    again = Office(world, TWO)
    assert all(again.carriers._order(replace(office.row(key), provider=None))[0].name == name for key, name in first.items())


async def test_a_weight_of_zero_gets_nothing_new_and_keeps_what_it_has(world: DeliveryWorld) -> None:
    office = Office(world, "providers:\n  - {provider: resend, weight: 0}\n  - {provider: postmark}\n")
    for _ in range(20):
        await office.deliver(office.plan())
    assert office.shares() == {"resend": 0, "postmark": 20}
    assert office.carriers.named("resend") is office.posts["resend"]


async def test_another_steps_in_where_nothing_was_accepted(world: DeliveryWorld) -> None:
    office = Office(world, "providers:\n  - {provider: resend, weight: 1000}\n  - {provider: postmark, weight: 1}\n")
    office.posts["resend"].error = ProviderBusy("429")
    key = next(key for key in (office.plan() for _ in range(50)) if office.carriers._order(office.row(key))[0].name == "resend")
    assert isinstance(await office.deliver(key), ProviderBusy)
    assert (office.row(key).state, office.row(key).provider) == (State.PLANNED, "resend")
    assert isinstance(await office.deliver(key), Accepted)
    assert (office.row(key).provider, office.shares()) == ("postmark", {"resend": 0, "postmark": 1})


async def test_nobody_steps_in_for_a_message_whose_answer_was_lost(world: DeliveryWorld) -> None:
    office = Office(world, TWO)
    for post in office.posts.values():
        post.error = ProviderUnclear("reset")
    key = office.plan()
    assert isinstance(await office.deliver(key), Unclear)
    for post in office.posts.values():
        post.error = None
    office.time.seconds += 10_000
    for _ in range(5):
        assert isinstance(await office.deliver(key), Unclear)
    assert (office.row(key).state, sum(post.posts for post in office.posts.values())) == (State.UNKNOWN, 1)


async def test_many_at_once_under_one_key_post_one_message_whoever_carries_it(world: DeliveryWorld) -> None:
    office = Office(world, TWO + "domains:\n  - {domains: [example.com], rate: 1000/s}\n")
    key = office.plan()
    results = await asyncio.gather(*(office.deliver(key) for _ in range(12)))
    assert sum(isinstance(result, Accepted) for result in results) == 1
    assert (sum(post.posts for post in office.posts.values()), sum(office.shares().values())) == (1, 1)


async def test_without_fail_over_a_message_waits_for_its_own_provider(world: DeliveryWorld) -> None:
    office = Office(world, TWO + "fail_over: []\n")
    for post in office.posts.values():
        post.error = ProviderBusy("429")
    key = office.plan()
    await office.deliver(key)
    mine = office.row(key).provider
    for post in office.posts.values():
        post.error = None
    assert isinstance(await office.deliver(key), Accepted)
    assert office.row(key).provider == mine


async def test_a_provider_that_fails_again_and_again_is_left_alone_and_then_tried_once(world: DeliveryWorld) -> None:
    office = Office(world, "providers:\n  - {provider: resend, weight: 1000}\n  - {provider: postmark, weight: 1}\n")
    office.posts["resend"].error = ProviderUnclear("reset")
    for _ in range(20):
        await office.deliver(office.plan())
    assert office.posts["resend"].posts == breaker.FAILURES
    office.time.seconds += breaker.REST_SECONDS + 1
    for _ in range(5):
        await office.deliver(office.plan())
    assert office.posts["resend"].posts == breaker.FAILURES + 1
    office.posts["resend"].error = None
    office.time.seconds += breaker.LONGEST_REST_SECONDS
    before = office.shares()["resend"]
    for _ in range(5):
        await office.deliver(office.plan())
    assert office.shares()["resend"] > before


async def test_one_word_that_our_account_is_at_fault_is_enough_and_all_at_rest_is_said(world: DeliveryWorld) -> None:
    office = Office(world, "providers: [{provider: resend}]")
    office.posts["resend"].error = ProviderLocked("401")
    results = [await office.deliver(office.plan()) for _ in range(5)]
    assert all(isinstance(result, ProviderBusy) for result in results)
    assert office.posts["resend"].posts == 1


async def test_a_warm_up_gives_each_day_its_messages_and_the_others_carry_the_rest(world: DeliveryWorld) -> None:
    text = (
        "providers:\n  - {provider: resend, weight: 1000, warm_up: {starts: 2026-03-02, per_day: [3, 5]}}\n"
        "  - {provider: postmark, weight: 1}\nfail_over: [postmark]\n"
    )
    office = Office(world, text)
    for day, most in enumerate((3, 8, 28)):
        for _ in range(20):
            await office.deliver(office.plan(), NOON + timedelta(days=day))
        assert office.shares()["resend"] == most or day == 2
    assert office.shares()["resend"] > 20  # the warm-up is over
    lone = Office(world, "providers: [{provider: resend, warm_up: {starts: 2026-03-03, per_day: [1]}}]")
    lone.count = 1000
    held = await lone.deliver(lone.plan())
    assert isinstance(held, Held)
    assert (held.until, held.reason[:7]) == (datetime(2026, 3, 3, tzinfo=UTC), "warm_up")


async def test_what_was_provably_not_accepted_is_given_back_to_the_day(world: DeliveryWorld) -> None:
    office = Office(world, "providers: [{provider: resend, warm_up: {starts: 2026-03-02, per_day: [1]}}]")
    key = office.plan()
    office.posts["resend"].error = ProviderBusy("429")
    await office.deliver(key)
    office.posts["resend"].error = None
    assert isinstance(await office.deliver(key), Accepted)
    assert isinstance(await office.deliver(office.plan()), Held)


@pytest.mark.slow
@law(25)
@given(per_minute=st.integers(2, 120), gaps=st.lists(st.floats(0, 3), min_size=5, max_size=40))
def test_no_minute_holds_more_than_the_rate_and_a_place_once_given_is_kept(per_minute: int, gaps: list[float]) -> None:
    from delivery_world import make_world

    world = make_world()
    office = Office(world, f"providers: [{{provider: resend, rate: {per_minute}/m}}]")
    now, due = NOON, []
    for gap in gaps:
        now += timedelta(seconds=gap)
        key = office.plan()
        result = world.db.write_now(sending.claim, key, now, world.rules, office.carriers)
        if isinstance(result, Held):
            assert result.until > now
            again = world.db.write_now(sending.claim, key, result.until, world.rules, office.carriers)
            assert isinstance(again, Claimed)  # the place that it was told is its own
            due.append(result.until)
        else:
            due.append(now)
    due.sort()
    every = timedelta(minutes=1) / per_minute
    for start in range(len(due)):
        within = sum(1 for moment in due[start:] if moment < due[start] + timedelta(minutes=1))
        assert within <= per_minute + max(1, timedelta(seconds=1) / every)
    world.db.close_now()


async def test_without_a_rate_the_one_that_the_provider_documents_holds(world: DeliveryWorld) -> None:
    from sojourn.delivery.providers.resend import Resend

    office = Office(world, "providers: [{provider: resend}]")
    office.posts["resend"].limits = Resend.limits
    office.carriers = Carriers.of(load_delivery("providers: [{provider: resend}]"), office.posts, office.time)
    results = [await office.deliver(office.plan()) for _ in range(12)]
    assert [isinstance(result, Accepted) for result in results] == [True] * 6 + [False] * 6


async def test_a_recipients_house_has_a_rate_of_its_own_across_providers(world: DeliveryWorld) -> None:
    office = Office(world, TWO + "domains:\n  - {domains: [gmail.com, googlemail.com], rate: 1/m}\n")
    addresses = ["a@gmail.com", "b@googlemail.com", "c@GMail.com", "d@example.com", "e@example.com"]
    results = [await office.deliver(office.plan(address)) for address in addresses]
    assert [type(result) for result in results] == [Accepted, Held, Held, Accepted, Accepted]
    first, second = (result.until for result in results[1:3])
    assert (first - NOON, second - NOON) == (timedelta(minutes=1), timedelta(minutes=2))


async def test_consent_withdrawn_while_a_message_waits_for_its_turn_is_heeded(world: DeliveryWorld) -> None:
    office = Office(world, "providers: [{provider: resend, rate: 1/h}]")
    await office.deliver(office.plan())
    key = office.plan()
    held = await office.deliver(key)
    assert isinstance(held, Held)
    world.write(consents, id="c2", profile_id="ann", purpose="marketing", granted=False, source="link", at=NOON + timedelta(seconds=1))
    assert isinstance(await office.deliver(key, held.until), Suppressed)


STEP = st.sampled_from(["accepted", "lost", "busy", "refused", "killed", "zombie", "evidence", "abandon", "later"])


@pytest.mark.slow
@law(120)
@given(steps=st.lists(STEP, max_size=14), klass=st.sampled_from(list(Klass)))
def test_no_sequence_of_outcomes_leads_to_two_messages(steps: list[str], klass: Klass) -> None:
    """A model of the provider: it counts what it accepts; class A counts a key once within its window."""
    from delivery_world import make_world

    world = make_world()
    world.plan()
    provider = Post("model", klass)
    provider.key_window = timedelta(hours=1)
    accepted, stalled, now = 0, None, NOON

    def settle(outcome, attempt) -> None:
        world.db.write_now(sending.settle, world.key, outcome, now, attempt)

    for step in steps:
        if step == "later":
            now += timedelta(minutes=50)
            continue
        if step == "abandon":
            world.db.write_now(sending.abandon, now)
            continue
        if step == "evidence":  # comes only of what is there
            if accepted:
                settle(Accepted("evident"), None)
            continue
        if step == "zombie":
            if stalled is not None:
                accepted = max(accepted, 1) if klass is Klass.KEYED else accepted + 1
                settle(Accepted("late"), stalled)
                stalled = None
            continue
        claimed = world.db.write_now(sending.claim, world.key, now, world.rules, provider)
        if not isinstance(claimed, Claimed):
            assert isinstance(claimed, Unclear | AlreadySettled)
            continue
        if step == "killed":
            stalled = claimed.attempt
            continue
        if step in ("accepted", "lost"):
            accepted = max(accepted, 1) if klass is Klass.KEYED else accepted + 1
        said = {"accepted": Accepted("id"), "lost": Unclear("lost"), "busy": NotAccepted("429"), "refused": Refused("400")}
        settle(said[step], claimed.attempt)
    assert accepted <= 1
    state = world.db.write_now(ledger.load, world.key).state
    if state is State.ACCEPTED:
        assert accepted == 1
    if state in (State.PLANNED, State.REJECTED):
        assert accepted == 0
    world.db.close_now()


BAD = [
    ("providers: []", "1"),
    ("providers: [{provider: pigeon}]", "pigeon"),
    ("providers: [{provider: resend}, {provider: resend}]", "twice"),
    ("providers: [{provider: resend, weight: 0}]", "weight"),
    ("providers: [{provider: resend, rate: fast}]", "100/s"),
    ("providers: [{provider: resend, rate: 0/s}]", "100/s"),
    ("providers: [{provider: resend, region: eu}]", "takes no region"),
    ("providers: [{provider: mailgun}]", "needs `domain`"),
    ("providers: [{provider: ses}]", "needs `region`"),
    ("providers: [{provider: ses, region: eu-west-1, topic: evil}]", "topic"),
    ("providers: [{provider: resend, warm_up: {starts: soon, per_day: [1]}}]", "2026-12-01"),
    ("providers: [{provider: resend, warm_up: {starts: 2026-12-01, per_day: [5, 1]}}]", "grows"),
    ("providers: [{provider: resend, api_key: secret}]", "api_key"),
    ("providers: [{provider: resend}]\nfail_over: [postmark]", "postmark"),
    ("providers: [{provider: resend}]\ndomains: [{domains: [a.example, a.example], rate: 1/s}]", "two lines"),
]


@pytest.mark.parametrize(("text", "says"), BAD)
def test_a_mistake_in_delivery_yaml_is_a_sentence_with_its_line(text: str, says: str) -> None:
    with pytest.raises(DefinitionError) as error:
        load_delivery(text, "delivery.yaml")
    assert says in str(error.value)
    assert all(problem.file == "delivery.yaml" and problem.line >= 1 for problem in error.value.problems)


def test_every_provider_that_may_be_named_has_a_file_that_makes_it() -> None:
    from sojourn.delivery.providers.plug import Given
    from sojourn.delivery.providers.registry import hooks, plug, providers

    for name in OPTIONS:
        options = {"region": "eu-west-1", "domain": "mg.shop.example"}
        secrets = {f"{name}_api_key": "k" * 20, "smtp_url": "smtp://mail.example", "inbox_folder": "var/inbox"}
        made = plug(name).make(Given(name, secrets, {key: options[key] for key in OPTIONS[name] if key in options}))
        assert (made.name, type(made.klass)) == (name, Klass)
    text = "providers:\n" + "".join(f"  - {{provider: {name}}}\n" for name in ("postmark", "brevo", "mailchimp"))
    made = load_delivery(text)
    keys = {f"{name}_{kind}_key": "k" * 20 for name in ("postmark", "brevo", "mailchimp") for kind in ("api", "webhook")}
    assert list(providers(made, keys)) == ["postmark", "brevo", "mailchimp"]
    assert list(hooks(made, keys)) == ["postmark", "brevo", "mailchimp"]


def test_a_missing_key_is_a_sentence_that_names_the_setting() -> None:
    from sojourn.delivery.providers.registry import hooks, providers
    from sojourn.errors import SettingsError

    made = load_delivery("providers: [{provider: postmark}]")
    with pytest.raises(SettingsError, match="SOJOURN_POSTMARK_API_KEY"):
        providers(made, {})
    assert hooks(made, {"postmark_api_key": "k"}) == {}


async def test_a_provider_that_says_after_how_many_seconds_is_left_alone_for_these_and_another_steps_in(world: DeliveryWorld) -> None:
    office = Office(world, "providers:\n  - {provider: resend, weight: 1000}\n  - {provider: postmark, weight: 1}\n")
    resend = office.posts["resend"]
    resend.error = ProviderBusy("resend answered 429", retry_after=7)
    await office.deliver(office.plan())
    for _ in range(5):
        await office.deliver(office.plan())
    assert (resend.posts, office.shares()["postmark"]) == (1, 5)
    office.time.seconds += 6.9
    await office.deliver(office.plan())
    assert resend.posts == 1
    resend.error, office.time.seconds = None, office.time.seconds + 0.2
    await office.deliver(office.plan())
    assert resend.posts == 2


@pytest.mark.parametrize("said", [10_000_000.0, breaker.LONGEST_REST_SECONDS])
async def test_no_provider_is_left_alone_for_longer_than_the_longest_rest_whatever_it_says(world: DeliveryWorld, said: float) -> None:
    office = Office(world, "providers:\n  - provider: resend\n")
    office.posts["resend"].error = ProviderBusy("resend answered 429", retry_after=said)
    key = office.plan()
    await office.deliver(key)
    office.posts["resend"].error = None
    assert isinstance(await office.deliver(key), ProviderBusy)
    office.time.seconds += breaker.LONGEST_REST_SECONDS + 0.1
    assert isinstance(await office.deliver(key), Accepted)
