from __future__ import annotations

import math

import numpy as np
import pytest
from htrisk_dagster.evaluation.count_scores import poisson_deviance, poisson_log_score
from htrisk_dagster.evaluation.filtering import (
    LogField,
    expected_field,
    expected_triggered,
    filtering_forecast,
)
from scipy.ndimage import gaussian_filter
from scipy.signal import lfilter

SIDE, N_DAYS = 16, 250
FIELD = LogField(sd=0.5, daily_correlation=0.9, length_m=1000.0)


@pytest.fixture(scope="module")
def world():
    """A square city: places that differ, a field with the law above, its counts."""
    rng = np.random.default_rng(0)
    row, col = (axis.ravel() for axis in np.indices((SIDE, SIDE)))
    # White noise under a Gaussian of sd s has the correlation exp(-d^2 / (4 s^2)); cells are 500 m.
    white = rng.standard_normal((N_DAYS, 3 * SIDE, 3 * SIDE))
    smooth = gaussian_filter(white, (0, math.sqrt(2), math.sqrt(2)), mode="wrap")
    noise = (smooth / smooth.std())[:, :SIDE, :SIDE].reshape(N_DAYS, -1)
    noise[1:] *= math.sqrt(1 - 0.81)
    log_field = 0.5 * lfilter([1.0], [1.0, -0.9], noise, axis=0)
    factor = np.exp(log_field - 0.125)
    place = rng.lognormal(-1.5, 0.7, SIDE * SIDE)
    background = np.tile(place, (N_DAYS, 1))
    return {
        "x_m": 500.0 * col, "y_m": 500.0 * row, "background": background, "factor": factor,
        "counts": rng.poisson(background * factor),
    }  # fmt: skip


def test_the_filter_beats_the_prior_and_never_the_omniscient(world):
    background, counts = world["background"], world["counts"]
    found = expected_field(
        counts, background, np.zeros_like(background),
        x_m=world["x_m"], y_m=world["y_m"], field=FIELD, ahead_days=1,
    )  # fmt: skip
    later = slice(30, None)
    filtered, prior, true = (
        poisson_log_score(counts[later], (background * f)[later])
        for f in (found, np.ones_like(found), world["factor"])
    )
    assert true < filtered < prior
    # Paired by day, so that neither is luck.
    days = range(30, N_DAYS)
    gain = [
        poisson_deviance(counts[[d]], background[[d]])
        - poisson_deviance(counts[[d]], (background * found)[[d]])
        for d in days
    ]
    assert np.mean(gain) > 4 * np.std(gain) / math.sqrt(len(gain))
    # It is calibrated: its mean and its slope against the true field.
    assert found[later].mean() == pytest.approx(1.0, abs=0.1)
    slope = np.polyfit(found[later].ravel(), world["factor"][later].ravel(), 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)


def brute_force(counts, background, triggered, ahead):
    """Exact mean factor of one cell by integrating over a fine lattice of log fields."""
    g = np.linspace(-3.0, 3.0, 1201)
    step = g[1] - g[0]
    prior = np.exp(-np.square(g) / (2 * 0.25))
    prior /= prior.sum()
    sd = 0.5 * math.sqrt(1 - 0.81)
    move = np.exp(-np.square(g[:, None] - 0.9 * g) / (2 * sd**2))
    move /= move.sum(axis=0)
    belief, expected = prior, np.ones(len(counts))
    for day in range(len(counts) - ahead):
        if day:
            belief = move @ belief
        mean = background[day] * np.exp(g - 0.125) + triggered[day]
        belief = belief * np.exp(counts[day] * np.log(mean) - mean)
        belief /= belief.sum()
        later = belief
        for _ in range(ahead):
            later = move @ later
        expected[day + ahead] = later @ np.exp(g - 0.125)
    assert step < 0.01
    return expected


