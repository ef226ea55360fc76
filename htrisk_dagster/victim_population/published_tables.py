"""What a published count table is: which cells it has, and which of them are shown.

Belongs here: the request for a table (`TableSpec`), its counts, the table as it leaves
(`PublishedTable`) and shares made from it. Does not: which cells are hidden (`suppression`), the
list of tables we publish (`standard_tables`).

A cell with 1 to k - 1 records is never shown. A zero is shown, as the cell policy of the US Centers
for Medicare and Medicaid Services allows (ResDAC, "CMS cell size suppression policy": no cell of 1
to 10, nor any figure from which one can be derived). A zero that must be (an adult of 9--17 years)
and a zero that merely happened look the same, and neither is ever hidden to protect another cell:
a reader who knows that the first must be zero would undo it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
import polars as pl

from htrisk_dagster.errors import TableError

K = 11
"""Smallest count other than zero that is shown."""
ALL = "(all)"
"""Stands in a dimension's column of a margin: summed over all its categories."""
UNKNOWN = "unknown"
"""Category of a missing value: unknown is counted, and is not "no"."""


@dataclass(frozen=True)
class TableSpec:
    """A count table to publish.

    Parameters
    ----------
    name : str
        Name of the table, unique in a set.
    dimensions : tuple of str
        Columns to count by, at least one.
    margins : bool
        Publish sub-totals over every subset of the dimensions, and the total.
    where : tuple of (str, str)
        A slice: only records with these categories; the columns are not dimensions.
    """

    name: str
    dimensions: tuple[str, ...]
    margins: bool = True
    where: tuple[tuple[str, str], ...] = ()

    @property
    def scope(self) -> tuple[str, ...]:
        """Every column that the table tells something of, sorted."""
        return tuple(sorted({*self.dimensions, *(column for column, _ in self.where)}))

    def kept_dimensions(self) -> Iterator[tuple[str, ...]]:
        """Each subset of the dimensions that has cells in the table: itself, then its margins."""
        n = len(self.dimensions)
        for size in range(n, -1 if self.margins else n - 1, -1):
            yield from combinations(self.dimensions, size)


@dataclass(frozen=True)
class PublishedTable:
    """A table as it leaves.

    Parameters
    ----------
    spec : TableSpec
    k : int
        Counts of 1 to ``k - 1`` are not shown.
    cells : pl.DataFrame
        One String column per dimension (`ALL` in margins) and ``count``, Int64, null where hidden.
        Nothing tells a cell hidden for its own sake from one hidden to protect another.
    note : str
        One sentence for under the table.
    """

    spec: TableSpec
    k: int
    cells: pl.DataFrame
    note: str

    def shares(self, over: str) -> pl.DataFrame:
        """Share of each cell within its sub-total over one dimension.

        Made from shown counts only: hidden numerator or denominator, hidden share.

        Parameters
        ----------
        over : str
            Dimension whose categories sum to one.

        Returns
        -------
        pl.DataFrame
            The dimensions and ``share`` in [0, 1], null where hidden or of nothing.

        Raises
        ------
        TableError
            If `over` is not a dimension, or the table has no margins.
        """
        if over not in self.spec.dimensions or not self.spec.margins:
            raise TableError(
                f"Table {self.spec.name!r} has no sub-totals over {over!r}; "
                "choose one of its dimensions and publish it with margins."
            )
        others = [dimension for dimension in self.spec.dimensions if dimension != over]
        within = self.cells.filter(pl.col(over) == ALL).select(
            *others, pl.lit(1).alias("_one"), pl.col("count").alias("_whole")
        )
        return (
            self.cells.filter(pl.col(over) != ALL)
            .with_columns(pl.lit(1).alias("_one"))
            .join(within, on=[*others, "_one"], how="left", maintain_order="left")
            .select(
                *self.spec.dimensions,
                pl.when(pl.col("_whole") > 0)
                .then(pl.col("count") / pl.col("_whole"))
                .alias("share"),
            )
        )


