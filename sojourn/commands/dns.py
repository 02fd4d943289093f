"""`sojourn dns`: whether the sender's domain is set up so that mail from it is believed, and what to publish."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sojourn.delivery.dns_check import DnsAway, Finding, Resolve, check
from sojourn.errors import SettingsError, SojournError
from sojourn.language import email_address
from sojourn.language.loader import DELIVERY_FILE, SHOP_FILE, load_delivery, load_shop
from sojourn.settings import Settings, load_settings

SECONDS = 3.0  # for one answer
TOTAL_SECONDS = 6.0
_STYLES = {"good": "green", "warn": "yellow", "missing": "red", "wrong": "red"}


def dns_command(
    domain: Annotated[str | None, typer.Argument(help="The domain that mail is from.", show_default="the sender's of shop.yaml")] = None,
    selector: Annotated[list[str] | None, typer.Option(help="A DKIM selector to look for; may be given again.", show_default=False)] = None,
) -> None:
    """Check SPF, DKIM, DMARC, MX and BIMI of the sender's domain, and say exactly what to publish."""
    console = Console(soft_wrap=True)
    try:
        settings = load_settings(keys=False)
        asked = _in_dns((domain or _sender(settings)).rstrip("."))
        providers = _providers(settings)
        public = _public_key(settings.dkim_key) if settings.dkim_key else ""
        selectors = [settings.dkim_selector] if public else []
        findings = check(asked, resolver(), selectors=[*selectors, *(selector or [])], providers=providers, public_key=public)
    except SojournError as error:
        Console(stderr=True).print(f"error: {error}", style="red", highlight=False, markup=False)
        raise typer.Exit(1) from None
    show(findings, console)
    if not selectors and not selector:
        console.print("DKIM   not looked for: name your provider's selector with --selector", style="dim", highlight=False)
    if any(finding.verdict in ("missing", "wrong") for finding in findings):
        raise typer.Exit(1)


def show(findings: list[Finding], console: Console) -> None:
    """Print what was found."""
    for finding in findings:
        style = _STYLES[finding.verdict]
        head = f"[bold]{finding.record:<6}[/] [{style}]{finding.verdict:<8}[/]"
        console.print(f"{head} {escape(finding.name)}: {escape(finding.say)}", highlight=False)
        if finding.found:
            console.print(f"       [dim]{escape(finding.found)}[/]", highlight=False)
        if finding.publish:
            console.print(f"       {escape(finding.publish)}", highlight=False)


def resolver() -> Resolve:
    """Return what asks the DNS, with time limits."""
    import dns.exception
    import dns.rdatatype
    import dns.resolver

    asking = dns.resolver.Resolver()
    asking.timeout, asking.lifetime = SECONDS, TOTAL_SECONDS

    def resolve(name: str, kind: str) -> list[str]:
        try:
            answer = asking.resolve(name, kind, search=False)
        except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
            return []
        except dns.exception.DNSException as error:
            raise DnsAway(type(error).__name__) from None
        if kind == "TXT":
            return [b"".join(record.strings).decode("utf-8", "replace") for record in answer]
        return [record.to_text() for record in answer]

    return resolve


def _sender(settings: Settings) -> str:
    path = settings.journeys_dir / SHOP_FILE
    if not path.is_file():
        raise SettingsError(f"there is no {path}; name the domain: sojourn dns shop.example")
    return load_shop(path.read_bytes(), str(path)).sender.address.rpartition("@")[2]


def _in_dns(domain: str) -> str:
    try:
        return email_address.ascii_domain(domain)
    except email_address.NotAnAddress as error:
        raise SettingsError(f"{domain} is no domain: {error}") from None


def _providers(settings: Settings) -> list[str]:
    path = settings.journeys_dir / DELIVERY_FILE
    return [each.provider for each in load_delivery(path.read_bytes(), str(path)).providers] if path.is_file() else []


def _public_key(path: str) -> str:
    """Return the public half of a private key in PEM, as a DKIM record holds it."""
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

    try:
        public = load_pem_private_key(Path(path).read_bytes(), None).public_key()
    except (OSError, ValueError, TypeError):
        raise SettingsError("SOJOURN_DKIM_KEY is not the file of a private key in PEM; `openssl genrsa 2048` makes one") from None
    return base64.b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


def register(app: typer.Typer) -> None:
    """Add `dns` to the console script."""
    app.command("dns")(dns_command)
