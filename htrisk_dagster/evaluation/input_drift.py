"""Whether the features of the last weeks are still those that the models were trained on.

Belongs here: histograms of features by week, their distance to training, and what chance makes of
it. Does not: drift of calibration (`calibration_drift`), who is told (`defs`).

The distance is the population stability index, sum (p - q) log(p / q) over deciles of training, an
absent value being a class of its own: a feed that stops drifts. Days and cells hang together, so no
textbook law holds for it. Instead the last weeks are compared with every other stretch of as many
weeks in a row, a permutation of blocks: were the series stationary, each of n stretches would be the
most extreme equally often. Stretches overlap, though, and extremes come in runs that are cut at the
end of a series: the last stretch is the most extreme about twice as often as 1 / n (1.9 times in the
simulation of `test_input_drift`), so half the stated rate is allowed. The features' indices are each
divided by their mean over all stretches, and the largest is tested, so that the rate holds for all
features together.

Features that are known in advance, that hardly change within a year, or that repeat another one a
day later are not watched: their drift is the calendar's.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.bootstrap import WEEK_DAYS
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import ALL_INCIDENTS, feature_catalogue
from htrisk_dagster.models.artifacts import npz_arrays, npz_bytes

ALL_INPUTS = "all inputs"
RECENT_WEEKS = 4
FALSE_ALARM_RATE = 0.05

_FILE = "input_profile.npz"
_RUNS_CUT = 2
_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.99)
_SLOW_OR_REPEATED = re.compile(r"_lag_(?!1$)\d+$|_mean_(91|364)$")
_IN_ADVANCE = {
    f.name
    for f in feature_catalogue((ALL_INCIDENTS,))
    if f.source in ("calendar", "raw.holidays", "grid.cells")
}


@dataclass(frozen=True)
class InputProfile:
    """How often each class of each watched feature occurred, by week of training.

    Parameters
    ----------
    names : tuple of str, length F
    edges : float64, shape (F, E)
        Upper ends of the classes, ascending; inf where a feature has fewer.
    weekly : int64, shape (W, F, E + 2)
        Cell-days by class, the last class holding absent values.
    """

    names: tuple[str, ...]
    edges: NDArray[np.float64]
    weekly: NDArray[np.int64]

    def to_bytes(self) -> dict[str, bytes]:
        """One NPZ."""
        arrays = {"names": np.array(self.names), "edges": self.edges, "weekly": self.weekly}
        return {_FILE: npz_bytes(arrays)}

    @classmethod
    def from_bytes(cls, files: dict[str, bytes]) -> InputProfile:
        """Read `to_bytes`."""
        arrays = npz_arrays(files[_FILE])
        return cls(tuple(arrays["names"].tolist()), arrays["edges"], arrays["weekly"])


def watched_features(names: Sequence[str]) -> tuple[str, ...]:
    """Features of a block whose drift is watched, in their order."""
    return tuple(n for n in names if n not in _IN_ADVANCE and not _SLOW_OR_REPEATED.search(n))


def profile_inputs(block: CellDayBlock) -> InputProfile:
    """Profile the days of a block by week, counted back from its last day; a rest is left out."""
    names = watched_features(block.names)
    edges = np.full((len(names), len(_SHARES)), np.inf)
    for row, name in enumerate(names):
        values = block.column(name)
        present = values[~np.isnan(values)]
        if present.size:
            # Equal quantiles are one edge: of a rare count most are 0.
            found = np.unique(np.quantile(present, _SHARES, method="higher"))
            edges[row, : found.size] = found
    return InputProfile(names, edges, weekly_classes(block, names, edges))


def weekly_classes(
    block: CellDayBlock, names: Sequence[str], edges: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Cell-days by week, feature and class, as `InputProfile.weekly` has them."""
    n_weeks = block.n_days // WEEK_DAYS
    first = block.n_days - n_weeks * WEEK_DAYS
    n_classes = edges.shape[1] + 2
    week = np.repeat(np.arange(n_weeks), WEEK_DAYS * block.n_cells)
    weekly = np.zeros((n_weeks, len(names), n_classes), dtype=np.int64)
    for row, name in enumerate(names):
        values = block.column(name)[first:].ravel()
        found = np.searchsorted(edges[row], values, side="left")
        found[np.isnan(values)] = n_classes - 1
        tally = np.bincount(week * n_classes + found, minlength=n_weeks * n_classes)
        weekly[:, row] = tally.reshape(n_weeks, n_classes)
    return weekly


def stability_index(one: NDArray[np.floating], other: NDArray[np.floating]) -> NDArray[np.float64]:
    """Population stability index of two histograms along the last axis.

    Half a cell-day is added to each class, so that an empty one has a logarithm.
    """
    p, q = one + 0.5, other + 0.5
    p = p / p.sum(axis=-1, keepdims=True)
    q = q / q.sum(axis=-1, keepdims=True)
    return np.asarray(((p - q) * np.log(p / q)).sum(axis=-1), dtype=np.float64)


def input_drift(
    profile: InputProfile,
    recent: CellDayBlock,
    *,
    false_alarm_rate: float = FALSE_ALARM_RATE,
) -> pl.DataFrame:
    """Compare the last four weeks of `recent` with training.

    Parameters
    ----------
    profile : InputProfile
        Of the days trained on.
    recent : CellDayBlock
        Four weeks of days at least; the last four count.
    false_alarm_rate : float
        Share of times at which any feature alarms although nothing changed.

    Returns
    -------
    DataFrame
        `measure`, `statistic` (index over its mean over all stretches), `upper` (what it must exceed;
        inf where training has too few weeks for the rate) and `is_alarm`: a row a feature, then
        the row `ALL_INPUTS` with the largest.

    Raises
    ------
    ValueError
        Where `recent` has fewer than four weeks.
    """
    newest = weekly_classes(recent, profile.names, profile.edges)[-RECENT_WEEKS:]
    if len(newest) < RECENT_WEEKS:
        raise ValueError(
            f"Drift of inputs is seen over {RECENT_WEEKS} weeks; {recent.n_days} days were given."
        )
    weekly = np.concatenate([profile.weekly, newest]).astype(np.float64)
    stretch = np.lib.stride_tricks.sliding_window_view(weekly, RECENT_WEEKS, axis=0).sum(axis=-1)
    index = stability_index(stretch, weekly.sum(axis=0) - stretch)
    typical = index.mean(axis=0)
    relative = index / np.where(typical > 0, typical, 1.0)
    largest = np.sort(relative.max(axis=1))
    allowed = int(false_alarm_rate * len(largest) / _RUNS_CUT + 1e-9)
    upper = float(largest[-1 - allowed]) if allowed else float("inf")
    found = pl.DataFrame({"measure": profile.names, "statistic": relative[-1]})
    every = pl.DataFrame({"measure": [ALL_INPUTS], "statistic": [float(relative[-1].max())]})
    return pl.concat([found, every]).with_columns(
        pl.lit(upper).alias("upper"), (pl.col("statistic") > upper).alias("is_alarm")
    )
