"""Rolling-origin folds: fit on the past as it was known, forecast, seal, and only then look.

Belongs here: which days a fold trains and tests on, and one fold's run. Does not: comparing models
over folds (`champion`, `comparison`), fitting (`models`).

The features of every day in a block are as of that day's own cutoff already (`features`). What a
fold adds: labels of its training days as they were known at its cutoff, a gap between training
and test, and a SHA-256 seal on the forecast before the truth of the test days is touched.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import CountModel, FitResult, Progress

CountsKnownBy = Callable[[date], NDArray[np.float32]]
"""Counts of all days of the block, shape (D, C), from incidents reported before a day."""


@dataclass(frozen=True)
class Fold:
    """One origin: days to train on, a gap, days to test on. Stops are not included.

    Parameters
    ----------
    train_start, train_stop, test_start, test_stop : date
        `train_start` <= day < `train_stop`, then a gap, then `test_start` <= day < `test_stop`.
    """

    train_start: date
    train_stop: date
    test_start: date
    test_stop: date

    def cutoff(self, publication_lag_days: int) -> date:
        """Day before which an incident must be reported to be known when the fold is trained."""
        return self.test_start - timedelta(days=publication_lag_days)


@dataclass(frozen=True)
class FoldResult:
    """What one model gave on one fold.

    Parameters
    ----------
    fold : Fold
    fit : FitResult
        Parameters and learning curves of the fit.
    forecast : float64, shape (D, C)
        Expected counts of the test days.
    digest : str
        Seal of fold and forecast, taken before the truth was read; see `seal`.
    metrics : dict of str to float
        `comparison.METRICS` on all cells of the block.
    """

    fold: Fold
    fit: FitResult
    forecast: NDArray[np.float64]
    digest: str
    metrics: dict[str, float]


def rolling_origin_folds(
    first: date, last: date, *, n_folds: int, test_days: int, gap_days: int
) -> tuple[Fold, ...]:
    """Folds with adjoining test blocks that end on `last`; each trains on all days since `first`.

    Parameters
    ----------
    first, last : date
        First and last day that may be used, both included.
    n_folds, test_days : int
        Number of folds, and days in each test block.
    gap_days : int
        Days between training and test: at least the publication lag and, on top, the days that most
        reports take to arrive, or the last training labels are too low.

    Returns
    -------
    tuple of Fold
        The earliest first.

    Raises
    ------
    SettingError
        Where a number is out of range, or the first fold would train on fewer days than it tests.
    """
    if n_folds < 1 or test_days < 1 or gap_days < 0:
        raise SettingError(
            f"{n_folds} folds of {test_days} days with a gap of {gap_days} days cannot be made; "
            "give one fold and one day at least, and a gap of 0 or more."
        )
    needed = (n_folds + 1) * test_days + gap_days
    available = (last - first).days + 1
    if available < needed:
        raise SettingError(
            f"{first} to {last} has {available} days; {n_folds} folds of {test_days} days after a "
            f"gap of {gap_days} need {needed}, as many for training as for a test at least. "
            "Use fewer or shorter folds, or start earlier."
        )
    folds = []
    for back in range(n_folds, 0, -1):
        test_start = last + timedelta(days=1 - back * test_days)
        folds.append(
            Fold(
                train_start=first,
                train_stop=test_start - timedelta(days=gap_days),
                test_start=test_start,
                test_stop=test_start + timedelta(days=test_days),
            )
        )
    return tuple(folds)


def seal(fold: Fold, forecast: NDArray[np.float64]) -> str:
    """SHA-256 of a fold's dates and of its forecast as little-endian float64, day by day."""
    values = np.ascontiguousarray(forecast, dtype="<f8")
    header = (
        f"{fold.train_start} {fold.train_stop} {fold.test_start} {fold.test_stop} {values.shape}"
    )
    digest = hashlib.sha256(header.encode())
    digest.update(values.tobytes())
    return digest.hexdigest()


def run_fold(
    make_model: Callable[[], CountModel],
    block: CellDayBlock,
    fold: Fold,
    *,
    counts_known_by: CountsKnownBy,
    publication_lag_days: int,
    seed: int,
    progress: Progress | None = None,
) -> FoldResult:
    """Fit a fresh model on a fold's training days, forecast its test days, seal, then score.

    Parameters
    ----------
    make_model : callable
        Returns an unfitted model.
    block : CellDayBlock
        All days of the fold at least, with the counts as they are known today: the truth.
    fold : Fold
    counts_known_by : callable
        The labels as they stood on a past day; the fit sees these and never `block.counts`.
    publication_lag_days : int
        Days before the first test day on which the fold's cutoff lies.
    seed, progress
        Handed to `fit`.

    Raises
    ------
    ValueError
        Where the block lacks a day of the fold or the truth, the gap is under the publication lag,
        or the labels do not fit the block.
    """
    _require_days(block, fold)
    gap = (fold.test_start - fold.train_stop).days
    if gap < publication_lag_days:
        raise ValueError(
            f"The gap of {gap} days before {fold.test_start} is shorter than the publication lag "
            f"of {publication_lag_days} days: the last training days would not be known."
        )
    known = counts_known_by(fold.cutoff(publication_lag_days))
    if known.shape != (block.n_days, block.n_cells):
        raise ValueError(
            f"Labels of shape {known.shape} do not fit a block of {block.n_days} days and "
            f"{block.n_cells} cells."
        )
    train = replace(block, counts=known).between(
        np.datetime64(fold.train_start), np.datetime64(fold.train_stop)
    )
    test = block.between(np.datetime64(fold.test_start), np.datetime64(fold.test_stop))
    model = make_model()
    fit = model.fit(train, seed=seed, progress=progress)
    forecast = model.predict(test.without_truth())
    digest = seal(fold, forecast)
    # From here on the truth may be read.
    if test.counts is None:
        raise ValueError("A fold is scored on a block with counts; this block has none.")
    return FoldResult(fold, fit, forecast, digest, point_values(test.counts, forecast))


def _require_days(block: CellDayBlock, fold: Fold) -> None:
    wanted = (fold.train_start, fold.test_stop - timedelta(days=1))
    missing = [day for day in wanted if np.datetime64(day) not in block.days]
    if missing:
        raise ValueError(
            f"The fold needs {wanted[0]} to {wanted[1]}; the block has {block.days[0]} to "
            f"{block.days[-1]}."
        )
