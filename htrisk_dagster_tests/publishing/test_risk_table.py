from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.publishing.risk_table import daily_rank, risk_table
from htrisk_dagster.schemas.predictions import CELL_DAY_RISK
from scipy import stats

DAYS = np.array(["2015-07-01", "2015-07-02"], dtype="datetime64[D]")


def table_of(expected: np.ndarray, dispersion: float) -> pl.DataFrame:
    return risk_table(
        expected,
        DAYS[: len(expected)],
        intervals=CountIntervals.of_size(dispersion),
        target="shootings",
        model="empirical_bayes",
        trained_before=date(2015, 6, 30),
    )


def test_rank_by_hand_with_ties():
    expected = np.array([[0.1, 0.4, 0.2, 0.4, 0.1], [5, 4, 3, 2, 1]])
    ranks = daily_rank(expected)
    # The lower cell number wins a tie.
    assert ranks.tolist() == [[4, 1, 3, 2, 5], [1, 2, 3, 4, 5]]
    assert ranks.dtype == np.int32


def test_many_ties_are_broken_by_cell_number():
    expected = np.random.default_rng(1).integers(1, 4, (2, 500)) / 10
    for day, ranks in zip(expected, daily_rank(expected), strict=True):
        order = sorted(range(500), key=lambda cell: (-day[cell], cell))
        assert [ranks[cell] for cell in order] == list(range(1, 501))


def test_rows_are_in_order_of_day_and_cell():
    expected = np.array([[0.1, 0.3, 0.2], [0.6, 0.5, 0.4]])
    found = table_of(expected, np.inf)
    assert CELL_DAY_RISK.problems(found) == []
    assert found["risk_on"].to_list() == [date(2015, 7, 1)] * 3 + [date(2015, 7, 2)] * 3
    assert found["cell_id"].to_list() == [0, 1, 2] * 2
    assert found["expected_count"].to_list() == [0.1, 0.3, 0.2, 0.6, 0.5, 0.4]
    assert found["rank"].to_list() == [3, 1, 2, 1, 2, 3]
    assert found["target"].unique().to_list() == ["shootings"]
    assert found["model"].unique().to_list() == ["empirical_bayes"]
    assert found["trained_before"].unique().to_list() == [date(2015, 6, 30)]


@pytest.fixture
def expected() -> np.ndarray:
    """From one in a million to a crowd."""
    return np.geomspace(1e-6, 40, 2 * 300).reshape(2, 300)


@pytest.mark.parametrize("size", [0.3, 2.0, np.inf])
def test_probability_is_the_closed_form(expected, size):
    found = table_of(expected, size)["risk_prob"].to_numpy()
    mean = expected.ravel()
    closed = 1 - np.exp(-mean) if np.isinf(size) else 1 - (size / (size + mean)) ** size
    np.testing.assert_allclose(found, closed, rtol=1e-9)
    # The smallest are near the mean itself; 1 - exp(-1e-6) loses ten digits, this does not.
    assert found[0] == pytest.approx(1e-6, rel=1e-5)
    assert (np.diff(found) >= 0).all()


@pytest.mark.parametrize("size", [0.3, 2.0, np.inf])
@pytest.mark.parametrize(("level", "tail"), [("50", 0.25), ("95", 0.025)])
def test_intervals_are_those_of_scipy(expected, size, level, tail):
    found = table_of(expected, size)
    mean = expected.ravel()
    law = stats.poisson(mean) if np.isinf(size) else stats.nbinom(size, size / (size + mean))
    np.testing.assert_array_equal(found[f"lower_{level}_count"].to_numpy(), law.ppf(tail))
    np.testing.assert_array_equal(found[f"upper_{level}_count"].to_numpy(), law.ppf(1 - tail))


@pytest.mark.parametrize("value", [np.nan, np.inf, 0.0, -0.1])
def test_a_forecast_that_is_no_positive_number_is_refused(value):
    with pytest.raises(ValueError, match="above 0") as error:
        table_of(np.array([[0.1, 0.2], [0.3, value]]), np.inf)
    assert str(error.value) == (
        f"Model 'empirical_bayes' expects {value} incidents in cell 1 on 2015-07-02; a forecast is a "
        "number above 0. Train the model again."
    )


def test_reasons_go_with_their_cells_and_may_be_missing():
    expected = np.array([[0.1, 0.3], [0.6, 0.5]])
    reasons = pl.Series(["a", "b", "c", None])
    found = risk_table(
        expected,
        DAYS,
        intervals=CountIntervals.of_size(np.inf),
        target="shootings",
        model="stack",
        trained_before=date(2015, 6, 30),
        reasons=reasons,
    )
    assert found["reasons"].to_list() == ["a", "b", "c", None]
    assert table_of(expected, np.inf)["reasons"].null_count() == 4


def test_intervals_are_cut_where_they_were_calibrated_and_risk_rises_with_the_forecast():
    expected = np.linspace(0.2, 4.0, 40).reshape(2, 20)
    grouped = CountIntervals(3.0, (1.0,), (np.inf, 0.5), {0.5: (0.2, 0.8), 0.95: (0.01, 0.99)})
    found = risk_table(
        expected,
        DAYS,
        intervals=grouped,
        target="shootings",
        model="stack",
        trained_before=date(2015, 6, 30),
    )
    mean = expected.ravel()
    upper = np.where(
        mean < 1, stats.poisson.ppf(0.99, mean), stats.nbinom.ppf(0.99, 0.5, 0.5 / (0.5 + mean))
    )
    np.testing.assert_array_equal(found["upper_95_count"].to_numpy(), upper)
    # Groups differ in dispersion; one size of all keeps probabilities in the order of forecasts.
    assert (np.diff(found["risk_prob"].to_numpy()) > 0).all()
