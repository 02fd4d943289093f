from pathlib import Path

import pytest
from bad_cases import problems_in

from sojourn.language.loader import DefinitionError, load

BAD = Path(__file__).parents[2] / "bad_definitions"
FILES = sorted(BAD.glob("*.yaml"))
FOLDERS = sorted(path for path in (BAD / "folders").iterdir() if path.is_dir())
EXPECT = "# expect: "


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_bad_definition_gives_exactly_the_problems_written_above_it(path: Path) -> None:
    text = path.read_bytes()
    expected = [line.removeprefix(EXPECT) for line in text.decode().splitlines() if line.startswith(EXPECT)]
    found = problems_in(text, kind=path.stem.split("__")[0])
    assert [f"{each.line}:{each.column}: {each.message}" for each in found] == expected
    assert expected


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda path: path.name)
def test_each_bad_folder_gives_the_problems_of_all_its_files_in_one_run(folder: Path) -> None:
    with pytest.raises(DefinitionError) as caught:
        load(folder)
    found = [str(problem).removeprefix(f"{folder}/") for problem in caught.value.problems]
    assert found == (folder / "expected.txt").read_text(encoding="utf-8").splitlines()


def test_there_are_enough_bad_definitions_to_mean_something() -> None:
    assert len(FILES) >= 25
    several = (BAD / "folders" / "several_files_at_once" / "expected.txt").read_text(encoding="utf-8").splitlines()
    assert len({line.split(":")[0] for line in several}) >= 4


def test_no_problem_speaks_the_validator_s_language() -> None:
    jargon = ("pydantic", "input should", "extra inputs", "field required", "discriminator", "tuple", "string should", "valid ")
    for path in FILES:
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith(EXPECT):
                assert not [word for word in jargon if word in line.lower()], line
