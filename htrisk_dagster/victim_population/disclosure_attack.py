"""The attacker: works out hidden counts from published tables, and from nothing else.

Belongs here: differencing and linear-programming attacks on a release. Does not: anything that
hides cells; this module imports no code of it, so that a mistake there is not repeated here. It
reads shown counts, blanks and the rules that are printed with every release.

Two attacks. *Differencing* repeats one step: a sub-total and all but one of its parts give the last
part, whichever tables they come from. *Bounds* finds the least and the greatest count that each
blank can have (Dobra and Fienberg, PNAS 97, 2000) over joint tables: columns are merged into
blocks while their joint cells are few enough, and blocks must agree where they share columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import ceil, floor, prod
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.published_tables import ALL, PublishedTable

Cell = frozenset[tuple[str, str]]
"""A count by what it is a count of; the empty one is the grand total."""

_MAX_BLOCK = 3_000
_SLACK = 1e-4
_MOST = 1e6  # more cases than there are, so that every programme has an answer


@dataclass(frozen=True)
class Recovered:
    """A blank that is not blank any more.

    Parameters
    ----------
    cell : frozenset of (str, str)
        Columns and categories.
    least, greatest : int
        What the count can be: one number, or a range within 1 to k - 1.
    attack : str
        ``"differencing"`` or ``"bounds"``.
    """

    cell: Cell
    least: int
    greatest: int
    attack: str


def attack(
    tables: Sequence[PublishedTable], known_empty: pl.DataFrame | None = None
) -> list[Recovered]:
    """Every hidden count that the tables give away.

    Parameters
    ----------
    tables : sequence of PublishedTable
        Everything published together.
    known_empty : pl.DataFrame, optional
        Impossible combinations that a reader knows, a row each; of no use, and left aside, unless
        its columns are all dimensions of some table.

    Returns
    -------
    list of Recovered
        Blanks worked out exactly, or to within 1 to k - 1, and small remainders (``"not ..."``).

    Raises
    ------
    TableError
        If no counts agree with all tables.
    """
    told = [table for table in tables if table.cells.height]
    shown, blank = _read(told)
    k = max((table.k for table in told), default=0)
    listed = {column for table in told for column in table.spec.dimensions}
    if known_empty is not None and not set(known_empty.columns) <= listed:
        known_empty = None
    known = _difference(shown, blank, listed)
    found = [
        Recovered(cell, known[cell], known[cell], "differencing") for cell in blank & known.keys()
    ]
    found += _remainders(known, k)
    open_ = sorted(blank - known.keys(), key=sorted)
    return found + (_bounds(known, open_, told, known_empty, k) if open_ else [])


def _read(tables: Sequence[PublishedTable]) -> tuple[dict[Cell, int], set[Cell]]:
    """Shown counts and blanks, the same cell of two tables once."""
    shown: dict[Cell, int] = {}
    blank: set[Cell] = set()
    for table in tables:
        slice_ = set(table.spec.where)
        for row in table.cells.iter_rows(named=True):
            n = row.pop("count")
            cell = frozenset({(c, v) for c, v in row.items() if v != ALL} | slice_)
            if n is None:
                blank.add(cell)
            else:
                shown[cell] = n
    return shown, blank - shown.keys()


def _difference(shown: dict[Cell, int], blank: set[Cell], listed: set[str]) -> dict[Cell, int]:
    """Shown counts and the blanks that follow from sub-totals, until no more do."""
    known = dict(shown)
    sums = _sub_totals(shown.keys() | blank, listed)
    progress = True
    while progress:
        progress = False
        for whole, parts in sums:
            open_ = [part for part in parts if part not in known]
            if whole in known and len(open_) == 1:
                known[open_[0]] = known[whole] - sum(known[p] for p in parts if p in known)
                progress = True
            elif whole not in known and not open_:
                known[whole] = sum(known[part] for part in parts)
                progress = True
    return known


def _sub_totals(cells: set[Cell], listed: set[str]) -> list[tuple[Cell, list[Cell]]]:
    """Each cell that is in the tables together with all its parts along one column."""
    # Of a column that only slices name, not every category is seen.
    categories: dict[str, set[str]] = {column: set() for column in listed}
    for column, category in {pair for cell in cells for pair in cell if pair[0] in listed}:
        categories[column].add(category)
    return [
        (whole, parts)
        for whole in cells
        for column in categories.keys() - dict(whole).keys()
        if (parts := [whole | {(column, c)} for c in categories[column]])
        and cells.issuperset(parts)
    ]


def _remainders(known: dict[Cell, int], k: int) -> list[Recovered]:
    """Small counts left between a count and one that is part of it, in whatever tables they are."""
    found = []
    for part, n in known.items():
        for column, category in part:
            whole = part - {(column, category)}
            left = known.get(whole, n) - n
            if 0 < left < k:
                cell = whole | {(column, f"not {category}")}
                found.append(Recovered(cell, left, left, "differencing"))
    return found


def _bounds(
    shown: dict[Cell, int],
    blank: Sequence[Cell],
    tables: Sequence[PublishedTable],
    known_empty: pl.DataFrame | None,
    k: int,
) -> list[Recovered]:
    """Blanks whose least and greatest possible counts meet, or lie within 1 to k - 1."""
    from scipy.optimize import linprog
    from scipy.sparse import vstack

    joint = _Joint(shown, blank, tables, known_empty)
    a_eq = vstack([joint.row(cell) for cell in shown] + joint.links(), format="csr")
    b_eq = np.concatenate(
        [np.array(list(shown.values()), dtype=float), np.zeros(a_eq.shape[0] - len(shown))]
    )
    # Zeros are always shown, so a blank is at least one.
    hidden = vstack([joint.row(cell) for cell in blank], format="csr")
    at_least = {"A_ub": -hidden, "b_ub": -np.ones(len(blank))}
    low, high = np.full(len(blank), np.inf), np.full(len(blank), -np.inf)
    found = []
    for i, cell in enumerate(blank):
        for sign in (-1.0, 1.0):
            # An answer for another blank may already show this one to be out of reach.
            if high[i] >= k and high[i] - low[i] >= 1:
                break
            objective = sign * hidden[[i]].toarray().ravel()
            answer = linprog(
                objective, A_eq=a_eq, b_eq=b_eq, bounds=joint.limits, method="highs", **at_least
            )
            if not answer.success:
                raise TableError(
                    f"No counts agree with the {len(tables)} tables ({answer.message}); attack "
                    "only tables that were published together."
                )
            counts = hidden @ answer.x
            low, high = np.minimum(low, counts), np.maximum(high, counts)
        least, greatest = ceil(low[i] - _SLACK), floor(high[i] + _SLACK)
        if least == greatest or greatest < k:
            found.append(Recovered(cell, least, greatest, "bounds"))
    return found


class _Joint:
    """Unknown joint cells in blocks of columns."""

    def __init__(
        self,
        shown: dict[Cell, int],
        blank: Sequence[Cell],
        tables: Sequence[PublishedTable],
        known_empty: pl.DataFrame | None,
    ) -> None:
        values: dict[str, set[str]] = {}
        for cell in [*shown, *blank]:
            for column, category in cell:
                values.setdefault(column, set()).add(category)
        # The categories of a slice that no table lists are lumped into one.
        self.values = {c: [*sorted(v), *self._others(c, tables)] for c, v in sorted(values.items())}
        scopes = {
            frozenset(dict([*t.spec.where, *((d, "") for d in t.spec.dimensions)])) for t in tables
        }
        if known_empty is not None:
            scopes.add(frozenset(known_empty.columns))
        self.blocks = self._merge(scopes)
        self.start = np.concatenate([[0], np.cumsum([self._size(block) for block in self.blocks])])
        self.n = int(self.start[-1])
        self.limits = np.column_stack([np.zeros(self.n), np.full(self.n, _MOST)])
        if known_empty is not None:
            for row in known_empty.iter_rows(named=True):
                self.limits[self.row(frozenset(row.items())).indices, 1] = 0.0

    @staticmethod
    def _others(column: str, tables: Sequence[PublishedTable]) -> list[str]:
        listed = any(column in table.spec.dimensions for table in tables)
        return [] if listed else ["(others)"]

    def _size(self, block: frozenset[str]) -> int:
        return prod(len(self.values[column]) for column in block)

    def _merge(self, scopes: set[frozenset[str]]) -> list[frozenset[str]]:
        """Join the two blocks with the fewest joint cells while they are few enough."""
        blocks = {a for a in scopes if not any(a < b for b in scopes)}
        while True:
            pairs = [
                (self._size(a | b), sorted(a | b), a, b)
                for a, b in combinations(blocks, 2)
                if a & b
            ]
            if not pairs or min(pairs)[0] > _MAX_BLOCK:
                return sorted(blocks, key=sorted)
            _, _, a, b = min(pairs, key=lambda pair: pair[:2])
            blocks = {block for block in blocks - {a, b} if not block <= a | b} | {a | b}

    def _places(self, which: int, cell: Cell) -> np.ndarray:
        columns = sorted(self.blocks[which])
        index = np.arange(self._size(self.blocks[which])).reshape(
            [len(self.values[column]) for column in columns]
        )
        fixed = dict(cell)
        where = tuple(
            self.values[c].index(fixed[c]) if c in fixed else slice(None) for c in columns
        )
        return np.asarray(self.start[which] + index[where]).ravel()

    def row(self, cell: Cell, which: int | None = None) -> Any:
        """The cell as a sum of joint cells, as a sparse row."""
        from scipy.sparse import csr_array

        if which is None:
            which = next(i for i, b in enumerate(self.blocks) if b >= set(dict(cell)))
        places = self._places(which, cell)
        return csr_array(
            (np.ones(places.size), (np.zeros(places.size, int), places)), shape=(1, self.n)
        )

    def links(self) -> list[Any]:
        """Rows that are zero when two blocks agree on a shared sub-table."""
        rows = []
        for a, b in combinations(range(len(self.blocks)), 2):
            shared = sorted(self.blocks[a] & self.blocks[b])
            for labels in product(*(self.values[column] for column in shared)):
                cell = frozenset(zip(shared, labels, strict=True))
                rows.append(self.row(cell, a) - self.row(cell, b))
        return rows
