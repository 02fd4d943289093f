from __future__ import annotations

import socket
from pathlib import Path

import pytest

from sojourn.commands.up import KEPT_LOG_BYTES, plan
from sojourn.embedded import LOCAL
from sojourn.errors import SettingsError
from sojourn.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _only_these_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SOJOURN_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_by_default_it_brings_temporal_and_starts_who_needs_it_after(tmp_path: Path) -> None:
    stack = plan(load_settings())
    assert [part.name for part in stack.parts] == ["Temporal", "api", "worker", "router"]
    temporal = " ".join(stack.parts[0].command)
    assert f"--db-filename {tmp_path}/var/temporal.db" in temporal
    assert "--sqlite-pragma journal_mode=WAL --sqlite-pragma synchronous=NORMAL" in temporal
    assert f"--port {stack.settings.temporal_address.rpartition(':')[2]} " in temporal


def test_every_part_is_told_the_same_and_enough_to_read_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    stack = plan(load_settings())
    for part in stack.parts[1:]:
        for name, value in part.environment.items():
            monkeypatch.setenv(name, value)
        told = load_settings()
        assert told == stack.settings
        assert told.sdk_metrics_address
        assert part.environment["PROMETHEUS_MULTIPROC_DIR"] == str(stack.metrics_folder)
        assert not part.ready()
        Path(part.environment["SOJOURN_READY_FILE"]).touch()
        assert part.ready()


def test_no_secret_stands_on_a_command_line() -> None:
    stack = plan(load_settings())
    words = " ".join(word for part in stack.parts for word in part.command)
    assert not any(secret in words for secret in (stack.settings.secret_key, stack.settings.write_key, stack.settings.admin_token))


def test_a_chosen_port_reaches_the_links_in_mails_unless_an_address_was_given() -> None:
    with socket.create_server((LOCAL, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"port {port} is taken"):
            plan(load_settings(port=port))
    settings = plan(load_settings(port=port)).settings
    assert settings.public_url == f"http://127.0.0.1:{port}"
    assert plan(load_settings(port=port, public_url="https://mail.shop.example/")).settings.public_url == "https://mail.shop.example"


@pytest.mark.parametrize("flags", [{"temporal_address": "127.0.0.1:7233"}, {"database_url": "sqlite:///x.db"}])
def test_a_fast_clock_is_refused_beside_anything_not_embedded(flags: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="time scale needs the embedded"):
        plan(load_settings(time_scale=3600, **flags))


def test_the_scale_that_the_data_began_with_is_told_to_every_part() -> None:
    plan(load_settings(time_scale=3600))
    second = plan(load_settings())
    assert second.settings.time_scale == 3600
    assert second.clock.scale.scale == 3600


def test_a_temporal_server_that_does_not_answer_is_said_so() -> None:
    with pytest.raises(SettingsError, match=r"no Temporal server answers at 127\.0\.0\.1:1;"):
        plan(load_settings(temporal_address="127.0.0.1:1"))


def test_a_given_temporal_server_is_used_and_none_started() -> None:
    with socket.create_server((LOCAL, 0)) as theirs:
        address = f"{LOCAL}:{theirs.getsockname()[1]}"
        stack = plan(load_settings(temporal_address=address))
    assert [part.name for part in stack.parts] == ["api", "worker", "router"]
    assert stack.parts[0].environment["SOJOURN_TEMPORAL_ADDRESS"] == address


def test_a_feed_comes_last_and_may_end(tmp_path: Path) -> None:
    recording = tmp_path / "shop.jsonl"
    recording.touch()
    feed = plan(load_settings(), feed=recording).parts[-1]
    assert (feed.name, feed.keep, feed.command[-2:]) == ("the feed", False, ("replay", str(recording)))
    assert plan(load_settings(), feed=recording, engage=0.2).parts[-1].command[-2:] == ("--engage", "0.2")
    with pytest.raises(SettingsError, match="give --feed too"):
        plan(load_settings(), engage=0.2)
    with pytest.raises(SettingsError, match="--feed takes a recording"):
        plan(load_settings(), feed=tmp_path / "none.jsonl")


def test_a_log_that_has_grown_large_makes_room_and_is_kept_once(tmp_path: Path) -> None:
    log = tmp_path / "var/logs/api.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        file.truncate(KEPT_LOG_BYTES + 1)
    plan(load_settings())
    assert not log.exists()
    assert (tmp_path / "var/logs/api.old.log").exists()
