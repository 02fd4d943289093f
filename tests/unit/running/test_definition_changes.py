from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.commands import definition_changes
from sojourn.commands.definition_changes import DefinitionChanges


def test_a_file_that_came_went_or_was_edited_is_named_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "journeys"
    (folder / "segments").mkdir(parents=True)
    (folder / "cart.yaml").write_text("one")
    (folder / "gone.yaml").write_text("one")
    now = 0.0
    monkeypatch.setattr(definition_changes, "monotonic", lambda: now)
    changes = DefinitionChanges(folder)
    (folder / "cart.yaml").write_text("edited")
    (folder / "gone.yaml").unlink()
    (folder / "segments/new.yaml").write_text("new")
    (folder / ".cart.yaml.swp").write_text("an editor's")
    (folder / "notes.bak").write_text("no definition")
    assert changes.fresh() == [], "it does not go through the folder at each look"
    now += definition_changes.LOOK_EVERY_S
    assert changes.fresh() == ["journeys/cart.yaml", "journeys/gone.yaml", "journeys/segments/new.yaml"]
    now += definition_changes.LOOK_EVERY_S
    assert changes.fresh() == []
