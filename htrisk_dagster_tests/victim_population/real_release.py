"""Records for tests: the real 2018 release, cleaned and as SQL sees it, and small invented ones."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import duckdb
import polars as pl
import pytest
from htrisk_dagster.schemas.victim_population import RECORDS
from htrisk_dagster.victim_population import ctdc_files, recode

PATH = (
    Path(__file__).parents[2].parent
    / "shared"
    / "data"
    / "ctdc"
    / "ctdc_kanon_global_2018_47k.csv.gz"
)


def clean_release() -> recode.Cleaned:
    """The release cleaned; the test is skipped where it is absent."""
    if not PATH.is_file():
        pytest.skip(f"{PATH} is absent: the 2018 release is needed")
    return _clean()


def ask(question: str) -> list[tuple]:
    """Rows that DuckDB finds in the file as published; the table is `release`."""
    release = duckdb.read_csv(str(PATH), all_varchar=True)  # noqa: F841, found by its name
    return duckdb.sql(question).fetchall()


def frame_of(columns: dict[str, list]) -> pl.DataFrame:
    """Records with these columns and every other column unknown."""
    n = len(next(iter(columns.values())))
    rest = {c: [None] * n for c in RECORDS.column_names if c not in columns}
    return RECORDS.conform(pl.DataFrame({**columns, **rest}, schema=RECORDS.polars_schema()))


@cache
def _clean() -> recode.Cleaned:
    return recode.clean(ctdc_files.read_file(PATH))
