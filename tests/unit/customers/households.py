"""Made-up households: people with several records each, and relatives whom only a first name or a birth date tells apart."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random

_GIVEN = """Laura Sarah Anna Hanna Julia Lena Marie Emma Mia Sophie Lea Lina Clara Ida Maria Eva Nora Paula Greta Ella Karin Petra
Sabine Monika Ursula Renate Helga Ingrid Claudia Andrea Peter Thomas Michael Andreas Stefan Martin Jan Tim Tom Lukas Felix Paul Max Jonas
Leon Finn Noah Elias Ben Karl Hans Klaus Werner Heinz Juergen Dieter Wolfgang Frank Ralf Uwe"""
_ROOTS = "Mueller Schmidt Fischer Weber Wagner Becker Hoff Koch Bauer Richter Klein Wolf Schroeder Neu"
_TAILS = ("", "mann", "berg", "stein", "haus", "bach", "feld", "dorf", "hofer", "meyer")
GIVEN = _GIVEN.split()
FAMILY = [root + tail for root in _ROOTS.split() for tail in _TAILS]
CITIES = [begin + end for begin in ("Neu", "Alt", "Ober", "Unter") for end in ("stadt", "heim", "burg", "kirchen", "furt", "see", "tal")]


@dataclass(frozen=True)
class Person:
    """Who someone truly is."""

    given: str
    family: str
    born: date
    postcode: str
    city: str
    email: str
    phone: str


@dataclass(frozen=True)
class _Home:
    family: str
    postcode: str
    city: str
    phone: str
    number: int

    def person(self, given: str, born: date) -> Person:
        mail = f"{given}.{self.family}{self.number}-{born:%y}@mail.example".lower()
        return Person(given, self.family, born, self.postcode, self.city, mail, self.phone)


def _born(random: Random, first: int, last: int) -> date:
    return date(first, 1, 1) + timedelta(days=random.randrange(365 * (last - first)))


def people(random: Random, households: int) -> list[Person]:
    """Return the people of some households: singles, couples, siblings, 1.5 % twins, 1 % father and son of one name."""
    found: list[Person] = []
    for number in range(households):
        family, city = random.choice(FAMILY), random.choice(CITIES)
        postcode, phone = f"{random.randrange(10000, 99999)}", f"+4930{random.randrange(10**6, 10**7)}"

        home = _Home(family, postcode, city, phone, number)
        kind = random.random()
        one = home.person(random.choice(GIVEN), _born(random, 1940, 1990))
        found.append(one)
        other = random.choice([name for name in GIVEN if name != one.given])
        if kind < 0.015:
            found.append(home.person(other, one.born))
        elif kind < 0.025:
            found.append(home.person(one.given, _born(random, one.born.year + 22, one.born.year + 38)))
        elif kind < 0.25:
            found.append(home.person(other, _born(random, max(1940, one.born.year - 6), one.born.year + 6)))
        elif kind < 0.4:
            others = [name for name in GIVEN if name != one.given]
            found += [home.person(name, _born(random, one.born.year + 1, one.born.year + 12)) for name in random.sample(others, 2)]
    return found


def _slip(random: Random, text: str) -> str:
    at = random.randrange(1, len(text) - 1)
    return random.choice([text[:at] + text[at + 1 :], text[:at] + text[at + 1] + text[at] + text[at + 2 :], text[:at] + "x" + text[at:]])


def write(path: Path, households: int, seed: int = 1) -> int:
    """Write the records of some households, two each for a third of the people; return how many."""
    random, rows = Random(seed), []
    for number, one in enumerate(people(random, households)):
        for copy in range(random.choice([1, 1, 2])):
            given = one.given if not copy or random.random() < 0.9 else _slip(random, one.given) if len(one.given) > 4 else one.given
            family = one.family if random.random() < 0.95 else _slip(random, one.family)
            born = one.born.isoformat() if random.random() < 0.9 else ""
            email = one.email if random.random() < 0.5 else f"{given[:1]}{number}-{copy}@post.example".lower()
            phone = one.phone if random.random() < 0.6 else ""
            rows.append([f"r{len(rows)}", f"p{number}", given, family, born, one.postcode, one.city, email, phone])
    random.shuffle(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "person", "first_name", "last_name", "birth_date", "postcode", "city", "email", "phone"])
        writer.writerows(rows)
    return len(rows)
