"""Differentially private counts: noise whose strength is stated, as a budget, on the model card.

Belongs here: the geometric mechanism and the account of what it spent. Does not: suppression
(`suppression`); the two are alternatives, and a release uses one. Noisy counts beside exact ones of
the same cases would protect nothing.

Adding or removing one case changes one inner cell of a table by one, so noise from the two-sided
geometric distribution, P(n) = tanh(eps/2) exp(-eps |n|), makes a table eps-differentially private
(Ghosh, Roughgarden and Sundararajan, SIAM J. Comput. 41, 2012); tables of the same cases add up
(Dwork and Roth, 2014, th. 3.14). What is made from noisy counts costs nothing: margins are sums of
them, and negative counts become zero last. Every cell gets noise, empty ones too, and the
categories must be fixed without looking at the cases, or their presence in a table is told.

Limits: the unit is one case record, not one person with several. The noise is whole numbers from a
statistical generator that the operating system seeds, not from a cryptographic one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.published_tables import (
    TableSpec,
    as_categories,
    cell_frame,
    count_array,
)


@dataclass(frozen=True)
class NoisyTable:
    """A table of noisy counts as it leaves.

    Parameters
    ----------
    spec : TableSpec
    epsilon : float
        Spent on this table.
    cells : pl.DataFrame
        One String column per dimension (`ALL` in margins) and ``count``, Int64, at least 0. Margins
        are near the sum of their cells, not equal to it, because each is cut at zero by itself.
    """

    spec: TableSpec
    epsilon: float
    cells: pl.DataFrame


@dataclass(frozen=True)
class NoisyRelease:
    """Noisy tables with the account of their budget.

    Parameters
    ----------
    tables : tuple of NoisyTable
    budget : pl.DataFrame
        For the model card: ``table``, ``epsilon``, ``standard_deviation`` (of the noise in an inner
        cell) and ``spent`` (epsilon so far), in the order of release.
    """

    tables: tuple[NoisyTable, ...]
    budget: pl.DataFrame


def noisy_counts(
    records: pl.DataFrame,
    tables: Sequence[TableSpec],
    categories: Mapping[str, Sequence[str]],
    epsilon: float,
    seed: int | None = None,
) -> NoisyRelease:
    """Counts with noise, the budget split evenly over the tables.

    Parameters
    ----------
    records : pl.DataFrame
        One row per case.
    tables : sequence of TableSpec
        The whole release, at least one table.
    categories : mapping of str to sequence of str
        Categories of every column used, ``unknown`` among them where values may be missing; from a
        code list, not from the records.
    epsilon : float
        Budget of the whole release, > 0.
    seed : int, optional
        For tests only: whoever knows it can take the noise off. Fresh from the system by default.

    Returns
    -------
    NoisyRelease

    Raises
    ------
    TableError
        If the budget is not positive, there is no table, or a record has a category that was not
        declared.
    """
    if not 0 < epsilon < np.inf or not tables:
        raise TableError(
            f"Private counts need at least one table and a finite budget above 0, not {epsilon} "
            f"for {len(tables)} tables."
        )
    words = as_categories(records, tables)
    for column in words.columns:
        strange = sorted(set(words[column].unique()) - set(categories.get(column, ())))
        if strange:
            raise TableError(
                f"Column {column!r} has {len(strange)} categories that were not declared, such as "
                f"{strange[0]!r}; declare them, or recode them before counting."
            )
    share = epsilon / len(tables)
    generator = np.random.default_rng(seed)
    released = tuple(
        NoisyTable(spec, share, _noisy_cells(words, spec, categories, share, generator))
        for spec in tables
    )
    # Variance of the two-sided geometric distribution: 2 q / (1 - q)^2 with q = exp(-eps).
    deviation = float(np.sqrt(2 * np.exp(-share)) / -np.expm1(-share))
    budget = pl.DataFrame(
        {
            "table": [spec.name for spec in tables],
            "epsilon": [share] * len(tables),
            "standard_deviation": [deviation] * len(tables),
            "spent": [epsilon * (i + 1) / len(tables) for i in range(len(tables))],
        }
    )
    return NoisyRelease(released, budget)


def _noisy_cells(
    words: pl.DataFrame,
    spec: TableSpec,
    categories: Mapping[str, Sequence[str]],
    epsilon: float,
    generator: np.random.Generator,
) -> pl.DataFrame:
    """Noise on the inner cells of a table, margins from the noisy cells, zero at the least."""
    from scipy.stats import dlaplace

    inside = words.filter(*(pl.col(column) == category for column, category in spec.where))
    counts = count_array(inside, spec.dimensions, categories)
    noisy = counts + dlaplace.rvs(epsilon, size=counts.shape, random_state=generator)
    levels = {}
    for kept in spec.kept_dimensions():
        summed = tuple(i for i, column in enumerate(spec.dimensions) if column not in kept)
        cells = np.maximum(noisy.sum(axis=summed), 0)
        levels[kept] = (cells, np.ones(cells.shape, dtype=bool))
    return cell_frame(spec, categories, levels)
