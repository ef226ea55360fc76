"""Which cell-days a learner is fitted on, which stop it early, and what each weighs.

Belongs here: the split in time, subsampling of zeros with its correction, feature columns that
carry anything. Does not: the learners (`boosting`, `xgboost_model`, `lstm`).

Cell-days are numbered row = day * C + cell, as in `block_rows`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import training_counts

# The first four weeks have the thinnest history behind their lags and means.
THIN_HISTORY_DAYS = 28
# Four weeks hold each weekday equally often; later days are closest to what will be forecast.
VALIDATION_DAYS = 28
# A week between, so that no validation day shares its seven-day window with a training day.
GAP_DAYS = 7


@dataclass(frozen=True)
class Rows:
    """Cell-days by number, with their counts and weights.

    Parameters
    ----------
    index : int64, shape (n,)
        Row numbers, ascending.
    counts, weights : float32, shape (n,)
        Incidents, and how many cell-days the row stands for.
    """

    index: NDArray[np.int64]
    counts: NDArray[np.float32]
    weights: NDArray[np.float32]


def block_rows(block: CellDayBlock) -> NDArray[np.float32]:
    """View the features as one row a cell-day, shape (D * C, F)."""
    return block.features.reshape(block.n_days * block.n_cells, len(block.names))


def split_days(n_days: int) -> tuple[slice, slice]:
    """Training days and the later days that stop training early.

    Raises
    ------
    ValueError
        Where no more days would be trained on than validated on.
    """
    train = slice(THIN_HISTORY_DAYS, n_days - VALIDATION_DAYS - GAP_DAYS)
    needed = THIN_HISTORY_DAYS + 2 * VALIDATION_DAYS + GAP_DAYS
    if n_days < needed:
        raise ValueError(
            f"A learner needs at least {needed} training days; this block has {n_days}."
        )
    return train, slice(n_days - VALIDATION_DAYS, n_days)


def draw_rows(
    block: CellDayBlock, days: slice, zero_keep_share: float, rng: np.random.Generator
) -> Rows:
    """All cell-days with an incident in `days`, and a share of those without.

    Each kept zero weighs (zeros there were) / (zeros kept). Zeros are kept blindly, so weighted
    sums, and with them the likelihood and its gradient, are unbiased: rates come out at natural
    prevalence and need no correction afterwards.

    Parameters
    ----------
    block : CellDayBlock
        With counts.
    days : slice
        Of the block's days, with plain bounds.
    zero_keep_share : float
        Share of zeros to keep, above 0; from 1 on all rows are kept and weigh 1.
    rng : numpy.random.Generator
        What the draw depends on.
    """
    if not zero_keep_share > 0:
        raise ValueError(f"The share of zeros to keep must be above 0, not {zero_keep_share}.")
    n_cells = block.n_cells
    counts = training_counts(block)[days].ravel()
    first = days.start * n_cells
    zeros = np.flatnonzero(counts == 0)
    n_kept = max(1, round(zero_keep_share * len(zeros)))
    if n_kept >= len(zeros):
        return Rows(first + np.arange(len(counts)), counts, np.ones_like(counts))
    kept = rng.choice(zeros, size=n_kept, replace=False, shuffle=False)
    index = np.sort(np.concatenate([np.flatnonzero(counts), kept]))
    drawn = counts[index]
    weights = np.where(drawn > 0, 1, len(zeros) / n_kept).astype(np.float32)
    return Rows(first + index, drawn, weights)


def mean_count(rows: Rows) -> float:
    """Weighted mean count per cell-day; half an incident in all where there is none."""
    total = float(np.sum(rows.counts, dtype=np.float64))
    return max(total, 0.5) / float(np.sum(rows.weights, dtype=np.float64))


def present_columns(block: CellDayBlock, days: slice) -> tuple[str, ...]:
    """Names of the features with at least one value in `days`."""
    found = np.zeros(len(block.names), dtype=np.bool_)
    # Most features have values on the first day; a day at a time keeps memory flat.
    for day in range(days.start, days.stop):
        found |= np.isfinite(block.features[day]).any(axis=0)
        if found.all():
            break
    return tuple(name for name, has in zip(block.names, found, strict=True) if has)


def feature_matrix(block: CellDayBlock, columns: tuple[str, ...]) -> NDArray[np.float32]:
    """Features `columns` of all cell-days, shape (D * C, len(columns)); a view where it can be.

    Raises
    ------
    ValueError
        Where the block lacks a column that the model was fitted on.
    """
    matrix = block_rows(block)
    if columns == block.names:
        return matrix
    missing = [name for name in columns if name not in block.names]
    if missing:
        raise ValueError(
            f"The block lacks feature '{missing[0]}', which the model was fitted on "
            f"({len(missing)} missing in all). Make the features with the same list."
        )
    return matrix[:, [block.names.index(name) for name in columns]]
