"""One person with all that can be asked about them, for the tests of this folder."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert

from sojourn.store import tables as t

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ALICE, OTHER, BOB = "11111111-aaaa", "22222222-bbbb", "33333333-cccc"
SEND = "55555555-eeee"


def at(hours: float) -> datetime:
    return START + timedelta(hours=hours)


def settle_in(connection: Connection) -> None:
    """Alice (once anonymous), who entered a journey, got a mail, clicked and left; Bob, who did nothing."""

    def add(table, **values):  # type: ignore[no-untyped-def]
        connection.execute(insert(table).values(**values))

    for person in (ALICE, BOB):
        add(t.profiles, id=person, traits={"first_name": "Al"}, zone="Europe/Paris", locale="fr", first_seen=START, last_seen=at(5))
    add(t.profiles, id=OTHER, merged_into=ALICE, traits={}, first_seen=START, last_seen=START)
    for kind, value, owner in (("user_id", "alice/1", ALICE), ("anonymous_id", "anon-1", OTHER), ("user_id", "bob", BOB)):
        add(t.identifiers, kind=kind, value=value, profile_id=owner, since=START)
    add(t.consents, id="c1", profile_id=ALICE, purpose="marketing", granted=False, source="form", at=START)
    add(t.consents, id="c2", profile_id=ALICE, purpose="marketing", granted=True, wording="v2", source="form", at=at(0.5))
    add(t.segment_members, segment="high_value", profile_id=ALICE, since=START)
    add(t.events, id="m1", seq=1, profile_id=OTHER, kind="track", name="Product Added", time=at(1), properties={"price": 40})
    add(t.definitions, version="v1", journey="cart_abandonment", body={}, first_seen=START)
    add(
        t.entries,
        id="e1",
        journey="cart_abandonment",
        version="v1",
        profile_id=ALICE,
        key="",
        workflow_id="journey:cart:1",
        trigger_id="m1",
        trigger={"name": "Product Added"},
        variants={},
        started_at=at(1),
        state="ended",
        outcome="browsed",
        because="after a click",
        ended_at=at(5),
    )
    add(
        t.decisions,
        entry_id="e1",
        cursor="1",
        at=at(2),
        answers={"trail": [{"cursor": "1", "did": "if score < 0.8", "because": "0.2", "at": at(2).isoformat()}], "cursor": "2"},
    )
    add(
        t.sends,
        key=SEND,
        entry_id="e1",
        profile_id=ALICE,
        journey="cart_abandonment",
        step="2",
        send_id="reminder",
        content="cart_reminder",
        purpose="marketing",
        state="accepted",
        consent_id="c2",
        provider="inbox",
        attempts=1,
        created_at=at(2),
        claimed_at=at(2),
        settled_at=at(2),
    )
    add(
        t.messages,
        send_key=SEND,
        to_address="alice@shop.example",
        from_address="shop@shop.example",
        subject="Your [cart]",
        html="<p>Hi</p>",
        text="Hi",
        headers={},
        tokens={"first_name": "Al"},
        rendered_at=at(2),
    )
    add(t.verdicts, send_key=SEND, at=at(2), check="consent", verdict="pass", because="granted by form")
    add(t.transitions, send_key=SEND, at=at(2), from_state=None, to_state="planned", because="rendered")
    add(t.transitions, send_key=SEND, at=at(2), from_state="planned", to_state="accepted", because="250 ok")
    add(t.events, id="m2", seq=2, profile_id=ALICE, kind="track", name="Email Link Clicked", time=at(3), properties={}, send_key=SEND)
    add(t.refusals, id="r1", journey="onboarding", profile_id=ALICE, event_id="m1", reason="no consent", at=at(1))
