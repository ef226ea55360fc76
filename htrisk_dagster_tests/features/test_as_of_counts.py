from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.features.as_of_counts import (
    AsOfCounts,
    days_available,
    ewm_weight_available,
    same_weekday_lags,
)
from hypothesis import given, settings
from hypothesis import strategies as st

PLACES = 3
_day = st.integers(-30, 60)
_rows = st.lists(st.tuples(_day, st.integers(-3, 40), st.integers(0, PLACES - 1)), max_size=40).map(
    lambda rows: [(o, o + lag, p) for o, lag, p in rows]
)


def counts_of(rows, first_cutoff, n_cutoffs) -> AsOfCounts:
    occurred, reported, place = np.array(rows, dtype=np.int64).reshape(-1, 3).T
    return AsOfCounts(occurred, reported, place, PLACES, first_cutoff, n_cutoffs)


def brute(rows, first_cutoff, n_cutoffs, value) -> np.ndarray:
    """Sum value(cutoff, occurred) over the rows that occurred and were reported before."""
    total = np.zeros((n_cutoffs, PLACES))
    for i in range(n_cutoffs):
        cutoff = first_cutoff + i
        for occurred, reported, place in rows:
            if occurred < cutoff and reported < cutoff:
                total[i, place] += value(cutoff, occurred)
    return total


@settings(max_examples=60)
@given(_rows, st.integers(-5, 40), st.integers(1, 25), st.integers(1, 30))
def test_lags_and_windows_equal_a_loop(rows, first, n, k):
    counts = counts_of(rows, first, n)
    lag = counts.lag_counts(k)
    np.testing.assert_array_equal(lag, brute(rows, first, n, lambda c, o: o == c - k))
    window = counts.window_counts(k)
    np.testing.assert_array_equal(window, brute(rows, first, n, lambda c, o: o >= c - k))
    assert lag.dtype == window.dtype == np.int32


@settings(max_examples=40)
@given(_rows, st.integers(-5, 40), st.integers(1, 25), st.sampled_from([1, 2, 6, 7, 8, 90]))
def test_same_weekday_equals_a_loop(rows, first, n, lag_days):
    def counts_on(cutoff, occurred):
        back = cutoff + lag_days - occurred  # from the forecast day
        newest = next(d for d in range(lag_days + 1, lag_days + 8) if d % 7 == 0)
        return back % 7 == 0 and newest <= back < newest + 7 * 3

    found = counts_of(rows, first, n).same_weekday_counts(3, lag_days)
    np.testing.assert_array_equal(found, brute(rows, first, n, counts_on))


@settings(max_examples=40)
@given(_rows, st.integers(-5, 40), st.integers(1, 25), st.sampled_from([1.0, 3.5, 14.0]))
def test_ewm_equals_a_loop(rows, first, n, half_life):
    since = -10
    kept = [row for row in rows if row[0] >= since]
    expected = brute(kept, first, n, lambda c, o: 0.5 ** ((c - o) / half_life))
    found = counts_of(rows, first, n).ewm(half_life, since)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-300)


def test_ewm_of_a_day_has_the_same_bytes_alone_and_in_a_range():
    rng = np.random.default_rng(4)
    occurred = rng.integers(0, 300, 2_000)
    rows = np.column_stack([occurred, occurred + rng.geometric(0.2, 2_000), occurred % PLACES])
    long = counts_of(rows, 20, 280).ewm(14, 0)
    for cutoff in (20, 57, 299):
        alone = counts_of(rows, cutoff, 1).ewm(14, 0)
        assert alone.tobytes() == long[cutoff - 20 : cutoff - 19].tobytes()


def test_from_frame_drops_rows_without_a_place_and_ignores_the_order():
    frame = pl.DataFrame(
        {"occurred_on": [3, 1, 2, 1], "reported_on": [3, 5, 2, 1], "place": [0, None, 2, 1]},
        schema={"occurred_on": pl.Date, "reported_on": pl.Date, "place": pl.Int32},
    )
    counts = AsOfCounts.from_frame(frame.reverse(), PLACES, 4, 2)
    assert counts.occurred.tolist() == [1, 2, 3]
    assert counts.window_counts(3).tolist() == [[1, 1, 1], [1, 0, 1]]


@pytest.mark.parametrize(
    ("lag_days", "lags"), [(1, [6, 13]), (6, [1, 8]), (7, [7, 14]), (90, [1, 8])]
)
def test_same_weekday_lags(lag_days, lags):
    assert same_weekday_lags(2, lag_days) == lags
    assert all((lag + lag_days) % 7 == 0 for lag in lags)


def test_days_available_are_those_of_the_window_in_history():
    cutoffs, since, w = np.arange(95, 120), 100, 7
    expected = [sum(since <= day < c for day in range(c - w, c)) for c in cutoffs]
    assert days_available(cutoffs, w, since).tolist() == expected
    weights = [sum(0.5 ** (k / 14) for k in range(1, c - since + 1)) for c in cutoffs]
    np.testing.assert_allclose(ewm_weight_available(cutoffs, 14, since), weights, rtol=1e-12)
