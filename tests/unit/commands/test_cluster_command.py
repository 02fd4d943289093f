"""`sojourn cluster` from the terminal: it shows, asks, writes, keeps; and assigns new people later."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, insert, select
from typer.testing import CliRunner

from sojourn.cli import build
from sojourn.language.loader import load
from sojourn.store.database import Database
from sojourn.store.tables import clusterings, events, inbound, profiles, segment_members

SHOP = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
CLUSTERS = """
minimum: 20
clusters: {from: 2, to: 3}
methods: [kmeans]
features:
  - {feature: orders, measure: count, events: [Order Completed], high: buyers, low: lookers}
  - {feature: visits, measure: count, events: [Session Started], high: visitors, low: strangers}
"""
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
AS_OF = ["--as-of", "2026-06-01T12:00Z"]


def arrive(database: Database, first: int, count: int) -> None:
    """Let people arrive: those of even numbers order, the others visit."""
    who = [f"p{i:03}" for i in range(first, first + count)]
    long_ago = NOW - timedelta(days=300)

    def write(connection: Connection) -> None:
        connection.execute(insert(profiles), [{"id": one, "traits": {}, "first_seen": long_ago, "last_seen": NOW} for one in who])
        name = ("Order Completed", "Session Started")
        rows = [
            {
                "id": f"{one}:{n}", "seq": n, "profile_id": one, "kind": "track", "name": name[int(one[1:]) % 2],
                "time": NOW - timedelta(days=n + 1), "properties": {},
            }
            for one in who
            for n in range(5 + int(one[1:]) % 3)
        ]  # fmt: skip
        connection.execute(insert(events), rows)

    database.write_now(write)


def sizes(database: Database) -> dict[str, int]:
    names = database.read_now(lambda connection: connection.execute(select(segment_members.c.segment)).scalars().all())
    return {name: names.count(name) for name in names}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOJOURN_DATA_DIR", str(tmp_path))
    found = tmp_path / "journeys"
    found.mkdir()
    (found / "shop.yaml").write_text(SHOP, encoding="utf-8")
    (found / "clusters.yaml").write_text(CLUSTERS, encoding="utf-8")
    return found


def told(database: Database) -> Counter[tuple[str, str]]:
    """Return how often each segment was told to be entered or left."""
    rows = database.read_now(lambda connection: connection.execute(select(inbound.c.name, inbound.c.body)).all())
    return Counter((row.name, row.body["properties"]["segment"]) for row in rows)


def test_people_are_clustered_kept_and_assigned_later(folder: Path) -> None:
    database = Database(f"sqlite:///{folder.parent / 'sojourn.db'}")
    arrive(database, 0, 100)
    run, app = CliRunner(), build()

    tried = run.invoke(app, ["cluster", "--dry-run", *AS_OF])
    assert tried.exit_code == 0, tried.output
    assert "100 people in 2 clusters" in tried.output
    assert "<svg" in (folder.parent / "clusters.html").read_text("utf-8")
    refused = run.invoke(app, ["cluster", *AS_OF], input="n\n")
    assert refused.exit_code == 1
    assert not (folder / "segments").exists()
    assert sizes(database) == {}

    done = run.invoke(app, ["cluster", "--yes", *AS_OF])
    assert done.exit_code == 0, done.output
    version = database.read_now(lambda connection: connection.execute(select(clusterings.c.version)).scalar_one())
    assert f"version {version} is kept" in done.output
    assert sizes(database) == {"cluster_strangers_buyers": 50, "cluster_visitors_lookers": 50}
    texts = {path.stem: path.read_text("utf-8") for path in (folder / "segments").iterdir()}
    assert set(texts) == set(sizes(database))
    assert {each.list_ for each in load(folder).segments.values()} == {"cluster"}
    assert all(f'list: cluster\nversion: "{version}"\n' in text for text in texts.values())

    arrive(database, 100, 30)
    assigned = run.invoke(app, ["cluster", "assign", *AS_OF])
    assert assigned.exit_code == 0, assigned.output
    assert sizes(database) == {"cluster_strangers_buyers": 65, "cluster_visitors_lookers": 65}
    assert told(database) == {("Segment Entered", name): 65 for name in sizes(database)}
    shown = run.invoke(app, ["cluster", "show"])
    assert "cluster_strangers_buyers: 65 people" in shown.output
    assert "there is no clustering of version 0000" in run.invoke(app, ["cluster", "show", "--version", "0000"]).output


def test_too_few_people_are_refused_and_nothing_is_written(folder: Path) -> None:
    database = Database(f"sqlite:///{folder.parent / 'sojourn.db'}")
    arrive(database, 0, 39)
    refused = CliRunner().invoke(build(), ["cluster", "--yes", *AS_OF])
    assert refused.exit_code == 1
    assert "39 people cannot make two clusters of 20 each" in " ".join(refused.output.split())
    assert not (folder.parent / "clusters.html").exists()


def test_a_mistake_in_the_file_is_told_with_its_place(folder: Path) -> None:
    (folder / "clusters.yaml").write_text(CLUSTERS.replace("minimum", "minimal"), encoding="utf-8")
    arrive(Database(f"sqlite:///{folder.parent / 'sojourn.db'}"), 0, 2)
    refused = CliRunner().invoke(build(), ["cluster", *AS_OF])
    assert refused.exit_code == 1
    assert "clusters.yaml:2:1: unknown key `minimal`; did you mean `minimum`?" in refused.output
