"""The tables come from any earlier version to this one, lose nothing on the way, and are exactly those of the code."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import stores
import typer
from sqlalchemy import Boolean, Connection, MetaData, String, Table, func, insert, inspect, select, text
from typer.testing import CliRunner

from sojourn.commands import db as commands
from sojourn.delivery.mailboxes import mailbox_of
from sojourn.errors import SettingsError
from sojourn.store import migrations
from sojourn.store.database import Database
from sojourn.store.tables import consents, heartbeats, inbound, metadata, sends, suppressions

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def database(no_tables_url: str) -> Iterator[Database]:
    opened = Database(no_tables_url, durable=False)
    yield opened
    opened.close_now()


def shape(connection: Connection) -> dict[str, Any]:
    """Return everything that a database says of its tables."""
    there = inspect(connection)
    return {
        table: {
            "columns": {c["name"]: (str(c["type"]), c["nullable"], c["default"]) for c in there.get_columns(table)},
            "key": there.get_pk_constraint(table),
            "references": sorted(map(str, there.get_foreign_keys(table))),
            "unique": sorted(map(str, there.get_unique_constraints(table))),
            "indexes": sorted(str({**i, "dialect_options": None}) for i in there.get_indexes(table)),
        }
        for table in there.get_table_names()
        if table != "alembic_version"
    }


def change(database: Database, work: Any, *args: Any) -> Any:
    """Change tables as `Database.create` does."""
    return database._store.run_schema(lambda connection: work(connection, *args))


def test_the_steps_lead_to_exactly_the_tables_of_the_code(database: Database) -> None:
    assert asyncio.run(database.create()) == migrations.revisions()
    assert database.read_now(migrations.differences) == []
    stepped = database.read_now(shape)
    other = Database("sqlite://")
    other.write_now(metadata.create_all)
    assert stepped == other.read_now(shape)
    other.close_now()


def test_what_is_up_to_date_is_left_alone(database: Database) -> None:
    asyncio.run(database.create())
    assert asyncio.run(database.create()) == []


def test_every_step_can_be_gone_back_and_on_again(database: Database) -> None:
    change(database, migrations.upgrade)
    before = database.read_now(shape)
    for number in reversed(migrations.revisions()[:-1]):
        change(database, migrations.downgrade, number)
        assert database.read_now(migrations.current) == number
    change(database, migrations.downgrade, migrations.EMPTY)
    assert database.read_now(shape) == {}
    change(database, migrations.upgrade)
    assert database.read_now(shape) == before


def test_a_database_of_the_version_before_migrations_is_upgraded_and_loses_nothing(database: Database) -> None:
    def as_it_was(connection: Connection) -> None:
        migrations.upgrade(connection, migrations.FIRST)
        connection.execute(text("DROP TABLE alembic_version"))
        columns = "message_id, kind, name, user_id, time, received_at, body"
        for number in range(3):
            values = f"'m{number}', 'track', 'E', 'u', 1, 2, '{{\"kept\": {number}}}'"
            connection.execute(text(f"INSERT INTO inbound ({columns}) VALUES ({values})"))
        connection.execute(text("INSERT INTO profiles (id, traits, first_seen, last_seen) VALUES ('p', '{\"a\": 1}', 1, 2)"))
        connection.execute(text("INSERT INTO definitions (version, journey, body, first_seen) VALUES ('v', 'j', '{}', 1)"))
        entry = "id, journey, version, profile_id, workflow_id, trigger_id, trigger, variants, started_at, state"
        connection.execute(text(f"INSERT INTO entries ({entry}) VALUES ('e', 'j', 'v', 'p', 'w', 'm0', '{{}}', '{{}}', 1, 'running')"))

    def everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
        tables = [name for name in inspect(connection).get_table_names() if name != "alembic_version"]
        return {name: [dict(row) for row in connection.execute(text(f'SELECT * FROM "{name}"')).mappings()] for name in tables}

    change(database, as_it_was)
    before = database.read_now(everything)
    assert database.read_now(migrations.current) == migrations.FIRST
    assert asyncio.run(database.create()) == migrations.revisions()[1:]
    after = database.read_now(everything)
    for name, rows in before.items():
        assert [{key: now.get(key, "lost") for key in was} for was, now in zip(rows, after[name], strict=True)] == rows
    assert len(after["inbound"]) == 3
    row = {"message_id": "m9", "kind": "track", "name": "E", "time": NOW, "received_at": NOW, "body": {}}
    database.write_now(lambda c: c.execute(insert(inbound).values(**row)))
    assert database.read_now(lambda c: c.execute(select(func.max(inbound.c.seq))).scalar()) == 4


def test_rows_of_before_addresses_had_one_form_are_written_anew_and_what_two_share_stays(database: Database) -> None:
    change(database, lambda connection: migrations.upgrade(connection, "0010"))

    def as_it_was(connection: Connection) -> None:
        for person in "pqr":
            connection.execute(text(f"INSERT INTO profiles (id, traits, first_seen, last_seen) VALUES ('{person}', '{{}}', 1, 2)"))
        known = [
            ("email", "ann@xn--exmple-cua.de", "p"), ("email", "bob@exämple。de", "q"), ("email", "bob@exämple.de", "q"),
            ("nobody:email", "all@xn--exmple-cua.de", "q"), ("email", "cy@xn--exmple-cua.de", "p"), ("email", "cy@exämple.de", "r"),
            ("email", "plain@shop.example", "r"), ("email", "odd@xn--a.de", "r"), ("user_id", "u@xn--exmple-cua.de", "p"),
        ]  # fmt: skip
        for kind, value, person in known:
            connection.execute(
                text("INSERT INTO identifiers (kind, value, profile_id, since) VALUES (:kind, :value, :person, 1)"),
                {"kind": kind, "value": value, "person": person},
            )
        connection.execute(text("INSERT INTO suppressions (address_hash, reason, at) VALUES ('h', 'manual', 1)"))

    change(database, as_it_was)
    change(database, migrations.upgrade)
    rows = database.read_now(lambda c: c.execute(text("SELECT kind, value, profile_id FROM identifiers ORDER BY kind, value")).all())
    assert {tuple(row) for row in rows} == {
        ("email", "ann@exämple.de", "p"), ("email", "bob@exämple.de", "q"), ("nobody:email", "all@exämple.de", "q"),
        ("email", "cy@xn--exmple-cua.de", "p"), ("email", "cy@exämple.de", "r"), ("email", "plain@shop.example", "r"),
        ("email", "odd@xn--a.de", "r"), ("user_id", "u@xn--exmple-cua.de", "p"),
    }  # fmt: skip
    assert database.read_now(lambda c: c.execute(select(suppressions.c.folded)).scalar()) is True


def fill(connection: Connection, table: str, rows: list[dict[str, Any]]) -> None:
    """Insert rows into a table as it stands at this step; what must not be empty and is not given is 0, false or the row's number."""
    there = Table(table, MetaData(), autoload_with=connection, resolve_fks=False)
    for number, row in enumerate(rows):
        blank = {
            column.name: f"{number}" if isinstance(column.type, String) else False if isinstance(column.type, Boolean) else 0
            for column in there.columns
            if not column.nullable and column.server_default is None
        }
        connection.execute(insert(there).values(**{**blank, **row}))


