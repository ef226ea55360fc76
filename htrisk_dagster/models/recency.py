"""How far the last weeks move a long-run rate, city-wide and cell by cell.

Belongs here: the as-of multiplier on static rates and its strengths. Does not: the static rates
(`empirical_bayes`), self-excitation (`etas`).

A unit that reported n incidents of late where e were expected is worth (k + n) / (k + e) of its
rate today: the posterior mean of a gamma prior around the rate, whose evidence is discounted with
age (Harvey and Fernandes 1989). For a cell, the days before the cutoff count by an exponential
weight, and the cells around it by a kernel; for the city, the last 28 days count alike. Strength,
half-life and kernel are those under which later days are likeliest given rates fitted on earlier
ones; where nothing is gained k is infinite and the multiplier 1.

Harvey, A. and Fernandes, C. (1989). Time series models for count or qualitative observations.
Journal of Business and Economic Statistics 7.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.cell_lattice import CellLattice
from htrisk_dagster.models.count_model import training_counts
from htrisk_dagster.models.grid_search import climb_pair
from htrisk_dagster.models.recent_history import RecentHistory, exponential_weights
from htrisk_dagster.models.shrinkage import ratio_given

Array = NDArray[np.float64]

_MODEL = "empirical_bayes"
CITY_WINDOW = 28
CITY_COLUMN = f"city_target_mean_{CITY_WINDOW}"
CELL_HALF_LIVES_DAYS = (14.0, 28.0, 56.0, 112.0, 224.0, 448.0)
CITY_STRENGTHS = tuple(4.0**n for n in range(1, 8))
CELL_STRENGTHS = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
# Of the kernel that lets neighbours' last weeks count; 0 is the cell's own alone.
REACHES_CELLS = (0.0, 0.7, 1.4, 4.0)
_FIRST = (56.0, 8.0)
# A gain in log likelihood that a strength must be worth: Akaike's, for strength, half-life, reach.
_LEAST_GAIN = 3.0


@dataclass(frozen=True)
class Recency:
    """Strengths and memories; inf strengths leave the rates as they are.

    Parameters
    ----------
    city_strength, cell_strength : float
        k, in incidents.
    city_known : float
        Incidents known in a window of the city per incident that will be: below 1 where reports
        are still to come, above it where reports without a place count too.
    cell_half_life_days : float
    reach_cells : float
        Bandwidth of the kernel on neighbours, in cells.
    """

    city_strength: float = math.inf
    city_known: float = 1.0
    cell_strength: float = math.inf
    cell_half_life_days: float = _FIRST[0]
    reach_cells: float = 0.0

    def multipliers(self, block: CellDayBlock, rates: Array, lattice: CellLattice | None) -> Array:
        """Multiplier of each cell-day, shape (D, C), or (D, 1) where all cells share it."""
        city = np.ones((block.n_days, 1))
        if not math.isinf(self.city_strength):
            due = np.array(CITY_WINDOW * self.city_known * rates.sum())
            city = ratio_given(self.city_strength, _city_counts(block), due)
        if math.isinf(self.cell_strength):
            return city
        history = RecentHistory.of_block(block, _MODEL)
        counts = _counts(history, self.cell_half_life_days, rates)
        near, due = _near_and_due(counts, rates, self.reach_cells, lattice)
        return city * _moved(self.cell_strength, near, due, rates)


def choose_recency(
    block: CellDayBlock, rates: Array, weekday: Array, lattice: CellLattice | None
) -> Recency:
    """Strengths under which the days of `block` are likeliest, its rates fitted before them.

    Parameters
    ----------
    block : CellDayBlock
        Days with counts that no part of `rates` has seen.
    rates : float64, shape (C,)
        Incidents per day, above 0.
    weekday : float64, shape (D, 1)
        Multiplier of each day.
    lattice : CellLattice or None
        Where the cells lie; without it neighbours do not count.
    """
    if not training_counts(block).any():
        return Recency()
    chosen = _choose_city(block, rates, weekday)
    if not RecentHistory.is_in(block):
        return chosen
    top = _LEAST_GAIN
    for reach in REACHES_CELLS if lattice is not None else (0.0,):
        gain = _gain_of_cells(block, rates, reach, lattice)
        half_life, strength = climb_pair(CELL_HALF_LIVES_DAYS, CELL_STRENGTHS, _FIRST, gain)
        if gain(half_life, strength) > top:
            top = gain(half_life, strength)
            chosen = replace(
                chosen, cell_strength=strength, cell_half_life_days=half_life, reach_cells=reach
            )
    return chosen


def _gain_of_cells(
    block: CellDayBlock, rates: Array, reach_cells: float, lattice: CellLattice | None
) -> Callable[[float, float], float]:
    """Log likelihood that a half-life and a strength add to the rates."""
    observed = training_counts(block)
    hit = np.nonzero(observed)
    happened = observed[hit].astype(np.float64)
    history = RecentHistory.of_block(block, _MODEL)

    @cache
    def evidence(half_life_days: float) -> tuple[Array, Array]:
        counts = _counts(history, half_life_days, rates)
        return _near_and_due(counts, rates, reach_cells, lattice)

    @cache
    def gain(half_life_days: float, strength: float) -> float:
        ratio = _moved(strength, *evidence(half_life_days), rates)
        # The total is what it was, so only the incidents that happened tell.
        return float((happened * np.log(ratio[hit])).sum())

    return gain


def _choose_city(block: CellDayBlock, rates: Array, weekday: Array) -> Recency:
    """Strength of the city's last weeks and the share of them that is known by the cutoff."""
    if CITY_COLUMN not in block.names:
        return Recency()
    daily = training_counts(block).sum(axis=1, dtype=np.float64)
    counts = _city_counts(block)
    known = 1.0
    if block.n_days > CITY_WINDOW:
        # As they are known today: the sum of the days before each, from the first that has them all.
        running = np.concatenate([[0.0], np.cumsum(daily)])
        later = running[CITY_WINDOW:-1] - running[: -CITY_WINDOW - 1]
        if later.any():
            known = float(counts[CITY_WINDOW:].sum() / later.sum())
    best, top = Recency(city_known=known), _LEAST_GAIN
    expected = weekday[:, 0] * rates.sum()
    due = np.array(CITY_WINDOW * known * rates.sum())
    for strength in CITY_STRENGTHS:
        ratio = ratio_given(strength, counts, due)[:, 0]
        gain = float((daily * np.log(ratio)).sum() - ((ratio - 1) * expected).sum())
        if gain > top:
            best, top = Recency(strength, known), gain
    return best


