"""What a test looks at: people, their entries, what was sent to them and what was not."""

from __future__ import annotations

from sojourn.errors import NotFound
from sojourn.language.problems import unknown
from sojourn.testing import reading
from sojourn.testing.answers import Answers, Entry, Profile, Refusal, Send, Truth, Word
from sojourn.testing.opened import Opened

NEVER, RUNNING = "never entered", "running"


class Looking(Opened):
    """The verbs that only look."""

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

    def in_segment(self, user_id: str, segment: str) -> Truth:
        """Tell whether a person is in a segment now.

        Raises:
            NotFound: there is no such segment or person.
        """
        self._known_segment(segment)
        return Truth(segment in self.profile(user_id).segments)

    def _known_segment(self, segment: str) -> None:
        known = self._engine.registry.segments
        if segment not in known:
            raise NotFound(unknown("segment", segment, known))

    def _known(self, journey: str) -> None:
        known = self._checked.definitions.journeys
        if journey not in known:
            raise NotFound(unknown("journey", journey, known))
