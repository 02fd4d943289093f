"""The settings: environment variables, and the flags of `up` that say the same.

Nothing is read at import. `load_settings` reads the environment, fills in the embedded defaults and
makes the keys that were not given; it is called once, by whatever process begins.
"""

from __future__ import annotations

import difflib
import os
import re
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from sojourn.errors import SettingsError
from sojourn.keys import kept_keys

PREFIX = "SOJOURN_"
TEST_PREFIX = "SOJOURN_TEST_"  # what the tests are told by
TEMPORAL_PORT = 7233
API_PORT = 8080
INBOX = "inbox"  # of the data folder: mail that stays here
_SECRETS = ("_api_key", "_webhook_key")
_KEYS = ("secret_key", "write_key", "admin_token")


class Settings(BaseSettings):
    """All that can be set. Each description says what may stand there; a bad value is answered with it."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    data_dir: Path = Field(default=Path("var"), description="a folder that can be written to, such as ./var")
    journeys_dir: Path = Field(default=Path("journeys"), description="the folder of your journeys, such as ./journeys")
    host: str = Field(default="127.0.0.1", min_length=1, description="the address to listen at, such as 127.0.0.1")
    port: int = Field(default=API_PORT, ge=1, le=65535, description="a port from 1 to 65535, such as 8080")
    database_url: str = Field(
        default_factory=lambda data: f"sqlite:///{data['data_dir'] / 'sojourn.db'}",
        description="sqlite:///path.db or postgresql://user@host/name",
    )
    temporal_address: str = Field(default=f"127.0.0.1:{TEMPORAL_PORT}", description="host:port of Temporal, such as 127.0.0.1:7233")
    temporal_namespace: str = Field(default="default", min_length=1, description="the name of a Temporal namespace, such as default")
    temporal_ui_url: str = Field(default="", description="the address of Temporal UI, such as http://127.0.0.1:8233")
    sdk_metrics_address: str = Field(default="", description="host:port for the Temporal SDK's metrics; empty for none")
    public_url: str = Field(
        default_factory=lambda data: f"http://127.0.0.1:{data['port']}",
        description="the address at which your customers reach Sojourn, such as https://mail.shop.example",
    )
    smtp_url: str = Field(default="", description="smtp://user:password@host:587 or smtps://…; empty keeps mail in the local inbox")
    sendgrid_api_key: str = Field(default="", description="an API key of SendGrid that may send mail")
    sendgrid_webhook_key: str = Field(default="", description="the public key of SendGrid's signed event webhook")
    mailgun_api_key: str = Field(default="", description="an API key of Mailgun")
    mailgun_webhook_key: str = Field(default="", description="the HTTP webhook signing key of Mailgun")
    postmark_api_key: str = Field(default="", description="a server token of Postmark")
    postmark_webhook_key: str = Field(default="", description="at least 16 characters: the password in the webhook's address")
    resend_api_key: str = Field(default="", description="an API key of Resend")
    resend_webhook_key: str = Field(default="", description="the signing secret of Resend's webhook, whsec_…")
    brevo_api_key: str = Field(default="", description="an API key (v3) of Brevo")
    brevo_webhook_key: str = Field(default="", description="at least 16 characters: the token that Brevo's webhook sends")
    mailchimp_api_key: str = Field(default="", description="an API key of Mailchimp Transactional")
    mailchimp_webhook_key: str = Field(default="", description="the key of Mailchimp Transactional's webhook")
    bounce_webhook_key: str = Field(default="", description="at least 16 characters: the token that bounce mails are posted with")
    call_key: str = Field(default="", description="whsec_ and 24 bytes or more in base64: signs the posts of `call` steps")
    dkim_key: str = Field(default="", description="the file of a private RSA key in PEM, by which plain SMTP mail is signed")
    dkim_selector: str = Field(default="sojourn", pattern=r"^[A-Za-z0-9.-]{1,63}$", description="the DKIM selector, such as sojourn")
    secret_key: str = Field(default="", description="a secret of at least 32 characters, such as `openssl rand -hex 32` makes")
    write_key: str = Field(default="", description="8 to 128 letters, digits, - or _; what websites put into their client library")
    admin_token: str = Field(default="", description="a secret of at least 16 characters, for the API under /api")
    time_scale: float = Field(default=1.0, gt=0, le=1_000_000, description="a number above 0, such as 3600 (an hour passes in a second)")
    log_format: Literal["json", "console"] = Field(default="console", description="json or console")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info", description="debug, info, warning or error")
    otlp_endpoint: str = Field(default="", description="an OpenTelemetry collector, such as http://127.0.0.1:4318; empty for none")

    @field_validator("data_dir", "journeys_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @field_validator("database_url")
    @classmethod
    def _a_database(cls, value: str) -> str:
        if not re.match(r"^(sqlite|postgresql)(\+\w+)?://", value):
            raise ValueError("unsupported")
        return value

    @field_validator("temporal_address", "sdk_metrics_address")
    @classmethod
    def _host_and_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise ValueError("not host:port")
        return value

    @field_validator("public_url", "temporal_ui_url", "otlp_endpoint")
    @classmethod
    def _a_web_address(cls, value: str) -> str:
        _check_url(value, ("http", "https"))
        return value.rstrip("/")

    @field_validator("smtp_url")
    @classmethod
    def _a_mail_server(cls, value: str) -> str:
        _check_url(value, ("smtp", "smtps", "smtp+starttls"))
        return value

    @field_validator("secret_key", "admin_token", "bounce_webhook_key", "postmark_webhook_key", "brevo_webhook_key")
    @classmethod
    def _long_enough(cls, value: str, info: Any) -> str:
        if value and len(value) < {"secret_key": 32}.get(info.field_name, 16):
            raise ValueError("too short")
        return value

    @field_validator("write_key")
    @classmethod
    def _a_write_key(cls, value: str) -> str:
        # It stands in URLs and as a Basic auth user name: no colon, no slash.
        if value and not re.fullmatch(r"[A-Za-z0-9_-]{8,128}", value):
            raise ValueError("not a write key")
        return value

    @property
    def embedded_temporal(self) -> bool:
        """Whether `up` brings its own Temporal server, since no address was given."""
        return "temporal_address" not in self.model_fields_set

    @property
    def embedded_database(self) -> bool:
        """Whether the data is in the default SQLite file under the data folder."""
        return "database_url" not in self.model_fields_set

    @property
    def embedded(self) -> bool:
        """Whether all runs on this machine by default: what a fast clock needs."""
        return self.embedded_temporal and self.embedded_database

    @property
    def provider_secrets(self) -> dict[str, str]:
        """Every key of a provider, by its name here, and where the plain ones are."""
        keys = {name: value for name in type(self).model_fields if name.endswith(_SECRETS) and (value := getattr(self, name))}
        return {**keys, "smtp_url": self.smtp_url, "inbox_folder": str(self.data_dir / INBOX)}

    def filled(self, **values: Any) -> Settings:
        """Return the settings with what we chose ourselves; what was given stays what counts as given."""
        return Settings.model_construct(set(self.model_fields_set), **(self.model_dump() | values))

    def environment(self) -> dict[str, str]:
        """Return the settings as environment variables, for a child process."""
        values = self.model_dump(mode="json")
        return {PREFIX + name.upper(): str(value) for name, value in values.items() if value != ""}


def load_settings(*, keys: bool = True, **flags: Any) -> Settings:
    """Return the settings, keys included.

    Args:
        keys: whether keys are needed; without, a command that only reads leaves no file behind.
        flags: values from a command line, which win over the environment; None is one not given.

    Raises:
        SettingsError: something is missing or wrong; one sentence for each.
    """
    _refuse_misspelt(os.environ)
    try:
        settings = Settings(**{name: value for name, value in flags.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_sentences(error))) from None
    missing = [name for name in _KEYS if keys and not getattr(settings, name)]
    if missing and not settings.database_url.startswith("sqlite"):
        # Made here, they would differ from machine to machine, and every link in a sent mail would break.
        raise SettingsError(
            "\n".join(
                f"{PREFIX}{name.upper()} is missing; with a database server it must be given: {Settings.model_fields[name].description}"
                for name in missing
            )
        )
    if not missing:
        return settings
    made = kept_keys(settings.data_dir)
    return settings.filled(**{name: made[name] for name in missing})


def _check_url(value: str, schemes: tuple[str, ...]) -> None:
    if not value:
        return
    parts = urlsplit(value)
    if parts.scheme not in schemes or not parts.hostname or re.search(r"\s", value):
        raise ValueError("not such an address")
    _ = parts.port  # urlsplit raises ValueError where it is not a number


def _refuse_misspelt(environment: os._Environ[str] | dict[str, str]) -> None:
    known = [PREFIX + name.upper() for name in Settings.model_fields]
    for name in environment:
        if name.startswith(PREFIX) and name not in known and not name.startswith(TEST_PREFIX):
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.85)
            if near:
                raise SettingsError(f"{name} is not a setting; did you mean {near[0]}?")


def _sentences(error: ValidationError) -> list[str]:
    found = []
    for problem in error.errors():
        name = str(problem["loc"][0]) if problem["loc"] else ""
        field = Settings.model_fields.get(name)
        if problem["type"] == "default_factory_not_called":
            continue  # follows from another one
        if field is None:
            found.append(f"{name} is not a setting")
        else:
            # The value itself is not repeated: it may be a password.
            found.append(f"{PREFIX}{name.upper()} is not valid; write {field.description}")
    return found
