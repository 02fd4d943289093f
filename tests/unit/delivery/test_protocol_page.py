"""docs/send-protocol.md says what the code does."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from fake_providers import FAKES

from sojourn import breaker
from sojourn.delivery import reconciling, sending
from sojourn.delivery.ledger import ALLOWED
from sojourn.delivery.protocol import WHEN, draw, transitions
from sojourn.delivery.providers import http, smtp
from sojourn.delivery.providers.base import Klass, LooksUp
from sojourn.delivery.providers.registry import plug
from sojourn.language.delivery_model import OPTIONS
from workflows import policies

ROOT = Path(__file__).parents[3]


def test_the_page_is_drawn_from_the_code() -> None:
    spec = importlib.util.spec_from_file_location("send_protocol", ROOT / "docs" / "send_protocol.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    page = module.PAGE.read_text("utf-8")
    assert module.drawn(page) == page, "run `python docs/send_protocol.py`"
    assert {each.name for each in module.PROVIDERS.values()} == set(OPTIONS)


def test_every_transition_of_the_table_is_drawn_and_no_other() -> None:
    assert set(WHEN) == {(before, after) for before, to in ALLOWED.items() for after in to} == set(transitions())
    drawn = [line for line in draw().splitlines() if ": " in line]
    assert not any(set(label) & set(":;") for label in WHEN.values())
    assert len(drawn) == sum(map(len, ALLOWED.values()))


def test_each_time_limit_is_within_the_next() -> None:
    attempt = policies.SEND_ATTEMPT.total_seconds()
    assert http.STEP_SECONDS < http.TOTAL_SECONDS < sending.POST_DEADLINE_SECONDS < attempt < sending.GRACE.total_seconds()
    assert smtp.TOTAL_SECONDS < sending.POST_DEADLINE_SECONDS
    assert attempt > http.LOOK_UP_SECONDS
    assert breaker.REST_SECONDS < breaker.LONGEST_REST_SECONDS
    assert reconciling.OURS_FIRST.total_seconds() > sending.CLAIM_FRESH_SECONDS + sending.POST_DEADLINE_SECONDS
    from sojourn.delivery.providers.mailchimp import Mailchimp
    from sojourn.delivery.providers.mailgun import Mailgun
    from sojourn.delivery.providers.postmark import Postmark
    from sojourn.delivery.providers.sendgrid import SearchedSendGrid

    for provider in (Mailchimp, Mailgun, Postmark, SearchedSendGrid):
        assert provider.klass is Klass.EVIDENTIAL
        assert isinstance(FAKES[provider.name if provider is not SearchedSendGrid else "searched"].make("http://127.0.0.1:9", 1.0), LooksUp)
        assert provider.index_lag.total_seconds() > sending.CLAIM_FRESH_SECONDS + sending.POST_DEADLINE_SECONDS
        assert provider.index_lag < sending.GRACE


def test_every_name_has_a_plug() -> None:
    for name in OPTIONS:
        assert plug(name).make is not None