def test_of_the_words_of_before_it_is_told_which_were_the_readers_own(database: Database) -> None:
    change(database, lambda connection: migrations.upgrade(connection, "0012"))
    words = {  # source, wording, granted, pending: own
        ("identify", None, True, False): False, ("context.consent", None, False, False): False,
        ("event Subscribed", None, True, False): True, ("event Unsubscribed", None, False, False): True,
        ("confirmed by link", None, True, False): True, ("preference page", None, True, False): True,
        ("import", None, True, False): False, ("import", "2026-01", True, False): True, ("import", None, False, False): True,
        ("import", None, False, True): False, ("event Subscribed", None, False, True): True,
    }  # fmt: skip

    def as_it_was(connection: Connection) -> None:
        fill(connection, "profiles", [{"id": "p", "traits": {}}])
        rows = [
            {"id": f"w{n}", "profile_id": "p", "purpose": "marketing"}
            | {"source": source, "wording": wording, "granted": granted, "pending": pending}
            for n, (source, wording, granted, pending) in enumerate(words)
        ]
        fill(connection, "consents", rows)

    change(database, as_it_was)
    change(database, migrations.upgrade)
    kept = database.read_now(lambda c: c.execute(select(consents)).all())
    assert {(row.source, row.wording, row.granted, row.pending): row.own for row in kept} == words
    assert all(row.stream is None and row.again_at is None for row in kept)


