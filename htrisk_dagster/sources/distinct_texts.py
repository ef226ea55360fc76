"""Reading columns of text once for each distinct text: a million rows name eighty precincts.

Belongs here: evaluating what reads one column of text on its distinct texts, with the answer that
every row by itself would give. Does not: the readings (`text_values`), the rules (`quarantine`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import polars as pl

_SAMPLE = 4096
_REPEATED = 0.5  # share of a sample that repeats from which telling texts apart costs less


def once_a_text(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Read a column of text, each distinct text once where many repeat.

    Parameters
    ----------
    texts : Series
        Texts; null is one of them.
    read : callable
        From texts to as many values, each from its own text alone.
    """
    if not _repeat(texts):
        return read(texts)
    unchanged = texts.unique()
    if read(unchanged).equals(unchanged):
        return texts
    distinct, codes = _told_apart(texts)
    return read(distinct).gather(codes)


def with_readings(rows: pl.DataFrame, *readings: pl.Expr) -> pl.DataFrame:
    """Add `readings` as `with_columns` does; those of one column of text once a distinct text.

    Parameters
    ----------
    readings : Expr
        Each with a name; every value of it comes from its own row alone.
    """
    of_column: dict[str | None, list[pl.Expr]] = {}
    for reading in readings:
        column = text_column(rows, reading)
        column = column if column is not None and _repeat(rows[column]) else None
        of_column.setdefault(column, []).append(reading)
    added: dict[str, pl.Series | pl.Expr] = {}
    for column, of_one in of_column.items():
        read: Iterable[pl.Series | pl.Expr] = of_one
        if column is not None:
            distinct, codes = _told_apart(rows[column])
            made = distinct.to_frame().lazy().select(of_one).collect()
            read = (values.gather(codes) for values in made)
        added |= {r.meta.output_name(): v for r, v in zip(of_one, read, strict=True)}
    # Lazily, so that what readings have in common is made once.
    in_order = [added[reading.meta.output_name()] for reading in readings]
    return rows.lazy().with_columns(in_order).collect()


def ever(rows: pl.DataFrame, conditions: Sequence[pl.Expr]) -> list[bool]:
    """Whether each condition holds in any row; those of one column of text are asked once a text.

    Parameters
    ----------
    conditions : sequence of Expr
        Boolean, each from its own row alone; null does not hold.
    """
    of_column: dict[str | None, list[int]] = {}
    for number, condition in enumerate(conditions):
        of_column.setdefault(text_column(rows, condition), []).append(number)
    found = [False] * len(conditions)
    for column, numbers in of_column.items():
        frame = rows
        if column is not None:
            repeat = _repeat(rows[column])
            frame = (rows[column].unique() if repeat else rows[column]).to_frame()
        asked = [conditions[n].any().alias(str(n)) for n in numbers]
        held = frame.lazy().select(asked).collect().row(0)
        for number, holds in zip(numbers, held, strict=True):
            found[number] = bool(holds)
    return found


def text_column(rows: pl.DataFrame, reading: pl.Expr) -> str | None:
    """The one column of text that a reading is made from; None where there is another or none."""
    names = set(reading.meta.root_names())
    if len(names) != 1:
        return None
    (name,) = names
    return name if rows.schema[name] == pl.String else None


def _repeat(texts: pl.Series) -> bool:
    """Whether a sample of the texts repeats itself often enough."""
    if len(texts) <= _SAMPLE:
        return False
    sample = texts.gather_every(len(texts) // _SAMPLE)
    return sample.n_unique() <= (1 - _REPEATED) * len(sample)


def _told_apart(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Distinct texts, null at their end, and the place of each text among them."""
    categories = texts.cast(pl.Categorical(pl.Categories.random()))
    found = categories.drop_nulls().unique()
    distinct = (
        pl.DataFrame({texts.name: found.cast(pl.String), "": found.to_physical()})
        .sort("")
        .to_series()
    )
    missing = pl.Series(texts.name, [None], pl.String)
    return distinct.extend(missing), categories.to_physical().fill_null(len(found))
