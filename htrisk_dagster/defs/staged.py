"""Move what dbt has built and tested into the warehouse, checked against the dictionary.

Belongs here: the step between dbt's folder and the warehouse. Does not: dbt itself.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import marts, staging
from htrisk_dagster.study_areas.area import StudyArea

DBT_TABLES = (
    *(t for t in staging.TABLES if t is not staging.VERIFIED_CASE_COUNTS),
    *marts.TABLES,
)


def publish_staged(workspace: Workspace, area: StudyArea, folder: Path) -> None:
    """Write every model in `folder` into the warehouse; all are checked before the first is.

    Raises
    ------
    TableError
        Where a model breaks the dictionary; the warehouse keeps what it had.
    """
    frames = {t: t.conform(_rows(folder / f"{t.name}.parquet")) for t in DBT_TABLES}
    made_from = MadeFrom(workspace, area).staging()
    store = workspace.tables(area.name)
    for table, frame in frames.items():
        store.write_unchecked(table, frame, made_from=made_from)
    workspace.build_catalog()


def _rows(path: Path) -> pl.DataFrame:
    # dbt-duckdb writes a model without rows as one row of nulls, and filters it out in its view.
    return pl.read_parquet(path).filter(~pl.all_horizontal(pl.all().is_null()))
