"""A verified case is in the restricted store and nowhere else in the whole workspace."""

from __future__ import annotations

import gzip
import sqlite3
import stat
import struct
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.schemas import raw, staging, verified
from htrisk_dagster_tests.defs.small_city import CANARY_LAT, CANARY_LON, CANARY_TYPE, City

TEXTS = (CANARY_TYPE, str(CANARY_LON), str(CANARY_LAT))
# As text in any file, and as the number that it is in a binary one.
MARKS = (
    *(text.encode() for text in TEXTS),
    *(struct.pack("<d", number) for number in (CANARY_LON, CANARY_LAT)),
)


def shows_canary(path: Path) -> bool:
    """Whether a file holds the case, unpacked where its format packs."""
    if path.suffix == ".parquet":
        return _frame_shows(pl.read_parquet(path, hive_partitioning=False))
    if path.suffix in (".npz", ".npy"):
        with np.load(path, allow_pickle=False) as stored:
            return any(mark in stored[name].tobytes() for name in stored.files for mark in MARKS)
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    return any(mark in content for mark in MARKS)


def _frame_shows(frame: pl.DataFrame) -> bool:
    for column in frame:
        if column.dtype == pl.String and column.str.contains_any(list(TEXTS)).any():
            return True
        if column.dtype.is_float() and column.is_in([CANARY_LON, CANARY_LAT]).any():
            return True
        if column.dtype == pl.Binary and any(
            mark in value for value in column.drop_nulls() for mark in MARKS
        ):
            return True
    return False


def files_below(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.is_file())


def test_the_case_was_read_into_the_restricted_store(city: City) -> None:
    """And a search finds it there: the other tests could not fail otherwise."""
    cases = city.workspace.restricted("nyc").read(raw.VERIFIED_CASES, ["all"])
    ours = cases.filter(pl.col("case_type") == CANARY_TYPE)

    assert ours.select("lon", "lat").rows() == [(CANARY_LON, CANARY_LAT)]
    assert any(shows_canary(p) for p in files_below(city.settings.restricted))
    assert shows_canary(city.published / "restricted" / "verified_cases.csv")


def test_it_is_nowhere_else(city: City) -> None:
    searched = [
        p for p in files_below(city.folder / "home")
        if city.settings.restricted not in p.parents
    ]  # fmt: skip
    layers = {p.relative_to(city.settings.workspace).parts[0] for p in searched}

    assert layers >= {"warehouse", "dagster", "mlflow", "dbt"}
    assert [str(p) for p in searched if shows_canary(p)] == []


def test_no_table_of_the_catalog_or_of_a_database_shows_it(city: City) -> None:
    with duckdb.connect(
        str(city.settings.warehouse / "warehouse.duckdb"), read_only=True
    ) as catalog:
        views = catalog.execute(
            "select schema_name, view_name from duckdb_views() where not internal"
        ).fetchall()
        assert ("raw", "complaints") in views
        assert "verified_cases" not in {name for _, name in views}
        for schema, name in views:
            assert not _frame_shows(catalog.sql(f'select * from {schema}."{name}"').pl()), name
    # SQLite stores text in the clear, but may split it over pages: read the rows too.
    for path in files_below(city.settings.workspace):
        if path.suffix == ".db":
            with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
                dump = "\n".join(database.iterdump())
            assert not any(text in dump for text in TEXTS), path


def test_only_its_owner_can_enter_the_restricted_folder(city: City) -> None:
    assert stat.S_IMODE(city.settings.restricted.stat().st_mode) == 0o700


def test_what_leaves_is_nothing_or_at_least_eleven(city: City) -> None:
    store = city.workspace.tables("nyc")
    counts = store.read(staging.VERIFIED_CASE_COUNTS)["cases_count"]
    counted = {"verified_hit_rate": "hits_count", "detection_funnel": "incidents_count"}

    assert counts.null_count() > 0, "some are suppressed"
    shown = [
        counts,
        *(store.read(t)[counted[t.name]] for t in verified.TABLES if t.name in counted),
    ]
    for column in shown:
        assert ((column.drop_nulls() == 0) | (column.drop_nulls() >= 11)).all()


def test_refused_cases_are_quarantined_beside_the_others(city: City) -> None:
    store, restricted = city.workspace.tables("nyc"), city.workspace.restricted("nyc")

    assert "verified_cases" in restricted.keys(raw.INTAKE)
    assert "verified_cases" not in store.keys(raw.INTAKE)
    assert "verified_cases" not in store.keys(raw.QUARANTINE)


@pytest.mark.parametrize("mode", [0o755, 0o777])
def test_a_folder_left_open_is_closed(city_copy: City, mode: int) -> None:
    city_copy.settings.restricted.chmod(mode)

    city_copy.workspace.restricted("nyc")

    assert stat.S_IMODE(city_copy.settings.restricted.stat().st_mode) == 0o700
