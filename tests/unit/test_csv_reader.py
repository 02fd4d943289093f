"""The reader of CSV: every line is part of a row, or refused, or blank; nothing is swallowed."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sojourn.csv_reader import STRAY, CsvReader, NotCsv, any_line_end, read_table


def read(text: str | bytes, delimiter: str | None = None) -> tuple[list[str], list[list[str]], list[tuple[int, str]]]:
    """Return the columns, the rows, and the lines that are none with their reasons."""
    source = io.BytesIO(text if isinstance(text, bytes) else text.encode())
    columns, records = read_table(source, delimiter)
    found = list(records)
    return columns, [one.cells for one in found if one.cells is not None], [(one.line, one.reason) for one in found if one.cells is None]


def test_one_stray_quotation_mark_refuses_one_row_wherever_it_stands() -> None:
    rows = [f"u{i},Ann {i},ann{i}@example.com" for i in range(3000)]
    for at in (0, 9, 1500, 2998, 2999):
        for stray in ('u{0},"Ann,a@b', 'u{0},A,"a@b', '"u{0},A,a@b', 'u{0},"A"n,a@b'):
            some = list(rows)
            some[at] = stray.format(at)
            columns, taken, refused = read("id,name,email\n" + "\n".join(some) + "\n")
            assert columns == ["id", "name", "email"]
            assert len(taken) == 2999, (at, stray)
            assert [line for line, _ in refused] == [at + 2], (at, stray)


def test_two_stray_marks_whose_lines_are_rows_by_themselves_swallow_nothing() -> None:
    text = 'id,name,email\n1,"Ann,a@x\n2,Bob,b@x\n3,Eve",e@x\n4,Zoe,z@x\n'
    _, taken, refused = read(text)
    assert taken == [["2", "Bob", "b@x"], ["3", 'Eve"', "e@x"], ["4", "Zoe", "z@x"]]
    assert refused == [(2, STRAY)]
    _, taken, refused = read('email\n"ann@x\nbob@x\neve@x"\nzoe@x\n')
    assert [line for line, _ in refused] == [2]
    assert taken[-1] == ["zoe@x"]


def test_cells_of_several_lines_stay_whole() -> None:
    text = 'id,address,email\r\n1,"Main Street 1\r\nBerlin, Germany\r\n",a@x\r\n2,"a ""quoted"" word",b@x\r\n'
    assert read(text)[1] == [["1", "Main Street 1\r\nBerlin, Germany\r\n", "a@x"], ["2", 'a "quoted" word', "b@x"]]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_a_line_may_end_as_any_system_ends_it(end: str) -> None:
    text = end.join(["id;name", "1;Ann", "", '2;"B;ob"', "3;Eve"])
    for tail in ("", end):
        assert read(text + tail) == (["id", "name"], [["1", "Ann"], ["2", "B;ob"], ["3", "Eve"]], [])


def test_the_delimiter_is_what_parts_the_header_outside_of_its_quotation_marks() -> None:
    assert read('"name, first, last, and title";email\n"Ann, A";a@x\n')[0] == ["name, first, last, and title", "email"]
    assert read('"a;b;c;d"\te\n1\t2\n')[:2] == (["a;b;c;d", "e"], [["1", "2"]])
    assert read("a|b\n1|2\n")[1] == [["1", "2"]]
    assert read("sep=;\r\na,x;b\r\n1;2\r\n") == (["a,x", "b"], [["1", "2"]], [])
    assert read("a;b\n1;2\n", ",")[0] == ["a;b"]
    assert read("email\na@x\n")[1] == [["a@x"]]


def test_a_byte_order_mark_belongs_to_no_name() -> None:
    assert read(b"\xef\xbb\xbfid,b\n1,2\n")[0] == ["id", "b"]
    assert read(b'\xef\xbb\xbf"id",b\n1,2\n')[0] == ["id", "b"]
    for wide in ("id,b\n1,2\n".encode("utf-16"), "id,b\n1,2\n".encode("utf-16-be")):
        with pytest.raises(NotCsv, match=r"UTF-8|first line|NUL"):
            read(wide)


@pytest.mark.parametrize("text", ["", "\n", "\n1,2\n", ",,\n", '"id,b\n1,2\n', b"\xff\n"])
def test_a_file_without_a_header_says_so(text: str | bytes) -> None:
    with pytest.raises(NotCsv):
        read(text)


@given(st.lists(st.text(alphabet='a,";\r\n é\0', max_size=12), max_size=20), st.sampled_from(["\n", "\r\n", "\r"]))
def test_every_line_is_part_of_one_record(lines: list[str], end: str) -> None:
    whole = ("a,b\n" + end.join(lines)).encode()
    stream = any_line_end(io.BytesIO(whole))
    reader = CsvReader(iter(stream.readline, b""))
    head = reader.header()
    records = list(reader)
    assert head.size + sum(one.size for one in records) == len(whole)
    begins = [one.line for one in records]
    assert begins == [1 + head.lines + sum(one.lines for one in records[:i]) for i in range(len(records))]
    assert all(len(one.cells) in (0, 2) for one in records if one.cells is not None)


@given(st.binary(max_size=400), st.integers(1, 40))
def test_line_ends_keep_every_byte_in_its_place(content: bytes, at_once: int) -> None:
    stream = any_line_end(io.BytesIO(content))
    pieces = []
    while piece := stream.read(at_once):
        pieces.append(piece)
    found = b"".join(pieces)
    assert found == content.replace(b"\r\n", b"\0\1").replace(b"\r", b"\n").replace(b"\0\1", b"\r\n") or b"\0\1" in content
    assert len(found) == len(content)
