"""The best forecast of someone who knows the city's law but only what was reported before the day.

Belongs here: the filter of a space-time field from reported counts, and the forecast it gives. Does
not: the ceiling of someone who sees the field itself (`ceilings`), reading the truth (`truth`).

The omniscient ceiling cannot be reached: it knows a field that nobody observes. Here all parameters
are true, the field is not given, and each day it is inferred from the counts reported until then:
log field = g - sd^2 / 2, g Gaussian with a squared-exponential correlation in space and an
autoregression from day to day. Counts are Poisson, so the exact filter has no closed form; each
day's posterior is taken as Gaussian, the Kalman filter of a log-Gaussian Cox process with a
variational update (Durbin and Koopman 2012, Time Series Analysis by State Space Methods, chapter
10; Opper and Archambeau 2009, doi 10.1162/neco.2008.08-07-592).

In space the field is written in its leading principal components. What they leave out varies too
finely to be learnt from rare counts; its mean factor is 1.

Two simplifications keep the filter a little below the exact one: an incident that is reported too
late for the first forecast that could use it is never used, although it still tells of the past,
and the triggered part is taken as given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# A component worth less than the variance of so many cells is left out: of a field of 1 km on cells
# of 500 m the others hold 92% of the variance, in an eighth as many numbers as there are cells.
_LEAST_CELLS = 1.5
_MAX_STEPS = 30
_SETTLED = 1e-5
# The curvature is computed again where log intensities moved by more than this since.
_REFRESH = 0.2
# A cell in which nothing can happen tells nothing.
_TINY = 1e-300


@dataclass(frozen=True)
class LogField:
    """Law of a space-time factor with mean 1.

    Parameters
    ----------
    sd : float
        Standard deviation of its logarithm.
    daily_correlation : float
        Of the log field from one day to the next, 0 to 1.
    length_m : float
        l of the correlation exp(-d^2 / (2 l^2)) in space, in metres.
    day_sd : float
        Standard deviation of the logarithm of a further factor of the whole city's day, independent
        from day to day, with mean 1; 0 for none.
    """

    sd: float = 0.5
    daily_correlation: float = 0.9
    length_m: float = 1000.0
    day_sd: float = 0.0

    def components(self, x_m: Array, y_m: Array) -> Array:
        """Principal components scaled to their standard deviations, shape (C, M).

        A standard normal vector times these rows is the log field, up to the variance left out.
        """
        from scipy.linalg import eigh

        distance = np.square(x_m[:, None] - x_m) + np.square(y_m[:, None] - y_m)
        correlation = np.exp(-distance / (2 * self.length_m**2))
        # Of few cells the largest component may be worth no more than one.
        largest = float(correlation.sum(axis=1).max())
        least = min(_LEAST_CELLS, 0.3 * largest)
        variance, vector = eigh(correlation, subset_by_value=(least, np.inf))
        return np.asarray(vector * (self.sd * np.sqrt(variance)))


class _Filter:
    """Gaussian belief about the standard normal coefficients of the components.

    The last coefficient is that of the day's shock, which is the same in all cells and does not
    last; it may have no weight.
    """

    def __init__(self, field: LogField, components: Array) -> None:
        shock = np.full((len(components), 1), field.day_sd)
        self.basis = np.concatenate([components, shock], axis=1)
        self.lasting = components
        self.correlation = field.daily_correlation
        self.shock_variance = field.day_sd**2
        self.prior_variance = np.square(components).sum(axis=1)
        self.mean = np.zeros(self.basis.shape[1])
        self.covariance = np.eye(self.basis.shape[1])
        # Of the log field, the shock left out.
        self.variance = self.prior_variance

    def predict(self) -> None:
        """Move the belief on by one day."""
        keep = np.full(len(self.mean), self.correlation)
        keep[-1] = 0.0
        self.mean = keep * self.mean
        self.covariance = self.covariance * np.outer(keep, keep)
        self.covariance[np.diag_indices(len(keep))] += 1 - keep**2
        self.variance = self._variance_after(1)

    def expected_factor(self, days_on: int) -> Array:
        """Mean of the field in each cell, `days_on` days after the day of the belief."""
        mean = self.lasting @ (self.correlation**days_on * self.mean[:-1])
        return np.asarray(np.exp(mean + (self._variance_after(days_on) - self.prior_variance) / 2))

    def _variance_after(self, days_on: int) -> Array:
        keep = self.correlation ** (2 * days_on)
        return np.asarray(keep * self.variance + (1 - keep) * self.prior_variance)

    def update(self, counts: Array, background: Array, triggered: Array) -> None:
        """Take in the counts of the day: Poisson with mean background x factor + triggered.

        The Gaussian's mean is sought where the expected slope of the log posterior is 0, the
        variational condition, not at the mode: the mode of a rare count's posterior lies above its
        mean, and a map of modes would expect too much.
        """
        from scipy.linalg import cho_factor, cho_solve

        basis, identity = self.basis, np.eye(len(self.mean))
        prior = cho_solve(cho_factor(self.covariance, lower=True), identity)
        before = self.variance + self.shock_variance
        offset = (self.prior_variance + self.shock_variance) / 2
        at = self.mean.copy()
        log_factor = basis @ at - offset
        after = before
        taken_at = np.full(len(log_factor), -np.inf)
        for _ in range(_MAX_STEPS):
            own = background * np.exp(log_factor + after / 2)
            share = own / np.maximum(own + triggered, _TINY)
            # Fisher's information of a count about its log factor.
            weight = own * share
            if np.abs(log_factor - taken_at).max() > _REFRESH:
                precision = prior + (basis * weight[:, None]).T @ basis
                factor, taken_at = cho_factor(precision, lower=True), log_factor
            step = cho_solve(factor, basis.T @ (counts * share - own) - prior @ (at - self.mean))
            at = at + step
            moved = basis @ step
            log_factor = log_factor + moved
            after = before / (1 + before * weight)
            if np.abs(moved).max() < _SETTLED:
                break
        self.mean = at
        self.covariance = cho_solve(factor, identity)
        self.variance = np.einsum(
            "cm,cm->c", self.lasting @ self.covariance[:-1, :-1], self.lasting
        )


def expected_field(
    observed: NDArray[np.integer] | Array,
    background: Array,
    triggered: Array,
    *,
    x_m: Array,
    y_m: Array,
    field: LogField,
    ahead_days: int = 2,
) -> Array:
    """Mean of the space-time factor given the counts observed before each day's cutoff.

    Parameters
    ----------
    observed : array, shape (D, C)
        Counts of consecutive days that are known in time for the forecast `ahead_days` later.
    background : float64, shape (D, C)
        Mean of those counts where the factor is 1, without the triggered part: the true
        intensity of place, calendar and exposure, times the share reported in time.
    triggered : float64, shape (D, C)
        Mean of the triggered part of those counts.
    x_m, y_m : float64, shape (C,)
        Centres of the cells in metres.
    field : LogField
        The true law.
    ahead_days : int
        Days from the newest day observed to the day forecast: 2 with a publication lag of 1, since
        rows reported before the day before are known.

    Returns
    -------
    float64, shape (D, C)
        Mean 1 before anything is observed.
    """
    if ahead_days < 1:
        raise ValueError(f"A forecast {ahead_days} days ahead is none; give 1 at least.")
    belief = _Filter(field, field.components(x_m, y_m))
    counts = np.asarray(observed, dtype=np.float64)
    expected = np.ones(background.shape)
    for day in range(len(counts) - ahead_days):
        if day:
            belief.predict()
        belief.update(counts[day], background[day], triggered[day])
        expected[day + ahead_days] = belief.expected_factor(ahead_days)
    return expected


def expected_triggered(
    as_reported: Array, *, static: Array, reporting: Array, offspring: float
) -> Array:
    """Expected triggered incidents given the reported ones, shape (D, C).

    Counting each reported incident for all that were not reported is unbiased and noisy: what was
    not reported happened elsewhere and at other times. Here a reported incident triggers its own
    share, and the others trigger what they do on average.

    Parameters
    ----------
    as_reported : float64, shape (D, C)
        Triggered by reported incidents, each for as many as were not reported.
    static, reporting : float64, shape (C,)
        As in `filtering_forecast`.
    offspring : float
        Mean number of incidents that one triggers, below 1.
    """
    on_average = static * offspring / (1.0 - offspring)
    return np.asarray(reporting * as_reported + (1.0 - reporting) * on_average)


def filtering_forecast(
    *,
    static: Array,
    calendar: Array,
    exposure: Array,
    reporting: Array,
    triggered: Array,
    observed: NDArray[np.integer] | Array,
    prompt_share: float,
    x_m: Array,
    y_m: Array,
    field: LogField,
    ahead_days: int = 2,
) -> Array:
    """Expected reported incidents given true parameters and what was reported before each cutoff.

    (static x calendar x exposure x E[field] + triggered) x reporting.

    Parameters
    ----------
    static : float64, shape (C,)
        Expected true incidents a day from place alone.
    calendar : float64, shape (D,)
        Factor of the day.
    exposure : array, shape (D, C)
        Factor known in advance.
    reporting : float64, shape (C,)
        Share of incidents that is ever reported.
    triggered : array, shape (D, C)
        Triggered true incidents, as `expected_triggered` from what was reported before the day.
    observed : array, shape (D, C)
        Reported incidents of each day that were reported soon enough to be used.
    prompt_share : float
        Share of the reported incidents that is reported so soon.
    x_m, y_m, field, ahead_days
        As in `expected_field`.

    Returns
    -------
    float64, shape (D, C)
    """
    place = calendar[:, None] * static * exposure
    seen = reporting * prompt_share
    factor = expected_field(
        observed, place * seen, triggered * seen, x_m=x_m, y_m=y_m, field=field, ahead_days=ahead_days
    )  # fmt: skip
    return np.asarray((place * factor + triggered) * reporting)
