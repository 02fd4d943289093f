"""Tests of messages to a seed list: marked as such, without tracking, and without a row in the ledger, so that no cap counts them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from uuid import uuid4

from pydantic import ValidationError

from sojourn.delivery.message import Message, check_headers
from sojourn.delivery.providers import Provider
from sojourn.errors import ProviderBusy, ProviderUnclear, SojournError
from sojourn.language import email_address
from sojourn.language.loader import load_seeds
from sojourn.language.persona_model import Seed
from sojourn.language.problems import DefinitionError, Problem
from sojourn.preview.making import Case, Made

GIVEN = "--to"
MARK, HEADER = "[test]", "X-Sojourn-Test"
TRIES, PAUSE_SECONDS = 3, 2.0  # where the provider is busy, which is proof that it took nothing
MESSAGE_SECONDS = 60.0
MOST = 5_000


@dataclass(frozen=True)
class Test:
    """One message to one address.

    Attributes:
        message: None where there is none to send.
        problem: why there is none.
    """

    __test__ = False  # pytest takes it for one of its own

    case: Case
    seed: Seed
    message: Message | None
    problem: str | None = None


def read_seeds(given: Sequence[str], default: Path) -> list[Seed]:
    """Return the seeds of addresses and files, each address once.

    Args:
        given: addresses, and files: YAML with `seeds`, or one address a line (`#` begins a remark).
        default: the file that counts where nothing is given.

    Raises:
        DefinitionError: a file is wrong, or what is given is neither an address nor a file.
    """
    if not given and not default.is_file():
        raise DefinitionError([Problem(str(default), 1, 1, "is missing; write `seeds: [you@shop.example]`, or name addresses with --to")])
    found = [seed for each in given or [str(default)] for seed in _seeds(each)]
    return list({email_address.canonical(seed.address): seed for seed in reversed(found)}.values())[::-1]


def tests_of(made: Iterable[Made], seeds: Sequence[Seed], now: datetime) -> list[Test]:
    """Return each message to each seed, marked as a test; a message that cannot be made is told once a seed.

    Args:
        made: the messages.
        seeds: to whom.
        now: the moment that they bear.
    """
    return [_test(each, seed, now) for each in made for seed in seeds]


async def send(provider: Provider, test: Test) -> str | None:
    """Hand a test to a provider; return why it did not go out, None where it did."""
    if test.message is None:
        return test.problem
    for turn in range(1, TRIES + 1):
        try:
            async with asyncio.timeout(MESSAGE_SECONDS):
                await provider.deliver(test.message)
        except ProviderBusy as error:
            if turn == TRIES:
                return f"{provider.name} is busy: {error}"
            await asyncio.sleep(PAUSE_SECONDS * turn)
        except ProviderUnclear as error:
            return f"{provider.name} gave no answer, so it may have arrived: {error}"
        except TimeoutError:
            return f"{provider.name} gave no answer within {MESSAGE_SECONDS:g} s, so it may have arrived"
        except SojournError as error:
            return f"{provider.name} refuses it: {error}"
        else:
            return None
    return None


async def send_all(provider: Provider, tests: Sequence[Test], tell: Callable[[Test, str | None], None]) -> None:
    """Hand tests to a provider, one after another, and tell of each what came of it.

    Args:
        provider: who carries them away.
        tests: the messages.
        tell: hears of each, with the reason where it did not go out.
    """
    try:
        for test in tests:
            tell(test, await send(provider, test))
    finally:
        close = getattr(getattr(provider, "api", None), "aclose", None)
        if close is not None:
            await close()


def _test(made: Made, seed: Seed, now: datetime) -> Test:
    if made.message is None:
        return Test(made.case, seed, None, made.problem)
    message = replace(
        made.message, key=str(uuid4()), to_address=seed.address, to_name=seed.name, subject=f"{MARK} {made.message.subject}", date=now,
        headers={**made.message.headers, HEADER: "1"},
    )  # fmt: skip
    problem = check_headers(message)
    return Test(made.case, seed, message if problem is None else None, problem)


def _seeds(given: str) -> list[Seed]:
    path = Path(given)
    if path.suffix in (".yaml", ".yml") and path.is_file():
        return list(load_seeds(path.read_bytes(), str(path)).all())
    if not path.is_file():
        return [_seed(given, GIVEN, 1)]
    lines = enumerate(path.read_text("utf-8-sig", errors="replace").splitlines(), 1)
    return [_seed(text, str(path), number) for number, line in lines if (text := line.partition("#")[0].strip())]


def _seed(text: str, file: str, line: int) -> Seed:
    try:
        return Seed(address=text)
    except ValidationError:
        wrong = "is neither an address nor a file that is there" if file == GIVEN else "is not an address"
        raise DefinitionError([Problem(file, line, 1, f"{text[:100]!r} {wrong}")]) from None
