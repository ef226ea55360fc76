"""What a table is: named columns with type, unit and meaning, a grain, a key, and warnings.

Belongs here: `Column`, `Table` and the check of a frame against them. Does not: any particular
table (its own module beside this one), nor rules about values that need other tables
(asset checks, dbt tests).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from htrisk_dagster.errors import TableError


@dataclass(frozen=True)
class Column:
    """One column: our name, type and meaning, and the publisher's name for it.

    Parameters
    ----------
    name : str
        Our name; units are a suffix (`_m`, `_pct`, `_count`, `_prob`), `_on` a date, `_at` an instant.
    dtype : polars data type
        Type in memory and in Parquet. Instants are naive UTC.
    description : str
        One sentence.
    unit : str
        Unit in words, empty for identifiers and labels.
    nullable : bool
        Whether a missing value is legal.
    source_name : str
        The publisher's column name or names, empty where we derive the column.
    allowed : tuple of str
        The closed list of values of a label, empty where any value is legal.
    lower, upper : float or None
        Inclusive bounds of a number.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    description: str
    unit: str = ""
    nullable: bool = False
    source_name: str = ""
    allowed: tuple[str, ...] = ()
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True)
class Table:
    """One table of the warehouse.

    Parameters
    ----------
    layer, name : str
        `layer.name` is the table's name in the catalog, `layer/name` its place on disk.
    grain : str
        What one row is.
    description : str
        What the table is for, and where its rows come from.
    columns : tuple of Column
        In file order.
    key : tuple of str
        Columns that identify a row; empty where rows may repeat.
    warnings : tuple of str
        What a reader must know before using it.
    """

    layer: str
    name: str
    grain: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def full_name(self) -> str:
        """`layer.name`, as in SQL."""
        return f"{self.layer}.{self.name}"

    @property
    def column_names(self) -> list[str]:
        """Names in file order."""
        return [c.name for c in self.columns]

    def polars_schema(self) -> pl.Schema:
        """Name to type, in file order."""
        return pl.Schema({c.name: c.dtype for c in self.columns})

    def empty(self) -> pl.DataFrame:
        """A typed frame without rows."""
        return pl.DataFrame(schema=self.polars_schema())

    def conform(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Select and cast the table's columns, in order, then `validate`.

        Raises
        ------
        TableError
            Where a column is missing, cannot be cast, or breaks a rule.
        """
        self._require_columns(frame)
        try:
            conformed = frame.select(pl.col(c.name).cast(c.dtype) for c in self.columns)
        except pl.exceptions.PolarsError as error:
            reason = str(error).splitlines()[0]
            raise TableError(
                f"{self.full_name}: a column cannot be cast to its type: {reason}."
            ) from error
        self.validate(conformed)
        return conformed

    def validate(self, frame: pl.DataFrame) -> None:
        """Check names, types, nulls, allowed values, bounds and key.

        Raises
        ------
        TableError
            With every broken rule, one sentence each.
        """
        problems = self.problems(frame)
        if problems:
            raise TableError(" ".join(problems))

    def problems(self, frame: pl.DataFrame) -> list[str]:
        """Return the rules that `frame` breaks, a sentence each; empty where it holds."""
        missing = [c for c in self.column_names if c not in frame.columns]
        extra = [c for c in frame.columns if c not in self.column_names]
        found = [f"{self.full_name}: column '{c}' is missing." for c in missing]
        found += [f"{self.full_name}: column '{c}' is not in the dictionary." for c in extra]
        for column in self.columns:
            if column.name in frame.columns:
                found += _column_problems(self.full_name, column, frame[column.name])
        if self.key and not missing and frame.select(self.key).is_duplicated().any():
            row = frame.select(self.key).is_duplicated().arg_true()[0]
            values = frame.select(self.key).row(row)
            found.append(f"{self.full_name}: key {self.key} repeats at row {row}, value {values}.")
        return found

    def _require_columns(self, frame: pl.DataFrame) -> None:
        missing = [c for c in self.column_names if c not in frame.columns]
        if missing:
            raise TableError(
                f"{self.full_name}: columns {missing} are missing; found {frame.columns}."
            )


def _column_problems(table: str, column: Column, values: pl.Series) -> list[str]:
    where = f"{table}: column '{column.name}'"
    if values.dtype != column.dtype:
        return [f"{where} has type {values.dtype}, expected {column.dtype}."]
    found = []
    if not column.nullable and values.null_count():
        row = values.is_null().arg_true()[0]
        found.append(f"{where} has {values.null_count()} missing values, first at row {row}.")
    if column.allowed:
        wrong = ~values.is_in(list(column.allowed)) & values.is_not_null()
        if wrong.any():
            row = wrong.arg_true()[0]
            found.append(
                f"{where} has {values[row]!r} at row {row}, which is none of {column.allowed}."
            )
    if column.lower is not None or column.upper is not None:
        lower = -float("inf") if column.lower is None else column.lower
        upper = float("inf") if column.upper is None else column.upper
        # Polars orders NaN above infinity, so that it lies outside any bounds.
        wrong = ~values.is_between(lower, upper) & values.is_not_null()
        if wrong.any():
            row = wrong.arg_true()[0]
            found.append(
                f"{where} has {values[row]} at row {row}, outside [{column.lower}, {column.upper}]."
            )
    return found


def to_markdown(tables: Sequence[Table]) -> str:
    """Print the data dictionary of `tables` as Markdown, one section a table."""
    parts = []
    for table in tables:
        lines = [f"## {table.full_name}", "", table.description, "", f"One row: {table.grain}."]
        if table.key:
            lines[-1] += f" Key: {', '.join(f'`{k}`' for k in table.key)}."
        lines += [f"- Warning: {w}" for w in table.warnings]
        lines += ["", "| column | type | unit | missing | publisher's name | meaning |"]
        lines += ["|---|---|---|---|---|---|"]
        lines += [
            f"| `{c.name}` | {c.dtype} | {c.unit} | {'yes' if c.nullable else 'no'} "
            f"| {c.source_name} | {c.description} |"
            for c in table.columns
        ]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"
