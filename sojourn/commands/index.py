"""Every command with its module and its summary, so that `sojourn --help` need not import them all."""

from __future__ import annotations

from typing import NamedTuple

DEFINITIONS = "Definitions"
RUN = "Run"
PEOPLE = "People"
MESSAGES = "Messages"
DATA = "Data"
ROLES = "Roles, one process each"


class Entry(NamedTuple):
    """A command, or a group of commands.

    Args:
        module: of `sojourn/commands/`, whose `register` adds it.
        summary: the first line of its own help.
        panel: under which heading it is listed.
    """

    module: str
    summary: str
    panel: str


COMMANDS = {
    "check": Entry("definitions", "Check all definitions, and say everything that is wrong.", DEFINITIONS),
    "test": Entry("test", "Run the examples of the journeys, in virtual time.", DEFINITIONS),
    "draw": Entry("definitions", "Draw a journey as a Mermaid flowchart.", DEFINITIONS),
    "simulate": Entry("simulate", "Walk many made-up people through a journey, in virtual time.", DEFINITIONS),
    "preview": Entry("preview", "Show a message before anyone gets it: as files, as pictures, and as a report.", DEFINITIONS),
    "seed": Entry("seed", "Send all variants of a message to a seed list, marked as tests.", DEFINITIONS),
    "schema": Entry("definitions", "Print the JSON Schema of a kind of definition, for editors.", DEFINITIONS),
    "up": Entry("up", "Start everything: Temporal's development server, API, router and worker.", RUN),
    "replay": Entry("replay", "Push a recorded event file through intake.", RUN),
    "broadcast": Entry("broadcast", "One content to many people, once, at a moment: schedule, watch, pause, resume, stop.", RUN),
    "profile": Entry("profile", "Show a person, and what happened to them, newest first.", PEOPLE),
    "segment": Entry("segment", "Look into segments: who is in them and why, how many over time; and keep lists.", PEOPLE),
    "identity": Entry("identity", "Show by what people are known and which profiles were joined, and join or part them by hand.", PEOPLE),
    "resolve": Entry(
        "resolve", "Find profiles that are one person's though no key says so: compare, score, merge the sure, review the others.", PEOPLE
    ),
    "stages": Entry("stages", "Fit and show RFM groups and life-cycle stages.", PEOPLE),
    "cluster": Entry("cluster", "Group people by behaviour; `sojourn cluster` alone makes a new clustering.", PEOPLE),
    "why": Entry("why", "Show why a customer got, or did not get, a message: every verdict and because.", MESSAGES),
    "sends": Entry("sends", "The ledger of messages, newest first; `sends show KEY` says what became of one.", MESSAGES),
    "deliverability": Entry(
        "deliverability",
        "Show what became of messages: delivered, bounced, complained, and opened, clicked and unsubscribed by people.",
        MESSAGES,
    ),
    "bounces": Entry("bounces", "Bounces and complaints that come by mail.", MESSAGES),
    "brakes": Entry(
        "brakes", "List the journeys that too many complaints or bounces halted, and alarms (`brakes:` in shop.yaml).", MESSAGES
    ),
    "suppress": Entry("suppress", "Keep the addresses that must not be written to; only their keyed hashes are stored.", MESSAGES),
    "dns": Entry("dns", "Check SPF, DKIM, DMARC, MX and BIMI of the sender's domain, and say exactly what to publish.", MESSAGES),
    "import": Entry("bulk_import", "Import people and events from CSV, JSONL or Parquet, resumable.", DATA),
    "export": Entry("bulk_export", "Export people, events and segments to JSONL, CSV or Parquet.", DATA),
    "events": Entry("events", "Infer what events look like, and look after those that their definitions set aside.", DATA),
    "audit": Entry(
        "audit", "Report what is wrong with the events: duplicates, gaps, drift, staleness, lateness, violations, quarantine.", DATA
    ),
    "db": Entry("db", "The store: upgrade its tables, look where they are, back it up and restore it.", DATA),
    "api": Entry("roles", "Run the api in this process.", ROLES),
    "router": Entry("roles", "Run the router in this process.", ROLES),
    "worker": Entry("roles", "Run the worker in this process.", ROLES),
    "all": Entry("roles", "Run API, router and worker in this one process.", ROLES),
}
