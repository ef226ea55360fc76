"""A planted relation is found and told; none is claimed where there is none or too little."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.context_relation import (
    Reports,
    Variable,
    blocks_of,
    context_variables,
    relate,
)
from htrisk_dagster.features.context import ContextInputs
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas import context as tables
from htrisk_dagster.schemas import context_sources
from htrisk_dagster.study_areas.area import ContextPart

SIDE = 70  # cells: 35 km, 16 blocks of 10 km
PERIOD = (date(2022, 1, 1), date(2023, 12, 31))


@pytest.fixture(scope="module")
def grid() -> Grid:
    row, col = (axis.ravel() for axis in np.indices((SIDE, SIDE)))
    n = SIDE**2
    cells = pl.DataFrame(
        {
            "cell_id": np.arange(n), "col": col, "row": row,
            "x_m": 585_000 + 500 * (col + 0.5), "y_m": 4_510_000 + 500 * (row + 0.5),
            "lon": -74.0, "lat": 40.7, "land_share": np.where(col % 7 == 0, 0.5, 1.0),
            "precinct": 1 + (row >= 35), "borough": np.where(col < 35, "WEST", "EAST"),
        }
    )  # fmt: skip
    return Grid.from_cells(cells, "EPSG:32618", 500)


@pytest.fixture(scope="module")
def reports_and_hotels(grid) -> tuple[Reports, np.ndarray, float]:
    """Hotels of which one standard deviation of log(1 + n) multiplies reports by 1.5."""
    rng = np.random.default_rng(5)
    hotels = rng.poisson(rng.gamma(0.4, 1.0, grid.n_cells)).astype(float)
    z = (np.log1p(hotels) - np.log1p(hotels).mean()) / np.log1p(hotels).std()
    km2_years = grid.cells["land_share"].to_numpy() * 0.25 * 730 / 365.25
    west = grid.cells["borough"].to_numpy() == "WEST"
    counts = rng.poisson(km2_years * np.exp(0.7 + 0.5 * west + np.log(1.5) * z)).astype(float)
    return Reports("robbery", counts, *PERIOD), hotels, 1.5


def relation(reports: Reports, name: str, values: np.ndarray, grid: Grid) -> dict[str, object]:
    return relate(reports, [Variable(name, date(2023, 12, 31), values)], grid).row(0, named=True)


def test_a_planted_ratio_is_found_and_told(reports_and_hotels, grid):
    reports, hotels, ratio = reports_and_hotels
    row = relation(reports, "hotels_count", hotels, grid)
    assert row["rate_ratio"] == pytest.approx(ratio, rel=0.03)
    assert 1 < row["rate_ratio_low"] < ratio < row["rate_ratio_high"]
    assert row["deviance_gain_pct"] > 5
    assert row["blocks_improved_share"] == 1.0
    assert (row["scale"], row["blocks_count"], row["cells_count"]) == ("log1p", 16, SIDE**2)
    assert row["incidents_count"] == reports.counts.sum()
    assert row["sentence"] == (
        "Where the number of hotels is one standard deviation higher on the log scale, cells had "
        f"{row['rate_ratio']:.2f} times ({row['rate_ratio_low']:.2f} to {row['rate_ratio_high']:.2f}) the "
        "reported incidents (robbery) a square kilometre of their borough; out of block it explains "
        f"{row['deviance_gain_pct']:.1f}% of the deviance and forecasts 100% of 16 blocks better. This is "
        "association at the level of places, not cause."
    )


def test_no_relation_is_claimed_where_there_is_none(reports_and_hotels, grid):
    reports, *_ = reports_and_hotels
    noise = np.random.default_rng(8).uniform(0, 40, grid.n_cells)
    row = relation(reports, "poverty_pct", noise, grid)
    assert row["rate_ratio_low"] < 1 < row["rate_ratio_high"]
    assert abs(row["deviance_gain_pct"]) < 0.5
    assert "which no difference at all would also give" in row["sentence"]
    assert row["scale"] == "linear"


def test_cells_without_the_variable_are_left_out(reports_and_hotels, grid):
    reports, hotels, _ = reports_and_hotels
    some = np.where(np.arange(grid.n_cells) % 3 == 0, np.nan, hotels)
    row = relation(reports, "hotels_count", some, grid)
    assert row["cells_count"] == np.isfinite(some).sum()
    assert row["incidents_count"] == reports.counts[np.isfinite(some)].sum()


def test_values_of_later_years_than_the_reports_are_told_so(reports_and_hotels, grid):
    reports, hotels, _ = reports_and_hotels
    later = Variable("hotels_count", date(2025, 12, 31), hotels)
    sentence = relate(reports, [later], grid)["sentence"].item()
    assert sentence.endswith(
        "not cause. The values speak of 2025, later than the reports, which end in 2023."
    )


@pytest.mark.parametrize("lack", ["incidents", "difference", "cells"])
def test_too_little_is_said_so(reports_and_hotels, grid, lack):
    reports, hotels, _ = reports_and_hotels
    counts, values = reports.counts, hotels
    if lack == "incidents":
        counts = np.zeros_like(counts)
        counts[:29] = 1
    elif lack == "difference":
        values = np.ones_like(hotels)
    else:
        values = np.full_like(hotels, np.nan)
    row = relation(Reports("robbery", counts, *PERIOD), "hotels_count", values, grid)
    assert row["rate_ratio"] is None
    assert row["deviance_gain_pct"] is None
    assert row["sentence"].startswith("Too little to relate robbery and the number of hotels: ")


def test_a_borough_with_few_incidents_does_no_harm(reports_and_hotels, grid):
    reports, hotels, _ = reports_and_hotels
    counts = reports.counts.copy()
    east = grid.cells["borough"].to_numpy() == "EAST"
    counts[east] = 0
    counts[np.flatnonzero(east)[:3]] = 1
    row = relation(Reports("robbery", counts, *PERIOD), "hotels_count", hotels, grid)
    assert row["rate_ratio"] is not None
    assert np.isfinite(row["deviance_gain_pct"])


def test_blocks_are_squares_of_ten_kilometres(grid):
    block = blocks_of(grid, np.arange(grid.n_cells), 10.0)
    assert block.max() == 15
    col, row = grid.cells["col"].to_numpy(), grid.cells["row"].to_numpy()
    first = block == block[0]
    np.testing.assert_array_equal(first, (col < 20) & (row < 20))


def test_variables_are_the_newest_of_each_and_the_periods_news(grid):
    def rows(variable: str, period: date, value: float) -> pl.DataFrame:
        return tables.CELLS.conform(
            pl.DataFrame(
                {
                    "cell_id": [0, 1], "variable": variable, "period_on": period,
                    "known_on": period, "value": value, "margin_of_error": None,
                    "is_approximate": False,
                }
            )
        )  # fmt: skip

    news = context_sources.NEWS_SENTIMENT.conform(
        pl.DataFrame(
            {
                "area_type": "borough", "area_id": "WEST", "lon": None, "lat": None,
                "published_on": [date(2021, 12, 31), PERIOD[0], PERIOD[1], date(2024, 1, 1)],
                "texts_count": [9, 1, 3, 9], "sentiment_mean": [-1.0, 0.4, 0.0, -1.0],
                "negative_share": [1.0, 0.0, 0.5, 1.0],
            }
        )
    )  # fmt: skip
    inputs = ContextInputs(
        ContextPart.model_validate({"news_sentiment": {"lag_days": 1, "window_days": 28}}),
        pl.concat([rows("hotels_count", date(2021, 12, 31), 1.0),
                   rows("hotels_count", date(2022, 12, 31), 2.0)]),
        tables.CELL_NEIGHBOURHOODS.empty(),
        news,
        context_sources.ADVERT_COUNTS.empty(),
    )  # fmt: skip
    reports = Reports("robbery", np.zeros(grid.n_cells), *PERIOD)
    found = {v.name: v for v in context_variables(inputs, grid, reports)}
    assert found["hotels_count"].period_on == date(2022, 12, 31)
    assert found["hotels_count"].values[:2].tolist() == [2.0, 2.0]
    assert np.isnan(found["hotels_count"].values[2:]).all()
    west = grid.cells["borough"].to_numpy() == "WEST"
    # Only the two days of the period, by texts: (1 x 0.4 + 3 x 0) / 4 and 4 texts in 730 days.
    assert found["news_polarity"].values[west] == pytest.approx(0.1)
    assert found["news_negative_share"].values[west] == pytest.approx(1.5 / 4)
    assert found["news_texts_mean"].values[west] == pytest.approx(4 / 730)
    assert np.isnan(found["news_polarity"].values[~west]).all()
