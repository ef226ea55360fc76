"""Hide cells so that no count of 1 to k - 1 can be read or worked out from a set of tables.

Belongs here: which cells are hidden, and the proof that it is enough. Does not: the attacker who
tries to undo it (`disclosure_attack`, which shares no code with this), noise
(`differential_privacy`).

The reader we guard against knows every shown cell of every table of the set, that hidden cells are
at least 1 (zeros are shown), that all tables count the same records, and which combinations cannot
exist by definition. For each hidden cell with a true count a of 1 to k - 1 there must be another set
of tables, agreeing with all of that, in which the cell is at least a + k: upper protection level k,
lower level 0, hence sliding level k (Fischetti and Salazar-Gonzalez, Math. Program. 84, 1999; Cox,
JASA 90, 1995). So the interval that the reader can work out is at least k wide and reaches beyond k.
A small count that is not in any table but follows from several (a joint cell, or what is left
between a table and a slice of it) must be able to be 0, or a + k.

Complementary cells are chosen one small cell at a time: a linear programme finds the other set of
tables that changes the fewest records in cells still shown, and those cells are hidden (Kelly,
Golden and Assad, Networks 22, 1992). Cells that no proof needs in the end are shown again.

Limits: the proof is over real numbers, not whole ones; the reader knows nothing but the tables, not
some of the cases, and not an earlier release of other tables. Publish a set once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.linked_cube import LinkedCube, link_tables
from htrisk_dagster.victim_population.published_tables import (
    K,
    PublishedTable,
    TableSpec,
    as_categories,
    as_published,
    categories_of,
    cell_frame,
    check_slices,
)

_TOLERANCE = 1e-5
"""Of a count; the solver keeps its constraints to 1e-7."""

_MOST_NEW_WITNESSES = 3
"""A complement that more small counts need stays hidden: to try costs a linear programme each."""


def publish(
    records: pl.DataFrame,
    tables: Sequence[TableSpec],
    k: int = K,
    known_empty: Sequence[tuple[str, str]] = (),
) -> list[PublishedTable]:
    """Count, hide, and prove, for all tables that are published together.

    Parameters
    ----------
    records : pl.DataFrame
        One row per case.
    tables : sequence of TableSpec
        The whole release. Columns that are functions of others in it, in part or whole, belong in
        `known_empty`.
    k : int
        Counts of 1 to ``k - 1`` must not leave.
    known_empty : sequence of (str, str)
        Pairs of columns whose impossible combinations a reader knows.

    Returns
    -------
    list of PublishedTable
        In the order of `tables`. A table of which no count other than zero can be shown has no
        cells and a note that says so.

    Raises
    ------
    TableError
        If there is no record, a table cannot be counted, or the tables are linked through too
        many joint cells.
    """
    words = as_categories(records, tables)
    categories = categories_of(words)
    check_slices(tables, categories)
    cube = link_tables(words, tables, categories, known_empty)
    release = _Release(cube, tables, categories, k)
    release.hide()
    release.show_again()
    release.prove()
    return [_as_leaves(spec, release, categories, k) for spec in tables]


class _Release:
    """Cells of all tables, which are hidden, and for each small count a proof that it is safe.

    A proof, called witness, is a change of the joint cells after which the tables still look the
    same to the reader and the small count is out of the range 1 to k - 1.
    """

    def __init__(
        self,
        cube: LinkedCube,
        tables: Sequence[TableSpec],
        categories: Mapping[str, Sequence[str]],
        k: int,
    ) -> None:
        from scipy.sparse import csr_array, vstack

        self.cube, self.k = cube, k
        rest: list[Any] = [csr_array((0, cube.counts.size))]
        shown_rows: list[np.ndarray] = []
        for spec in tables:
            held = {column: categories[column].index(category) for column, category in spec.where}
            for kept in spec.kept_dimensions():
                shown_rows.append(cube.rows(kept, held)[1].ravel())
                # A table and its slice tell what is left between them.
                for size in range(len(held)):
                    for fewer in combinations(held, size):
                        wide = cube.rows(kept, {c: held[c] for c in fewer})[1].ravel()
                        rest.append(cube.sums[wide] - cube.sums[shown_rows[-1]])
        tabled = np.zeros(cube.sums.shape[0], dtype=bool)
        tabled[np.concatenate(shown_rows)] = True
        self.sums = vstack([cube.sums, *rest], format="csr")
        self.tabled = np.concatenate(
            [tabled, np.zeros(self.sums.shape[0] - tabled.size, dtype=bool)]
        )
        self.value = np.rint(self.sums @ cube.counts).astype(np.int64)
        small = (self.value > 0) & (self.value < k)
        self.hidden = small & self.tabled
        self.small = np.flatnonzero(small)
        self.small = self.small[np.lexsort((-self.value[self.small], ~self.tabled[self.small]))]
        self.witnesses: list[np.ndarray] = []
        self.effects: list[np.ndarray] = []
        self.witness_of: dict[int, int] = {}
        self._build_programme()

    def _build_programme(self) -> None:
        """Unknowns: change of each joint cell, then what each shown cell gains, then loses."""
        from scipy.sparse import block_array, csr_array, eye_array

        zero = self.tabled & (self.value == 0)
        fixed = (self.sums[np.flatnonzero(zero)].sum(axis=0) > 0) | ~self.cube.may_be_filled
        self.free = np.flatnonzero(~fixed)
        self.cells = np.flatnonzero(self.tabled & (self.value > 0))
        links = self.cube.links[:, self.free]
        links = links[np.flatnonzero(np.diff(links.tocsr().indptr))]
        n = self.cells.size
        self.equations = block_array(
            [
                [links, csr_array((links.shape[0], n)), csr_array((links.shape[0], n))],
                [self.sums[self.cells][:, self.free], -eye_array(n), eye_array(n)],
            ],
            format="csr",
        )
        most = self.value[self.cells] - 1.0
        lower = np.concatenate([-self.cube.counts[self.free].astype(float), np.zeros(2 * n)])
        upper = np.concatenate([np.full(self.free.size + n, np.inf), most])
        self.bounds = np.column_stack([lower, upper])

    def _solve(
        self, row: int, gain: float, frozen: np.ndarray | None
    ) -> tuple[float, np.ndarray] | None:
        """Cheapest change that adds `gain` to a sum; cells in `frozen` may not change at all."""
        from scipy.optimize import linprog
        from scipy.sparse import csr_array, hstack

        n = self.cells.size
        price = np.where(self.hidden[self.cells], 0.0, self.value[self.cells].astype(float))
        bounds = self.bounds
        if frozen is not None:
            bounds = bounds.copy()
            stays = np.flatnonzero(frozen[self.cells])
            bounds[self.free.size + stays, 1] = 0.0
            bounds[self.free.size + n + stays, 1] = 0.0
        sign = 1.0 if gain > 0 else -1.0
        target = hstack([-sign * self.sums[[row]][:, self.free], csr_array((1, 2 * n))])
        answer = linprog(
            np.concatenate([np.zeros(self.free.size), price, price]),
            A_ub=target,
            b_ub=[-abs(gain)],
            A_eq=self.equations,
            b_eq=np.zeros(self.equations.shape[0]),
            bounds=bounds,
            method="highs",
        )
        if not answer.success:
            return None
        change = np.zeros(self.cube.counts.size)
        change[self.free] = answer.x[: self.free.size]
        return float(answer.fun), change

    def _serves(self, row: int, effect: np.ndarray) -> bool:
        """Whether an effect takes a small count far enough from the range 1 to k - 1."""
        gain = float(effect[row])
        return gain >= self.k - _TOLERANCE or (
            not self.tabled[row] and gain <= -self.value[row] + _TOLERANCE
        )

    def _first(self, row: int, witnesses: Iterable[int]) -> int | None:
        """The first of some witnesses that serves a small count."""
        return next((i for i in witnesses if self._serves(row, self.effects[i])), None)

    def _find(self, row: int, frozen: np.ndarray | None) -> np.ndarray | None:
        """A witness for a small count, the cheaper of the directions that would do."""
        gains = [float(self.k)] if self.tabled[row] else [float(self.k), -float(self.value[row])]
        found = [answer for gain in gains if (answer := self._solve(row, gain, frozen)) is not None]
        return min(found, key=lambda answer: answer[0])[1] if found else None

    def _keep(self, change: np.ndarray) -> int:
        """Remember a witness and its effect on every sum."""
        self.witnesses.append(change)
        self.effects.append(np.asarray(self.sums @ change))
        return len(self.witnesses) - 1

    def hide(self) -> None:
        """Give each small count a witness, and hide the cells that it alters."""
        for row in self.small.tolist():
            which = self._first(row, range(len(self.effects)))
            if which is None:
                change = self._find(row, None)
                if change is None:
                    # Every cell may be hidden and then grow without end, unless zeros forbid it.
                    raise TableError(
                        "A small count is fixed by shown zeros and known empty combinations "
                        "alone; merge categories of its table."
                    )
                which = self._keep(change)
                self.hidden |= self.tabled & (np.abs(self.effects[which]) > _TOLERANCE)
            self.witness_of[row] = which

    def show_again(self) -> None:
        """Show complements that no small count needs, largest first."""
        primary = np.zeros_like(self.hidden)
        primary[self.small] = True
        extra = np.flatnonzero(self.hidden & ~primary)
        for cell in extra[np.argsort(-self.value[extra], kind="stable")].tolist():
            frozen = self.tabled & ~self.hidden
            frozen[cell] = True
            stays = [bool(np.abs(effect[frozen]).max() <= _TOLERANCE) for effect in self.effects]
            usable = [i for i, unchanged in enumerate(stays) if unchanged]
            plan: dict[int, int] = {}
            affected = [row for row, i in self.witness_of.items() if not stays[i]]
            if sum(self._first(row, usable) is None for row in affected) > _MOST_NEW_WITNESSES:
                continue
            for row in affected:
                which = self._first(row, usable)
                if which is None:
                    change = self._find(row, frozen)
                    if change is None:
                        break
                    which = self._keep(change)
                    usable.append(which)
                plan[row] = which
            else:
                self.hidden[cell] = False
                self.witness_of |= plan

    def prove(self) -> None:
        """Check every witness against what the reader knows, without the solver.

        Raises
        ------
        TableError
            If a small count has no valid witness.
        """
        keeps = ~self.hidden & self.tabled
        for row in self.small.tolist():
            change = self.witnesses[self.witness_of[row]]
            after = self.cube.counts + change
            sums = self.sums @ after
            if not (
                self._serves(row, self.effects[self.witness_of[row]])
                and after.min() >= -_TOLERANCE
                and np.all(np.abs(after[~self.cube.may_be_filled]) <= _TOLERANCE)
                and np.all(np.abs(self.cube.links @ after) <= 10 * _TOLERANCE)
                and np.all(np.abs(sums - self.value)[keeps] <= _TOLERANCE)
                and np.all(sums[self.hidden] >= 1 - _TOLERANCE)
            ):
                raise TableError(
                    "The proof that hidden counts cannot be worked out failed; publish nothing, "
                    "and report the tables that were asked for."
                )


def _as_leaves(
    spec: TableSpec, release: _Release, categories: Mapping[str, Sequence[str]], k: int
) -> PublishedTable:
    """One table with its hidden cells blank."""
    held = {column: categories[column].index(category) for column, category in spec.where}
    levels = {}
    for kept in spec.kept_dimensions():
        axes, rows = release.cube.rows(kept, held)
        rows = rows.transpose([axes.index(column) for column in kept])
        levels[kept] = (release.value[rows], ~release.hidden[rows])
    return as_published(spec, k, cell_frame(spec, categories, levels))
