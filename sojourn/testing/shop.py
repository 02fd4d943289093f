"""A shop in virtual time: say what people do and let time pass, then look at what became of it."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Self, TypeVar

from sojourn.delivery import brakes
from sojourn.delivery.machine import TOO_SOON
from sojourn.delivery.settling import SETTLING
from sojourn.errors import NotFound, SojournError
from sojourn.language.durations import parse_duration
from sojourn.language.model import Journey, Segment
from sojourn.language.problems import unknown
from sojourn.language.shop import ShopSettings
from sojourn.testing import reading
from sojourn.testing.answers import Answers, Entry, Passed, Profile, Refusal, Send, Taken, Word
from sojourn.testing.engine import Engine
from sojourn.testing.folder import read_definitions
from sojourn.testing.services import Services

START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)  # a Monday morning
MARKETING = "marketing"
NEVER, RUNNING = "never entered", "running"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"
T = TypeVar("T")


class Shop:
    """A shop whose clock stands still until it is moved.

    Everything but Temporal, the mail server and the clock is the real thing. Every method does its work before it
    returns, and what it returns can be used at once or awaited first. Use it as `async with` or `with`.

    Args:
        journeys_dir: a folder of definitions; one without a shop.yaml gets a test shop (UTC, no quiet hours, no caps).
        database_url: where the store is: in memory, a new SQLite file, or an empty PostgreSQL database.
        start: when the shop opens.
        journeys: more journeys, as YAML or as models.
        segments: more segments, as YAML or as models.
        contents: more contents, as MJML by their names.
        settings: the shop's, as YAML or as a model, instead of the folder's shop.yaml.

    Raises:
        DefinitionError: the definitions are wrong; with every problem.
    """

    def __init__(
        self,
        *,
        journeys_dir: str | Path | None = None,
        database_url: str = "sqlite://",
        start: datetime = START,
        journeys: Sequence[str | Journey] = (),
        segments: Sequence[str | Segment] = (),
        contents: Mapping[str, str] | None = None,
        settings: str | ShopSettings | None = None,
    ) -> None:
        self._folder = None if journeys_dir is None else Path(journeys_dir)
        self._checked = read_definitions(self._folder, journeys, segments, contents, settings)
        self._engine = Engine(self._checked, database_url, start)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._given = 0

    @property
    def services(self) -> Services:
        """What other services answer to `fetches` and `call`: `shop.services.answer(url, value)`; `posted` is what they got."""
        return self._engine.services

    # -- opening and closing ---------------------------------------------------------------------

    def __enter__(self) -> Self:
        """Open the shop."""
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=_serve, args=(self._loop,), name="shop", daemon=True)
        self._thread.start()
        self._run(self._engine.open())
        return self

    def __exit__(self, *_: object) -> None:
        """Close the shop; what runs is abandoned."""
        loop = self._loop
        if loop is not None:
            self._run(self._engine.close())
            self._loop = None
            loop.call_soon_threadsafe(loop.stop)
            self._thread.join()

    async def __aenter__(self) -> Self:
        """Open the shop."""
        return self.__enter__()

    async def __aexit__(self, *_: object) -> None:
        """Close the shop; what runs is abandoned."""
        self.__exit__()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._loop is None:
            work.close()
            raise SojournError("this shop is not open; use it within `async with Shop(…) as shop:`")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def _read(self, function: Any, *args: Any) -> Any:
        return self._run(self._engine.store.read(function, *args))

    def deploy(
        self,
        *,
        journeys_dir: str | Path | None = None,
        journeys: Sequence[str | Journey] = (),
        segments: Sequence[str | Segment] = (),
        contents: Mapping[str, str] | None = None,
        settings: str | ShopSettings | None = None,
    ) -> None:
        """Put other definitions in force, as a deployment does: arguments as of the shop itself.

        Left out, the folder is that of the shop; what was given beside it is given anew, or is gone. Who is on a journey
        stays on the definition that they began with; segments are gone through for everyone.
        """
        folder = self._folder if journeys_dir is None else Path(journeys_dir)
        self._checked = read_definitions(folder, journeys, segments, contents, settings)
        self._run(self._engine.deploy(self._checked))

    # -- what people do --------------------------------------------------------------------------

    def identify(
        self,
        user_id: str | None,
        traits: Mapping[str, Any] | None = None,
        *,
        anonymous_id: str | None = None,
        consent: Iterable[str] | Mapping[str, bool] | None = None,
        context: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        message_id: str | None = None,
    ) -> Profile:
        """Say who someone is, and return the profile.

        Args:
            user_id: the shop's id of the person; None for an anonymous one.
            traits: what is known of them; messages need `email`.
            anonymous_id: a visitor's id; with a user id it says that they are one person.
            consent: purposes that they agree to, or yes and no by purpose; left out: to marketing, unless this
                person has already said something about it.
            context: such as `{"timezone": "Europe/Berlin", "locale": "de-DE"}`.
            at: when it happened; left out or later than now: now.
            message_id: the same one twice is one event.
        """
        said = dict(traits or {})
        agreed = self._consent(user_id, anonymous_id) if consent is None else consent
        given = dict(agreed) if isinstance(agreed, Mapping) else dict.fromkeys(agreed, True)
        if given and "consent" not in said:
            said["consent"] = given
        self._take("identify", user_id, anonymous_id, at, message_id, traits=said, context=context)
        return self.profile(user_id or anonymous_id or "")

    def _consent(self, *references: str | None) -> tuple[str, ...]:
        known = set()
        for reference in references:
            try:
                known |= set(self.profile(reference).consents) if reference else set()
            except NotFound:
                continue  # a newcomer
        return () if MARKETING in known else (MARKETING,)

    def track(
        self,
        user_id: str | None,
        event: str,
        properties: Mapping[str, Any] | None = None,
        at: datetime | None = None,
        message_id: str | None = None,
        *,
        anonymous_id: str | None = None,
        context: Mapping[str, Any] | None = None,
    ) -> Taken:
        """Let someone do something, with all that follows from it at this moment.

        Args:
            user_id: the shop's id of the person; None for an anonymous one.
            event: such as `Order Completed`.
            properties: such as `{"revenue": 80}`.
            at: when it happened; left out or later than now: now.
            message_id: the same one twice is one event.
            anonymous_id: a visitor's id; with a user id it says that they are one person.
            context: such as `{"timezone": "Europe/Berlin"}`.

        Raises:
            BadEvent: intake would set it aside; says why.
        """
        return self._take("track", user_id, anonymous_id, at, message_id, event=event, properties=properties or {}, context=context)

    def alias(self, user_id: str, previous_id: str, *, at: datetime | None = None, message_id: str | None = None) -> Profile:
        """Say that two ids are one person's, and return the profile."""
        self._take("alias", user_id, None, at, message_id, previousId=previous_id)
        return self.profile(user_id)

    def merge(self, user_id: str, other: str) -> Profile:
        """Say by hand that two people are one, and return the profile: `user_id`'s lives on with all that is the other's.

        Raises:
            NotFound: one of them is not known.
            SojournError: identity refuses it, and says why.
        """
        self._run(self._engine.merge(user_id, other))
        return self.profile(user_id)

    def unmerge(self, profile_id: str) -> Profile:
        """Take a merge back, and return the profile that was merged: `profile_id` is its id from before.

        Raises:
            NotFound: there is no such profile, or it was not merged.
        """
        self._run(self._engine.unmerge(profile_id))
        return self.profile(profile_id)

    def _take(self, kind: str, user_id: str | None, anonymous_id: str | None, at: datetime | None, key: str | None, **said: Any) -> Taken:
        if at is not None and at.tzinfo is None:
            raise ValueError("`at` needs a time zone, such as datetime(2026, 1, 5, 9, tzinfo=UTC); `shop.now` has one")
        self._given += 1
        call = {"messageId": key or f"event-{self._given}", "userId": user_id, "anonymousId": anonymous_id, **said}
        return self._run(self._engine.take(kind, {**call, "timestamp": at.isoformat() if at else None}))

    # -- what readers do -------------------------------------------------------------------------

    def open(self, send: Send, *, agent: str = PERSON) -> Send:
        """Let the person see a message's pictures, and return the send.

        Nobody reads within two seconds of a message's arrival, and an open settles a second and a half later: the
        clock is moved by what is missing of that.

        Args:
            send: one that arrived.
            agent: what the program says of itself; a robot's does not count as the person's.
        """
        pixel = next((found for found in reading.hrefs(self._arrived(send, "open")) if "/o/" in found), None)
        if pixel is None:
            raise NotFound("this message has no picture to tell that it was opened")
        return self._follow(send, pixel, agent)

    def click(self, send: Send, link: int | str = 0, *, agent: str = PERSON) -> Send:
        """Let the person follow a link of a message, and return the send; the clock is moved as `open` moves it.

        Args:
            send: one that arrived.
            link: its position in `send.links`, or part of where it leads.
            agent: what the program says of itself; a robot's does not count as the person's.
        """
        self._arrived(send, "click")
        links = self.send(send.key).links
        found = [one for i, one in enumerate(links) if (link in one if isinstance(link, str) else link in (i, i - len(links)))]
        if not found:
            there = ", ".join(f"{i}: {one}" for i, one in enumerate(links)) or "none"
            raise NotFound(f"{send.content} has no link {link!r}; it has {there}")
        return self._follow(send, found[0].tracked, agent)

    def unsubscribe(self, send: Send) -> Send:
        """Let the person unsubscribe with one click, as mail programs offer it, and return the send."""
        self._arrived(send, "unsubscribe from")
        address = send.headers.get("List-Unsubscribe", "").strip("<>")
        if not address:
            raise NotFound(f"{send.content} cannot be unsubscribed from: it is transactional")
        self._run(self._engine.request("POST", address, {"User-Agent": PERSON}, {"List-Unsubscribe": "One-Click"}))
        return self.send(send.key)

    def prefer(self, send: Send, **choice: str) -> Send:
        """Let the person choose on the preference page of a message, and return the send.

        `choice` is the page's form: `all="off"`; or `frequency="normal"`, `"weekly"` or `"paused"`, and `topic_NAME="on"` for each
        topic that stays on (`purpose_NAME="on"` where the shop has no topics).
        """
        self._arrived(send, "choose by")
        fields = {name.replace("_", ".", 1) if name.startswith(("topic_", "purpose_")) else name: value for name, value in choice.items()}
        self._run(self._engine.request("POST", self._engine.journeys.links.preferences(send.key), {"User-Agent": PERSON}, fields))
        return self.send(send.key)

    def confirm(self, send: Send) -> Send:
        """Let the person confirm the consent that a message asks about, and return the send."""
        self._arrived(send, "confirm by")
        self._run(self._engine.request("POST", self._engine.journeys.links.confirm(send.key), {"User-Agent": PERSON}))
        return self.send(send.key)

    def release_brake(self, journey: str) -> None:
        """Release a journey's brake by hand (`*`: the whole shop's), as `sojourn brakes release` does; NotFound where none is on."""
        self._run(self._engine.store.write(brakes.release, journey, "released by hand in a test", self.now))

    def _follow(self, send: Send, address: str, agent: str) -> Send:
        self._run(self._engine.pass_to(send.at + TOO_SOON))
        self._run(self._engine.request("GET", address, {"User-Agent": agent}))
        self._run(self._engine.pass_to(self.now + SETTLING))
        return self.send(send.key)

    def _arrived(self, send: Send, verb: str) -> str:
        known = self.send(send.key)
        if not known.arrived:
            raise NotFound(f"nobody can {verb} {known.content}: it is {known.state}" + (f" ({known.reason})" if known.reason else ""))
        return known.html

    # -- time ------------------------------------------------------------------------------------

    @property
    def now(self) -> datetime:
        """What time it is in the shop."""
        return self._engine.clock.now()

    def advance(self, duration: str | timedelta) -> Passed:
        """Let time pass, such as `1d 2h`, with all that falls due in it."""
        passing = parse_duration(duration) if isinstance(duration, str) else duration
        if passing < timedelta():
            raise ValueError("time in a shop passes forward only")
        return self.advance_to(self.now + passing)

    def advance_to(self, moment: datetime) -> Passed:
        """Let time pass until a moment, with all that falls due in it."""
        began = self.now
        if moment < began:
            raise ValueError(f"it is later than that already: {began.isoformat()}")
        self._run(self._engine.pass_to(moment))
        return Passed(began, self.now)

    # -- what became of it -----------------------------------------------------------------------

    def profile(self, user_id: str) -> Profile:
        """Return a person, by user id, anonymous id or profile id.

        Raises:
            NotFound: nobody is known by it.
        """
        found: Profile = self._read(reading.profile, user_id)
        return found

    def entries(self, user_id: str, journey: str | None = None) -> Answers[Entry]:
        """Return a person's entries, oldest first; those of one journey where it is named."""
        if journey is not None:
            self._known(journey)
        found: Answers[Entry] = self._read(reading.entries_of, user_id, self._engine.runner.states)
        return Answers(entry for entry in found if journey in (None, entry.journey))

    def outcome(self, user_id: str, journey: str) -> Word:
        """Return how a person's latest entry of a journey ended; `running` while it has not, `never entered` without one."""
        found = self.entries(user_id, journey)
        if not found:
            return Word(NEVER)
        return Word(found[-1].outcome or RUNNING)

    def sends(self, user_id: str) -> Answers[Send]:
        """Return what was to be sent to a person, oldest first: also what was suppressed or is held, with the reason."""
        found: Answers[Send] = self._read(reading.sends_of, user_id)
        return found

    def inbox(self, user_id: str) -> Answers[Send]:
        """Return the messages that arrived at a person, oldest first."""
        return Answers(send for send in self.sends(user_id) if send.arrived)

    def send(self, key: str) -> Send:
        """Return a send by its key, as it now stands."""
        found: Send = self._read(reading.send_of, key)
        return found

    def refusals(self, user_id: str) -> Answers[Refusal]:
        """Return the triggers of a person that let nobody in, oldest first, each with its reason."""
        found: Answers[Refusal] = self._read(reading.refusals_of, user_id)
        return found

    def members(self, segment: str) -> Answers[str]:
        """Return who is in a segment now, each by the name that the shop knows them by, in order.

        Raises:
            NotFound: there is no such segment.
        """
        self._known_segment(segment)
        found: Answers[str] = self._read(reading.members_of, segment)
        return found

    def in_segment(self, user_id: str, segment: str) -> bool:
        """Tell whether a person is in a segment now.

        Raises:
            NotFound: there is no such segment or person.
        """
        self._known_segment(segment)
        return segment in self.profile(user_id).segments

    def _known_segment(self, segment: str) -> None:
        known = self._engine.registry.segments
        if segment not in known:
            raise NotFound(unknown("segment", segment, known))

    def _known(self, journey: str) -> None:
        known = self._checked.definitions.journeys
        if journey not in known:
            raise NotFound(unknown("journey", journey, known))

    def __repr__(self) -> str:
        return f"<Shop {self._engine.registry.shop.name!r}, {self.now:%a %Y-%m-%d %H:%M} UTC>"


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    """Run a shop's own event loop, so that a test needs none, or may have its own."""
    loop.run_forever()
    loop.run_until_complete(loop.shutdown_default_executor())
    loop.close()
