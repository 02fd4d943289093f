"""Reads a file of addresses that must not be written to: a column of addresses, and reasons and moments where it has them."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sojourn.csv_reader import NotCsv, read_table
from sojourn.customers.suppression import PAGE, STRENGTH, Reason, suppress_all
from sojourn.errors import SojournError
from sojourn.language import email_address
from sojourn.store.database import Database

ADDRESS_COLUMNS = ("address", "email", "email_address", "e-mail")
REASON_COLUMN, AT_COLUMN = "reason", "at"
MAX_LINE = 4_096
# What providers' lists call what we call otherwise.
SYNONYMS: dict[str, Reason] = {
    "bounce": "hard_bounce", "bounced": "hard_bounce", "hardbounce": "hard_bounce", "hard bounce": "hard_bounce",
    "permanent": "hard_bounce",
    "spam": "complaint", "complained": "complaint", "spamcomplaint": "complaint", "abuse": "complaint",
    "unsubscribe": "unsubscribed", "unsub": "unsubscribed", "manualsuppression": "manual", "": "import",
}  # fmt: skip


@dataclass
class Imported:
    """What an import came to.

    Attributes:
        lines: how many were read.
        new: addresses that were not on the list.
        errors: how many lines could not be taken.
        reasons: what was wrong, and how often.
    """

    lines: int = 0
    new: int = 0
    errors: int = 0
    reasons: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Wrong:
    line: int
    because: str
    text: str


def import_file(
    database: Database, secret: str, path: Path, errors: Path, now: datetime, tell: Callable[[Imported], None] = lambda _: None
) -> Imported:
    """Put the addresses of a file on the list, a page at a time; a second time changes nothing.

    Args:
        database: the store.
        secret: the key of the list.
        path: a CSV with a column `address` or `email`, and `reason` and `at` where it has them; or one address a line.
        errors: where lines go that cannot be taken, each with its number and why; not made where there are none.
        now: since when, where the file does not say.
        tell: called after each page.

    Raises:
        SojournError: the file cannot be read, or has no column of addresses.
    """
    done = Imported()
    page: list[tuple[str, Reason, datetime]] = []
    wrong: list[_Wrong] = []
    if errors.exists():
        errors.unlink()

    def write() -> None:
        done.new += database.write_now(suppress_all, secret, page)
        page.clear()
        _append(errors, wrong)
        wrong.clear()
        tell(done)

    for found in _rows(path, now):
        done.lines += 1
        if isinstance(found, _Wrong):
            done.errors += 1
            done.reasons[found.because] = done.reasons.get(found.because, 0) + 1
            wrong.append(found)
        else:
            page.append(found)
        if len(page) + len(wrong) >= PAGE:
            write()
    write()
    return done


def _rows(path: Path, now: datetime) -> Iterator[tuple[str, Reason, datetime] | _Wrong]:
    try:
        with path.open("rb") as raw:
            columns, records = read_table(raw, limit=MAX_LINE)
            names = [name.strip().lower() for name in columns]
            column = next((names.index(name) for name in ADDRESS_COLUMNS if name in names), None)
            if column is None and (len(names) > 1 or "@" not in names[0]):
                raise SojournError(f"{path.name} has no column of addresses; its first line has to name one: {', '.join(ADDRESS_COLUMNS)}")
            places = {name: i for i, name in enumerate(names)} if column is not None else {}
            if column is None:
                yield _read(columns, 0, places, 1, now)
            for record in records:
                if record.cells is None:
                    yield _Wrong(record.line, record.reason, "")
                else:
                    yield _read(record.cells, column or 0, places, record.line, now)
    except NotCsv as error:
        raise SojournError(f"{path.name}: {error}") from None
    except OSError as error:
        raise SojournError(f"{path.name} cannot be read: {error.strerror}") from None


def check_address(text: str) -> None:
    """Refuse what is no e-mail address, so that nobody believes to have stopped someone.

    Raises:
        SojournError: it is none.
    """
    if not _is_address(text):
        raise SojournError(f"{text} is no e-mail address; write one such as ann@shop.example")


def _is_address(text: str) -> bool:
    return email_address.canonical(text) is not None


def _read(row: list[str], column: int, places: dict[str, int], line: int, now: datetime) -> tuple[str, Reason, datetime] | _Wrong:
    def cell(name: str) -> str:
        place = places.get(name)
        return row[place].strip() if place is not None and place < len(row) else ""

    text = ",".join(row)
    address = row[column].strip() if column < len(row) else ""
    if not _is_address(address):
        return _Wrong(line, "not an e-mail address", text)
    said = cell(REASON_COLUMN).lower()
    reason = SYNONYMS.get(said) or next((known for known in STRENGTH if known == said), None)
    if reason is None:
        return _Wrong(line, f"not a reason; write {', '.join(STRENGTH)}", text)
    at = now
    if cell(AT_COLUMN):
        try:
            at = datetime.fromisoformat(cell(AT_COLUMN))
        except ValueError:
            return _Wrong(line, "`at` is not a moment such as 2026-01-05T09:00:00+00:00", text)
        if at.tzinfo is None:
            return _Wrong(line, "`at` has no time zone; write such as 2026-01-05T09:00:00+00:00", text)
    return address, reason, min(at, now)


def _append(path: Path, wrong: list[_Wrong]) -> None:
    if not wrong:
        return
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        if fresh:
            writer.writerow(["line", "because", "text"])
        writer.writerows([one.line, one.because, one.text] for one in wrong)
