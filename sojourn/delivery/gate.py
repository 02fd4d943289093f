"""The send gate: may this message go to this person now? A pure decision with every because.

All checks are asked, so that a verdict says everything that stood in the way; the first that
suppresses, in their order, names the reason. A hold gives way to any suppression, and of several
holds the last to end says until when.
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
MARKETING_ONLY = frozenset({"unsubscribed", "complaint"})  # reasons of suppression that stop no transactional message
NO_COMMON_HOUR = timedelta(days=8)  # a week and a day: any pattern of hours that ever opens has opened by then


class Check(StrEnum):
    """The checks, in the order in which they name the reason."""

    EXIT = "exit"
    CONSENT = "consent"
    TOPIC = "topic"
    FREQUENCY = "frequency"
    SUPPRESSION = "suppression"
    ADDRESS = "address"
    MESSAGE = "message"
    GOAL = "goal"
    HOLDOUT = "holdout"
    BRAKE = "brake"
    CAP = "cap"
    PRIORITY = "priority"
    QUIET_HOURS = "quiet_hours"


class Opening(Protocol):
    """Hours of a day at which messages may go (`sojourn.language.moments.Hours`)."""

    def opens(self, now: datetime, zone: ZoneInfo) -> datetime | None:
        """Return the moment at which they open; None where they are open now."""
        ...


@dataclass(frozen=True)
class NamedHours:
    """Hours with what an author calls them.

    Attributes:
        own: whether the journey says them itself; a transactional message keeps these, and no others.
    """

    name: str
    hours: Opening
    own: bool = False


@dataclass(frozen=True)
class CapUse:
    """A cap and how much of it is used.

    Attributes:
        most: how many messages at most.
        window: how long a rolling window is.
        used: how many there were.
        named: what the window is called where it is no rolling one, or whose wish it is.
        frees: when there is room again.
        hold_up_to: how long after it was planned a message waits for room; None: not at all.
    """

    most: int
    window: timedelta
    used: int
    named: str = ""
    frees: datetime | None = None
    hold_up_to: timedelta | None = None


@dataclass(frozen=True)
class ConsentFact:
    """The latest word of a person about a purpose."""

    id: str
    granted: bool
    at: datetime | None = None
    source: str = ""
    wording: str | None = None

    def __str__(self) -> str:
        said = ", ".join(filter(None, (f"wording {self.wording}" if self.wording else "", self.source)))
        return f"{f' ({said})' if said else ''}{f' on {self.at:%Y-%m-%d %H:%M}' if self.at else ''}"


@dataclass(frozen=True)
class TopicFact:
    """What a message is about, and whether the person wants it."""

    name: str
    wanted: bool
    chosen: bool = False  # by the person; else by default


@dataclass(frozen=True)
class BrakeFact:
    """A brake that is on."""

    name: str  # of the journey, or the whole shop
    because: str
    patience: timedelta = timedelta(days=1)
    again: timedelta = timedelta(hours=1)


@dataclass(frozen=True)
class Rival:
    """Another message of the same person that goes first."""

    name: str  # journey and send
    priority: int
    until: datetime  # when the other has gone and the time between the two is over
    key: str | None = None  # None: it is not made yet
    patience: timedelta = timedelta(days=1)


@dataclass(frozen=True)
class GateFacts:
    """All that a verdict depends on.

    Attributes:
        now: the shop's moment of the claim.
        purpose: what the person's consent must cover; `transactional` needs none.
        zone: the zone whose hours count: the person's, else the shop's, else UTC.
        ended: how the entry has ended or is about to, where it has.
        sent_before: the same step's message to this person, by an entry that was merged with this one.
        consent: the latest word about the purpose; None where nothing was said.
        consent_needed: whether silence is a no.
        suppressed: why this address gets nothing, where it does not.
        address_problem: what is wrong with the address, where something is.
        message_problem: why the message cannot be written safely, where it cannot.
        goal_met: whether the entry's goal was met.
        holdout: whether the entry walks in shadow.
        caps: the caps with their use.
        hours: hours that must all be open.
        unconfirmed: when a consent was said that waits to be confirmed.
        topic: what the message is about.
        paused_until: until when the person wants no mail.
        brake: the brake that is on.
        rivals: messages that go first.
        planned: when the message was made: what waits, waits no longer than so long after it.
        jitter: this message's place in the time over which a release is spread.
    """

    now: datetime
    purpose: str
    zone: ZoneInfo = UTC_ZONE
    ended: str | None = None
    sent_before: str | None = None
    consent: ConsentFact | None = None
    consent_needed: bool = True
    suppressed: str | None = None
    address_problem: str | None = None
    message_problem: str | None = None
    goal_met: bool = False
    holdout: bool = False
    caps: Sequence[CapUse] = ()
    hours: Sequence[NamedHours] = ()
    unconfirmed: datetime | None = None
    topic: TopicFact | None = None
    paused_until: datetime | None = None
    brake: BrakeFact | None = None
    rivals: Sequence[Rival] = ()
    planned: datetime | None = None
    jitter: timedelta = timedelta()

    @property
    def since(self) -> datetime:
        """Since when the message waits."""
        return self.planned or self.now

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
    until: datetime | None = None


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
    before = (
        _exit(facts), _consent(facts), _topic(facts), _frequency(facts), _suppression(facts), _address(facts), _message(facts),
        _goal(facts), _holdout(facts), _brake(facts), *_caps(facts), _priority(facts),
    )  # fmt: skip
    checks = (*before, _quiet_hours(facts, max([facts.now, *(check.until for check in before if check.until is not None)])))
    for check in checks:
        if check.verdict == "suppress":
            return Verdict("suppress", f"{check.check}: {check.because}", checks=checks)
    holds = [check for check in checks if check.until is not None]
    if holds:
        until = max(check.until for check in holds if check.until is not None)
        return Verdict("hold", f"{holds[0].check}: {holds[0].because}", until, checks=checks)
    consent_id = facts.consent.id if facts.consent and facts.consent.granted and not facts.transactional else None
    return Verdict("allow", consent_id=consent_id, checks=checks)


def _say(check: Check, wrong: bool, because: str, fine: str) -> CheckResult:
    return CheckResult(check.value, "suppress" if wrong else "pass", because if wrong else fine)


def _pass(check: Check, because: str) -> CheckResult:
    return CheckResult(check.value, "pass", because)


def _hold(check: Check, because: str, until: datetime) -> CheckResult:
    return CheckResult(check.value, "hold", because, until)


def _exit(facts: GateFacts) -> CheckResult:
    if facts.ended is None and facts.sent_before is not None:
        return _say(Check.EXIT, True, f"the person got it already, as {facts.sent_before}, before two profiles were found to be theirs", "")
    return _say(Check.EXIT, facts.ended is not None, f"the journey has ended: {facts.ended}", "the journey is under way")


def _consent(facts: GateFacts) -> CheckResult:
    if facts.transactional:
        return _pass(Check.CONSENT, "a transactional message needs none")
    if facts.unconfirmed is not None and not (facts.consent is not None and facts.consent.granted):
        return _say(Check.CONSENT, True, f"{facts.purpose} is not confirmed yet: asked for on {facts.unconfirmed:%Y-%m-%d %H:%M}", "")
    if facts.consent is None:
        return _say(Check.CONSENT, facts.consent_needed, f"no consent to {facts.purpose}", "not refused, and the shop asks for no more")
    fine = f"{facts.purpose} was consented to{facts.consent}"
    return _say(Check.CONSENT, not facts.consent.granted, f"{facts.purpose} was withdrawn{facts.consent}", fine)


def _topic(facts: GateFacts) -> CheckResult:
    if facts.transactional or facts.topic is None:
        return _pass(Check.TOPIC, "it is of no topic that people choose")
    who = "was chosen" if facts.topic.chosen else "is on by default"
    against = "was declined" if facts.topic.chosen else "is off by default and was not chosen"
    return _say(Check.TOPIC, not facts.topic.wanted, f"the topic {facts.topic.name} {against}", f"the topic {facts.topic.name} {who}")


def _frequency(facts: GateFacts) -> CheckResult:
    if facts.transactional:
        return _pass(Check.FREQUENCY, "a transactional message comes whatever was chosen")
    paused = facts.paused_until is not None and facts.now < facts.paused_until
    wrong = f"the person paused messages until {facts.paused_until:%Y-%m-%d %H:%M}" if facts.paused_until is not None else ""
    return _say(Check.FREQUENCY, paused, wrong, "the person has not paused messages")


def _suppression(facts: GateFacts) -> CheckResult:
    # Who unsubscribes or complains wants no more marketing, but still the receipt of an order; what bounces gets nothing at all.
    heeded = facts.suppressed is not None and not (facts.transactional and facts.suppressed in MARKETING_ONLY)
    fine = "the address is not suppressed"
    if facts.suppressed is not None:
        fine = f"the address is suppressed ({facts.suppressed}), which stops no transactional message"
    return _say(Check.SUPPRESSION, heeded, f"the address is suppressed: {facts.suppressed}", fine)


def _address(facts: GateFacts) -> CheckResult:
    return _say(Check.ADDRESS, facts.address_problem is not None, facts.address_problem or "", "there is an address")


def _message(facts: GateFacts) -> CheckResult:
    return _say(Check.MESSAGE, facts.message_problem is not None, facts.message_problem or "", "its headers are safe")


def _goal(facts: GateFacts) -> CheckResult:
    return _say(Check.GOAL, facts.goal_met, "the goal is met already", "the goal is still to be met")


def _holdout(facts: GateFacts) -> CheckResult:
    return _say(Check.HOLDOUT, facts.holdout, "this entry is in the holdout: it walks in shadow", "not in a holdout")


def _brake(facts: GateFacts) -> CheckResult:
    if facts.transactional:
        return _pass(Check.BRAKE, "a transactional message goes on whatever brake is on")
    if facts.brake is None:
        return _pass(Check.BRAKE, "no brake is on")
    because = f"{facts.brake.name} is halted: {facts.brake.because}"
    if facts.now - facts.since < facts.brake.patience:
        return _hold(Check.BRAKE, because, facts.now + facts.brake.again)
    return _say(Check.BRAKE, True, f"{because}; it has waited for {format_duration(facts.brake.patience)}", "")


def _caps(facts: GateFacts) -> list[CheckResult]:
    if facts.transactional:
        return [_pass(Check.CAP, "a transactional message is exempt from caps")]
    return [_cap(cap, facts) for cap in facts.caps] or [_pass(Check.CAP, "there is no cap")]


def _cap(cap: CapUse, facts: GateFacts) -> CheckResult:
    used = f"{cap.used} of {cap.most} messages {cap.named or f'in {format_duration(cap.window)}'} are used"
    if cap.used < cap.most:
        return _pass(Check.CAP, used)
    if cap.hold_up_to is None or cap.frees is None or cap.frees <= facts.now:
        return _say(Check.CAP, True, f"{used} up", "")
    if cap.frees <= facts.since + cap.hold_up_to:
        return _hold(Check.CAP, f"{used} up", cap.frees)
    return _say(Check.CAP, True, f"{used} up, for longer than {format_duration(cap.hold_up_to)}", "")


def _priority(facts: GateFacts) -> CheckResult:
    if facts.transactional:
        return _pass(Check.PRIORITY, "a transactional message gives way to none")
    heeded = [rival for rival in facts.rivals if rival.until > facts.now and facts.now - facts.since < rival.patience]
    if not heeded:
        return _pass(Check.PRIORITY, "no message of a higher priority competes")
    first = max(heeded, key=lambda rival: (rival.priority, rival.until))
    which = f", send {first.key}" if first.key else ""
    because = f"gives way to {first.name} (priority {first.priority}{which})"
    return _hold(Check.PRIORITY, because, max(rival.until for rival in heeded))


def _quiet_hours(facts: GateFacts, begin: datetime) -> CheckResult:
    """Find the first moment at which all hours are open, from the end of all other holds on.

    A transactional message waits for no hours but those that its own journey asks for.
    """
    if facts.transactional and not _kept(facts):
        return _pass(Check.QUIET_HOURS, "a transactional message waits for no hours but its journey's own")
    moment, closed = begin, ""
    while moment - begin < NO_COMMON_HOUR:
        shut = _shut(facts, moment)
        if shut is None:
            if moment == begin:
                return _pass(Check.QUIET_HOURS, f"its hours are open in {facts.zone.key}")
            late = moment + facts.jitter
            return _hold(Check.QUIET_HOURS, f"{closed} in {facts.zone.key}", late if _shut(facts, late) is None else moment)
        moment, closed = shut[0], closed or shut[1]
    return _say(Check.QUIET_HOURS, True, "its hours leave no moment to send at", "")


def _kept(facts: GateFacts) -> Sequence[NamedHours]:
    """Return the hours that the message has to keep."""
    return [named for named in facts.hours if named.own] if facts.transactional else facts.hours


def _shut(facts: GateFacts, moment: datetime) -> tuple[datetime, str] | None:
    """Return when the first hours that are not open at a moment open, and what they are called; None where all are."""
    for named in _kept(facts):
        opens = named.hours.opens(moment, facts.zone)
        if opens is not None:
            return opens, named.name
    return None
