"""Who unsubscribed and agrees again is written to again; who bounced is not."""

from datetime import UTC, datetime, timedelta

import pytest

from sojourn.customers import suppression
from sojourn.store.database import Database

SECRET = "s" * 32
THEN = datetime(2026, 1, 5, 9, tzinfo=UTC)
LATER = THEN + timedelta(days=1)
ADDRESS = "ada@customer.example"


@pytest.mark.parametrize(
    ("reason", "agreed_at", "expected"),
    [
        ("unsubscribed", None, "unsubscribed"),
        ("unsubscribed", THEN - timedelta(days=1), "unsubscribed"),
        ("unsubscribed", LATER, None),
        ("hard_bounce", LATER, "hard_bounce"),
        ("complaint", LATER, "complaint"),
    ],
)
async def test_only_a_later_yes_outweighs_and_only_an_unsubscription(reason: str, agreed_at: datetime | None, expected: str | None) -> None:
    database = Database("sqlite://")
    await database.create()
    await database.write(suppression.suppress, SECRET, ADDRESS, reason, THEN)
    assert await database.read(suppression.suppressed, SECRET, ADDRESS, agreed_at) == expected
    await database.close()
