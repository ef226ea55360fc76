"""Which model forecasts a set of series: chosen on blind origins, or a combination of several.

Belongs here: relative errors, the weights of a combination, the choice. Does not: forecasts
(`series_rolling`), scores of the chosen one (`series_scores`).

A month in which all models are far off, such as the first of a lockdown, must not choose alone. So
errors are compared month by month: the mean absolute error over all areas over that of the seasonal
naive forecast from the same origin to the same month, and these ratios are averaged as logarithms (the
relative geometric mean, Hyndman and Koehler 2006, doi 10.1016/j.ijforecast.2006.03.001). A combination
is the geometric mean of its members, so a sum of log forecasts; members are the subset with the least
relative error, weighted alike, since weights that are estimated seldom beat equal ones (Smith and
Wallis 2009, doi 10.1111/j.1468-0084.2008.00541.x). It has to be better than the best single model, or
that is the champion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.series_rolling import Array, RollingForecasts

NAIVE = "seasonal_naive"
CHAMPION = "champion"


@dataclass(frozen=True)
class SeriesChoice:
    """The champion, by what it is made of.

    Parameters
    ----------
    members : tuple of str
        Models whose geometric mean it is; one is a single model.
    relative_error : dict of str to float
        Of every candidate on the blind origins, members joined by " + "; below 1 is better than the
        seasonal naive forecast.
    reason : str
        The choice in a sentence.
    """

    members: tuple[str, ...]
    relative_error: dict[str, float]
    reason: str

    def forecast(self, expected: dict[str, Array]) -> Array:
        """Champion's forecast from those of the models, any shape."""
        return combined([expected[name] for name in self.members])


def combined(forecasts: Sequence[Array]) -> Array:
    """Geometric mean of forecasts of one shape."""
    return np.asarray(np.exp(np.mean([np.log(f) for f in forecasts], axis=0)))


def relative_errors(
    truths: Array, expected: Array, naive: Array, known: NDArray[np.bool_]
) -> Array:
    """Mean absolute error over that of `naive` by origin and horizon, (O, H); NaN where not known."""
    own, other = (np.abs(truths - f).mean(axis=2) for f in (expected, naive))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(known & (other > 0), own / other, np.nan)


def choose(
    rolled: RollingForecasts, candidates: Sequence[str], *, known_before: int
) -> SeriesChoice:
    """Choose among single models and equal combinations on forecasts whose truth is known.

    Every horizon has the same say.

    Parameters
    ----------
    rolled : RollingForecasts
        Of the candidates and `NAIVE`.
    candidates : sequence of str
        Models that may be chosen.
    known_before : int
        Only periods before this one are read.

    Raises
    ------
    ValueError
        Where no forecast has met its truth by then.
    """
    known = rolled.known_at(known_before) & (rolled.targets() < rolled.panel.n_periods)
    if not known.any():
        raise ValueError(f"No forecast has met its truth before period {known_before}.")
    truths = np.where(known[:, :, None], rolled.truths(), 0.0)
    naive = rolled.expected[NAIVE]
    scores: dict[tuple[str, ...], float] = {}
    for size in range(1, len(candidates) + 1):
        for members in combinations(candidates, size):
            forecast = combined([rolled.expected[m] for m in members])
            ratio = np.log(relative_errors(truths, forecast, naive, known))
            by_horizon = [float(np.nanmean(c)) for c in ratio.T if np.isfinite(c).any()]
            scores[members] = float(np.exp(np.mean(by_horizon)))
    members = min(scores, key=lambda m: (scores[m], len(m), m))
    single = min((m for m in scores if len(m) == 1), key=lambda m: scores[m])
    reason = (
        f"{' + '.join(members)} has the least error on blind origins, {scores[members]:.3f} of the "
        f"seasonal naive forecast's; the best single model, {single[0]}, has {scores[single]:.3f}."
    )
    return SeriesChoice(members, {" + ".join(m): s for m, s in scores.items()}, reason)
