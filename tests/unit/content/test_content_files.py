"""Files of contents as editors of any system save them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sojourn.content import Contents
from sojourn.language.problems import DefinitionError

NOTE = "---\nsubject: A note\n---\n<mjml><mj-body></mj-body></mjml>\n"


def test_a_byte_order_mark_before_a_content_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/note.mjml").write_text("\ufeff" + NOTE, encoding="utf-8")
    assert "note" in Contents.load(tmp_path).names()


def test_a_content_that_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "content").mkdir()
    (tmp_path / "content/note.mjml").write_bytes(NOTE.replace("A note", "Für dich").encode("latin-1"))
    with pytest.raises(DefinitionError) as caught:
        Contents.load(tmp_path)
    assert [str(problem).split("content/")[1] for problem in caught.value.problems] == ["note.mjml:2:1: not UTF-8; save the file as UTF-8"]
