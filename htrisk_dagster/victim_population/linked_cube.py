"""All tables of one release as margins of one cube, small enough for a linear programme.

Belongs here: the unknowns (joint cells), and how each cell of each table is a sum of them. Does
not: which cells are hidden (`suppression`), what an attacker makes of them (`disclosure_attack`).

The cube over every column of a release is too large to write down. It need not be: tables that
share columns form a graph; completed to a chordal one, its cliques form a tree, and non-negative
tables on the cliques that agree where neighbours overlap are exactly the margins of some
non-negative joint table (Vorob'ev, Theory Probab. Appl. 7, 1962; Lauritzen, Graphical Models, 1996,
ch. 3). So linear statements about the joint table lose nothing when made of the cliques, which hold
a few thousand cells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.published_tables import TableSpec, count_array

MAX_UNKNOWNS = 20_000
"""Above this many joint cells hiding takes minutes, not seconds."""

Level = tuple[str, ...]
"""Columns of a sub-table, sorted; the empty one is the grand total."""


@dataclass(frozen=True)
class LinkedCube:
    """Unknown joint cells and every marginal cell as a sum of them.

    Parameters
    ----------
    counts : ndarray of int64, shape (n,)
        True counts of the n unknowns: the cells of all cliques, one after another.
    may_be_filled : ndarray of bool, shape (n,)
        False where a reader knows by definition that the combination does not exist.
    links : sparse array, shape (l, n)
        Zero times any consistent table: neighbouring cliques agree on their overlap.
    sums : sparse array, shape (m, n)
        Row i adds the unknowns of marginal cell i.
    first : dict of Level to int
        Row of the first cell of each level; its cells follow in C order.
    shape : dict of Level to tuple of int
    """

    counts: np.ndarray
    may_be_filled: np.ndarray
    links: Any
    sums: Any
    first: dict[Level, int]
    shape: dict[Level, tuple[int, ...]]

    def rows(self, level: Iterable[str], where: Mapping[str, int]) -> tuple[Level, np.ndarray]:
        """Rows of `sums` of a level with some columns held at one category.

        Parameters
        ----------
        level : iterable of str
            Free columns.
        where : mapping of str to int
            Held columns and the place of their category.

        Returns
        -------
        (Level, ndarray of int64)
            The free columns, sorted, and the rows with one axis per free column.
        """
        full = tuple(sorted({*level, *where}))
        shape = self.shape[full]
        grid = self.first[full] + np.arange(int(np.prod(shape, dtype=np.int64))).reshape(shape)
        place = tuple(where.get(column, slice(None)) for column in full)
        return tuple(column for column in full if column not in where), np.asarray(grid[place])


def link_tables(
    words: pl.DataFrame,
    specs: Sequence[TableSpec],
    categories: Mapping[str, Sequence[str]],
    known_empty: Sequence[tuple[str, str]],
) -> LinkedCube:
    """The unknowns behind a set of tables.

    Parameters
    ----------
    words : pl.DataFrame
        Of `as_categories`.
    specs : sequence of TableSpec
    categories : mapping of str to sequence of str
    known_empty : sequence of (str, str)
        Pairs of columns of which a reader knows, by definition, which combinations do not exist
        (age band and majority). All that are empty in `words` are taken as known.

    Returns
    -------
    LinkedCube

    Raises
    ------
    TableError
        If the cliques hold more than `MAX_UNKNOWNS` cells.
    """
    from scipy.sparse import csr_array, vstack

    sizes = {column: len(words_) for column, words_ in categories.items()}
    pairs: list[Level] = [tuple(sorted(pair)) for pair in known_empty if set(pair) <= set(sizes)]
    cliques = _cliques([spec.scope for spec in specs] + pairs, sizes)
    n_of = [int(np.prod([sizes[column] for column in clique])) for clique in cliques]
    n = sum(n_of)
    if n > MAX_UNKNOWNS:
        raise TableError(
            f"The tables are linked through {n:,} joint cells, the largest set being "
            f"{cliques[int(np.argmax(n_of))]}; publish fewer tables of these columns together, "
            f"or merge categories, until at most {MAX_UNKNOWNS:,} are left."
        )
    margins = [_margins(clique, sizes, sum(n_of[:i]), n) for i, clique in enumerate(cliques)]

    blocks: list[Any] = []
    first: dict[Level, int] = {}
    for of_clique in margins:
        for level, rows in of_clique.items():
            if level not in first:
                first[level] = sum(block.shape[0] for block in blocks)
                blocks.append(rows)
    links = [margins[a][level] - margins[b][level] for a, b, level in _tree(cliques)]
    may_be_filled = np.ones(n, dtype=bool)
    for pair in pairs:
        empty = count_array(words, pair, categories).ravel() == 0
        for of_clique in margins:
            if pair in of_clique:
                may_be_filled &= of_clique[pair].T @ empty.astype(float) == 0
    return LinkedCube(
        counts=np.concatenate([count_array(words, c, categories).ravel() for c in cliques]),
        may_be_filled=may_be_filled,
        links=vstack(links, format="csr") if links else csr_array((0, n)),
        sums=vstack(blocks, format="csr"),
        first=first,
        shape={level: tuple(sizes[column] for column in level) for level in first},
    )


def _margins(clique: Level, sizes: Mapping[str, int], start: int, n: int) -> dict[Level, Any]:
    """Every sub-table of a clique: each of its cells as a sum of unknowns, of which `n` in all."""
    from scipy.sparse import csr_array

    index = np.indices([sizes[column] for column in clique]).reshape(len(clique), -1)
    unknown = np.arange(start, start + index.shape[1])
    found = {}
    for size in range(len(clique) + 1):
        for level in combinations(clique, size):
            cell = np.zeros(unknown.size, dtype=np.int64)
            for column in level:
                cell = cell * sizes[column] + index[clique.index(column)]
            n_cells = int(np.prod([sizes[column] for column in level], dtype=np.int64))
            found[level] = csr_array((np.ones(cell.size), (cell, unknown)), shape=(n_cells, n))
    return found


def _cliques(scopes: Sequence[Sequence[str]], sizes: Mapping[str, int]) -> list[Level]:
    """Maximal cliques of a chordal completion: eliminate the column with the fewest joint cells."""
    neighbours: dict[str, set[str]] = {column: {column} for scope in scopes for column in scope}
    for scope in scopes:
        for column in scope:
            neighbours[column] |= set(scope)
    found: list[Level] = []
    while neighbours:
        cheapest = min(
            sorted(neighbours),
            key=lambda column: int(np.prod([sizes[other] for other in neighbours[column]])),
        )
        clique = neighbours.pop(cheapest)
        for column in clique - {cheapest}:
            neighbours[column] = (neighbours[column] | clique) - {cheapest}
        if not any(clique <= set(other) for other in found):
            found.append(tuple(sorted(clique)))
    return found


def _tree(cliques: Sequence[Level]) -> list[tuple[int, int, Level]]:
    """Edges of a junction tree: a spanning tree with the largest overlaps, empty ones included."""
    from scipy.sparse.csgraph import minimum_spanning_tree

    overlap = [[len(set(a) & set(b)) for b in cliques] for a in cliques]
    # An edge of weight zero counts as no edge, and even disjoint cliques share the grand total.
    weight = np.triu(-1.0 - np.array(overlap), 1)
    edges = minimum_spanning_tree(weight).tocoo()
    return [
        (int(a), int(b), tuple(sorted(set(cliques[a]) & set(cliques[b]))))
        for a, b in zip(edges.row, edges.col, strict=True)
    ]
