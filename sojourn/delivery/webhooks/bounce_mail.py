"""`POST /v1/webhooks/bounce-mail`: one bounce or complaint as it arrived, from whoever reads the mailbox that bounces go to."""

from __future__ import annotations

from datetime import datetime

from sojourn.delivery import bounces
from sojourn.delivery.webhooks.base import Notice, Posted, check_secret


class BounceMail:
    """Reads mails that are posted with a secret.

    Args:
        secret: SOJOURN_BOUNCE_WEBHOOK_KEY.
    """

    def __init__(self, secret: str) -> None:
        self._secret = secret

    async def read(self, posted: Posted, now: datetime) -> list[Notice]:
        """Return what a mail tells; one that is no bounce or complaint of ours tells nothing."""
        check_secret(posted, self._secret)
        return bounces.notices(posted.body)
