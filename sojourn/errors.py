"""Every error Sojourn raises by itself, in one tree.

    SojournError
    ├── Terminal                 trying again cannot help
    │   ├── DefinitionError      a checked-in definition is wrong; carries every Problem found
    │   ├── BadEvent             an event that cannot be taken; it is kept in quarantine
    │   ├── NotFound             no such profile, journey, entry, send or link
    │   ├── SettingsError        a setting is missing or wrong; says which and what to do
    │   ├── RenderError          a content cannot be rendered for this person
    │   │   └── MissingFact      a fact is missing without which the content says not to send
    │   ├── Rejected             a provider refused a message for good
    │   └── Unanswerable         another service will not answer this, or must not be asked
    └── Transient                the same call may succeed later
        ├── NotCaughtUp          events of this person are acknowledged but not yet routed
        │   └── RecipientChanged the message was written for an address, name, language or zone that is another now
        ├── ProviderBusy         proof that nothing was accepted: connect failure, 429, SMTP 4xx; carries retry_after
        │   ├── ProviderSlow     its answers to other messages are still to come; this one was not handed over
        │   └── ProviderLocked   it takes nothing from us at all: a wrong key, an unpaid account, an unverified domain
        ├── ProviderUnclear      the answer was lost: nobody knows whether it was accepted
        ├── Unanswered           another service did not answer, or not now
        ├── Overloaded           a queue is full; carries retry_after
        └── StoreUnavailable     the database went away, or was too busy to answer in time
What a person reads in them says what to do, and holds no personal data.
"""

from __future__ import annotations


class SojournError(Exception):
    """Anything that Sojourn raises by itself."""


class Terminal(SojournError):
    """Trying again cannot help."""


class Transient(SojournError):
    """The same call may succeed later."""


class Unanswerable(Terminal):
    """Another service will not answer this, or must not be asked."""


class Unanswered(Transient):
    """Another service did not answer, or not now."""


class BadEvent(Terminal):
    """An event that cannot be taken; the reason is what quarantine shows."""


class NotFound(Terminal):
    """No such profile, journey, entry, send or link."""


class SettingsError(Terminal):
    """A setting is missing or wrong."""


class RenderError(Terminal):
    """A content cannot be rendered for this person.

    Attributes:
        at: the template and the line in which it fails; None where that is not known.
    """

    at: tuple[str, int] | None = None


class MissingFact(RenderError):
    """A fact is missing without which the content says not to send."""


class Rejected(Terminal):
    """A provider refused a message for good."""


class NotCaughtUp(Transient):
    """Events of this person are acknowledged but not yet routed."""


class RecipientChanged(NotCaughtUp):
    """The person's address, name, language or zone changed since the message was written; it is to be rendered anew, at once."""


class ProviderBusy(Transient):
    """The provider provably accepted nothing; the send may be tried again.

    Args:
        message: what it said.
        retry_after: seconds after which it wants to be asked again; None where it does not say.
    """

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class ProviderSlow(ProviderBusy):
    """The provider has yet to answer what it was given, so this message was not handed over; it says nothing of the provider."""


class ProviderLocked(ProviderBusy):
    """The provider takes nothing from us until someone puts our account right; no message is at fault."""


class ProviderUnclear(Transient):
    """The provider's answer was lost: the message may or may not have been accepted."""


class Overloaded(Transient):
    """A bounded queue is full.

    Args:
        message: what is full.
        retry_after: seconds after which a client should come back.
    """

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class StoreUnavailable(Transient):
    """The database went away, or was too busy to answer in time; whether the last commit was made may be unknown."""
