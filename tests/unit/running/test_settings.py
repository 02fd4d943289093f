from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sojourn.errors import SettingsError
from sojourn.keys import kept_keys
from sojourn.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def _only_these_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"SOJOURN_{name.upper()}", raising=False)
    monkeypatch.chdir(tmp_path)


def test_nothing_set_means_everything_embedded_under_var(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.embedded
    assert settings.database_url == f"sqlite:///{tmp_path}/var/sojourn.db"
    assert settings.public_url == "http://127.0.0.1:8080"
    assert min(len(settings.secret_key), len(settings.write_key), len(settings.admin_token)) >= 16


def test_keys_once_made_stay_and_are_for_their_owner_alone(tmp_path: Path) -> None:
    first, second = load_settings(), load_settings()
    assert (first.secret_key, first.write_key, first.admin_token) == (second.secret_key, second.write_key, second.admin_token)
    assert stat.S_IMODE((tmp_path / "var/keys.json").stat().st_mode) == 0o600


def test_processes_that_begin_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: json.dumps(kept_keys(tmp_path)), range(32)))
    assert len(set(found)) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["keys.json"]


def test_without_need_of_keys_no_file_is_left(tmp_path: Path) -> None:
    load_settings(keys=False)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["", "{", "[]", '{"secret_key": "x"}'])
def test_damaged_keys_are_said_so_and_not_replaced(tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.json").write_text(text)
    with pytest.raises(SettingsError, match="damaged"):
        kept_keys(tmp_path)
    assert (tmp_path / "keys.json").read_text() == text


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_PORT", "9000")
    assert load_settings().port == 9000
    settings = load_settings(port=9001, host=None)
    assert (settings.port, settings.public_url) == (9001, "http://127.0.0.1:9001")


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("database_url", "mysql://root:hunter22@db/x"),
        ("database_url", "var/sojourn.db"),
        ("temporal_address", "localhost"),
        ("temporal_address", "localhost:hunter22"),
        ("temporal_address", "localhost:99999"),
        ("smtp_url", "mail.shop.example:25"),
        ("smtp_url", "http://u:hunter22@mail"),
        ("smtp_url", "smtp://mail:hunter22"),
        ("public_url", "shop.example"),
        ("public_url", "javascript:alert(1)"),
        ("otlp_endpoint", "collector:4318"),
        ("secret_key", "hunter22"),
        ("admin_token", "hunter22"),
        ("write_key", "hunter22:x"),
        ("write_key", "short"),
        ("time_scale", "0"),
        ("time_scale", "-1"),
        ("time_scale", "nan"),
        ("time_scale", "fast"),
        ("port", "0"),
        ("port", "eighty"),
        ("log_format", "xml"),
        ("log_level", "loud"),
    ],
)
def test_a_bad_setting_is_a_sentence_that_names_it_and_keeps_secrets(monkeypatch: pytest.MonkeyPatch, name: str, bad: str) -> None:
    monkeypatch.setenv(f"SOJOURN_{name.upper()}", bad)
    with pytest.raises(SettingsError) as refused:
        load_settings()
    text = str(refused.value)
    assert text.startswith(f"SOJOURN_{name.upper()} is not valid; write ")
    assert "\n" not in text
    assert "hunter22" not in text


def test_all_bad_settings_are_named_in_one_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_PORT", "x")
    monkeypatch.setenv("SOJOURN_SMTP_URL", "x")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert len(str(refused.value).splitlines()) == 2


def test_a_misspelt_setting_is_answered_with_the_right_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOJOURN_DATABSE_URL", "sqlite:///x.db")
    with pytest.raises(SettingsError, match="did you mean SOJOURN_DATABASE_URL"):
        load_settings()


def test_a_database_server_needs_its_keys_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SOJOURN_DATABASE_URL", "postgresql://shop@db/sojourn")
    with pytest.raises(SettingsError) as refused:
        load_settings(write_key="a-write-key")
    assert [line.split()[0] for line in str(refused.value).splitlines()] == ["SOJOURN_SECRET_KEY", "SOJOURN_ADMIN_TOKEN"]
    assert list(tmp_path.iterdir()) == []


def test_a_child_process_reads_the_settings_it_was_handed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    settings = load_settings(data_dir=tmp_path / "a b", port=9123, smtp_url="smtp://u:p%40ss@mail:25", time_scale=3600)
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SettingsError, match="SOJOURN_DATA_DIR"):
        load_settings(data_dir=tmp_path / "file")
