"""Processor time of rendering: the shipped contents for people who differ, MJML compiled once against compiled for each person.

    python -m bench.render [--mails N] [--profile CONTENT]

Each mail is whole: subject, preheader, HTML and text, and its links replaced by tracked ones. Ours and the peer render
the same mails in turns, in one process; the figures are mails to a second of processor time, and so of a core.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import sys
import time
from collections.abc import Sequence
from dataclasses import replace

from bench.measuring import Report
from bench.servers import ROOT
from sojourn.content import Contents, RenderFacts, rewrite_links
from sojourn.content.sample import everything
from sojourn.language.loader import load

GOAL = 500
TURNS = 5
SHOWN = 40
LOCALES = (None, "de-DE", "en-US", "de-AT")


def people(contents: Contents, name: str, shop: dict[str, object], count: int) -> list[RenderFacts]:
    """Return facts of people who differ: in name, price, picture, locale, sections and slots."""
    ways = everything(contents.sample(name, shop), contents.asks(name), [None])
    made = []
    for i in range(count):
        facts = ways[i % len(ways)]
        profile = {**facts.profile, "first_name": f"Name {i}"} if i % 10 else {}
        event = {**facts.event, "name": f"Item {i}", "price": 20 + i / 10, "image_url": f"https://shop.example/{i}.jpg" if i % 2 else None}
        url = f"https://mail.shop.example/u/{i:032x}?a=1&b=2"
        made.append(replace(facts, profile=profile, event=event, locale=LOCALES[i % len(LOCALES)], unsubscribe_url=url))
    return made


def mail(contents: Contents, name: str, facts: RenderFacts, *, ahead: bool) -> None:
    """Make one mail, ready to be frozen."""
    rendered = contents.render(name, facts, ahead=ahead)
    rewrite_links(rendered.html, rendered.text, lambda i, url: f"https://mail.shop.example/c/{i}", "https://mail.shop.example/o.gif")


def spent(contents: Contents, name: str, everyone: Sequence[RenderFacts], *, ahead: bool) -> float:
    """Return the processor seconds that everyone's mail takes."""
    began = time.process_time()
    for facts in everyone:
        mail(contents, name, facts, ahead=ahead)
    return time.process_time() - began


def measure(mails: int, report: Report) -> None:
    """Render every content for everyone, ours and the peer's way in turns."""
    shop = load(ROOT / "journeys").shop.model_dump(mode="json", by_alias=True)
    contents = Contents.load(ROOT / "journeys")
    slowest, total, peer_total = float("inf"), 0.0, 0.0
    for name in sorted(contents.names()):
        report.advance(name)
        everyone = people(contents, name, shop, mails)
        spent(contents, name, everyone[:50], ahead=True)  # what is compiled once is not counted
        ours = peer = 0.0
        for turn in range(TURNS):
            part = everyone[turn::TURNS]
            ours += spent(contents, name, part, ahead=True)
            peer += spent(contents, name, part, ahead=False)
        report.case(name, mails_per_s=mails / ours, peer_mails_per_s=mails / peer, ours_by_peer=peer / ours, cpu_ms=ours / mails * 1000)
        slowest, total, peer_total = min(slowest, mails / ours), total + ours, peer_total + peer
    count = mails * len(contents.names())
    report.case("all", mails_per_s=count / total, peer_mails_per_s=count / peer_total, ours_by_peer=peer_total / total)
    report.goal(f"personalised mails a second and core, the slowest content (goal: {GOAL})", slowest, slowest >= GOAL)


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mails", type=int, default=1000, help="mails of each content (1000)")
    parser.add_argument("--profile", metavar="CONTENT", help="show where the time of a content goes instead")
    asked = parser.parse_args()
    if asked.profile is None:
        with Report("render", 10) as report:
            measure(asked.mails, report)
        return
    contents = Contents.load(ROOT / "journeys")
    everyone = people(contents, asked.profile, load(ROOT / "journeys").shop.model_dump(mode="json"), asked.mails)
    with cProfile.Profile() as profile:
        spent(contents, asked.profile, everyone, ahead=True)
    pstats.Stats(profile, stream=sys.stderr).sort_stats("tottime").print_stats(SHOWN)


if __name__ == "__main__":
    main()
