from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import file_content, file_rows, layouts
from htrisk_dagster.sources.distinct_texts import decoded
from htrisk_dagster.sources.file_rows import DEFECT, read_row_parts, read_rows
from htrisk_dagster_tests.sources.published_files import write_file
from hypothesis import given, settings
from hypothesis import strategies as st

LAYOUT = layouts.Layout("pairs", ("A",), ("C",))
HEADER = "A,B,C"


def rows_of(path: Path) -> pl.DataFrame:
    header = layouts.read_header(path)
    assert header is not None
    return read_rows(path, header, LAYOUT)


def test_a_ragged_row_keeps_its_number_and_costs_no_neighbour(tmp_path: Path):
    path = write_file(tmp_path / "a.csv", HEADER, "1,x,2", "3,4", "5,x,y,6", "7,x,8")
    assert rows_of(path).rows() == [
        (1, None, "1", "2"),
        (2, "2 fields, the header has 3", None, None),
        (3, "4 fields, the header has 3", None, None),
        (4, None, "7", "8"),
    ]


def test_a_stray_mark_costs_its_own_row_only(tmp_path: Path):
    stray = ["1,x,2", '"3,x,4', "5,x,6", '7,x",8', "9,x,10", '11,5" pipe,12', "13,x,14"]
    rows = rows_of(write_file(tmp_path / "a.csv", HEADER, *stray))
    assert rows["A"].to_list() == ["1", None, "5", None, "9", None, "13"]
    assert rows[DEFECT].to_list()[1] == "a quotation mark that is not closed"


def test_a_line_break_inside_marks_is_one_row(tmp_path: Path):
    lines = ['1,"x', 'y",2', '3,"p', "", 'q,""r""",4', "5,x,6"]
    rows = rows_of(write_file(tmp_path / "a.csv", HEADER, *lines))
    assert rows.select("A", "C").rows() == [("1", "2"), ("3", "4"), ("5", "6")]
    assert rows[DEFECT].null_count() == 3


def test_empty_lines_are_no_rows_and_markers_are_missing(tmp_path: Path):
    lines = ["(null),x,NA", "", " 7 ,x, n/a ", "\r", "NaN,x,null\r", '"",x,None']
    rows = rows_of(write_file(tmp_path / "a.csv", HEADER, *lines))
    assert rows.select("A", "C").rows() == [
        (None, None), ("7", None), (None, None), (None, "None"),
    ]  # fmt: skip


def test_bytes_that_are_not_utf8_and_a_mark_of_order_cost_nothing(tmp_path: Path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"\xef\xbb\xbfA,B,C\r\n1,\xff,2\r\n3,\xc3\xa9,4\r\n")
    assert rows_of(path).select("A", "C").rows() == [("1", "2"), ("3", "4")]


def test_of_two_columns_with_one_name_the_first_is_read(tmp_path: Path):
    rows = rows_of(write_file(tmp_path / "a.csv", "A,C,c,", "1,2,3,", "4,5,6"))
    assert rows.select("A", "C").rows() == [("1", "2"), (None, None)]
    assert rows[DEFECT].to_list() == [None, "3 fields, the header has 4"]


def test_a_file_without_rows(tmp_path: Path):
    assert rows_of(write_file(tmp_path / "a.csv", HEADER)).height == 0
    assert rows_of(write_file(tmp_path / "b.csv", HEADER, "1,2")).select("A").item() is None


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))


@given(st.lists(st.tuples(ANY_TEXT, ANY_TEXT, ANY_TEXT), min_size=1, max_size=8))
def test_whatever_the_csv_module_writes_is_read_back(tmp_path_factory, texts):
    """The standard library's writer is the independent engine; a field may hold anything."""
    cells = [[f"={text}=" for text in row] for row in texts]  # never a blank, never a marker
    text = io.StringIO(newline="")
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(
        [HEADER.split(","), *cells]
    )
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text(text.getvalue(), newline="", encoding="utf-8")
    rows = rows_of(path)
    assert rows[DEFECT].null_count() == len(cells)
    assert rows.select("A", "C").rows() == [(a, c) for a, _, c in cells]


LINES = st.lists(
    st.sampled_from(
        ["1,x,2", '3,"p,q",4', "5,6", "7,8,9,10", '"a', 'b",c,d', '11,5" pipe,12', "", " ",
         '13,"r""s",14', "é,ü,ï", "15,x,16\r", '17,x,"18"\r']
    ),
    max_size=30,
)  # fmt: skip


def test_a_key_that_the_first_rows_lack_is_read_as_the_city_spells_it(tmp_path: Path):
    rows = [{"CaseNumber": str(i)} for i in range(6_000)] + [{"CaseNumber": "x", "Nro. Zona": "A1"}]
    path = tmp_path / "a.json"
    path.write_text(json.dumps(rows))
    read = read_rows(
        path, layouts.read_header(path), layouts.Layout("t", ("CASENUMBER",), ("NRO_ZONA",))
    )
    assert read["NRO_ZONA"].to_list() == [None] * 6_000 + ["A1"]


