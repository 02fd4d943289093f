"""A page that is claimed together comes to what each of it would alone, with the same because."""

from collections import Counter

import pytest
from sqlalchemy import select

from sojourn.broadcasts import standing
from sojourn.broadcasts.gathering import LANES
from sojourn.broadcasts.sending import Broadcasting
from sojourn.delivery import sending_many
from sojourn.language.loader import load_broadcast
from sojourn.language.moments import zone_named
from sojourn.store.tables import consents, entries, identifiers, sends, transitions, verdicts
from sojourn.testing import Shop

CONTENT = """---
subject: News for {{ profile.first_name | default("you") }}
---
<mjml><mj-body><mj-section><mj-column><mj-text>News. {{ shop.postal_address }} <a href="{{ unsubscribe_url }}">Unsubscribe</a>
</mj-text></mj-column></mj-section></mj-body></mjml>
"""
SETTINGS = """
name: S
sender: {name: S, address: s@shop.example}
postal_address: Here 1
topics: {news: {title: News, purpose: marketing}, offers: {title: Offers, purpose: marketing}}
caps: [{max: 1, within: 7d}]
"""
HELLO = """
journey: hello
description: Greets at once.
priority: 80
enter: {on: Signed Up}
steps:
  - send: news
  - wait: 30d
  - end: done
"""
SLOW = """
journey: slow
description: Greets after a while.
priority: 90
enter: {on: Product Viewed}
steps:
  - wait_for: Product Added
    up_to: 2m
  - send: news
  - end: done
"""
BROADCAST = """
broadcast: sale
topic: news
description: For everyone.
to: profile.email is defined
content: news
at: 2026-01-05 10:00
holdout: 20%
"""


KINDS = ("plain", "refused", "never", "capped", "gone", "merged", "joined", "new", "odd")
EACH = 7  # so that some of each kind are not in the holdout


def judged(*, together: bool, monkeypatch: pytest.MonkeyPatch) -> tuple[dict, Counter]:
    """Send to people of every kind; return of each what came of it and why, and how often each check said what."""
    if not together:
        monkeypatch.setattr(sending_many, "single", lambda _, people: (frozenset(), frozenset(people)))
    with Shop(contents={"news": CONTENT}, journeys=[HELLO, SLOW], settings=SETTINGS) as shop:
        for name in (f"{kind}{i}" for kind in KINDS for i in range(EACH)):
            traits = {"email": f"{name}@shop.example"} if not name.startswith("odd") else {"email": "no address"}
            shop.identify(name, traits, consent={"refused": {"marketing": False}, "never": {}}.get(name.rstrip("0123456789")))
        for i in range(EACH):
            shop.track(f"capped{i}", "Signed Up")
            shop.track(f"gone{i}", "Signed Up")
            (mail,) = shop.inbox(f"gone{i}")
            shop.unsubscribe(mail)
            shop.merge(f"joined{i}", f"merged{i}")
        shop.advance("59m 59s")
        for i in range(EACH):
            shop.track(f"new{i}", "Product Viewed")
        engine = shop._engine

        def write(function, *args):
            return shop._run(engine.store.write(function, *args))

        id_ = write(standing.schedule, load_broadcast(BROADCAST), zone_named("UTC"), engine.clock.now())
        shop.advance("1s")
        broadcasting = Broadcasting(engine.journeys)
        shop._run(broadcasting.gather(id_, 5.0))
        for lane in range(LANES):
            shop._run(broadcasting.send(id_, lane, 5.0))
        shop._run(engine.settle())

        def look(connection):
            who = {}
            for row in connection.execute(select(identifiers.c.profile_id, identifiers.c.value).order_by(identifiers.c.value.desc())):
                who[row.profile_id] = row.value
            of = select(sends, entries.c.holdout).join(entries, entries.c.id == sends.c.entry_id).where(sends.c.journey == "sale")
            words = {row.id: (row.purpose, row.granted) for row in connection.execute(select(consents))}
            came = {
                who[row.profile_id]: (row.state, row.reason, row.holdout, row.attempts, words.get(row.consent_id))
                for row in connection.execute(of)
            }
            checks = Counter(connection.execute(select(verdicts.c.check, verdicts.c.verdict)).all())
            checks.update(connection.execute(select(transitions.c.from_state, transitions.c.to_state)).all())
            return came, checks

        return shop._run(engine.store.read(look))


def test_a_page_claimed_together_comes_to_what_each_of_it_would_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    together = judged(together=True, monkeypatch=monkeypatch)
    alone = judged(together=False, monkeypatch=monkeypatch)
    assert together[0].keys() == alone[0].keys()
    reasons = {(row[0], (row[1] or "").split(":")[0]) for row in together[0].values()}
    assert {("accepted", ""), ("suppressed", "consent"), ("suppressed", "cap"), ("suppressed", "address"), ("held", "priority")} <= reasons
    for name in together[0]:
        if not together[0][name][2] and not alone[0][name][2]:  # who is in the holdout goes by a profile's id, which each shop draws anew
            assert together[0][name] == alone[0][name], name
    assert sum(together[1].values()) > 100
