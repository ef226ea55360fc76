"""Which model forecasts a set of series how far ahead: chosen on blind origins, or a combination of several.

Belongs here: relative errors, the weights of a combination, the choice. Does not: forecasts
(`series_rolling`), scores of the chosen one (`series_scores`).

A month in which all models are far off, such as the first of a lockdown, must not choose alone. So
errors are compared month by month: the mean absolute error over all areas over that of the seasonal
naive forecast from the same origin to the same month, and these ratios are averaged as logarithms (the
relative geometric mean, Hyndman and Koehler 2006, doi 10.1016/j.ijforecast.2006.03.001). A combination
is the geometric mean of its members, so a sum of log forecasts; members are the subset with the least
relative error, weighted alike, since weights that are estimated seldom beat equal ones (Smith and
Wallis 2009, doi 10.1111/j.1468-0084.2008.00541.x).

Each horizon has a champion of its own: what is best a month ahead, where the newest level is nearly all,
need not be best a year ahead, where it has worn off. On New York's months before 2023, with the choice made
at the start of 2017, 2018, 2019 or 2021 and judged on what came up to 2022, this beat one choice for all
horizons every time, a month ahead by 1 to 2% and over all horizons by 0.2 to 3%.
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
    """The champion of each horizon, by what it is made of.

    Parameters
    ----------
    members : tuple of tuple of str
        For each horizon, the models whose geometric mean its champion is; one is a single model.
    relative_error : tuple of dict of str to float
        For each horizon, of every candidate on the blind origins, members joined by " + "; below 1 is better
        than the seasonal naive forecast. Empty where no forecast had met its truth.
    """

    members: tuple[tuple[str, ...], ...]
    relative_error: tuple[dict[str, float], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Champion of each horizon in words."""
        return tuple(" + ".join(m) for m in self.members)

    @property
    def reason(self) -> str:
        """The choice nearest and farthest ahead in a sentence."""
        told = [h for h, errors in enumerate(self.relative_error) if errors]
        if not told:
            return f"{self.names[0]} stands unopposed: the seasonal naive forecast made no error."
        near, far = (
            f"{self.names[h]} has the least error on blind origins, "
            f"{self.relative_error[h][self.names[h]]:.3f} of the seasonal naive forecast's"
            for h in (told[0], told[-1])
        )
        farther = f"; {told[-1] + 1} ahead {far}" if len(told) > 1 else ""
        return f"By horizon: {told[0] + 1} ahead {near}{farther}."

    def forecast(self, expected: dict[str, Array]) -> Array:
        """Champion's forecast from those of the models, shape (..., H, S); H at most as chosen."""
        horizons = next(iter(expected.values())).shape[-2]
        of_each = [
            combined([expected[name][..., h, :] for name in self.members[h]])
            for h in range(horizons)
        ]
        return np.stack(of_each, axis=-2)


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

    Parameters
    ----------
    rolled : RollingForecasts
        Of the candidates and `NAIVE`.
    candidates : sequence of str
        Models that may be chosen.
    known_before : int
        Only periods before this one are read. A horizon whose forecasts have not met their truth by then
        takes the champion of the farthest that has.

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
    subsets = [m for size in range(1, len(candidates) + 1) for m in combinations(candidates, size)]
    ratios = [
        np.log(relative_errors(truths, combined([rolled.expected[m] for m in s]), naive, known))
        for s in subsets
    ]
    members: list[tuple[str, ...]] = []
    errors: list[dict[str, float]] = []
    for h in range(rolled.horizon):
        told = [bool(np.isfinite(ratio[:, h]).any()) for ratio in ratios]
        if not all(told):
            members.append(members[-1] if members else subsets[0])
            errors.append({})
            continue
        scores = {
            s: float(np.exp(np.nanmean(ratio[:, h])))
            for s, ratio in zip(subsets, ratios, strict=True)
        }
        members.append(min(scores, key=lambda m: (scores[m], len(m), m)))
        errors.append({" + ".join(m): score for m, score in scores.items()})
    return SeriesChoice(tuple(members), tuple(errors))
