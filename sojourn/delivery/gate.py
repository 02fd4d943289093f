"""The send gate: may this message go to this person now? A pure decision with every because.

All checks are asked, so that a verdict says everything that stood in the way; the first that
suppresses, in their order, names the reason. A hold gives way to any suppression.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Protocol
from zoneinfo import ZoneInfo

from sojourn.language.durations import format_duration
from sojourn.language.shop import TRANSACTIONAL

UTC_ZONE = ZoneInfo("UTC")
NO_COMMON_HOUR = timedelta(days=8)  # a week and a day: any pattern of hours that ever opens has opened by then


class Check(StrEnum):
    """The checks, in the order in which they name the reason."""

    EXIT = "exit"
    CONSENT = "consent"
    SUPPRESSION = "suppression"
    ADDRESS = "address"
    MESSAGE = "message"
    GOAL = "goal"
    HOLDOUT = "holdout"
    CAP = "cap"
    QUIET_HOURS = "quiet_hours"


class Opening(Protocol):
    """Hours of a day at which messages may go (`sojourn.language.moments.Hours`)."""

    def opens(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the moment at which they open; None where they are open now."""
        ...


@dataclass(frozen=True)
class NamedHours:
    """Hours with what an author calls them."""

    name: str
    hours: Opening


@dataclass(frozen=True)
class CapUse:
    """A cap and how much of it is used."""

    most: int
    window: timedelta
    used: int


@dataclass(frozen=True)
class ConsentFact:
    """The latest word of a person about a purpose."""

    id: str
    granted: bool
    at: datetime | None = None


@dataclass(frozen=True)
class GateFacts:
    """All that a verdict depends on.

    Attributes:
        now: the shop's moment of the claim.
        purpose: what the person's consent must cover; `transactional` needs none.
        zone: the zone whose hours count: the person's, else the shop's, else UTC.
        ended: how the entry has ended or is about to, where it has.
        consent: the latest word about the purpose; None where nothing was said.
        consent_needed: whether silence is a no.
        suppressed: why this address gets nothing, where it does not.
        address_problem: what is wrong with the address, where something is.
        message_problem: why the message cannot be written safely, where it cannot.
        goal_met: whether the entry's goal was met.
        holdout: whether the entry walks in shadow.
        caps: the caps with their use.
        hours: hours that must all be open.
    """

    now: datetime
    purpose: str
    zone: ZoneInfo = UTC_ZONE
    ended: str | None = None
    consent: ConsentFact | None = None
    consent_needed: bool = True
    suppressed: str | None = None
    address_problem: str | None = None
    message_problem: str | None = None
    goal_met: bool = False
    holdout: bool = False
    caps: Sequence[CapUse] = ()
    hours: Sequence[NamedHours] = ()

    @property
    def transactional(self) -> bool:
        """Whether the message is one that the person needs, not one that the shop wants."""
        return self.purpose == TRANSACTIONAL


@dataclass(frozen=True)
class CheckResult:
    """What one check said."""

    check: str
    verdict: str  # pass suppress hold
    because: str


@dataclass(frozen=True)
class Verdict:
    """What the gate said, with every check's because."""

    decision: str  # allow suppress hold
    reason: str = ""
    until: datetime | None = None
    consent_id: str | None = None
    checks: tuple[CheckResult, ...] = field(default=())

    @property
    def allowed(self) -> bool:
        """Whether the message may go now."""
        return self.decision == "allow"


def judge(facts: GateFacts) -> Verdict:
    """Decide whether a message may go now, never, or not before a moment."""
    hours, until = _quiet_hours(facts)
    checks = (
        _exit(facts), _consent(facts), _suppression(facts), _address(facts), _message(facts),
        _goal(facts), _holdout(facts), *_caps(facts), hours,
    )  # fmt: skip
    consent_id = facts.consent.id if facts.consent and facts.consent.granted and not facts.transactional else None
    for check in checks:
        if check.verdict == "suppress":
            return Verdict("suppress", f"{check.check}: {check.because}", checks=checks)
    if until is not None:
        return Verdict("hold", f"{hours.check}: {hours.because}", until, checks=checks)
    return Verdict("allow", consent_id=consent_id, checks=checks)


def _say(check: Check, wrong: bool, because: str, fine: str) -> CheckResult:
    return CheckResult(check.value, "suppress" if wrong else "pass", because if wrong else fine)


def _exit(facts: GateFacts) -> CheckResult:
    return _say(Check.EXIT, facts.ended is not None, f"the journey has ended: {facts.ended}", "the journey is under way")


def _consent(facts: GateFacts) -> CheckResult:
    if facts.transactional:
        return CheckResult(Check.CONSENT.value, "pass", "a transactional message needs none")
    if facts.consent is None:
        return _say(Check.CONSENT, facts.consent_needed, f"no consent to {facts.purpose}", "not refused, and the shop asks for no more")
    return _say(Check.CONSENT, not facts.consent.granted, f"{facts.purpose} was withdrawn", f"{facts.purpose} was consented to")


def _suppression(facts: GateFacts) -> CheckResult:
    # Who unsubscribes wants no more marketing, but still the receipt of an order.
    heeded = facts.suppressed is not None and not (facts.transactional and facts.suppressed == "unsubscribed")
    return _say(Check.SUPPRESSION, heeded, f"the address is suppressed: {facts.suppressed}", "the address is not suppressed")


def _address(facts: GateFacts) -> CheckResult:
    return _say(Check.ADDRESS, facts.address_problem is not None, facts.address_problem or "", "there is an address")


def _message(facts: GateFacts) -> CheckResult:
    return _say(Check.MESSAGE, facts.message_problem is not None, facts.message_problem or "", "its headers are safe")


def _goal(facts: GateFacts) -> CheckResult:
    return _say(Check.GOAL, facts.goal_met, "the goal is met already", "the goal is still to be met")


def _holdout(facts: GateFacts) -> CheckResult:
    return _say(Check.HOLDOUT, facts.holdout, "this entry is in the holdout: it walks in shadow", "not in a holdout")


def _caps(facts: GateFacts) -> list[CheckResult]:
    if facts.transactional:
        return [CheckResult(Check.CAP.value, "pass", "a transactional message is exempt from caps")]
    return [
        _say(
            Check.CAP,
            cap.used >= cap.most,
            f"{cap.used} of {cap.most} messages in {format_duration(cap.window)} are used up",
            f"{cap.used} of {cap.most} messages in {format_duration(cap.window)} are used",
        )
        for cap in facts.caps
    ]


def _quiet_hours(facts: GateFacts) -> tuple[CheckResult, datetime | None]:
    """Find the first moment at which all hours are open; transactional messages wait for none."""
    name = Check.QUIET_HOURS.value
    if facts.transactional:
        return CheckResult(name, "pass", "a transactional message waits for no hours"), None
    moment, closed = facts.now, ""
    while moment - facts.now < NO_COMMON_HOUR:
        for named in facts.hours:
            opens = named.hours.opens(moment, facts.zone)
            if opens is not None:
                moment, closed = opens, closed or named.name
                break
        else:
            if moment == facts.now:
                return CheckResult(name, "pass", f"its hours are open in {facts.zone.key}"), None
            return CheckResult(name, "hold", f"{closed} in {facts.zone.key}"), moment
    return CheckResult(name, "suppress", "its hours leave no moment to send at"), None
