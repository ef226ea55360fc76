"""Where a logit has no finite estimate: separation of yes from no by the design.

Belongs here: which cells are separated, which coefficients stay finite, and the sentences that say
so. Does not: the fit (`logit`).

A logit's likelihood has its maximum at infinity where some direction of the coefficients predicts
part of the records perfectly (Albert and Anderson 1984, doi 10.1093/biomet/71.1.1). Software then
stops at some huge coefficient with a huger standard error. A linear program decides it exactly
(Konis 2007): with counts in a handful of cells it has as many rows as cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.victim_population.published_tables import K

SeparationKind = Literal["none", "near", "empty", "quasi", "complete"]


@dataclass(frozen=True)
class Separation:
    """What the cells allow to be estimated.

    Parameters
    ----------
    kind : str
        `complete`: every record is predicted perfectly; `quasi`: some are; `empty`: no separation,
        but a coefficient without any record to tell it; `near`: estimates exist, but some odds rest
        on fewer than K (11) records with, or without, the outcome; `none`.
    is_separated : array of bool, shape (N,)
        Cells whose fitted probability is 0 or 1.
    is_near : array of bool, shape (N,)
        Cells that are not separated, with few records on one side.
    is_finite : array of bool, shape (K,)
        Coefficients that have a finite estimate.
    """

    kind: SeparationKind
    is_separated: NDArray[np.bool_]
    is_near: NDArray[np.bool_]
    is_finite: NDArray[np.bool_]


def _separated_rows(
    design: NDArray[np.float64], yes: NDArray[np.float64], no: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Rows that some direction predicts perfectly while it contradicts none."""
    from scipy.optimize import linprog

    one_sided: NDArray[np.bool_] = (yes > 0) != (no > 0)
    mixed = (yes > 0) & (no > 0)
    sided = design[one_sided] * np.where(yes > 0, 1.0, -1.0)[one_sided][:, None]
    n_terms, n_sided = design.shape[1], int(one_sided.sum())
    if n_sided == 0:
        return one_sided
    # Unknowns: a direction d and a margin z in [0, 1] for each one-sided row, z <= x'd. Directions add
    # up and scale, so the largest sum of margins reaches 1 in every row that can be separated.
    found = linprog(
        c=np.concatenate([np.zeros(n_terms), -np.ones(n_sided)]),
        A_ub=np.hstack([-sided, np.eye(n_sided)]),
        b_ub=np.zeros(n_sided),
        A_eq=np.hstack([design[mixed], np.zeros((int(mixed.sum()), n_sided))]),
        b_eq=np.zeros(int(mixed.sum())),
        bounds=[(None, None)] * n_terms + [(0.0, 1.0)] * n_sided,
    )
    separated = np.zeros(len(design), dtype=bool)
    separated[one_sided] = found.x[n_terms:] > 0.5
    return separated


def _finite_terms(design: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Coefficients that the rows determine: unit vectors inside the row space, shape (K,)."""
    n_terms = design.shape[1]
    projection = np.linalg.pinv(design) @ design if len(design) else np.zeros((n_terms, n_terms))
    return np.asarray(np.isclose(np.diag(projection), 1.0, atol=1e-8))


def find_separation(design: NDArray[np.float64], yes: ArrayLike, no: ArrayLike) -> Separation:
    """Decide which cells are separated and which coefficients are finite.

    Parameters
    ----------
    design : array of shape (N, K)
        One row per cell; cells may share a row, and are then judged together.
    yes, no : arrays of shape (N,)
        Records with and without the outcome; expected counts may be fractions.
    """
    rows, row_of_cell = np.unique(design, axis=0, return_inverse=True)
    row_of_cell = row_of_cell.ravel()
    yes_of_row, no_of_row = (
        np.bincount(row_of_cell, weights=np.asarray(w, dtype=np.float64)).astype(np.float64)
        for w in (yes, no)
    )
    occupied = yes_of_row + no_of_row > 0
    separated = _separated_rows(rows, yes_of_row, no_of_row)
    overlap = occupied & ~separated
    finite = _finite_terms(rows[overlap])
    near = overlap & (np.minimum(yes_of_row, no_of_row) < K)
    kind: SeparationKind = "none"
    if separated.any():
        kind = "quasi" if overlap.any() else "complete"
    elif not finite.all():
        kind = "empty"
    elif near.any():
        kind = "near"
    return Separation(kind, separated[row_of_cell], near[row_of_cell], finite)


def separation_sentences(
    separation: Separation, *, outcome: str, cells: Sequence[str], terms: Sequence[str]
) -> tuple[str, ...]:
    """Say what is separated, where, and what follows; no count below K is told.

    Parameters
    ----------
    separation : Separation
        Of N cells and K coefficients.
    outcome : str
        What is predicted.
    cells : sequence of N str
        Name of each cell, such as "man, hotline".
    terms : sequence of K str
        Name of each coefficient.
    """

    def named(names: Sequence[str], chosen: NDArray[np.bool_]) -> str:
        return "; ".join(dict.fromkeys(n for n, c in zip(names, chosen, strict=True) if c))

    sentences = []
    if separation.is_separated.any():
        word = "Complete" if separation.kind == "complete" else "Quasi-complete"
        sentences.append(
            f"{word} separation of {outcome}: all records or none have it in: "
            f"{named(cells, separation.is_separated)}; their probability is 0 or 1 with an exact "
            "binomial interval."
        )
    if not separation.is_finite.all():
        sentences.append(
            f"No finite estimate of {outcome} for: {named(terms, ~separation.is_finite)}; "
            "a number printed there by other software is where its iterations stopped."
        )
    if separation.is_near.any():
        sentences.append(
            f"At the edge of separation: fewer than {K} records with or without {outcome} "
            f"in: {named(cells, separation.is_near)}; a record more or less moves these odds and "
            "their coefficients."
        )
    return tuple(sentences)