def as_categories(records: pl.DataFrame, specs: Sequence[TableSpec]) -> pl.DataFrame:
    """Every column that the tables use, as words: yes, no and unknown for Booleans.

    Parameters
    ----------
    records : pl.DataFrame
        One row per case.
    specs : sequence of TableSpec

    Returns
    -------
    pl.DataFrame
        String columns without nulls, sorted by name.

    Raises
    ------
    TableError
        If a table has no dimension, repeats a name, or uses a column that is not there, is a
        number with decimals, or has a category named like a margin.
    """
    names = [spec.name for spec in specs]
    if len(set(names)) != len(names):
        raise TableError(f"Two tables of {sorted(names)} share a name; give each its own.")
    for spec in specs:
        sliced = [column for column, _ in spec.where]
        if not spec.dimensions or len({*spec.dimensions, *sliced}) != len(spec.dimensions) + len(
            sliced
        ):
            raise TableError(
                f"Table {spec.name!r} needs at least one dimension, and each column once "
                f"in dimensions {spec.dimensions} and slice {sliced}."
            )
    columns = sorted({column for spec in specs for column in spec.scope})
    for column in columns:
        if column not in records.columns or records.schema[column].is_float():
            raise TableError(
                f"Column {column!r} is not among the records' columns or has decimals; "
                "tables count by categories."
            )
    words = records.select(
        (
            pl.when(pl.col(column)).then(pl.lit("yes")).when(~pl.col(column)).then(pl.lit("no"))
            if records.schema[column] == pl.Boolean
            else pl.col(column).cast(pl.String)
        )
        .fill_null(UNKNOWN)
        .alias(column)
        for column in columns
    )
    for column in columns:
        if words[column].is_in([ALL]).any():
            raise TableError(f"Column {column!r} has the category {ALL!r}, which names margins.")
    return words


def categories_of(words: pl.DataFrame) -> dict[str, tuple[str, ...]]:
    """Categories of each column, sorted, ``unknown`` last."""
    return {
        column: tuple(sorted(words[column].unique(), key=lambda word: (word == UNKNOWN, word)))
        for column in words.columns
    }


def count_array(
    words: pl.DataFrame, columns: Sequence[str], categories: Mapping[str, Sequence[str]]
) -> np.ndarray:
    """Records in every combination of categories.

    Parameters
    ----------
    words : pl.DataFrame
        Of `as_categories`.
    columns : sequence of str
        Axes of the result, in order; may be empty.
    categories : mapping of str to sequence of str
        Categories of each column, in order; every word of `words` is among them.

    Returns
    -------
    ndarray of int64
        One axis per column.
    """
    shape = tuple(len(categories[column]) for column in columns)
    flat = np.zeros(words.height, dtype=np.int64)
    for column, size in zip(columns, shape, strict=True):
        codes = words[column].cast(pl.Enum(list(categories[column]))).to_physical().to_numpy()
        flat = flat * size + codes
    counts: np.ndarray = np.bincount(flat, minlength=int(np.prod(shape, dtype=np.int64)))
    return counts.reshape(shape)


def cell_frame(
    spec: TableSpec,
    categories: Mapping[str, Sequence[str]],
    levels: Mapping[tuple[str, ...], tuple[np.ndarray, np.ndarray]],
) -> pl.DataFrame:
    """Cells of a table as rows.

    Parameters
    ----------
    spec : TableSpec
    categories : mapping of str to sequence of str
    levels : mapping of tuple of str to (ndarray of int64, ndarray of bool)
        For each subset of the dimensions: counts and which of them are shown, axes in its order.

    Returns
    -------
    pl.DataFrame
        As `PublishedTable.cells`.
    """
    frames = []
    for kept in spec.kept_dimensions():
        counts, shown = levels[kept]
        labels = product(*(categories[d] if d in kept else (ALL,) for d in spec.dimensions))
        frame = pl.DataFrame(list(labels), dict.fromkeys(spec.dimensions, pl.String), orient="row")
        count = pl.Series("count", counts.ravel(), dtype=pl.Int64)
        hidden = np.flatnonzero(~shown.ravel())
        frames.append(frame.with_columns(count.scatter(hidden, None)))
    return pl.concat(frames)


def check_slices(specs: Sequence[TableSpec], categories: Mapping[str, Sequence[str]]) -> None:
    """Refuse tables of no records.

    Raises
    ------
    TableError
        If a column has no category, or not the one that a slice asks for.
    """
    for spec in specs:
        for column in spec.dimensions:
            if not categories[column]:
                raise TableError(f"Table {spec.name!r} has no record to count; give it some.")
        for column, category in spec.where:
            if category not in categories[column]:
                raise TableError(
                    f"Table {spec.name!r} is the slice {column} = {category!r}, which no record "
                    f"has; choose one of {tuple(categories[column])}."
                )


def as_published(spec: TableSpec, k: int, cells: pl.DataFrame) -> PublishedTable:
    """A table with its note; without cells where only zeros could be shown.

    Parameters
    ----------
    spec : TableSpec
    k : int
    cells : pl.DataFrame
        Of `cell_frame`, small counts and their complements null.

    Returns
    -------
    PublishedTable
    """
    n_hidden = cells["count"].null_count()
    if not (cells["count"] > 0).any():
        return PublishedTable(
            spec,
            k,
            cells.clear(),
            f"Not published: no count of {k} or more could be shown without giving away a "
            "smaller one.",
        )
    note = (
        f"Counts of 1 to {k - 1}, and counts from which one could be worked out, are not shown: "
        f"{n_hidden} of {cells.height} cells."
        if n_hidden
        else f"No count of 1 to {k - 1} occurs."
    )
    return PublishedTable(spec, k, cells, note)
