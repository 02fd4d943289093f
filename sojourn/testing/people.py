"""What people do, as a test says it: who they are, what happens to them, and that two of them are one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sojourn.errors import NotFound
from sojourn.language.identity_rules import is_nothing
from sojourn.testing.answers import Profile, Taken
from sojourn.testing.looking import Looking

MARKETING = "marketing"


class People(Looking):
    """The verbs of people."""

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
            consent: purposes that they agree to, or yes and no by purpose; default: to marketing, unless this
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
        return self.profile(anonymous_id or "" if user_id is None or is_nothing(user_id) else user_id)

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
        self._events += 1
        call = {"messageId": key or f"event-{self._events}", "userId": user_id, "anonymousId": anonymous_id, **said}
        return self._run(self._engine.take(kind, {**call, "timestamp": at.isoformat() if at else None}))
