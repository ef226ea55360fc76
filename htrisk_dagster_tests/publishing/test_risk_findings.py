from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.publishing import risk_findings as rules
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.study_areas.area import BoundingBox
from scipy import stats

N_CELLS = 3


@pytest.fixture
def risk() -> pl.DataFrame:
    """Two days of three cells; each day expects 1.0."""
    return risk_table(
        np.array([[0.2, 0.5, 0.3], [0.5, 0.25, 0.25]]),
        np.array(["2015-07-01", "2015-07-02"], dtype="datetime64[D]"),
        intervals=CountIntervals.of_size(np.inf),
        target="shootings",
        model="empirical_bayes",
        trained_before=date(2015, 6, 30),
    )


def changed(risk: pl.DataFrame, column: str, value: object, row: int = 4) -> pl.DataFrame:
    """`risk` with one value of row 4, cell 1 on 2 July, replaced."""
    here = pl.int_range(pl.len()) == row
    return risk.with_columns(
        pl.when(here).then(pl.lit(value, dtype=risk.schema[column])).otherwise(column).alias(column)
    )


def test_schema(risk):
    found = rules.schema_holds(risk)
    assert (found.holds, found.sentence) == (True, "Columns are as described.")
    broken = rules.schema_holds(changed(risk, "band", "extreme").drop("rank"))
    assert not broken.holds
    assert "predictions.cell_day_risk: column 'rank' is missing." in broken.sentence
    assert "column 'band' has 'extreme' at row 4" in broken.sentence


def test_every_cell_every_day(risk):
    found = rules.every_cell_every_day(risk, N_CELLS)
    assert (found.holds, found.sentence) == (True, "Every day has 3 rows.")
    assert found.figures == {"rows": 6}
    less = rules.every_cell_every_day(risk[:5], N_CELLS)
    assert (less.holds, less.sentence) == (False, "2015-07-02 has 2 rows; the grid has 3 cells.")
    none = rules.every_cell_every_day(risk[:0], N_CELLS)
    assert (none.holds, none.sentence) == (False, "There is no row at all.")


def test_probabilities_are_open(risk):
    found = rules.probabilities_are_open(risk)
    assert (found.holds, found.sentence) == (True, "All probabilities lie in (0, 1).")
    assert found.figures["highest"] == pytest.approx(1 - np.exp(-0.5))


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("risk_prob", 0.0), ("risk_prob", 1.0), ("risk_prob", float("nan")), ("risk_prob", None),
        ("expected_count", 0.0), ("expected_count", float("nan")), ("expected_count", None),
        ("expected_count", float("inf")),
    ],
)  # fmt: skip
def test_probabilities_that_are_not_open_are_told(risk, column, value):
    wrong = changed(risk, column, value)
    row = wrong.row(4, named=True)
    found = rules.probabilities_are_open(wrong)
    assert (found.holds, found.sentence) == (
        False,
        "1 rows have no probability strictly between 0 and 1 or no positive forecast; first: cell 1 "
        f"on 2015-07-02 with probability {row['risk_prob']}, forecast {row['expected_count']}.",
    )


CELLS = pl.DataFrame(
    {"cell_id": [0, 1, 2], "lon": [-74.0, -73.9, -73.8], "lat": [40.6, 40.7, 40.8]},
    schema_overrides={"cell_id": pl.Int32},
)
BOX = BoundingBox(west=-74, south=40.5, east=-73.7, north=40.9)


def test_cells_are_in_area(risk):
    found = rules.cells_are_in_area(risk, CELLS, BOX)
    assert (found.holds, found.sentence) == (True, "All 3 cells lie in the study area.")


@pytest.mark.parametrize(
    ("box", "where"),
    [
        (BOX.model_copy(update={"west": -73.95}), "cell 0 at longitude -74.0, latitude 40.6"),
        (BOX.model_copy(update={"east": -73.85}), "cell 2 at longitude -73.8, latitude 40.8"),
        (BOX.model_copy(update={"south": 40.65}), "cell 0 at longitude -74.0, latitude 40.6"),
        (BOX.model_copy(update={"north": 40.75}), "cell 2 at longitude -73.8, latitude 40.8"),
    ],
)
def test_cells_outside_the_area_are_told(risk, box, where):
    found = rules.cells_are_in_area(risk, CELLS, box)
    assert (found.holds, found.sentence) == (
        False, f"1 cells are not in the study area; first: {where}.",
    )  # fmt: skip


def test_a_cell_that_does_not_exist_is_told(risk):
    found = rules.cells_are_in_area(changed(risk, "cell_id", 77), CELLS, BOX)
    assert not found.holds
    assert "first: cell 77 at longitude None, latitude None." in found.sentence


def test_sum_is_near_recent_totals(risk):
    assert rules.sum_is_near_recent_totals(risk, 1.0).holds
    found = rules.sum_is_near_recent_totals(risk, 3.5)
    # Within half the lower end of the 99.9% interval of a Poisson count of 91 x 3.5, per day.
    lower, upper = stats.poisson.ppf([0.0005, 0.9995], 91 * 3.5) / 91 * [0.5, 2]
    assert lower > 1
    assert (found.holds, found.sentence) == (
        False,
        "2 days are far from the recent mean of 3.50 a day; first: 2015-07-01 expects 1.00, outside "
        f"{lower:.2f} to {upper:.2f}.",
    )
    assert found.figures == {"expected_mean": 1.0, "recent_mean": 3.5}
    assert not rules.sum_is_near_recent_totals(risk, 0.2).holds


def test_a_sum_that_is_wrong_on_one_day_is_told_with_the_day(risk):
    found = rules.sum_is_near_recent_totals(changed(risk, "expected_count", 9.0), 1.0)
    assert not found.holds
    assert found.sentence.startswith(
        "1 days are far from the recent mean of 1.00 a day; first: 2015-07-02"
    )


def test_a_rare_target_does_not_fail_by_luck(risk):
    # 411 in 820 days is one in two days; the last 91 days may have had 25 or 66 by chance alone.
    half = risk.with_columns(pl.col("expected_count") * 411 / 820)
    for recent in (25, 66):
        assert rules.sum_is_near_recent_totals(half, recent / 91).holds
    assert not rules.sum_is_near_recent_totals(half, 0.0).holds
    nothing = risk.with_columns(pl.col("expected_count") * 0.01)
    assert rules.sum_is_near_recent_totals(nothing, 0.0).holds


def test_no_row_is_no_sum(risk):
    found = rules.sum_is_near_recent_totals(risk[:0], 1.0)
    assert (found.holds, found.sentence) == (False, "There is no row at all.")
    assert rules.probabilities_are_open(risk[:0]).figures == {}


def test_catalog_agrees(risk):
    found = rules.catalog_agrees(risk, 6)
    assert (found.holds, found.figures) == (True, {"rows_in_catalog": 6})
    assert found.sentence == "The catalog shows 6 rows; the partitions hold 6."
    less = rules.catalog_agrees(risk, 3)
    assert (less.holds, less.sentence) == (
        False,
        "The catalog shows 3 rows; the partitions hold 6. Another process may be writing; materialise "
        "the days again.",
    )