@pytest.mark.parametrize(("level", "ahead"), [(0.05, 1), (1.0, 1), (8.0, 2)])
def test_one_cell_equals_brute_force_integration(level, ahead):
    rng = np.random.default_rng(1)
    counts = rng.poisson(1.4 * level, 40)
    background = np.full(40, level)
    triggered = np.linspace(0, 0.5 * level, 40)
    found = expected_field(
        counts[:, None], background[:, None], triggered[:, None],
        x_m=np.zeros(1), y_m=np.zeros(1), field=FIELD, ahead_days=ahead,
    )  # fmt: skip
    exact = brute_force(counts, background, triggered, ahead)
    assert found[:, 0] == pytest.approx(exact, rel=0.03)
    assert np.ptp(exact) > 0.02, "the counts say something"


def test_before_anything_is_seen_the_factor_is_one_and_silence_lowers_it(world):
    none = np.zeros((6, SIDE * SIDE))
    found = expected_field(
        none, none + 0.5, none, x_m=world["x_m"], y_m=world["y_m"], field=FIELD, ahead_days=2
    )
    assert (found[:2] == 1.0).all()
    assert (np.diff(found[1:].mean(axis=1)) < 0).all()


def test_the_day_of_the_forecast_and_later_days_are_not_seen(world):
    changed = world["counts"][:40].copy()
    changed[20:] += 3
    both = [
        expected_field(
            counts, world["background"][:40], np.zeros((40, SIDE * SIDE)),
            x_m=world["x_m"], y_m=world["y_m"], field=FIELD, ahead_days=2,
        )
        for counts in (world["counts"][:40], changed)
    ]  # fmt: skip
    assert np.array_equal(both[0][:22], both[1][:22])
    assert not np.array_equal(both[0][22], both[1][22])


def test_a_shock_of_the_whole_day_does_not_move_the_map(world):
    shocked = world["counts"][:60].copy()
    shocked[30] *= 3
    zero = np.zeros((60, SIDE * SIDE))

    def after(field):
        found = [
            expected_field(
                counts, world["background"][:60], zero,
                x_m=world["x_m"], y_m=world["y_m"], field=field, ahead_days=1,
            )[31]
            for counts in (world["counts"][:60], shocked)
        ]  # fmt: skip
        return float(np.abs(np.log(found[1] / found[0])).mean())

    assert after(LogField(day_sd=0.7)) < 0.6 * after(FIELD)


def test_the_forecast_puts_the_parts_together():
    # Nothing observed yet on the first two days: the prior, in the units of reports.
    forecast = filtering_forecast(
        static=np.array([0.2, 0.4]),
        calendar=np.array([1.0, 1.5]),
        exposure=np.array([[1.0, 1.0], [1.0, 3.0]]),
        reporting=np.array([0.5, 0.25]),
        triggered=np.array([[0.0, 0.0], [0.1, 0.2]]),
        observed=np.zeros((2, 2)),
        prompt_share=0.8,
        x_m=np.array([0.0, 500.0]),
        y_m=np.zeros(2),
        field=FIELD,
    )
    assert forecast == pytest.approx(np.array([[0.1, 0.1], [0.2, 0.5]]))
    with pytest.raises(ValueError, match="1 at least"):
        expected_field(
            np.zeros((2, 1)), np.ones((2, 1)), np.zeros((2, 1)),
            x_m=np.zeros(1), y_m=np.zeros(1), field=FIELD, ahead_days=0,
        )  # fmt: skip


def test_triggering_by_reports_is_nearer_to_the_truth_than_one_report_for_all():
    # Half is reported; each incident triggers 0.3 on the next day in its own cell.
    rng = np.random.default_rng(3)
    static = np.array([0.4, 2.0])
    true = np.zeros((20_000, 2))
    for day in range(1, len(true)):
        true[day] = rng.poisson(static + 0.3 * true[day - 1])
    reported = rng.binomial(true.astype(int), 0.5)
    truth = 0.3 * true[:-1]
    each_for_all = 0.3 * reported[:-1] / 0.5
    found = expected_triggered(
        each_for_all, static=static, reporting=np.full(2, 0.5), offspring=0.3
    )
    assert found.mean(axis=0) == pytest.approx(truth.mean(axis=0), rel=0.02)
    assert np.square(found - truth).mean() < 0.6 * np.square(each_for_all - truth).mean()
