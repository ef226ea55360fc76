"""Days on which a place has more reports than its own past explains.

Belongs here: spikes with a stated rate of false alarms, a robust residual, and isolation forest, on
a panel of days by places (cells or precincts). Does not: hot spots that last (`getis_ord`,
`emerging`), who is told (`publishing/alert_sinks.py`).

A day is compared with the same weekday of the weeks before. **Spike**: if nothing has changed, the
day's count given the sum of it and its n past days is Binomial(sum, 1 / (n + 1)) for Poisson counts
(Przyborowski and Wilenski 1940, doi 10.1093/biomet/31.3-4.313), and beta-binomial(sum, r, n r) for
negative binomial counts of size r, whatever the rate. So no rate has to be estimated, and the p-value
holds with few incidents too. The size r is estimated once from all places by moments. Bonferroni over
places makes the chance of any false alarm in the whole area on one day at most the rate stated.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError

Counts = NDArray[np.int64]
Array = NDArray[np.float64]

MOST_WEEKS = 26
LEAST_WEEKS = 8
FALSE_ALARM_RATE = 0.05
_MAD_TO_SD = 1.4826
_MOST_TRAINED = 20_000


@dataclass(frozen=True)
class Anomalies:
    """The last T days of P places, each array of shape (T, P).

    Parameters
    ----------
    expected : float
        Mean count of the same weekday in the weeks before.
    robust_z : float
        Residual from their median in robust standard deviations, see `robust_residuals`.
    isolation_score : float
        Isolation forest, 0 (like the others) to 1 (apart).
    p_value : float
        Of a count at least as high if nothing has changed.
    is_spike : bool
        Whether `p_value` is at most `false_alarm_rate / P`.
    false_alarm_rate : float
        Stated: days with any false alarm among the P places, at most.
    """

    expected: Array
    robust_z: Array
    isolation_score: Array
    p_value: Array
    is_spike: NDArray[np.bool_]
    false_alarm_rate: float


def find_anomalies(
    counts: Counts, n_days: int, *, seed: int, false_alarm_rate: float = FALSE_ALARM_RATE
) -> Anomalies:
    """Compare each of the last `n_days` days with the weeks before it.

    Parameters
    ----------
    counts : int64, shape (D, P)
        Incidents by day, in order and without a gap, and place.
    n_days : int
        Days to judge.
    seed : int
        Of isolation forest.
    false_alarm_rate : float
        Days with any false alarm that are accepted, 0 to 1.

    Raises
    ------
    SourceError
        Where fewer than eight weeks and a week come before the first day to judge.
    """
    first = len(counts) - n_days
    if first < 7 * (LEAST_WEEKS + 1):
        raise SourceError(
            f"Spikes need {LEAST_WEEKS + 1} weeks before the {n_days} days that are judged; there are "
            f"{len(counts)} days in all. Bring a longer history."
        )
    past, today = same_weekdays_before(counts, first), counts[first:]
    p_value = spike_p_values(past, today, negative_binomial_size(counts[:first]))
    is_spike = p_value <= false_alarm_rate / counts.shape[1]
    return Anomalies(
        expected=past.sum(axis=1) / past.shape[1],
        robust_z=robust_residuals(past, today),
        isolation_score=isolation_scores(counts, first, seed=seed),
        p_value=p_value,
        is_spike=is_spike,
        false_alarm_rate=false_alarm_rate,
    )


def same_weekdays_before(counts: Counts, first: int) -> Counts:
    """Counts of the same weekday in the n weeks before each day from `first` on, shape (T, n, P).

    n is 26, or as many as lie before the first day; the same for all days.
    """
    weeks = min(MOST_WEEKS, first // 7)
    days = np.arange(first, len(counts))[:, None] - 7 * np.arange(1, weeks + 1)
    past: Counts = counts[days]
    return past


def negative_binomial_size(counts: Counts) -> float:
    """Size r of negative binomial counts, variance = mean + mean² / r, shared by all places.

    By moments over places; infinite where the counts vary no more than Poisson counts do. What
    weekdays and seasons differ by counts as variance, which errs on the side of fewer alarms.
    """
    mean, variance = counts.mean(axis=0), counts.var(axis=0, ddof=1)
    excess = float((variance - mean).sum())
    return float(np.square(mean).sum()) / excess if excess > 0 else float("inf")


def spike_p_values(past: Counts, today: Counts, size: float) -> Array:
    """P(count >= today | sum of today and the past), if nothing has changed.

    Parameters
    ----------
    past : int64, shape (T, n, P)
    today : int64, shape (T, P)
    size : float
        Of the negative binomial; infinite for Poisson.

    Returns
    -------
    float, shape (T, P)
    """
    from scipy.stats import betabinom, binom

    n = past.shape[1]
    total = past.sum(axis=1) + today
    if np.isinf(size):
        p_values = binom.sf(today - 1, total, 1 / (n + 1))
    else:
        p_values = betabinom.sf(today - 1, total, size, n * size)
    return np.clip(np.asarray(p_values, dtype=np.float64), 0.0, 1.0)


def robust_residuals(past: Counts, today: Counts) -> Array:
    """Residual of each day from the median of its past, in robust standard deviations.

    Counts are made of equal variance first, 2 sqrt(k + 3/8) (Anscombe 1948,
    doi 10.1093/biomet/35.3-4.246), under which a Poisson count has standard deviation one. The scale
    is 1.4826 times the median absolute deviation of the past, at least one: where most days are
    without an incident that deviation is zero.

    Parameters
    ----------
    past : int64, shape (T, n, P)
    today : int64, shape (T, P)

    Returns
    -------
    float, shape (T, P)
    """
    before, now = (2 * np.sqrt(each + 0.375) for each in (past, today))
    centre = np.median(before, axis=1)
    deviation = np.median(np.abs(before - centre[:, None]), axis=1)
    residuals: Array = (now - centre) / np.maximum(_MAD_TO_SD * deviation, 1.0)
    return residuals


def isolation_scores(counts: Counts, first: int, *, seed: int) -> Array:
    """Isolation forest on the days from `first` on, fitted on those before, shape (T, P).

    Liu, Ting and Zhou 2008 (doi 10.1109/ICDM.2008.17), scikit-learn. A place-day is its count, its
    robust residual and the mean residual of its last seven days; at most 20,000 place-days, seeded,
    are fitted.
    """
    from sklearn.ensemble import IsolationForest

    start = 7 * LEAST_WEEKS
    residual = robust_residuals(same_weekdays_before(counts, start), counts[start:])
    # The first six days have no whole week behind them and are left out.
    week = np.lib.stride_tricks.sliding_window_view(residual, 7, axis=0).mean(axis=-1)
    features = np.stack([counts[start + 6 :], residual[6:], week], axis=-1).astype(np.float64)
    known, judged = np.split(features, [first - start - 6])
    rows = known.reshape(-1, features.shape[-1])
    if len(rows) > _MOST_TRAINED:
        rows = np.random.default_rng(seed).choice(rows, _MOST_TRAINED, replace=False)
    forest = IsolationForest(random_state=seed).fit(rows)
    scores = -forest.score_samples(judged.reshape(-1, features.shape[-1]))
    found: Array = scores.reshape(judged.shape[:2])
    return found
