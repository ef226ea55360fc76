"""A snapshot is whole, says what it is, is never changed, and gives way to the next by a link."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from htrisk_dagster.errors import MissingPartitionError, TableError
from htrisk_dagster.publishing.snapshot import (
    LINK,
    SnapshotTable,
    newest_snapshot,
    read_header,
    write_snapshot,
)
from htrisk_dagster.schemas.grid import CELLS
from htrisk_dagster_tests.dashboard.small_snapshot import HEADER, cells, risk, write


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("published") / "nyc"
    write(folder)
    return folder


@pytest.fixture
def connection(folder):
    with duckdb.connect(str(newest_snapshot(folder)), read_only=True) as connection:
        yield connection


def test_the_link_is_relative_and_names_the_file(folder):
    assert (folder / LINK).readlink() == Path("risk-0123456789abcdef.duckdb")
    assert newest_snapshot(folder).stat().st_mode & 0o222 == 0, "nobody may write"


def test_it_says_what_it_is(connection):
    assert read_header(connection) == HEADER
    contents = connection.sql("from snapshot.contents").pl().rows_by_key("table", named=True)
    (about,) = contents["predictions.cell_day_risk"]
    assert about["rows_count"] == 1_200
    assert (about["first_on"], about["last_on"]) == (date(2024, 11, 30), date(2024, 12, 2))
    assert about["made_from"] == "feedc0de"
    assert contents["grid.cells"][0]["last_on"] is None


def test_what_an_older_one_does_not_say_is_what_it_was_then(folder, tmp_path):
    path = tmp_path / "old.duckdb"
    path.write_bytes(newest_snapshot(folder).read_bytes())
    with duckdb.connect(str(path)) as old:
        old.execute("alter table snapshot.header drop column cells_are_areas")
        assert read_header(old) == replace(HEADER, cells_are_areas=False)


def test_risk_lies_by_day_and_by_cell(connection):
    by_day = connection.sql("from predictions.cell_day_risk").pl()
    by_cell = connection.sql("from predictions.cell_day_risk_by_cell").pl()
    assert by_day.equals(risk())
    assert by_cell.equals(risk().sort("cell_id", "risk_on"))


def test_the_next_one_takes_the_link_and_leaves_readers_what_they_have(tmp_path):
    first = write(tmp_path)
    with duckdb.connect(str(first), read_only=True) as reader:
        second = write(tmp_path, replace(HEADER, made_from="feed"))
        assert newest_snapshot(tmp_path) == second != first
        assert read_header(reader) == HEADER
        assert reader.sql("select count(*) from grid.cells").fetchall() == [(400,)]
    with duckdb.connect(str(second), read_only=True) as reader:
        assert read_header(reader).made_from == "feed"


def test_the_newest_five_are_kept(tmp_path):
    for number in range(7):
        path = write_snapshot(
            tmp_path, replace(HEADER, made_from=f"{number}"), [SnapshotTable(CELLS, cells())]
        )
        os.utime(path, (1_000 + number, 1_000 + number))
    assert sorted(p.name for p in tmp_path.glob("risk-*")) == [
        f"risk-{n}.duckdb" for n in range(2, 7)
    ]


def test_a_table_that_breaks_its_schema_leaves_the_link_as_it_was(tmp_path):
    first = write(tmp_path)
    wrong = cells().with_columns(land_share=pl.lit(2.0))
    with pytest.raises(TableError, match="land_share"):
        write_snapshot(tmp_path, replace(HEADER, made_from="bad"), [SnapshotTable(CELLS, wrong)])
    assert newest_snapshot(tmp_path) == first
    assert [p.name for p in tmp_path.iterdir() if "bad" in p.name] == []


def test_nothing_published_is_said(tmp_path):
    with pytest.raises(MissingPartitionError, match="Nothing has been published in "):
        newest_snapshot(tmp_path)
