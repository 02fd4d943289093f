"""The composition root puts to work whom delivery.yaml names, with the keys of the environment."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

import worker
from sojourn.clock import SystemClock
from sojourn.delivery.providers.inbox import Inbox
from sojourn.delivery.providers.smtp import Smtp
from sojourn.delivery.routing import Carriers, Only
from sojourn.delivery.webhooks import Posted
from sojourn.errors import SettingsError
from sojourn.settings import Settings, load_settings
from sojourn.store.database import Database

JOURNEYS = Path(__file__).parents[3] / "journeys"
YAML = """
providers:
  - {provider: postmark, weight: 3}
  - {provider: smtp}
  - {provider: inbox, weight: 0}
  - {provider: ses, region: eu-west-1, topic: "arn:aws:sns:eu-west-1:123456789012:sojourn"}
"""


@pytest.fixture(autouse=True)
def _only_these_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SOJOURN_{name.upper()}", raising=False)
    shutil.copytree(JOURNEYS, tmp_path / "journeys")
    monkeypatch.setenv("SOJOURN_JOURNEYS_DIR", str(tmp_path / "journeys"))
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path / "var"))


def house() -> worker.House:
    return worker.House(load_settings(), SystemClock(), Database("sqlite://"))


def test_without_delivery_yaml_mail_goes_where_it_went_before(monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(house().provider, Inbox)
    assert house().hooks == {}
    monkeypatch.setenv("SOJOURN_SMTP_URL", "smtp://mail.example")
    alone = house().provider  # with a breaker before it, so that a server that fails gets one message at a time
    assert isinstance(alone, Only)
    assert isinstance(alone.provider, Smtp)


async def test_delivery_yaml_puts_providers_and_their_webhooks_to_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "journeys" / "delivery.yaml").write_text(YAML)
    with pytest.raises(SettingsError, match="SOJOURN_POSTMARK_API_KEY"):
        house().provider  # noqa: B018
    monkeypatch.setenv("SOJOURN_POSTMARK_API_KEY", "a-server-token")
    monkeypatch.setenv("SOJOURN_POSTMARK_WEBHOOK_KEY", "a-password-of-many-letters")
    monkeypatch.setenv("SOJOURN_SMTP_URL", "smtp://mail.example")
    monkeypatch.setenv("SOJOURN_BOUNCE_WEBHOOK_KEY", "a-token-of-many-letters")
    made = house()
    assert isinstance(made.provider, Carriers)
    assert {name: made.provider.named(name) is not None for name in ("postmark", "smtp", "inbox", "ses", "resend")} == {
        "postmark": True, "smtp": True, "inbox": True, "ses": True, "resend": False,
    }  # fmt: skip
    assert set(made.hooks) == {"postmark", "ses", "bounce-mail"}
    given = {"authorization": "Bearer a-token-of-many-letters"}
    assert await made.hooks["bounce-mail"].read(Posted("", given, b"Subject: hello\r\n\r\nhello"), datetime.now(UTC)) == []


def test_mail_for_a_plain_server_is_signed_where_a_key_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_SMTP_URL", "smtp://mail.example")
    monkeypatch.setenv("SOJOURN_DKIM_KEY", str(tmp_path / "none.pem"))
    with pytest.raises(SettingsError, match="SOJOURN_DKIM_KEY"):
        house().provider  # noqa: B018


@pytest.mark.parametrize("name", ["POSTMARK_WEBHOOK_KEY", "BREVO_WEBHOOK_KEY", "BOUNCE_WEBHOOK_KEY"])
def test_a_secret_that_anyone_could_guess_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(f"SOJOURN_{name}", "short")
    with pytest.raises(SettingsError) as error:
        load_settings()
    assert f"SOJOURN_{name}" in str(error.value)
    assert "short" not in str(error.value)