def test_caps_count_what_went_to_a_mailbox_before_they_counted_by_mailbox(database: Database) -> None:
    change(database, lambda connection: migrations.upgrade(connection, "0013"))
    many = 1_203  # more than the step reads at once

    def as_it_was(connection: Connection) -> None:
        fill(connection, "profiles", [{"id": "p", "traits": {}}])
        fill(connection, "definitions", [{"version": "v"}])
        fill(connection, "entries", [{"id": "e", "version": "v", "profile_id": "p"}])
        fill(connection, "sends", [{"key": f"s{n}", "profile_id": "p", "entry_id": "e"} for n in range(many + 1)])
        fill(connection, "messages", [{"send_key": f"s{n}", "to_address": f"Ann{n}@Shop.Example "} for n in range(many)])

    change(database, as_it_was)
    change(database, migrations.upgrade)
    kept = dict(database.read_now(lambda c: c.execute(select(sends.c.key, sends.c.mailbox)).tuples().all()))
    assert kept == {**{f"s{n}": mailbox_of(f"ann{n}@shop.example") for n in range(many)}, f"s{many}": None}


def test_several_processes_may_bring_the_tables_up_at_once(no_tables_url: str) -> None:
    opened = [Database(no_tables_url) for _ in range(3)]

    async def all_at_once() -> list[list[str]]:
        return await asyncio.gather(*(database.create() for database in opened))

    made = asyncio.run(all_at_once())
    assert sorted(map(len, made)) == [0, 0, len(migrations.revisions())]
    for database in opened:
        database.close_now()


def test_a_newer_versions_tables_are_refused_with_a_sentence(database: Database) -> None:
    asyncio.run(database.create())
    database.write_now(lambda c: c.execute(text("UPDATE alembic_version SET version_num = '9999'")))
    with pytest.raises(SettingsError, match=r"the database's tables are at 9999, .* a newer version has been here"):
        asyncio.run(database.create())


def test_a_failing_step_leaves_everything_as_it_was(database: Database) -> None:
    asyncio.run(database.create())
    before = database.read_now(shape)

    def failing(connection: Connection) -> None:
        migrations.downgrade(connection, migrations.FIRST)
        raise KeyError

    with pytest.raises(KeyError):
        change(database, failing)
    assert database.read_now(shape) == before
    assert database.read_now(migrations.current) == migrations.head()


def test_the_tables_keep_foreign_keys_after_an_upgrade(database: Database) -> None:
    asyncio.run(database.create())
    with pytest.raises(Exception, match=r"(?i)foreign key"):
        database.write_now(lambda c: c.execute(text("INSERT INTO links (send_key, position, url) VALUES ('none', 1, 'x')")))


def run(*arguments: str) -> Any:
    app = typer.Typer()
    commands.register(app)
    heartbeats.name  # noqa: B018 - a second command, or typer would drop the group's name
    app.command("other")(lambda: None)
    return CliRunner().invoke(app, ["db", *arguments])


def test_the_commands_say_where_the_tables_are_and_bring_them_up(
    database: Database, no_tables_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", no_tables_url)
    monkeypatch.setenv("COLUMNS", "200")
    change(database, migrations.upgrade, migrations.FIRST)
    assert "at 0001; `sojourn db upgrade` brings them to" in run("current").output
    differing = run("check")
    assert differing.exit_code == 1
    assert "the table leases is missing" in differing.output
    assert "sojourn db upgrade" in differing.output
    assert "upgraded: 0002" in run("upgrade").output
    assert "nothing to do" in run("upgrade").output
    assert "the latest" in run("current").output
    assert "the tables are those of this version" in run("check").output


def test_no_step_is_written_where_nothing_has_changed() -> None:
    assert "nothing has changed" in run("revision", "nothing").output
    assert stores.STORE in ("sqlite", "postgresql")
