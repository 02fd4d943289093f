"""What a newcomer reads is true: commands, links, settings, snippets, and the tests that are named as proof."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from functools import cache
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from typer.core import TyperGroup

from sojourn.cli import build
from sojourn.language.loader import load_journey
from sojourn.settings import PREFIX, Settings
from sojourn.testing import Shop

ROOT = Path(__file__).parents[2]
PAGES = (
    "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md", "docs/testing.md", "docs/commands.md", "docs/settings.md",
    "docs/guarantees.md", "docs/glossary.md", "examples/README.md", "journeys/README.md",
)  # fmt: skip
CITED = re.compile(r"\bP\d{1,2}\b")
README = (ROOT / "README.md").read_text("utf-8")
NUMBERS = {3: "three", 9: "nine", 10: "ten", 11: "eleven", 12: "twelve"}
PROVIDERS = ("sendgrid", "mailgun", "postmark", "resend", "brevo", "mailchimp")
NOT_FLAGS = {
    *("log_level", "temporal_ui_url", "sdk_metrics_address", "bounce_webhook_key", "call_key", "dkim_key", "dkim_selector"),
    *(f"{name}_{kind}_key" for name in PROVIDERS for kind in ("api", "webhook")),
}


@cache
def commands() -> dict[str, Any]:
    group = typer.main.get_command(build())
    assert isinstance(group, TyperGroup)
    return dict(group.commands)


def blocks(kind: str, page: str = README) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)


def text_of(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def test_every_command_is_on_its_page_and_every_one_there_exists() -> None:
    rows = [row for row in text_of("docs/commands.md").splitlines() if row.startswith("| `sojourn")]
    assert {name for row in rows for name in re.findall(r"`sojourn (\w+)`", row)} == set(commands())


@pytest.mark.parametrize("page", PAGES)
def test_every_command_and_flag_that_a_page_tells_to_type_exists(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    typed = [line.strip() for block in blocks("sh", text) for line in block.splitlines()] + re.findall(r"`(sojourn [^`]+)`", text)
    for line in typed:
        words = line.split("#")[0].split()
        if words[:1] != ["sojourn"] or len(words) < 2 or not re.fullmatch("[a-z]+", words[1]):
            continue
        command = commands()[words[1]]
        if isinstance(command, TyperGroup) and len(words) > 2 and not words[2].startswith("-"):
            assert words[2] in command.commands, line
            command = command.commands[words[2]]
        options = {flag for parameter in command.params for flag in parameter.opts}
        assert {word for word in words[2:] if word.startswith("--")} <= options | {"--help"}, line


@pytest.mark.parametrize("page", PAGES)
def test_every_make_target_that_a_page_names_exists(page: str) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    text = (ROOT / page).read_text("utf-8")
    named = re.findall(r"`make ([a-z]+)", text) + [
        name for block in blocks("sh", text) for name in re.findall(r"^make ([a-z]+)", block, re.M)
    ]
    assert set(named) <= targets


@pytest.mark.parametrize("page", PAGES)
def test_every_local_link_leads_to_a_file(page: str) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", (ROOT / page).read_text("utf-8"))
    assert [link for link in links if not (ROOT / page).parent.joinpath(link).exists()] == []


def test_the_settings_table_is_complete_and_says_which_are_flags() -> None:
    rows = [re.findall(rf"`{PREFIX}(\w+)`", row) for row in text_of("docs/settings.md").splitlines() if row.startswith(f"| `{PREFIX}")]
    listed = [name.lower() for row in rows for name in row]
    assert sorted(listed) == sorted(Settings.model_fields)
    flags = {parameter.name for parameter in commands()["up"].params}
    assert set(Settings.model_fields) - flags == NOT_FLAGS
    last = next(at for at in range(len(rows)) if {name.lower() for row in rows[at:] for name in row} == NOT_FLAGS)
    assert f"All but the last {NUMBERS[len(rows) - last]} rows" in text_of("docs/settings.md")


def test_every_guarantee_that_is_cited_is_defined() -> None:
    defined = {number for row in text_of("docs/guarantees.md").splitlines() for number in _numbers(row.split("|")[1] if "|" in row else "")}
    sources = [path for folder in ("sojourn", "workflows", "activities", "tests", "docs") for path in (ROOT / folder).rglob("*.py")]
    sources += [*ROOT.glob("*.py"), *ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    cited = {number: path for path in sources for number in CITED.findall(path.read_text("utf-8"))}
    assert len(cited) > 15
    assert {number: path.name for number, path in cited.items() if number not in defined} == {}


def _numbers(cell: str) -> set[str]:
    """Return the guarantees that a cell names, such as `P1-P3, P9`."""
    found = set(CITED.findall(cell))
    for first, last in re.findall(r"P(\d+)-P(\d+)", cell):
        found |= {f"P{number}" for number in range(int(first), int(last) + 1)}
    return found


@pytest.mark.parametrize("page", ["docs/guarantees.md", "ARCHITECTURE.md"])
def test_every_test_that_is_named_as_proof_exists(page: str) -> None:
    there = {name for path in (ROOT / "tests").rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text("utf-8"))}
    named = set(re.findall(r"`(test_\w+)`", (ROOT / page).read_text("utf-8")))
    assert len(named) > 15
    assert named - there == set()


def test_every_import_contract_that_architecture_names_is_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    contracts = {contract["name"] for contract in project["tool"]["importlinter"]["contracts"]}
    named = set(re.findall(r'contract "([^"]+)"', (ROOT / "ARCHITECTURE.md").read_text("utf-8")))
    assert named
    assert named <= contracts


def test_every_path_that_contributing_names_exists() -> None:
    named = set(re.findall(r"`((?:sojourn|tests|journeys)/[\w/.]+)`", (ROOT / "CONTRIBUTING.md").read_text("utf-8")))
    assert len(named) > 5
    assert {path for path in named if not (ROOT / path).exists()} == set()


SEARCHED = (
    "audience", "scheduler", "dispatch", "enrol", "frequency cap", "state machine", "merge tag", "bot detection", "dead letter queue",
    "conversion",
)  # fmt: skip


@pytest.mark.parametrize("word", SEARCHED)
def test_the_fields_words_are_in_the_glossary(word: str) -> None:
    assert any(word in row for row in text_of("docs/glossary.md").splitlines() if row.startswith("| "))


def test_the_glossary_names_each_word_once_and_rooms_that_are_there() -> None:
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in text_of("docs/glossary.md").splitlines() if row.startswith("| ")][1:]
    words = [row[0] for row in rows]
    assert words == sorted(set(words))
    named = {path for row in rows for path in re.findall(r"`((?:sojourn|docs)/[^`]+)`", row[3])}
    assert {path for path in named if not (ROOT / path).exists()} == set()
    assert all("`" in row[3] for row in rows)


def test_the_journey_of_the_readme_does_what_it_says() -> None:
    text, _ = blocks("yaml")
    journey = load_journey(text)
    with Shop(journeys_dir=ROOT / "journeys", journeys=[text]) as shop:
        shop.identify("ann", {"email": "ann@example.com"})
        shop.track("ann", "Product Viewed")
        shop.track("ann", "Product Viewed")
        shop.advance("1d")
        assert shop.outcome("ann", journey.journey) == "greeted"
        assert [send.content for send in shop.inbox("ann")] == ["whats_new"]


def test_the_segment_of_the_readme_is_live_as_it_says() -> None:
    _, text = blocks("yaml")
    with Shop(journeys_dir=ROOT / "journeys", segments=[text]) as shop:
        for _ in range(3):
            shop.track("ann", "Order Completed", {"order_id": "o", "revenue": 20})
        shop.advance("59d 23h")
        assert not shop.in_segment("ann", "slipping_away")
        shop.advance("1h")
        assert shop.in_segment("ann", "slipping_away")


def shown_on(page: str) -> dict[str, Callable[..., Any]]:
    found: dict[str, Any] = {}
    for block in blocks("python", (ROOT / page).read_text("utf-8")):
        if "def test_" in block:
            exec(compile(block, page, "exec"), found)
    return {name: test for name, test in found.items() if name.startswith("test_")}


@pytest.mark.parametrize(("page", "name"), [(page, name) for page in ("README.md", "docs/testing.md") for name in shown_on(page)])
async def test_every_test_that_a_page_shows_passes(page: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    test = shown_on(page)[name]
    if not signature(test).parameters:
        await test()
        return
    with Shop(journeys_dir="journeys") as shop:
        test(shop)


def test_the_pictures_are_small() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "docs" / "pictures").glob("*")) < 1_500_000


# -- what is sent to it ------------------------------------------------------------------------------


def calls_of_the_python_snippet() -> list[tuple[str, dict[str, Any]]]:
    calls: list[tuple[str, dict[str, Any]]] = []

    class Client:
        def __init__(self, key: str, host: str) -> None:
            del key, host

        def identify(self, user_id: str, traits: dict[str, Any], context: dict[str, Any]) -> None:
            calls.append(("identify", {"userId": user_id, "traits": traits, "context": context}))

        def track(self, user_id: str, event: str, properties: dict[str, Any]) -> None:
            calls.append(("track", {"userId": user_id, "event": event, "properties": properties}))

        def shutdown(self) -> None: ...

    (snippet,) = (block for block in blocks("python") if "segment.analytics" in block)
    exec(snippet.replace("from segment.analytics import Client", ""), {"Client": Client})
    return calls


def calls_of_the_page_snippet() -> list[tuple[str, dict[str, Any]]]:
    (snippet,) = (block for block in blocks("js") if "analytics.identify" in block)
    calls = []
    for kind, given in re.findall(r"analytics\.(identify|track)\((.*)\);", snippet):
        first, second = yaml.safe_load(f"[{given}]")  # JavaScript's literals are YAML's flow style
        calls.append((kind, {"userId": first, "traits": second} if kind == "identify" else {"event": first, "properties": second}))
    return calls


@pytest.mark.parametrize("snippet", [calls_of_the_python_snippet, calls_of_the_page_snippet])
def test_what_a_snippet_sends_leads_to_the_readers_first_mail(snippet: Callable[[], list[tuple[str, dict[str, Any]]]]) -> None:
    with Shop(journeys_dir=ROOT / "journeys") as shop:
        calls = snippet()
        assert [kind for kind, _ in calls] == ["identify", "track"]
        for kind, call in calls:
            shop._run(shop._engine.take(kind, {"userId": "u1", **call}))
        shop.advance("2h")
        assert [send.content for send in shop.inbox("u1")] == ["cart_reminder"]
