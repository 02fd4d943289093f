"""What SpamAssassin says of a message, where it is on this machine. It asks nobody outside (`-L`)."""

from __future__ import annotations

import re
import shutil
import subprocess  # it is a program of its own
from dataclasses import dataclass

SECONDS = 60
SPAMC_SECONDS = 15
_STATUS = re.compile(r"^X-Spam-Status: (?:Yes|No), score=(-?\d+(?:\.\d+)?) required=(-?\d+(?:\.\d+)?)", re.MULTILINE)
_SHORT = re.compile(r"^(-?\d+(?:\.\d+)?)/(-?\d+(?:\.\d+)?)\s*$", re.MULTILINE)
_RULE = re.compile(r"^\s{0,2}(-?\d+(?:\.\d+)?) ([A-Z][A-Z0-9_]+)\s+(.*)$")
_MORE = re.compile(r"^\s{20,}(\S.*)$")
ABSENT = "SpamAssassin is not on this machine (apt-get install spamassassin, or spamd with spamc)"


@dataclass(frozen=True)
class Rule:
    """A rule that a message met."""

    points: float
    name: str
    words: str


@dataclass(frozen=True)
class Spam:
    """A score.

    Attributes:
        score: the lower the better.
        required: from there on it is taken for spam.
        by: who gave it.
    """

    score: float
    required: float
    rules: tuple[Rule, ...]
    by: str

    @property
    def is_spam(self) -> bool:
        """Whether it is taken for spam."""
        return self.score >= self.required


def spam_score(raw: bytes, *, quick: bool = False) -> Spam | str:
    """Return the score of a message as it would be posted; where there is none, why.

    Args:
        raw: the message.
        quick: True asks a running spamd only, which takes half a second, and not a program that starts for each message.
    """
    ways = [("spamc", ["-R", "-x", "-t", str(SPAMC_SECONDS)], SPAMC_SECONDS + 5)]
    ways += [] if quick else [("spamassassin", ["-L", "-x", "-t"], SECONDS)]
    why = ABSENT
    for name, arguments, seconds in ways:
        program = shutil.which(name)
        if program is None:
            continue
        try:
            ran = subprocess.run([program, *arguments], input=raw, capture_output=True, timeout=seconds, check=False)  # noqa: S603
        except subprocess.TimeoutExpired:
            why = f"{name} gave no score within {seconds} s"
            continue
        except OSError as error:
            why = f"{name} cannot be run: {error.strerror}"
            continue
        found = read_report(ran.stdout.decode("utf-8", "replace"), name)
        if found is not None:
            return found
        why = f"{name} gave no score" + ("; start spamd for a quick one" if name == "spamc" else "")
    return why


def read_report(text: str, by: str) -> Spam | None:
    """Return what a report of SpamAssassin says; None where it gives no score."""
    found = (_SHORT if by == "spamc" else _STATUS).search(text)
    if found is None or float(found[2]) <= 0:  # where spamd does not answer, spamc says 0/0
        return None
    rules: list[Rule] = []
    for line in text.splitlines():
        rule, more = _RULE.match(line), _MORE.match(line)
        if rule is not None:
            rules.append(Rule(float(rule[1]), rule[2], rule[3].strip()))
        elif more is not None and rules:
            rules[-1] = Rule(rules[-1].points, rules[-1].name, f"{rules[-1].words} {more[1].strip()}")
    return Spam(float(found[1]) or 0.0, float(found[2]), tuple(rules), by)