def test_a_cell_as_long_as_a_page_hides_no_key_behind_it(tmp_path: Path):
    path = tmp_path / "a.json"
    path.write_text(json.dumps([{"A": "x" * 200_000, "Beat": "A1"}, {"A": "y", "Beat": "A2"}]))
    assert layouts.read_header(path).names == ("A", "Beat")


@settings(max_examples=60)
@given(LINES, st.sampled_from(["\n", "", "\n  ", '\n1,x,"2"', "\n1,x,2"]), st.integers(1, 60))
def test_a_file_read_in_parts_is_the_file_read_at_once(tmp_path_factory, lines, end, size):
    path = tmp_path_factory.mktemp("parts") / "a.csv"
    path.write_text("\n".join([HEADER, *lines]) + end, newline="", encoding="utf-8")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_rows, "plain_fields", lambda *_: None)  # record by record
        at_once = rows_of(path)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(file_content, "_CHUNK", size)
        patched.setattr(file_content, "_BATCH", size)
        in_parts = rows_of(path)
    assert in_parts.equals(at_once)


def test_records_that_are_not_whole_wait_for_those_that_are(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(file_content, "_CHUNK", 8)
    monkeypatch.setattr(file_content, "_BATCH", 8)
    monkeypatch.setattr(file_rows, "_LINES_BACK", 2)
    lines = ["1,x,2", *['"', "y"] * 20, "3,x,4", '5,"x', *["y"] * 9, 'z",6', "7,x,8"]
    rows = rows_of(write_file(tmp_path / "a.csv", HEADER, *lines))
    good = rows.filter(rows[DEFECT].is_null())
    assert good.select("A", "C").rows() == [("1", "2"), ("3", "4"), ("5", "6"), ("7", "8")]
    assert rows["source_row"].to_list() == list(range(1, 45))


def test_columns_that_repeat_are_coded_and_say_the_same(tmp_path: Path, monkeypatch):
    """Records that are read by themselves among them, and markers that stand for nothing."""
    lines = [f"{i % 7 or ' n/a '},x,{i}" for i in range(9_000)]
    lines[7_000] = "4,x"
    path = write_file(tmp_path / "a.csv", HEADER, *lines)
    header = layouts.read_header(path)
    assert header is not None
    at_once = read_rows(path, header, LAYOUT)
    monkeypatch.setattr(file_content, "_BATCH", 60_000)
    monkeypatch.setattr(file_content, "_CHUNK", 10_000)
    monkeypatch.setattr(file_rows, "_PART_ROWS", 5_000)
    parts = list(read_row_parts(path, header, LAYOUT))
    assert [isinstance(part.schema["A"], pl.Categorical) for part in parts] == [True] * len(parts)
    assert len(parts) == 2
    assert {part.schema["C"] for part in parts} == {pl.String()}
    assert pl.concat(map(decoded, parts)).equals(at_once)
    assert at_once["A"].to_list()[:8] == [None, *"123456", None]


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.json", "a.json.gz"])
def test_the_digest_is_that_of_the_file(tmp_path: Path, name: str):
    text = '[{"a":"1","c":"2"}]' if "json" in name else f"{HEADER}\n1,2,3\n"
    path = write_file(tmp_path / name, text)
    header, digest = layouts.read_header(path), hashlib.sha256()
    assert header is not None
    assert read_rows(path, header, LAYOUT, digest).height == 1
    assert digest.digest() == hashlib.sha256(path.read_bytes()).digest()


def test_json_with_keys_left_out_and_values_that_are_no_text(tmp_path: Path):
    page = [{"a": "1", "c": "2", "d": {"a": "9"}}, {"b": 1}, {"a": 3, "c": 4.5}, {"a": None}]
    rows = rows_of(write_file(tmp_path / "a.json.gz", json.dumps(page)))
    assert rows.rows() == [
        (1, None, "1", "2"), (2, None, None, None), (3, None, "3", "4.5"), (4, None, None, None),
    ]  # fmt: skip


def test_json_elements_that_are_no_rows_are_set_apart(tmp_path: Path):
    rows = rows_of(write_file(tmp_path / "a.json", '[{"a":"1","c":2},7,null,{"a":3,"c":[1]}]'))
    assert rows.rows() == [
        (1, None, "1", "2"), (2, "no object", None, None), (3, "no object", None, None),
        (4, None, "3", "[1]"),
    ]  # fmt: skip


def test_a_key_that_the_first_rows_lack_is_still_read(tmp_path: Path):
    page = [{"a": "x" * 1000} for _ in range(200)] + [{"a": "1", "c": "2"}]
    rows = rows_of(write_file(tmp_path / "a.json", json.dumps(page)))
    assert rows["C"].to_list() == [None] * 200 + ["2"]


def test_a_file_that_was_cut_short_is_named(tmp_path: Path):
    path = write_file(tmp_path / "a.json", '[{"a":"1","c":"2"},{"a":')
    with pytest.raises(SourceError, match=r"a\.json is not whole JSON"):
        rows_of(path)
    packed = write_file(
        tmp_path / "b.csv.gz", HEADER, *(f"{i},{i * i},{i**3}" for i in range(9999))
    )
    packed.write_bytes(packed.read_bytes()[:-200])
    with pytest.raises(SourceError, match=r"b\.csv\.gz cannot be read to its end"):
        rows_of(packed)
