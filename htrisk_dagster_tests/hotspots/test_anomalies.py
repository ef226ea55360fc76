from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.hotspots.anomalies import (
    FALSE_ALARM_RATE,
    find_anomalies,
    isolation_scores,
    negative_binomial_size,
    robust_residuals,
    same_weekdays_before,
    spike_p_values,
)
from scipy.special import betaln, gammaln
from sklearn.metrics import roc_auc_score

PLACES = 77
# Rates of the places as in a city: log-normal, from one in a month to several a day.
RATES = np.random.default_rng(11).lognormal(-1.5, 1.2, PLACES)


def quiet_city(days: int, seed: int, size: float = np.inf) -> np.ndarray:
    """Counts of places whose rate never changes: Poisson, or negative binomial of one size."""
    rng = np.random.default_rng(seed)
    rates = np.broadcast_to(RATES, (days, PLACES))
    if np.isfinite(size):
        rates = rates * rng.gamma(size, 1 / size, (days, PLACES))
    return rng.poisson(rates)


@pytest.mark.parametrize("size", [np.inf, 3.0, 0.8])
def test_without_change_alarms_are_as_rare_as_stated(size: float) -> None:
    counts = quiet_city(3_000, seed=1, size=size)

    found = find_anomalies(counts, 2_500, seed=1)

    # Share of days with any alarm among 77 places, two standard errors allowed.
    any_alarm = found.is_spike.any(axis=1).mean()
    slack = 2 * np.sqrt(FALSE_ALARM_RATE * (1 - FALSE_ALARM_RATE) / 2_500)
    assert any_alarm <= found.false_alarm_rate + slack
    # Counts are whole, so the rate cannot be used up; still an alarm is possible.
    assert any_alarm > 0.001
    for level in (0.001, 0.01, 0.1):
        assert (found.p_value <= level).mean() <= 1.1 * level


def test_poisson_p_values_would_alarm_too_often_on_clumped_counts() -> None:
    """Why the size of the negative binomial is estimated."""
    counts = quiet_city(2_000, seed=2, size=0.8)
    past, today = same_weekdays_before(counts, 500), counts[500:]

    poisson = spike_p_values(past, today, np.inf) <= FALSE_ALARM_RATE / PLACES

    assert poisson.any(axis=1).mean() > 3 * FALSE_ALARM_RATE


def test_planted_spikes_are_found_and_stand_out() -> None:
    counts = quiet_city(400, seed=3)
    rng = np.random.default_rng(4)
    day, place = rng.integers(372, 400, 40), rng.integers(0, PLACES, 40)
    planted = np.zeros(counts.shape, dtype=bool)
    planted[day, place] = True
    counts[planted] += 8 + np.ceil(
        4 * np.sqrt(np.broadcast_to(RATES, counts.shape)[planted])
    ).astype(int)

    found = find_anomalies(counts, 28, seed=1)

    judged = planted[-28:]
    assert found.is_spike[judged].mean() > 0.95
    assert found.is_spike[~judged].sum() <= 2
    assert roc_auc_score(judged.ravel(), found.robust_z.ravel()) > 0.99
    assert roc_auc_score(judged.ravel(), found.isolation_score.ravel()) > 0.97


def test_p_value_in_a_worked_example() -> None:
    # 26 past days with 13 incidents in all, 4 today: 17 balls, each today's with probability 1 in 27.
    past = np.zeros((1, 26, 1), dtype=np.int64)
    past[0, :13] = 1
    today = np.array([[4]])
    k = np.arange(4, 18)
    choose = np.exp(gammaln(18) - gammaln(k + 1) - gammaln(18 - k))

    poisson = (choose * (1 / 27) ** k * (26 / 27) ** (17 - k)).sum()
    clumped = (choose * np.exp(betaln(k + 2.0, 17 - k + 52.0) - betaln(2.0, 52.0))).sum()

    assert spike_p_values(past, today, np.inf)[0, 0] == pytest.approx(poisson, rel=1e-10)
    assert spike_p_values(past, today, 2.0)[0, 0] == pytest.approx(clumped, rel=1e-10)
    assert spike_p_values(past, 0 * today, 2.0)[0, 0] == 1.0
    # A place that never had an incident: the first is one of one, and no surprise by itself.
    assert spike_p_values(0 * past, today * 0 + 1, np.inf)[0, 0] == pytest.approx(1 / 27)


def test_size_is_recovered() -> None:
    for size in (0.8, 3.0):
        found = negative_binomial_size(quiet_city(4_000, seed=5, size=size))
        assert found == pytest.approx(size, rel=0.1)
    assert negative_binomial_size(np.tile([[1, 2]], (50, 1))) == np.inf


def test_a_day_is_compared_with_its_own_weekday() -> None:
    days = np.arange(200)
    counts = np.column_stack([days % 7, days])

    past = same_weekdays_before(counts, 190)

    assert past.shape == (10, 26, 2)
    assert (past[:, :, 0] == (days[190:] % 7)[:, None]).all()
    assert past[0, :, 1].tolist() == [190 - 7 * k for k in range(1, 27)]
    assert same_weekdays_before(counts, 75).shape == (125, 10, 2), "as many weeks as there are"


def test_robust_residual_by_hand_and_unmoved_by_one_outlier() -> None:
    past = np.array([[[1], [4], [9], [16], [25]]])
    root = 2 * np.sqrt(np.array([1, 4, 9, 16, 25]) + 0.375)
    scale = 1.4826 * np.median(np.abs(root - root[2]))

    found = robust_residuals(past, np.array([[40]]))[0, 0]

    assert found == pytest.approx((2 * np.sqrt(40.375) - root[2]) / scale)
    past[0, 4] = 25_000
    assert robust_residuals(past, np.array([[40]]))[0, 0] == pytest.approx(found)
    # Mostly empty days have no deviation; a Poisson count's own, one, stands in.
    rare = robust_residuals(np.zeros((1, 26, 1)), np.array([[1]]))[0, 0]
    assert rare == pytest.approx(2 * np.sqrt(1.375) - 2 * np.sqrt(0.375))


def test_nothing_of_a_later_day_enters() -> None:
    counts = quiet_city(300, seed=6)
    later = counts.copy()
    later[-1] += 50

    first, second = (find_anomalies(c, 28, seed=1) for c in (counts, later))

    for name in ("expected", "robust_z", "isolation_score", "p_value", "is_spike"):
        assert (getattr(first, name)[:-1] == getattr(second, name)[:-1]).all(), name


def test_isolation_forest_is_seeded_and_judges_known_days_alone() -> None:
    counts = quiet_city(400, seed=7)

    scores = [isolation_scores(counts, 372, seed=seed) for seed in (1, 1, 2)]

    assert scores[0].shape == (28, PLACES)
    assert (scores[0] == scores[1]).all()
    assert (scores[0] != scores[2]).any()


def test_a_short_history_is_told() -> None:
    with pytest.raises(SourceError, match="9 weeks before the 28 days"):
        find_anomalies(quiet_city(28 + 62, seed=8), 28, seed=1)
    assert find_anomalies(quiet_city(28 + 63, seed=8), 28, seed=1).p_value.shape == (28, PLACES)