def _near_and_due(
    counts: Array, rates: Array, reach_cells: float, lattice: CellLattice | None
) -> tuple[Array, Array]:
    """Incidents in and around each cell, and how many of the city's were due there, (D, C) each."""
    due = counts.sum(axis=1, keepdims=True) * (rates / rates.sum())
    if reach_cells == 0 or lattice is None:
        return counts, due
    near = counts + lattice.sum_around(counts, reach_cells)
    # One map of rates serves all days: only the city's total differs.
    share = (rates + lattice.sum_around(rates, reach_cells)) / rates.sum()
    return near, counts.sum(axis=1, keepdims=True) * share


def _moved(strength: float, near: Array, due: Array, rates: Array) -> Array:
    """Shrunk ratios, scaled so that the city's total of each day stays what it was."""
    ratio = ratio_given(strength, near, due)
    # A row's own sum, not a matrix product: a day alone has the bytes of a day in a range.
    total = (ratio * rates).sum(axis=1, keepdims=True)
    scaled: Array = ratio * (rates.sum() / total)
    return scaled


def _city_counts(block: CellDayBlock) -> Array:
    """Incidents of the city in the last weeks, shape (D, 1)."""
    column = block.column(CITY_COLUMN)[:, :1].astype(np.float64)
    return np.nan_to_num(column) * (CITY_WINDOW * block.n_cells)


def _counts(history: RecentHistory, half_life_days: float, rates: Array) -> Array:
    """Incidents of each cell, a day counting 1 at the cutoff and half every half-life before."""
    days = 1 / exponential_weights(half_life_days, 1)[0]
    counts: Array = days * history.weighted_mean(half_life_days, rates)
    return counts
