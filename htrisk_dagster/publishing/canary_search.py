"""Search for the planted case in files that people are given.

Belongs here: whether a file of any kind shows the canary, and the table of a search. Does not: the
case (`sources/canary_case`), which files are published (`defs/governed.py`).
"""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import polars as pl

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.governance import CANARY_SEARCH, CONTROL
from htrisk_dagster.sources.canary_case import Canary


def shows(path: Path, canary: Canary) -> bool:
    """Whether a file holds the case, unpacked where its format packs."""
    if path.suffix == ".parquet":
        return _frame_shows(pl.read_parquet(path, hive_partitioning=False), canary)
    if path.suffix == ".duckdb":
        return _database_shows(path, canary)
    if path.suffix in (".npz", ".zip"):
        with zipfile.ZipFile(path) as packed:
            return any(_bytes_show(packed.read(name), canary) for name in packed.namelist())
    content = path.read_bytes()
    return _bytes_show(gzip.decompress(content) if path.suffix == ".gz" else content, canary)


def _bytes_show(content: bytes, canary: Canary) -> bool:
    return any(mark in content for mark in canary.marks)


def _frame_shows(frame: pl.DataFrame, canary: Canary) -> bool:
    texts = [canary.text, repr(canary.lon), repr(canary.lat)]
    return any(
        (column.dtype == pl.String and bool(column.str.contains_any(texts).any()))
        or (column.dtype.is_float() and bool(column.is_in([canary.lon, canary.lat]).any()))
        or (
            column.dtype == pl.Binary
            and any(_bytes_show(value, canary) for value in column.drop_nulls())
        )
        for column in frame
    )


def _database_shows(path: Path, canary: Canary) -> bool:
    """Look at every table; views are of files that are searched themselves."""
    with duckdb.connect(str(path), read_only=True) as database:
        names = database.execute(
            "select schema_name, table_name from duckdb_tables() where not internal"
        ).fetchall()
        return any(
            _frame_shows(database.execute(f'select * from "{schema}"."{name}"').pl(), canary)
            for schema, name in names
        )


def search(places: Mapping[str, Iterable[Path]], canary: Canary, *, control: Path) -> pl.DataFrame:
    """Search files by place, and the restricted store to see that the search finds anything.

    Parameters
    ----------
    places : mapping of str to paths
        Files that people are given, by what they are.
    canary : Canary
    control : Path
        The partition of the verified cases.

    Returns
    -------
    DataFrame
        Columns of `schemas.governance.CANARY_SEARCH` but `risk_on`. How many files were there to be
        searched is not told: more of them at another hour would be another search of the same day.
    """
    rows = []
    for place, paths in (*places.items(), (CONTROL, [control] if control.is_file() else [])):
        files = sorted(paths)
        found = [path for path in files if shows(path, canary)]
        rows.append(
            {
                "place": place,
                "found_count": len(found),
                "first_found": found[0].name if found and place != CONTROL else None,
            }
        )
    schema = {k: v for k, v in CANARY_SEARCH.polars_schema().items() if k != "risk_on"}
    return pl.DataFrame(rows, schema=schema)


def of_day(found: pl.DataFrame, day: date) -> pl.DataFrame:
    """A search as the table of one day."""
    return CANARY_SEARCH.conform(found.with_columns(pl.lit(day).alias("risk_on")))


def canary_is_nowhere(searched: pl.DataFrame) -> Finding:
    """The planted case is found where it was planted and nowhere else."""
    problems = CANARY_SEARCH.problems(searched)
    if problems or searched.is_empty():
        return Finding(False, " ".join(problems) or "Nothing was searched.")
    control = searched.filter(place=CONTROL)
    if control.is_empty() or control["found_count"].min() == 0:
        return Finding(
            False,
            "The planted case is not in the restricted store either, so that the search says "
            "nothing. Materialise restricted/verified_cases.",
        )
    public = searched.filter(pl.col("place") != CONTROL)
    leaks = public.filter(pl.col("found_count") > 0)
    if leaks.height:
        row = leaks.row(0, named=True)
        return Finding(
            False,
            f"The planted case is in {row['first_found']} ({row['place']}): rows of verified "
            "cases leave their store. Release nothing, and find out how.",
        )
    if public.is_empty():
        return Finding(False, "Nothing but the restricted store was searched.")
    places = ", ".join(public["place"].unique().sort())
    return Finding(True, f"The planted case is in none of these: {places}.")
