"""Each rule about context passes on what it should and fails on what it should not."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.grid.context_findings import (
    counts_are_kept,
    rates_are_means,
    residents_are_kept,
    values_are_dated,
)
from htrisk_dagster.schemas import context as tables

DATES = {"period_on": date(2023, 12, 31), "known_on": date(2024, 12, 12)}
REST = {"margin_of_error": None, "is_approximate": True}


def cells_of(*rows: tuple[int, str, float]) -> pl.DataFrame:
    frame = pl.DataFrame(list(rows), schema=["cell_id", "variable", "value"], orient="row")
    return tables.CELLS.conform(
        frame.with_columns(pl.lit(v).alias(k) for k, v in (DATES | REST).items())
    )


@pytest.fixture
def cells() -> pl.DataFrame:
    return cells_of(
        (0, "residents_count", 60.0), (1, "residents_count", 40.0),
        (0, "acs_residents_count", 90.0), (1, "acs_residents_count", 30.0),
        (0, "poverty_pct", 10.0), (1, "poverty_pct", 24.0),
    )  # fmt: skip


@pytest.fixture
def areas() -> pl.DataFrame:
    rows = [
        ("neighbourhood", "AA0001", "acs_residents_count", 120.0),
        ("neighbourhood", "DD0001", "acs_residents_count", 7.0),  # without a lot
        ("precinct", "1", "acs_residents_count", 500.0),
        ("neighbourhood", "AA0001", "poverty_pct", 10.0),
        ("neighbourhood", "BB0001", "poverty_pct", 24.0),
        ("precinct", "1", "poverty_pct", 99.0),
    ]
    frame = pl.DataFrame(rows, schema=["area_type", "area_id", "variable", "value"], orient="row")
    return tables.AREAS.conform(
        frame.with_columns(pl.lit(v).alias(k) for k, v in (DATES | REST).items())
    )


@pytest.fixture
def shared() -> pl.DataFrame:
    return tables.CELL_NEIGHBOURHOODS.conform(
        pl.DataFrame(
            {"cell_id": [0, 1], "neighbourhood": "AA0001", "residents_count": [60.0, 40.0],
             "lots_count": 1}
        )
    )  # fmt: skip


LOTS = pl.DataFrame(
    {"neighbourhood": ["AA0001", "AA0001", None], "residents_count": [60.0, 40.0, 9.0]}
)


def test_residents_are_kept(cells):
    finding = residents_are_kept(cells, LOTS)
    assert finding.holds
    assert finding.figures == {"residents": 100.0}
    lost = residents_are_kept(cells.filter(pl.col("cell_id") == 0), LOTS)
    assert not lost.holds
    assert lost.sentence == "The cells hold 60.000 residents; their lots hold 100.000."
    assert residents_are_kept(cells.clear(), LOTS.clear()).holds
    assert not residents_are_kept(cells.clear(), LOTS).holds


def test_counts_are_kept(cells, areas, shared):
    finding = counts_are_kept(cells, areas, shared)
    assert finding.holds
    assert finding.figures == {"residents_of_survey": 120.0, "without_a_lot": 7.0}
    assert not counts_are_kept(cells.filter(pl.col("cell_id") == 0), areas, shared).holds
    assert not counts_are_kept(pl.concat([cells, cells]), areas, shared).holds


def test_rates_are_means(cells, areas):
    assert rates_are_means(cells, areas).holds
    too_high = rates_are_means(cells_of((5, "poverty_pct", 24.1)), areas)
    assert not too_high.holds
    assert too_high.sentence == (
        "poverty_pct of cell 5 is 24.1, outside its neighbourhoods' 10.0 to 24.0; 1 such values."
    )
    assert not rates_are_means(cells_of((5, "unemployment_pct", 3.0)), areas).holds


def test_values_are_dated(cells):
    assert values_are_dated(cells, 2).holds
    assert not values_are_dated(cells, 1).holds
    early = cells.with_columns(known_on=pl.lit(date(2023, 12, 30)))
    assert "6 values are known before" in values_are_dated(early, 2).sentence
    assert not values_are_dated(early, 2).holds
    assert not values_are_dated(pl.concat([cells, cells]), 2).holds
