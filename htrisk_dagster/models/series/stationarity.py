"""Whether a series wanders, in two tests and a sentence, and how it remembers itself.

Belongs here: ADF, KPSS, ACF and PACF with bands, the tables. Does not: the choice of differences of a
model (statsforecast's own tests), decompositions (`decomposition`).

The augmented Dickey-Fuller test (Said and Dickey 1984) asks whether a unit root can be ruled out, KPSS
(Kwiatkowski et al. 1992) whether a steady level can; only where they agree is the answer plain. Both
are of the log of the rate with a constant, lags by AIC and by Hobijn's rule. Bands of the ACF are
Bartlett's, those of the PACF 1.96 / sqrt(T).
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl

from htrisk_dagster.models.series.panel import Array, SeriesPanel
from htrisk_dagster.models.series.seasonal_pattern import log_rates
from htrisk_dagster.schemas.series import AUTOCORRELATION, STATIONARITY

LEVEL = 0.05
LEAST_PERIODS = 24


@dataclass(frozen=True)
class Stationarity:
    """Two p-values and what they say together.

    Parameters
    ----------
    adf_p_value, kpss_p_value : float
        KPSS's lies between 0.01 and 0.1, the ends of its table.
    verdict : str
        One of `schemas.series.VERDICTS`.
    """

    adf_p_value: float
    kpss_p_value: float
    verdict: str

    def sentence(self, area: str) -> str:
        """What that means for the reader of a forecast."""
        meaning = {
            "steady": "reports come back to one level: both tests agree",
            "wandering": "the level itself wanders, so a forecast starts from the newest level: both "
            "tests agree",
            "steady around a trend or break": "no unit root, and yet no one level: a trend or a break, "
            "such as a change of practice, is likely",
            "undecided": "the series is too short or too noisy to tell",
        }[self.verdict]
        return (
            f"{area}: {meaning} (ADF p = {self.adf_p_value:.3f}, KPSS p = {self.kpss_p_value:.3f})."
        )


def examine(values: Array) -> Stationarity:
    """Test one series, shape (T,); a constant one is steady.

    Raises
    ------
    ValueError
        Where it has fewer than 24 periods.
    """
    if len(values) < LEAST_PERIODS:
        raise ValueError(f"{len(values)} periods are too few to test; give {LEAST_PERIODS}.")
    if np.ptp(values) == 0:
        return Stationarity(0.0, 0.1, "steady")
    from statsmodels.tsa.stattools import adfuller, kpss

    with warnings.catch_warnings():
        # KPSS warns where its p-value is at an end of the table; the value says it.
        warnings.simplefilter("ignore")
        adf = float(adfuller(values, regression="c", autolag="AIC")[1])
        level = float(kpss(values, regression="c", nlags="auto")[1])
    has_no_root, has_level = adf < LEVEL, level >= LEVEL
    verdict = {
        (True, True): "steady",
        (False, False): "wandering",
        (True, False): "steady around a trend or break",
        (False, True): "undecided",
    }[has_no_root, has_level]
    return Stationarity(adf, level, verdict)


def stationarity_table(panel: SeriesPanel) -> pl.DataFrame:
    """Every area's tests, as `schemas.series.STATIONARITY`."""
    values = log_rates(panel.counts, panel.days.astype(np.float64))
    rows = []
    for column, area in enumerate(panel.areas):
        found = examine(values[:, column])
        rows.append(
            {
                "place": area,
                "first_on": panel.starts[0].astype(object),
                "periods_count": panel.n_periods,
                "adf_p_value_prob": found.adf_p_value,
                "kpss_p_value_prob": found.kpss_p_value,
                "verdict": found.verdict,
                "sentence": found.sentence(area),
            }
        )
    return STATIONARITY.conform(pl.DataFrame(rows))


def autocorrelations(values: Array, n_lags: int) -> tuple[Array, Array, Array, Array]:
    """ACF, its half-width, PACF and its half-width at lags 1 to `n_lags`, each (L,)."""
    from statsmodels.tsa.stattools import acf, pacf

    if np.ptp(values) == 0:
        return (np.zeros(n_lags),) * 4
    own, ends = acf(
        values, nlags=n_lags, alpha=LEVEL, fft=False, bartlett_confint=True, result_object=False
    )
    partial = pacf(values, nlags=n_lags, method="ywm")
    half = np.full(n_lags, 1.959964 / np.sqrt(len(values)))
    return own[1:], (ends[1:, 1] - own[1:]), partial[1:], half


def autocorrelation_table(panel: SeriesPanel) -> pl.DataFrame:
    """ACF and PACF of every area over two seasons at most, as `schemas.series.AUTOCORRELATION`."""
    n_lags = min(2 * panel.season, panel.n_periods // 2 - 1)
    values = log_rates(panel.counts, panel.days.astype(np.float64))
    tables = []
    for column, area in enumerate(panel.areas):
        own, own_half, partial, half = autocorrelations(values[:, column], n_lags)
        tables.append(
            pl.DataFrame(
                {
                    "place": area,
                    "lag": np.arange(1, n_lags + 1),
                    "autocorrelation": own,
                    "autocorrelation_half_width": own_half,
                    "partial_autocorrelation": partial,
                    "partial_half_width": half,
                }
            )
        )
    return AUTOCORRELATION.conform(pl.concat(tables))
