"""Every asset check of our own passes on the city and fails on one planted fault, run by Dagster.

dbt's tests, which are asset checks too, are in `test_dbt_checks.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import partial
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.schemas import grid, predictions, raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.warehouse.catalog import build_catalog
from htrisk_dagster_tests.defs.small_city import City

NEWEST = "2024-04-05"
FROM_FILES = [
    t.name for t in (raw.COMPLAINTS, raw.FELONIES, raw.SHOOTINGS, raw.PERMITTED_EVENTS,
                     raw.TRANSIT_RIDERSHIP, raw.AIRPORT_PASSENGERS, raw.BOROUGHS, raw.PRECINCTS)
]  # fmt: skip

Change = Callable[[pl.DataFrame], pl.DataFrame]


def in_row(column: str, value: object, row: int = 0) -> Change:
    """Put one value into one row."""
    return lambda f: f.with_columns(
        pl.when(pl.int_range(pl.len()) == row)
        .then(pl.lit(value))
        .otherwise(column)
        .cast(f.schema[column])
        .alias(column)
    )


def ledger_row(read: int, kept: int, refused: int) -> Change:
    """Replace the ledger by one file of so many rows."""
    values = {
        "source": "any", "source_file": "any.csv", "layout": "CSV", "sha256": "0",
        "rows_read_count": read, "rows_kept_count": kept, "rows_quarantined_count": refused,
        "first_on": None, "last_on": None,
    }  # fmt: skip
    return lambda f: pl.DataFrame([values], schema=raw.INTAKE.polars_schema()).select(f.columns)


def without_cells(share: float) -> Change:
    """Lose the cell of a share of the incidents."""
    lost = pl.int_range(pl.len()) < share * pl.len()
    return lambda f: f.with_columns(pl.when(~lost).then("cell_id").alias("cell_id"))


def reported_before(day: date) -> Change:
    return lambda f: f.filter(pl.col("reported_on") < day)


def plant(table: Table | None, key: str, change: Change, city: City) -> None:
    """Change one stored partition, fingerprint and all else untouched by checks."""
    stored = table or features_table(city.area)
    store = city.workspace.tables("nyc")
    store.write_unchecked(stored, change(store.read(stored, [key])), key)


def plant_stale_reports(city: City) -> None:
    """No report of the last fortnight before the cutoff of 5 April."""
    for month in ("2024-03-01", "2024-04-01"):
        plant(grid.INCIDENT_CELLS, month, reported_before(date(2024, 3, 20)), city)


def plant_old_catalog(city: City) -> None:
    """A catalog from before there was any risk."""
    empty = city.folder / "before"
    build_catalog(empty, [predictions.CELL_DAY_RISK])
    (empty / "warehouse.duckdb").replace(city.settings.warehouse / "warehouse.duckdb")


risk = partial(plant, predictions.CELL_DAY_RISK, NEWEST)
features = partial(plant, None, NEWEST)
Fault = Callable[[City], None]

FAULTS: dict[tuple[str, str], list[Fault]] = {
    ("grid/incident_cells", "incidents_are_placed"): [
        partial(plant, grid.INCIDENT_CELLS, "2024-02-01", without_cells(1.0)),
    ],
    ("features/cell_day", "features_are_whole"): [
        partial(features, lambda f: f.head(-1)),
        partial(features, lambda f: pl.concat([f.head(-1), f.head(1)])),
        partial(features, in_row("incidents_mean_28", float("inf"), row=17)),
    ],
    ("features/cell_day", "reports_are_fresh"): [plant_stale_reports],
    ("predictions/cell_day_risk", "schema"): [
        partial(risk, lambda f: f.with_columns(pl.col("rank").cast(pl.Int64))),
        partial(risk, lambda f: f.drop("band")),
        partial(risk, lambda f: f.with_columns(pl.lit("suspect").alias("note"))),
        partial(risk, in_row("model", None, row=5)),
        partial(risk, in_row("band", "extreme")),
        partial(risk, lambda f: pl.concat([f.head(-1), f.head(1)])),
    ],
    ("predictions/cell_day_risk", "every_cell_every_day"): [
        partial(risk, lambda f: f.head(-1)),
        partial(risk, lambda f: f.clear()),
    ],
    ("predictions/cell_day_risk", "probabilities_in_0_1"): [
        partial(risk, in_row("risk_prob", 0.0, row=3)),
        partial(risk, in_row("risk_prob", 1.0, row=3)),
        partial(risk, in_row("risk_prob", float("nan"), row=3)),
        partial(risk, in_row("risk_prob", None, row=3)),
    ],
    ("predictions/cell_day_risk", "cells_in_area"): [
        partial(risk, in_row("cell_id", 999_999)),
        # The grid itself, in the Atlantic.
        partial(plant, grid.CELLS, "all", in_row("lon", -70.0, row=100)),
    ],
    ("predictions/cell_day_risk", "sum_near_recent_totals"): [
        partial(risk, lambda f: f.with_columns(pl.col("expected_count") * 10)),
        partial(risk, lambda f: f.with_columns(pl.col("expected_count") / 10)),
    ],
    ("predictions/cell_day_risk", "catalog_shows_every_row"): [plant_old_catalog],
    **{
        (f"raw/{table}", "rows_are_accounted"): [
            partial(plant, raw.INTAKE, table, ledger_row(100, 98, 1)),
            # The ledger adds up, and the refused rows are nowhere.
            partial(plant, raw.INTAKE, table, ledger_row(100, 90, 10)),
        ]
        for table in FROM_FILES
    },
    **{
        (f"raw/{table}", "few_rows_are_refused"): [
            partial(plant, raw.INTAKE, table, ledger_row(100, 40, 60)),
        ]
        for table in FROM_FILES
    },
}  # fmt: skip
WARNS = {"few_rows_are_refused"}


@pytest.fixture(scope="module")
def spoilt(city: City, tmp_path_factory: pytest.TempPathFactory) -> City:
    """A copy of the city for faults, each undone after its test."""
    return city.copy_to(tmp_path_factory.mktemp("spoilt") / "city")


@pytest.fixture(scope="module")
def evaluate(spoilt: City) -> Iterator[Callable[[str], dict[str, dg.AssetCheckEvaluation]]]:
    """Run the checks of one asset as the UI does, by themselves."""
    assets = sorted({asset for asset, _ in FAULTS})
    jobs = [
        dg.define_asset_job(
            asset.replace("/", "_"),
            dg.AssetSelection.checks_for_assets(dg.AssetKey(["nyc", *asset.split("/")])),
        )
        for asset in assets
    ]
    definitions = dg.Definitions.merge(spoilt.definitions, dg.Definitions(jobs=jobs))
    with spoilt.instance() as instance:

        def run(asset: str) -> dict[str, dg.AssetCheckEvaluation]:
            job = definitions.resolve_job_def(asset.replace("/", "_"))
            result = job.execute_in_process(instance=instance)
            assert result.success
            return {e.check_name: e for e in result.get_asset_check_evaluations()}

        yield run


@contextmanager
def undone(city: City) -> Iterator[None]:
    """Put the files of the warehouse back that a fault has changed."""
    warehouse = city.settings.warehouse
    layers = ("raw", "grid", "features", "predictions")
    before = {
        path: (path.stat().st_mtime_ns, path.stat().st_ino)
        for layer in layers for path in (warehouse / layer).rglob("*.parquet")
    }  # fmt: skip
    kept = {}
    for table, key in (*((t, NEWEST) for t in (predictions.CELL_DAY_RISK, features_table(city.area))),
                       (grid.CELLS, "all"), *((grid.INCIDENT_CELLS, f"2024-0{m}-01") for m in (2, 3, 4)),
                       *((raw.INTAKE, t) for t in FROM_FILES)):  # fmt: skip
        path = city.workspace.tables("nyc").path(table, key)
        kept[path] = path.read_bytes()
    try:
        yield
    finally:
        changed = [
            p for p, seen in before.items() if (p.stat().st_mtime_ns, p.stat().st_ino) != seen
        ]
        for path in changed:
            path.write_bytes(kept[path])
        city.workspace.build_catalog()
