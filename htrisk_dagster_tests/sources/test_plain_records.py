from __future__ import annotations

import csv
import io

import polars as pl
import pytest
from htrisk_dagster.sources import plain_records
from htrisk_dagster.sources.distinct_texts import any_code
from htrisk_dagster.sources.plain_records import plain_fields
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('1,2,3\n"a,b",,"c"\n', [("1", "3"), ("a,b", "c")]),
        ('1,2,3\r\n4,5,"6"\r', [("1", "3"), ("4", "6")]),
        ("1,2,3\n4,5,6", [("1", "3"), ("4", "6")]),
        (',,\n"",,é\n', [(None, None), ("", "é")]),
    ],
)
def test_plain_lines_are_split(text: str, expected: list[tuple[str, str]]):
    fields = plain_fields(text.encode(), 3, [0, 2])
    assert fields is not None
    assert fields.columns == ["0", "2"]
    assert [(a or None, b or None) for a, b in fields.rows()] == [
        (a or None, b or None) for a, b in expected
    ]


@pytest.mark.parametrize(
    "text",
    [
        "1,2,3\n4,5\n",  # a field too few
        "1,2,3\n4,5,6,7\n",
        "1,2,3\n4,5\n6,7,8,9\n",  # the sum is right
        "1,2,3\n\n4,5,6\n",
        '1,"2,3\n4,5,6\n',  # a mark that is not closed
        '1,"2\n3",4\n',  # a line feed within marks
        '1,5" pipe,3\n4,6" pipe,6\n',
        '1,"a ""b""",3\n',
        '1,"a"b,3\n',
        '1,"a" ,3\n',
        "1,2,3,\x01\n",  # what is put behind each line, in the file itself
        "",
    ],
)
def test_any_other_line_is_left_to_be_read_by_itself(text: str):
    assert plain_fields(text.encode(), 3, [0, 2]) is None


def test_fields_are_coded_as_they_are_read():
    text = b'a,1,x\n"b",2,\na,3,"y"\n'
    code = any_code()
    fields = plain_fields(text, 3, [2, 0], {0: code})
    assert fields is not None
    assert fields.schema == {"2": pl.String, "0": code}
    assert fields["0"].cast(pl.String).to_list() == ["a", "b", "a"]
    assert plain_fields(b"a,1,x\nb,2\n", 3, [2, 0], {0: code}) is None


@given(
    st.lists(st.lists(st.text("ab ,\"\n'", max_size=4), min_size=1, max_size=4), min_size=1),
    st.integers(1, 40),
)
def test_what_is_taken_for_plain_is_what_the_standard_library_reads(rows, piece):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator="\n").writerows(rows)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(plain_records, "_PIECE", piece)
        fields = plain_fields(text.getvalue().encode(), 3, [0, 1, 2])
    if fields is not None:
        assert all(len(row) == 3 for row in rows)
        assert [[value or "" for value in row] for row in fields.rows()] == rows
