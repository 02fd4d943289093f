"""The people of a batch of events: decides, event by event, whose it is and who turns out to be one person."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from uuid import uuid4

from sqlalchemy import Connection, bindparam, func, or_, select

from sojourn.customers.identifying import Key, nobodys
from sojourn.customers.identity_pool import Pool
from sojourn.customers.identity_words import ALIAS, OUTRIGHT, Merge, Named, Reason, Resolved
from sojourn.customers.traits import Profile
from sojourn.language.identity_rules import ANONYMOUS, USER, IdentityRules
from sojourn.store.tables import profiles, refused_merges

DEFAULT_RULES = IdentityRules()
_CLAIMANTS = (
    select(func.coalesce(profiles.c.merged_into, profiles.c.id))
    .join(refused_merges, or_(profiles.c.id == refused_merges.c.one_id, profiles.c.id == refused_merges.c.other_id))
    .where(refused_merges.c.kind == bindparam("claimed"), refused_merges.c.value == bindparam("sought"))
    .where(refused_merges.c.reason.in_(["two_users", "finds_only"]))  # the others are not claims
)


def random_id() -> str:
    """Return an id for a new profile."""
    return str(uuid4())


class People:
    """The people of a batch of events: read at once, changed in memory, written at once.

    Args:
        connection: of a writing transaction.
        named: the events that will be asked about.
        new_id: gives the ids of new profiles.
        rules: what identifiers join, and how many.
        ids: profiles that will be asked about beside those of the events.
    """

    def __init__(
        self,
        connection: Connection,
        named: Iterable[Named],
        new_id: Callable[[], str] = random_id,
        rules: IdentityRules = DEFAULT_RULES,
        ids: Iterable[str] = (),
    ) -> None:
        self._connection = connection
        self._rules = rules
        self._claimants: dict[Key, set[str]] = {}
        self._made: list[Merge] = []
        asked = list(named)
        keys = [key for one in asked for key in _asked(one)]
        keys += [(nobodys(kind), value) for kind, value in set(keys) if rules.blocks(kind, value)]
        self._pool = Pool(connection, keys, {one.profile_id for one in asked if one.profile_id is not None}.union(ids), new_id)
        shared = [(nobodys(kind), value) for (kind, value), owner in self._pool.owners.items() if owner.shared]
        if shared:
            self._pool.ask(shared)

    def resolve(self, named: Named) -> Resolved:
        """Return whose an event is, making and merging profiles as it says."""
        began, made = len(self._pool.new), len(self._made)
        node = named.profile_id if named.profile_id is not None else self._whose(named)
        return Resolved(self._pool.view(node), len(self._pool.new) > began, tuple(self._made[made:]), node, self._pool.own(node))

    @property
    def known(self) -> set[str]:
        """The people whom the events name, as far as the store knows them: the ids under which they live on."""
        return self._pool.known()

    def touch(self, profile: Profile) -> None:
        """Note that a profile, or one's own facts, have changed."""
        self._pool.touch(profile.id)

    def canonical(self, profile_id: str) -> str:
        """Return the id under which a profile of this batch lives on."""
        return self._pool.canonical(profile_id)

    def flush(self, now: datetime | None = None) -> None:
        """Write what changed; journeys that went on twice end at `now`, the shop's moment."""
        self._pool.flush(now)

    def join(self, loser_id: str, winner_id: str, kind: str, because: str, at: datetime, *, force: bool, apart: bool) -> Reason | None:
        """Make two profiles one because someone says so; return why not where they stay two, which is recorded.

        Args:
            loser_id: a profile that was given as one of `ids`.
            winner_id: another.
            kind: one of `OUTRIGHT`.
            because: why.
            at: the moment.
            force: whatever the limits say.
            apart: even if someone took them apart.
        """
        if self._pool.same(loser_id, winner_id):
            return "already_one"
        reason = None if force else self._why_not(loser_id, winner_id, outright=True, apart=apart)
        if reason is None:
            self._made.append(self._pool.merge(loser_id, winner_id, kind, because, at, None))
        else:
            self._pool.refuse(loser_id, winner_id, (kind, ""), reason, None, at)
        return reason

    @property
    def merges(self) -> tuple[Merge, ...]:
        """Every merge so far."""
        return tuple(self._made)

    # -- whose -----------------------------------------------------------------------------------

    def _whose(self, named: Named) -> str:
        """Return the node of an event."""
        at, cause = named.time, named.message_id
        user = self._usable((USER, named.user_id)) if named.user_id is not None else None
        visitor = self._usable((ANONYMOUS, named.anonymous_id)) if named.anonymous_id is not None else None
        others = [key for key in named.keys if self._usable(key)] if named.keys else []
        if len(others) > 1:
            others.sort(key=lambda key: (self._rules.rank(key[0]), key[1]))
        if user is not None:
            node = self._known(user, visitor, at, cause)
            if named.kind == "alias" and named.previous_id is not None:
                self._alias(named.previous_id, node, at, cause)
        elif visitor is not None:
            node = self._owned(visitor) or self._make(visitor, at)
        elif others:
            first = next((key for key in others if key in self._pool.owners), others[0])
            node = self._owned(first) or self._make(first, at)
        else:
            return self._nobody(_asked(named)[0], at)
        for key in others:
            self._also(key, node, at, cause)
        return node

    def _usable(self, key: Key) -> Key | None:
        """Return an identifier that tells people apart; None for a placeholder and for one held to be shared."""
        if self._rules.blocks(*key):
            return None
        owner = self._pool.owners.get(key)
        return None if owner is not None and owner.shared else key

    def _owned(self, key: Key) -> str | None:
        owner = self._pool.owners.get(key)
        return None if owner is None else owner.node

    def _nobody(self, key: Key, at: datetime) -> str:
        """Return the node that keeps the events which name nothing but a placeholder or a shared device: it is nobody's."""
        kept = (nobodys(key[0]), key[1])
        return self._owned(kept) or self._make(kept, at)

    def _known(self, user: Key, visitor: Key | None, at: datetime, cause: str) -> str:
        node, browser = self._owned(user), self._owned(visitor) if visitor else None
        if node is None:
            if browser is not None and not self._pool.has(browser, USER):
                self._pool.take(user, browser, at)
                return browser
            node = self._make(user, at)
        if visitor is None or browser == node:
            return node
        if browser is None:
            self._attach(visitor, node, at, cause)
        elif self._pool.same(browser, node):
            self._within(visitor, browser, node, at)
        elif not self._pool.has(browser, USER):
            self._join(browser, node, visitor, "an anonymous visitor became known", at, cause)
        else:
            self._moves_on(visitor, browser, node, at, cause)
        return node

    def _alias(self, previous_id: str, node: str, at: datetime, cause: str) -> None:
        former, visitor = (USER, previous_id), (ANONYMOUS, previous_id)
        if self._usable(former):
            known = self._owned(former)
            if known is None:  # its events may yet come
                self._attach(former, node, at, cause, most=self._rules.users_by_alias)
            elif not self._pool.same(known, node):
                self._join(known, node, (ALIAS, previous_id), "an alias joined two user ids", at, cause)
        if not self._usable(visitor):
            return
        browser = self._owned(visitor)
        if browser is None:
            self._attach(visitor, node, at, cause)
        elif self._pool.same(browser, node):
            self._within(visitor, browser, node, at)
        elif not self._pool.has(browser, USER):
            self._join(browser, node, visitor, "an alias joined an anonymous visitor to a user", at, cause)
        else:
            self._moves_on(visitor, browser, node, at, cause)

    def _also(self, key: Key, node: str, at: datetime, cause: str) -> None:
        """Take in an identifier beside those that told whose the event is."""
        owner = self._pool.owners.get(key)
        if owner is None:
            self._attach(key, node, at, cause)
        elif owner.shared:
            return
        elif self._pool.same(owner.node, node):
            if owner.node == node and at < owner.since:
                self._pool.note(key, since=at)
        elif not self._rules.rule(key[0]).merges:
            self._claimed(key, owner.node, node, "finds_only", at, cause)
        else:
            mine = self._pool.has(node, USER) and not self._pool.has(owner.node, USER)
            one, other = (owner.node, node) if mine else (node, owner.node)
            self._join(one, other, key, f"both were known by one {key[0]}", at, cause)

    # -- changing --------------------------------------------------------------------------------

    def _make(self, key: Key, at: datetime) -> str:
        node = self._pool.make(at)
        self._pool.take(key, node, at)
        return node

    def _attach(self, key: Key, node: str, at: datetime, cause: str, most: int = 0) -> None:
        """Give an identifier to a node, unless its person has enough of them."""
        if self._pool.has(node, key[0]) < (most or self._rules.rule(key[0]).limit):
            self._pool.take(key, node, at)
        else:
            self._pool.refuse(node, "", key, "too_many", cause, at)

    def _join(self, one: str, other: str, key: Key, because: str, at: datetime, cause: str) -> None:
        """Make two people one, the second's profile living on, or record why not."""
        reason = self._why_not(one, other, outright=key[0] in OUTRIGHT)
        if reason is None:
            self._made.append(self._pool.merge(one, other, key[0], because, at, cause))
        elif reason == "two_users" and key[0] not in OUTRIGHT:
            self._claimed(key, self._pool.owners[key].node, one if self._pool.owners[key].node != one else other, reason, at, cause)
        else:
            self._pool.refuse(one, other, key, reason, cause, at)

    def _why_not(self, one: str, other: str, *, outright: bool, apart: bool = False) -> Reason | None:
        if not apart and self._pool.separated(one, other):
            return "separated"
        mine, theirs = self._pool.counts[self._pool.canonical(one)], self._pool.counts[self._pool.canonical(other)]
        for kind in sorted(mine.keys() & theirs.keys(), key=self._rules.rank):  # so that the same reason is given each time
            if not mine[kind] or not theirs[kind]:
                continue  # nobody's grows
            users = kind == USER
            if mine[kind] + theirs[kind] > (self._rules.users_by_alias if users and outright else self._rules.rule(kind).limit):
                return "two_users" if users and not outright else "too_many"
        return None

    def _moves_on(self, visitor: Key, browser: str, node: str, at: datetime, cause: str) -> None:
        """A browser of one user is another's now: it goes with the latest call, and the two stay two."""
        since = self._pool.owners[visitor].since
        if self._claimed(visitor, browser, node, "two_users", at, cause) or at < since:
            return
        if self._pool.has(node, ANONYMOUS) < self._rules.rule(ANONYMOUS).limit:
            self._pool.take(visitor, node, at)

    def _claimed(self, key: Key, owner: str, claimant: str, reason: Reason, at: datetime, cause: str) -> bool:
        """Record that two people claim one identifier; tell whether that makes it a shared one.

        A browser aside, it stays with whoever named it earliest.
        """
        self._pool.refuse(owner, claimant, key, reason, cause, at)
        known = self._claimants.get(key)
        if known is None:
            known = self._claimants[key] = self._claimed_before(key)
        known.update((owner, claimant))
        if len({self._pool.canonical(one) for one in known}) > self._rules.rule(key[0]).shared_after:
            self._pool.note(key, shared=True)
            self._pool.ask([(nobodys(key[0]), key[1])])
            return True
        if key[0] != ANONYMOUS and at < self._pool.owners[key].since and self._pool.has(claimant, key[0]) < self._rules.rule(key[0]).limit:
            self._pool.take(key, claimant, at)
        return False

    def _claimed_before(self, key: Key) -> set[str]:
        return set(self._connection.execute(_CLAIMANTS, {"claimed": key[0], "sought": key[1]}).scalars())

    def _within(self, visitor: Key, browser: str, node: str, at: datetime) -> None:
        """Let a browser move on between two users that an alias or someone joined as it would between strangers.

        Nothing of the person changes by it; but should they be taken apart, it is where it belongs.
        """
        if self._pool.has(node, USER) < 2 or at < self._pool.owners[visitor].since:
            return
        core = self._pool.core(browser)
        if node not in core and core & self._pool.users(node):
            self._pool.take(visitor, node, at)


def _asked(named: Named) -> list[Key]:
    """Return the identifiers that an event names, the one that counts most first."""
    found = [(kind, value) for kind, value in ((USER, named.user_id), (ANONYMOUS, named.anonymous_id)) if value is not None]
    if named.previous_id is not None:
        found += [(USER, named.previous_id), (ANONYMOUS, named.previous_id)]
    return [*found, *named.keys] if named.keys else found
