"""What a preference page shows and what saving it does: topics, how often, and everything off, in one transaction."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from sojourn.customers import consent, preferences, profiles, suppression
from sojourn.customers.consent import Said
from sojourn.customers.preferences import PAUSE, Frequency, Rhythm, topic_purpose
from sojourn.delivery import engagement, ledger
from sojourn.delivery.engagement import Emit
from sojourn.language.shop import TRANSACTIONAL, ShopSettings
from sojourn.store import locks
from sojourn.store.tables import messages
from sojourn.store.types import to_micros

UPDATED = "Preferences Updated"
SUBSCRIBED = consent.SUBSCRIBED
SOURCE = "preference page"
_ADDRESS = select(messages.c.to_address).where(messages.c.send_key == bindparam("key"))


@dataclass(frozen=True)
class Item:
    """One line that can be on or off: a topic, or a purpose that has none."""

    field: str  # of the form: topic.NAME or purpose.NAME
    name: str
    purpose: str
    title: str
    description: str
    on: bool

    @property
    def is_topic(self) -> bool:
        """Whether it is a topic; else a purpose."""
        return self.field.startswith("topic.")


@dataclass(frozen=True)
class Page:
    """What a preference page shows."""

    items: tuple[Item, ...]
    rhythm: Rhythm

    @property
    def all_off(self) -> bool:
        """Whether nothing is on."""
        return not any(item.on for item in self.items)


@dataclass(frozen=True)
class Choice:
    """What a reader chose.

    Attributes:
        on: the fields that are on; all others are off.
        frequency: how often; None leaves it.
        nothing: everything off, whatever else was chosen.
    """

    on: Collection[str] = ()
    frequency: Frequency | None = None
    nothing: bool = False


def shown(conn: Connection, send_key: str, shop: ShopSettings, now: datetime) -> Page:
    """Return what the preference page of whoever got a message shows.

    Raises:
        NotFound: there is no such send.
    """
    return _page(conn, profiles.canonical(conn, ledger.look(conn, send_key).profile_id), shop, now)


def _page(conn: Connection, person: str, shop: ShopSettings, now: datetime) -> Page:
    agreed = {purpose: _agreed(conn, person, purpose, shop) for purpose in shop.consent if purpose != TRANSACTIONAL}
    items = []
    for name, topic in shop.topics.items():
        word = consent.standing(conn, person, topic_purpose(name))
        wanted = topic.default == "in" if word is None else word.granted
        on = wanted and agreed.get(topic.purpose, False)
        items.append(Item(f"topic.{name}", name, topic.purpose, topic.title, topic.description or "", on))
    alone = [purpose for purpose in agreed if purpose not in {topic.purpose for topic in shop.topics.values()}]
    for purpose in alone:
        title = purpose.replace("_", " ").capitalize()
        items.append(Item(f"purpose.{purpose}", purpose, purpose, title, shop.consent[purpose].description or "", agreed[purpose]))
    return Page(tuple(items), preferences.rhythm(conn, [person]).at(now))


def _agreed(conn: Connection, person: str, purpose: str, shop: ShopSettings) -> bool:
    word = consent.standing(conn, person, purpose)
    return word.granted if word is not None else not shop.needs_consent(purpose)


class _Saving:
    """One saving of a page: what it was said by, and whose word it is."""

    def __init__(self, conn: Connection, send_key: str, now: datetime, shop: ShopSettings, secret: str, emit: Emit) -> None:
        self.conn, self.send_key, self.now, self.shop, self.secret, self.emit = conn, send_key, now, shop, secret, emit
        self.address = conn.execute(_ADDRESS, {"key": send_key}).scalar_one_or_none()
        self.person = locks.lock_person(conn, ledger.look(conn, send_key).profile_id)[0]
        self.origin = profiles.origin(conn, self.person, ledger.look(conn, send_key).entry_id)
        self.id = f"preferences:{send_key}:{to_micros(now)}"

    def say(self, purpose: str, granted: bool, *, tell: bool = True) -> None:
        """Keep a word about a purpose; intake gives the event's own word the same source, so they are one row.

        Args:
            purpose: the purpose.
            granted: yes or no.
            tell: whether it changes how the consent stands, and so is told as an event.
        """
        name = SUBSCRIBED if granted else engagement.UNSUBSCRIBED
        because = f"{self.id}:{purpose}"
        rule = self.shop.consent.get(purpose)
        wording = rule.wording if rule is not None and granted else None
        consent.record(self.conn, self.person, Said(purpose, granted, f"event {name}", wording, own=True), self.now, because, self.origin)
        if not granted:
            self.refuse(purpose)
        if not tell:
            return
        told = {"purpose": purpose, "source": SOURCE, **({"wording": wording} if wording else {})}
        self.emit(self.conn, engagement.engagement(self.conn, self.send_key, name, because, self.now, told))

    def choose(self, topic: str, wanted: bool) -> None:
        """Keep a word about a topic."""
        purpose = topic_purpose(topic)
        said = Said(purpose, wanted, SOURCE, own=True)
        if not wanted:
            self.refuse(purpose)
        consent.record(self.conn, self.person, said, self.now, f"{self.id}:{topic}", self.origin)

    def suppress(self) -> None:
        """Put the address on the list of those that want no more."""
        if self.address:
            suppression.suppress(self.conn, self.secret, self.address, "unsubscribed", self.now)

    def refuse(self, purpose: str) -> None:
        """Keep that whoever bears the address said no to a purpose."""
        if self.address:
            suppression.refuse(self.conn, self.secret, self.address, purpose, self.now)


def save(conn: Connection, send_key: str, choice: Choice, now: datetime, shop: ShopSettings, secret: str, emit: Emit) -> Page:
    """Keep what a reader chose, tell what changed, and return the page as it now is; what is as it was changes nothing.

    Args:
        conn: a writing transaction.
        send_key: the message whose link was used.
        choice: what was chosen.
        now: the shop's moment.
        shop: its topics and purposes.
        secret: SOJOURN_SECRET_KEY, under which the suppression list is kept.
        emit: appends `Preferences Updated`, and `Unsubscribed` or `Subscribed` where a purpose was turned off or on.

    Raises:
        NotFound: there is no such send.
    """
    saving = _Saving(conn, send_key, now, shop, secret, emit)
    before = _page(conn, saving.person, shop, now)
    purposes = {purpose: _agreed(conn, saving.person, purpose, shop) for purpose in shop.consent if purpose != TRANSACTIONAL}
    wanted = {item.field for item in before.items if item.field in choice.on} if not choice.nothing else set()
    changed = [item for item in before.items if (item.field in wanted) != item.on]
    for purpose, agreed in purposes.items():
        turned_on = any(item.purpose == purpose for item in changed if item.field in wanted)
        turned_off = choice.nothing or any(not item.is_topic and item.purpose == purpose for item in changed if item.field not in wanted)
        deed = consent.stand(conn, [saving.person], purpose).deed
        if turned_off and (agreed or deed is None or deed.granted or choice.nothing):
            # Also where no yes stood: a state that turns to yes later does not outweigh it; and where a no did, which may be that
            # of somebody who is taken apart from this one again.
            saving.say(purpose, False, tell=agreed)
        elif agreed and deed is None and any(item.purpose == purpose for item in before.items if item.field in wanted):
            saving.say(purpose, True, tell=False)  # a state stood; now it is the reader's own choice
        elif turned_on and not agreed:
            saving.say(purpose, True)
            # Who agrees again agrees to what was ticked and to nothing beside it.
            changed += [item for item in before.items if item.purpose == purpose and item.is_topic and item not in changed]
    for item in changed:
        if item.is_topic and not choice.nothing:
            saving.choose(item.name, item.field in wanted)
    if choice.nothing and any(purposes.values()):
        saving.suppress()
    rhythm = _rhythm(choice, before.rhythm, now)
    if rhythm != before.rhythm:
        preferences.choose(conn, saving.person, rhythm, now, SOURCE, saving.id, saving.origin)
    after = _page(conn, saving.person, shop, now)
    if after != before:
        told: dict[str, object] = {
            "on": [item.name for item in after.items if item.on], "off": [item.name for item in after.items if not item.on],
            "frequency": after.rhythm.frequency.value, "source": SOURCE,
        }  # fmt: skip
        if after.rhythm.until is not None:
            told["until"] = after.rhythm.until.isoformat()
        emit(conn, engagement.engagement(conn, send_key, UPDATED, saving.id, now, told))
    return after


def _rhythm(choice: Choice, before: Rhythm, now: datetime) -> Rhythm:
    if choice.nothing or choice.frequency is None or choice.frequency is before.frequency:
        return before  # a pause that runs is not made longer by saving the page again
    return Rhythm(choice.frequency, now + PAUSE if choice.frequency is Frequency.PAUSED else None)
