"""Whose an event is: identifiers of any kind, and profiles that turn out to be one person's.

**Who.** A user id or an anonymous id names exactly one profile; so does an e-mail address, a phone number or an id of
a CRM. An event goes to the profile of its user id, else of its anonymous id, else of the others by their priority.

**One person.** Profiles that share an identifier are joined (union-find; `merged_into` always names the one that lives on):
- A call that carries a user id and an anonymous id says that they are one person: an anonymous profile becomes the known
  one's, with all that happened to it.
- Every other shared identifier joins two profiles of which at most one has a user id. Whoever can write to intake from
  a browser can say any address; so that never joins two known users.
- An alias says outright that two ids are one person's, even two user ids; so do a merge by hand and an approved resolution.
The winner is the profile with the user id that the call names; of two without, the one that had the identifier.

**Two people.** An anonymous id that already belongs to another user never merges the two: it moves on to the user of the
latest call, for later events. Every other identifier stays with whoever named it earliest (by the time of the event; of the
same moment, by arrival).

**No hub.** `IdentityRules` limits how many identifiers of a kind a person may have; a merge that would exceed it is refused,
an identifier too many is left out. A placeholder (`null`, `noreply@…`) is no identifier. One that more people claim than
`shared_after` is held to be shared: from then on it joins nobody and leads to nobody, and events that name nothing else go
to a profile of its own. What is refused is recorded (`refused_merges`), and nothing else of the event is lost.

**Apart again.** Each event, consent and identifier keeps whose it would be without merges (`origin_id`), each profile its own
facts. So `unmerge` gives a profile back as if the two had been kept apart from the beginning, with all that came since. The
two stay apart, whatever automatic evidence says, until someone merges them by hand. Two things stay as they were decided
while the two were one: a browser that moved on to a third user, and an identifier that was one too many.

**In any order.** Where no limit is reached and no identifier is claimed by two known users, the order, lateness and repetition
of events change nothing but the random ids. Where one is, the first to be routed keeps what is limited.
"""

from __future__ import annotations

from sqlalchemy import Connection

from sojourn.customers.identity_people import DEFAULT_RULES, People, random_id
from sojourn.customers.identity_repair import keep_apart, merge, unmerge
from sojourn.customers.identity_words import REASONS, Merge, Merged, Named, Reason, Refused, Resolved, Unmerged

__all__ = [
    "DEFAULT_RULES",
    "REASONS",
    "Merge",
    "Merged",
    "Named",
    "People",
    "Reason",
    "Refused",
    "Resolved",
    "Unmerged",
    "keep_apart",
    "merge",
    "random_id",
    "resolve",
    "unmerge",
]


def resolve(connection: Connection, named: Named) -> tuple[str, tuple[Merge, ...]]:
    """Return the profile id of one event, and the merges that it brought about, all written."""
    found = People(connection, [named])
    resolved = found.resolve(named)
    found.flush()
    return found.canonical(resolved.origin_id), resolved.merges
