"""Which cell-days a learner is fitted on, which ones judge it, and what each weighs.

Belongs here: rolling origins in time, the draw of zeros with its weights, feature columns that
carry anything. Does not: the offset (`rate_offset`), the learners (`boosted_trees`, `lstm`).

Cell-days are numbered row = day * C + cell, as in `block_rows`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import training_counts
from htrisk_dagster.models.rate_offset import block_edges

# The first four weeks have the thinnest history behind their lags and means.
THIN_HISTORY_DAYS = 28
FEWEST_DAYS = 91
# Days are cut into so many blocks, of which the last two judge.
_N_BLOCKS = 5
# A week between, so that no validation day shares its seven-day window with a training day.
GAP_DAYS = 7
# Zeros are drawn as for at least so many incidents: their draw should not add to the noise.
_FEWEST_INCIDENTS = 2_000
_SINGLE_DAY = re.compile(r"_lag_(\d+)$")
_LONGEST_SINGLE_LAG = 7


@dataclass(frozen=True)
class Rows:
    """Cell-days by number, with what a likelihood needs of them.

    Parameters
    ----------
    index : int64, shape (n,)
        Row numbers, ascending.
    counts, weights, log_rates : float32, shape (n,)
        Incidents, how many cell-days the row stands for, and the offset.
    """

    index: NDArray[np.int64]
    counts: NDArray[np.float32]
    weights: NDArray[np.float32]
    log_rates: NDArray[np.float32]

    def between(self, start: int, stop: int) -> Rows:
        """Rows numbered from `start` up to, not including, `stop`."""
        low, high = np.searchsorted(self.index, [start, stop])
        return Rows(
            self.index[low:high],
            self.counts[low:high],
            self.weights[low:high],
            self.log_rates[low:high],
        )


@dataclass(frozen=True)
class Origin:
    """Days to train on and later days to judge by, both half-open."""

    train: slice
    valid: slice


def block_rows(block: CellDayBlock) -> NDArray[np.float32]:
    """View the features as one row a cell-day, shape (D * C, F)."""
    return block.features.reshape(block.n_days * block.n_cells, len(block.names))


def require_days(n_days: int) -> None:
    """Refuse a block too short to learn from and to judge on.

    Raises
    ------
    ValueError
        Where there are fewer than 91 days.
    """
    if n_days < FEWEST_DAYS:
        raise ValueError(
            f"A learner needs at least {FEWEST_DAYS} training days; this block has {n_days}."
        )


def rolling_origins(n_days: int) -> tuple[Origin, Origin]:
    """Two origins that judge how long to learn: the last two fifths of the days.

    A rare target has an incident or two in four weeks, which can judge nothing; two fifths of the
    days hold two fifths of the incidents, each season nearly, and are still forecast from the past
    alone. Each starts a week after the days it is trained on.
    """
    require_days(n_days)
    edges = block_edges(n_days, _N_BLOCKS)
    first, second = (
        Origin(slice(THIN_HISTORY_DAYS, int(edges[k]) - GAP_DAYS), slice(int(edges[k]), int(stop)))
        for k, stop in ((-3, edges[-2]), (-2, edges[-1]))
    )
    return first, second


def draw_rows(
    block: CellDayBlock,
    log_rates: NDArray[np.float64],
    days: slice,
    zeros_per_incident: float,
    rng: np.random.Generator,
    *,
    most_zeros: int,
) -> Rows:
    """All cell-days with an incident in `days`, and a sample of those without.

    Half of the zeros are drawn evenly, half in proportion to the offset's rate: what a zero says
    about a rate grows with the rate, so a quiet cell's thousandth quiet day is worth less than a
    busy cell's. Each is drawn independently with a known probability and weighs its inverse
    (Horvitz and Thompson 1952), so weighted sums, and with them the likelihood and its gradient,
    are unbiased: rates come out at natural prevalence and need no correction afterwards.

    Parameters
    ----------
    block : CellDayBlock
        With counts.
    log_rates : float64, shape (D, C)
        Offset of the block's cell-days.
    days : slice
        Of the block's days, with plain bounds.
    zeros_per_incident : float
        Zeros to draw on average per cell-day with an incident, above 0.
    rng : numpy.random.Generator
        What the draw depends on.
    most_zeros : int
        Zeros to draw at most on average.
    """
    if not zeros_per_incident > 0:
        raise ValueError(
            f"The zeros to draw per incident must be above 0, not {zeros_per_incident}."
        )
    counts = training_counts(block)[days].ravel()
    offset = log_rates[days].ravel()
    is_zero = counts == 0
    n_hits = len(counts) - int(np.count_nonzero(is_zero))
    wanted = min(zeros_per_incident * max(n_hits, _FEWEST_INCIDENTS), most_zeros)
    rates = np.exp(offset[is_zero])
    share = np.ones(len(counts))
    even, by_rate = 1 / max(len(rates), 1), rates / max(float(rates.sum()), 1e-300)
    share[is_zero] = np.minimum(wanted / 2 * (even + by_rate), 1)
    kept = np.flatnonzero(rng.random(len(counts)) < share)
    return Rows(
        days.start * block.n_cells + kept,
        counts[kept],
        (1 / share[kept]).astype(np.float32),
        offset[kept].astype(np.float32),
    )


def learnable_columns(block: CellDayBlock, days: slice) -> tuple[str, ...]:
    """Names of the features with a value in `days`, without single days older than a week.

    A count of one cell on one day three weeks ago is nearly all noise; the means over 7 to 364
    days hold what it says.
    """
    found = np.zeros(len(block.names), dtype=np.bool_)
    # Most features have values on the first day; a day at a time keeps memory flat.
    for day in range(days.start, days.stop):
        found |= np.isfinite(block.features[day]).any(axis=0)
        if found.all():
            break
    return tuple(
        name for name, has in zip(block.names, found, strict=True) if has and not _is_old_day(name)
    )


def _is_old_day(name: str) -> bool:
    lag = _SINGLE_DAY.search(name)
    return lag is not None and int(lag[1]) > _LONGEST_SINGLE_LAG


def column_positions(block: CellDayBlock, columns: tuple[str, ...]) -> NDArray[np.int64]:
    """Position of each of `columns` among the block's features.

    Raises
    ------
    ValueError
        Where the block lacks a column that the model was fitted on.
    """
    place = {name: index for index, name in enumerate(block.names)}
    missing = [name for name in columns if name not in place]
    if missing:
        raise ValueError(
            f"The block lacks feature '{missing[0]}', which the model was fitted on "
            f"({len(missing)} missing in all). Make the features with the same list."
        )
    return np.array([place[name] for name in columns], dtype=np.int64)
