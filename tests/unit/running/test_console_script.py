"""The console script: quick to help, exact in its lists, and never somebody else's code."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from console_script import app
from typer.core import TyperGroup

from sojourn.commands.index import COMMANDS
from sojourn.commands.up import plan
from sojourn.launch import BESIDE, PYTHON
from sojourn.settings import load_settings

ROOT = Path(__file__).parents[3]
# What costs a start its time, and no help or version needs.
HEAVY = ("pydantic", "sqlalchemy", "jinja2", "temporalio", "ruamel", "fastapi", "duckdb", "numpy", "structlog", "httpx")
TYPED = """
import sys
from sojourn.__main__ import main
sys.argv = ["sojourn", *{words!r}]
try:
    main()
except SystemExit:
    pass
print("HEAVY", [name for name in {heavy!r} if name in sys.modules])
"""


def typed(*words: str, cwd: Path = ROOT, path: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("SOJOURN_")}
    return subprocess.run(
        [*PYTHON, *words], cwd=cwd, env={**kept, "PYTHONPATH": path, "COLUMNS": "200", **environment}, capture_output=True, text=True,
        timeout=120,
    )  # fmt: skip


def started(role: str, cwd: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen([*PYTHON, role], cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_help_and_version_import_nothing_that_costs_time() -> None:
    for words in (["--help"], ["--version"], []):
        done = subprocess.run(
            [sys.executable, "-P", "-c", TYPED.format(words=words, heavy=HEAVY)], capture_output=True, text=True, timeout=60
        )
        assert "HEAVY []" in done.stdout, done.stdout + done.stderr


def test_the_list_of_commands_says_of_each_what_its_own_help_says() -> None:
    group = typer.main.get_command(app)
    assert isinstance(group, TyperGroup)
    own = {name: " ".join((command.help or "").split("\n\n")[0].split()) for name, command in group.commands.items()}
    assert own == {name: entry.summary for name, entry in COMMANDS.items()}


def test_version_says_which_it_is() -> None:
    assert re.fullmatch(r"sojourn \d+\.\d+\.\d+\S*\n", typed("--version").stdout)


def test_a_command_that_does_not_exist_is_answered_with_the_nearest() -> None:
    done = typed("segmnt")
    assert done.returncode == 2
    assert "segment" in done.stderr


def users_folder(folder: Path) -> Path:
    """Return a folder whose own modules are called as ours are; one that is run leaves a file behind."""
    for name in BESIDE:
        path = folder / (f"{name}.py" if name == "worker" else f"{name}/__init__.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"open({str(folder / 'RAN')!r}, 'a').write(__file__)\nraise SystemExit('the user\\'s own code ran')\n")
    shutil.copytree(ROOT / "journeys", folder / "journeys")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("path", ["", "."], ids=["there", "there and in PYTHONPATH"])
def test_nothing_of_the_product_is_imported_from_the_current_folder(tmp_path: Path, path: str) -> None:
    folder = users_folder(tmp_path)
    if not path:  # such names would stop any Python where the path begins with them
        for name in ("sojourn/__init__.py", "email.py", "logging.py", "structlog.py"):
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(folder / "worker.py", folder / name)
    (folder / "people.csv").write_text("user_id,email\nu1,ann@example.com\n")
    assert "all is well" in typed("check", cwd=folder, path=path).stdout
    assert "1 new" in typed("import", "profiles", "people.csv", cwd=folder, path=path).stderr
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environment = {**os.environ, "PYTHONPATH": path, "SOJOURN_PORT": str(port), "SOJOURN_DATA_DIR": str(folder / "var")}
    with subprocess.Popen(
        [*PYTHON, "api"], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as api:
        assert api.stdout is not None
        said = []
        for line in api.stdout:
            said.append(line)
            if "listening" in line:
                break
        api.send_signal(signal.SIGTERM)
        said.append(api.stdout.read())
    assert "listening" in "".join(said), said
    assert api.returncode == 0
    assert not (folder / "RAN").exists()


def test_up_starts_its_parts_without_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stack = plan(load_settings(data_dir=tmp_path / "var", journeys_dir=ROOT / "journeys"))
    ours = [part.command for part in stack.parts if part.name != "Temporal"]
    assert [command[1:4] for command in ours] == [("-P", "-m", "sojourn")] * 3


@pytest.mark.slow
def test_a_role_answers_a_wrong_setting_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no database")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        wrong = [
            ("worker", {"SOJOURN_PORT": "abc"}, "SOJOURN_PORT is not valid"),
            ("router", {"SOJOURN_DATA_DIR": str(tmp_path / "file")}, "SOJOURN_DATA_DIR"),
            ("all", {"SOJOURN_JOURNEYS_DIR": str(tmp_path / "nowhere")}, "no such folder"),
            ("worker", {"SOJOURN_DATABASE_URL": f"sqlite:///{tmp_path / 'file'}"}, "SOJOURN_DATABASE_URL"),
            ("worker", {"SOJOURN_DKIM_KEY": str(tmp_path / "nowhere"), "SOJOURN_SMTP_URL": "smtp://127.0.0.1:1"}, "SOJOURN_DKIM_KEY"),
            ("api", {"SOJOURN_PORT": port}, "SOJOURN_PORT"),
        ]
        for role, settings, sentence in wrong:
            done = typed(role, **{"SOJOURN_DATA_DIR": str(tmp_path / "var"), **settings})
            assert done.returncode == 1, done.stderr
            assert sentence in done.stderr
            assert done.stderr.splitlines()[-1].startswith("error: "), done.stderr
            assert "Traceback" not in done.stderr + done.stdout


@pytest.mark.slow
def test_a_worker_without_temporal_says_at_once_what_it_waits_for(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    environment = {**os.environ, "SOJOURN_TEMPORAL_ADDRESS": address, "SOJOURN_DATA_DIR": str(tmp_path / "var")}
    with subprocess.Popen(
        [*PYTHON, "worker"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as worker:
        assert worker.stdout is not None
        began = time.monotonic()
        said = next(line for line in worker.stdout if "waiting for Temporal" in line)
        worker.send_signal(signal.SIGTERM)
        worker.stdout.read()
    assert address in said
    assert time.monotonic() - began < 60, "it said so only when it gave up"
