"""Complaints that come by mail: feedback reports (ARF, RFC 5965 and 6650), and those of Outlook.com, which have no fields."""

from __future__ import annotations

from dataclasses import dataclass

from sojourn.delivery.bounces.parts import Parts, fields_of
from sojourn.delivery.webhooks.base import Kind

# Types of IANA's registry "Feedback Report Type Values", and the two of its drafts that some still send.
_KINDS = {
    **dict.fromkeys(("not-spam", "auth-failure", "dmarc"), Kind.ACCEPTED),  # whoever reports has it, and that is all
    **dict.fromkeys(("opt-out", "opt-out-list"), Kind.UNSUBSCRIBED),
}


@dataclass(frozen=True)
class Complaint:
    """What a reader said of one of our messages by way of their provider.

    Attributes:
        send_key: of the message.
        feedback: the type of the report, such as abuse.
    """

    send_key: str
    feedback: str

    @property
    def kind(self) -> Kind:
        """What it is told as: that it is no spam, or was not signed, complains of nothing."""
        return _KINDS.get(self.feedback, Kind.COMPLAINED)


def feedback_type(parts: Parts) -> str | None:
    """Return the type of a mail's complaint; None where it is none."""
    if parts.feedback is not None:
        return parts.feedback.get("feedback-type", "abuse").split(";")[0].strip().lower()[:32]
    outlook = str(parts.mail.get("Subject") or "").strip().lower().startswith("complaint about message from")
    if outlook and any("x-hmxmroriginalrecipient" in fields_of(copy) for copy in parts.copies):
        return "abuse"
    return None
