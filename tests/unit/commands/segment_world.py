"""A shop in virtual time whose clock then stands still, for the tests of `sojourn segment …`."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import Result
from console_script import app
from sqlalchemy import select
from typer.testing import CliRunner

from sojourn.clock import TimeScale, real_now
from sojourn.customers.segments import live
from sojourn.store.database import Database
from sojourn.store.tables import inbound
from sojourn.testing import Shop
from sojourn.timekeeping import FILE

SETTINGS = "name: Sample\nsender: {name: Sample, address: hello@shop.example}\npostal_address: Sample Street 1\n"
JOURNEY = "journey: back\ndescription: d\nenter: {on: Segment Entered, if: event.segment == 'silent'}\nsteps: [{end: done}]\n"
SEGMENTS = {
    "buyers": 'segment: buyers\ndescription: Ordered within a month.\nmembers: did("Order Completed", within="30d")\n',
    "silent": "segment: silent\ndescription: Bought, and was not seen for a week.\n"
    'members: segment.buyers and not did("Session Started", within="7d")\n',
    "vip": "segment: vip\ndescription: Chosen by hand.\nlist: manual\n",
    "fair": "segment: fair\ndescription: Met us at the fair.\nlist: upload\n",
}


@dataclass
class World:
    journeys: Path
    data: Path
    now: datetime
    database: Database

    def run(self, *arguments: str, code: int = 0) -> Result:
        result = CliRunner().invoke(
            app,
            ["segment", *arguments, "--journeys", str(self.journeys), "--data-dir", str(self.data)],
            env={"COLUMNS": "250"},
        )
        assert result.exit_code == code, result.output
        assert "Traceback" not in result.output
        return result

    def members(self, segment: str) -> set[str]:
        return set(self.database.read_now(live.members, segment))

    def told(self) -> list[tuple[str, str]]:
        """What of segments waits in the log to be routed."""
        log = select(inbound.c.name, inbound.c.body).where(inbound.c.name.in_([live.ENTERED, live.EXITED])).order_by(inbound.c.seq)
        rows = self.database.read_now(lambda connection: connection.execute(log).all())
        return [(row.name, row.body["properties"]["segment"]) for row in rows]


@pytest.fixture(scope="module", name="lived")
def a_life(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, datetime]:
    """Ann bought 10 days ago and came yesterday; Bob bought 10 days ago; Cat never did. It is lived once, and each test has a copy."""
    made = tmp_path_factory.mktemp("lived")
    folder, data = made / "journeys", made / "var"
    (folder / "segments").mkdir(parents=True)
    (folder / "shop.yaml").write_text(SETTINGS)
    (folder / "back.yaml").write_text(JOURNEY)
    for name, text in SEGMENTS.items():
        (folder / "segments" / f"{name}.yaml").write_text(text)
    data.mkdir()
    with Shop(journeys_dir=folder, database_url=f"sqlite:///{data}/sojourn.db") as shop:
        for user in ("ann", "bob", "cat"):
            shop.identify(user, {"email": f"{user}@example.com"})
        shop.advance("20d")
        shop.track("ann", "Order Completed")
        shop.track("bob", "Order Completed")
        shop.advance("9d")
        shop.track("ann", "Session Started")
        shop.advance("1d")
        return made, shop.now


@pytest.fixture(name="world")
def fresh_world(lived: tuple[Path, datetime], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("SOJOURN_DATABASE_URL", "SOJOURN_JOURNEYS_DIR", "SOJOURN_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    made, now = lived
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    folder, data = tmp_path / "journeys", tmp_path / "var"
    still = TimeScale(scale=1e-9, real_origin=real_now(), shop_origin=now)
    (data / FILE).write_text(still.model_dump_json())
    database = Database(f"sqlite:///{data}/sojourn.db", durable=False)
    yield World(folder, data, now, database)
    asyncio.run(database.close())


def ids(world: World, *users: str) -> set[str]:
    from sojourn.console.queries import profile_id_of

    return {world.database.read_now(profile_id_of, user) for user in users}
