"""Writes the diagram and the classes of docs/send-protocol.md from the code, between its markers: `python docs/send_protocol.py`."""

from __future__ import annotations

from pathlib import Path

from sojourn.delivery import protocol
from sojourn.delivery.providers.brevo import Brevo
from sojourn.delivery.providers.inbox import Inbox
from sojourn.delivery.providers.mailchimp import Mailchimp
from sojourn.delivery.providers.mailgun import Mailgun
from sojourn.delivery.providers.postmark import Postmark
from sojourn.delivery.providers.resend import Resend
from sojourn.delivery.providers.sendgrid import SearchedSendGrid, SendGrid
from sojourn.delivery.providers.ses import Ses
from sojourn.delivery.providers.smtp import Smtp

PAGE = Path(__file__).parent / "send-protocol.md"
PROVIDERS = {
    "Resend": Resend,
    "Brevo": Brevo,
    "the local inbox": Inbox,
    "Postmark": Postmark,
    "Mailgun": Mailgun,
    "Mailchimp Transactional": Mailchimp,
    "SendGrid with Email Activity": SearchedSendGrid,
    "SendGrid": SendGrid,
    "Amazon SES": Ses,
    "SMTP": Smtp,
}


def drawn(page: str) -> str:
    """Return a page with what the code says between its markers."""
    parts = {"diagram": f"```mermaid\n{protocol.draw()}```\n", "classes": protocol.classes(PROVIDERS)}
    for name, content in parts.items():
        begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
        before, _, rest = page.partition(begin)
        _, _, after = rest.partition(end)
        page = f"{before}{begin}\n\n{content}\n{end}{after}"
    return page


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text("utf-8")), "utf-8")
