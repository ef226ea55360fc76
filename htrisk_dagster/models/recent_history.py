"""What a block tells of the days before each cutoff, weighed by age.

Belongs here: exponential weights on lags and window means, and the days they are tuned on. Does
not: smoothing over cells (`kde_ewma`), excitation (`etas`).

A block holds the target's count on each of the last 28 days, and its mean over 91 and 364. A weight
that falls with age is exact on the days, and on the two windows takes its mean over their ages;
what is older is the cell's long-run rate.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import TARGET, TARGET_LAGS
from htrisk_dagster.models.count_model import require_columns, training_counts

Array = NDArray[np.float64]

_MONTHS, _YEAR = 91, 364
LAG_NAMES = tuple(f"{TARGET}_lag_{k}" for k in range(1, TARGET_LAGS + 1))
WINDOW_NAMES = (f"{TARGET}_mean_{_MONTHS}", f"{TARGET}_mean_{_YEAR}")
# The last part of the training days is forecast from what was known before each.
_LATER_SHARE = 1 / 3
_MOST_LATER_DAYS = 364


def lagged(block: CellDayBlock, weights: Array) -> Array:
    """Sum over the lags of the target, each with its weight; a lag that is absent counts 0.

    Parameters
    ----------
    block : CellDayBlock
        With the 28 lags of the target.
    weights : float64, shape (28,)
        Of lag 1, the last known day, to lag 28.

    Returns
    -------
    float64, shape (D, C)
    """
    positions = [block.names.index(name) for name in LAG_NAMES]
    first = positions[0]
    chosen: slice | list[int] = positions
    if positions == list(range(first, first + len(positions))):
        # In the catalogue's order the lags lie side by side: a view, no copy.
        chosen = slice(first, first + len(positions))
    lags, weights = block.features[:, :, chosen], weights.astype(np.float32)
    result = (lags @ weights).astype(np.float64)
    absent = np.isnan(result).any(axis=1)
    result[absent] = np.nan_to_num(lags[absent]) @ weights
    return result


def exponential_weights(half_life_days: float, n: int) -> Array:
    """Shares of the days 1, 2, ... n before the cutoff in an exponentially weighted mean.

    They sum to 1 - 0.5^(n / half-life): what is left belongs to all days before.
    """
    alpha = 0.5 ** (1.0 / half_life_days)
    return np.asarray((1 - alpha) * alpha ** np.arange(n, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class RecentHistory:
    """The last days and the two windows of a block, ready to be weighed.

    Parameters
    ----------
    block : CellDayBlock
    middle, early : float64, shape (D, C)
        Incidents per day 29 to 91 and 92 to 364 days before the cutoff.
    """

    block: CellDayBlock
    middle: Array
    early: Array

    @staticmethod
    def is_in(block: CellDayBlock) -> bool:
        """Whether the block has the columns this is taken from."""
        return not {*LAG_NAMES, *WINDOW_NAMES} - set(block.names)

    @classmethod
    def of_block(cls, block: CellDayBlock, model: str) -> RecentHistory:
        """Take the columns of the target; `model` is who asks, for the message where one lacks."""
        require_columns(model, block, (*LAG_NAMES, *WINDOW_NAMES))
        lags = lagged(block, np.ones(TARGET_LAGS))
        months, year = (np.nan_to_num(block.column(n).astype(np.float64)) for n in WINDOW_NAMES)
        # Means are over the days there are; thin history may leave a trace below 0.
        middle = (months * _MONTHS - lags) / (_MONTHS - TARGET_LAGS)
        early = (year * _YEAR - months * _MONTHS) / (_YEAR - _MONTHS)
        return cls(block, np.maximum(middle, 0), np.maximum(early, 0))

    def weighted_mean(self, half_life_days: float, older: Array) -> Array:
        """Exponentially weighted mean of incidents per day, shape (D, C).

        Parameters
        ----------
        half_life_days : float
            Days after which a day counts half.
        older : float64, shape (C,)
            Rate of the days more than 364 before the cutoff.
        """
        shares = exponential_weights(half_life_days, _YEAR)
        mean = lagged(self.block, shares[:TARGET_LAGS])
        mean += shares[TARGET_LAGS:_MONTHS].sum() * self.middle
        mean += shares[_MONTHS:].sum() * self.early
        mean += (1 - shares.sum()) * older
        return mean


def later_days(block: CellDayBlock) -> tuple[CellDayBlock, CellDayBlock]:
    """Split training days in earlier days, to fit rates on, and later ones, to tune on.

    A block of one or two days is both: there is nothing to hold out.
    """
    n_later = min(int(block.n_days * _LATER_SHARE), _MOST_LATER_DAYS)
    if n_later == 0:
        return block, block
    cut = block.n_days - n_later
    counts = training_counts(block)

    def part(days: slice) -> CellDayBlock:
        return replace(
            block, days=block.days[days], features=block.features[days], counts=counts[days]
        )

    return part(slice(0, cut)), part(slice(cut, block.n_days))


def poisson_score(counts: NDArray[np.floating], mean: Array) -> float:
    """Poisson log likelihood of counts (D, C) without the factorial, which no model changes."""
    hit = np.nonzero(counts)
    return float((counts[hit] * np.log(mean[hit])).sum(dtype=np.float64) - mean.sum())


def level_of(counts: NDArray[np.floating], mean: Array) -> float:
    """Factor that gives forecasts the total that was counted; half an incident where none was."""
    return max(float(counts.sum(dtype=np.float64)), 0.5) / float(mean.sum())
