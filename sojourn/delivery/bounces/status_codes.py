"""What an enhanced status code says by itself: RFC 3463, RFC 5248's registry at IANA, and what large providers add.

Only codes that say that the address does not exist are hard. Codes that say too little (`x.0.0`, `x.y.0`) stand in no row:
the words decide, and without words nobody's address is given up.
"""

from __future__ import annotations

import re

from sojourn.delivery.bounces.reasons import Reason

STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")
# Without the class. A code that is not here is soft, by its subject: see `_SUBJECTS`.
_DETAILS: dict[str, Reason] = {
    "1.1": Reason.UNKNOWN,  # bad destination mailbox address
    "1.2": Reason.NO_HOST,  # bad destination system address
    "1.3": Reason.UNKNOWN,  # bad destination mailbox address syntax
    "1.4": Reason.UNCLEAR,  # ambiguous
    "1.6": Reason.MOVED,  # mailbox has moved, no forwarding address
    "1.7": Reason.SENDER,  # bad sender's mailbox address syntax
    "1.8": Reason.SENDER,  # bad sender's system address
    "1.9": Reason.CONTENT,  # relayed to a non-compliant mailer
    "1.10": Reason.NO_HOST,  # recipient address has null MX (RFC 7505)
    "1.20": Reason.UNKNOWN,  # Exchange Online: multiple or no such recipients
    "2.1": Reason.CLOSED,  # mailbox disabled, not accepting messages
    "2.2": Reason.FULL,
    "2.3": Reason.TOO_LARGE,
    "2.4": Reason.SYSTEM,  # mailing list expansion
    "3.4": Reason.TOO_LARGE,
    "4.12": Reason.NETWORK,
    "4.316": Reason.NETWORK,
    "7.7": Reason.CONTENT,
    "7.27": Reason.SENDER,  # sender address has null MX
}
_SUBJECTS: dict[str, Reason] = {
    "1": Reason.UNCLEAR,
    "2": Reason.UNCLEAR,
    "3": Reason.SYSTEM,
    "4": Reason.NETWORK,
    "5": Reason.SYSTEM,
    "6": Reason.CONTENT,
    "7": Reason.POLICY,
}


def vague(status: str) -> bool:
    """Tell whether a code says too little: `5.0.0`, `5.1.0`, or none."""
    return not status or status.endswith(".0")


def reason_of(status: str) -> Reason:
    """Return what a code says by itself; UNCLEAR where it says too little."""
    kind, _, detail = status.partition(".")
    if kind != "5":
        return Reason.TEMPORARY if kind == "4" else Reason.UNCLEAR
    if vague(status):
        return Reason.UNCLEAR
    return _DETAILS.get(detail) or _SUBJECTS.get(detail.partition(".")[0], Reason.UNCLEAR)
