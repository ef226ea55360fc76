"""Reading columns of text once for each distinct text: a million rows name eighty precincts.

Belongs here: evaluating what reads one column of text on its distinct texts, with the answer that
every row by itself would give. Does not: the readings (`text_values`), the rules (`quarantine`).

A column of text may be coded (`pl.Categorical`): the reader of a file has told its texts apart as it
read them, and nobody need do it again. Whoever asks about single rows decodes it first (`decoded`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import polars as pl

_SAMPLE = 4096
_REPEATED = 0.5  # share of a sample that repeats from which telling texts apart costs less


def once_a_text(texts: pl.Series, read: Callable[[pl.Series], pl.Series]) -> pl.Series:
    """Read a column of text, each distinct text once where many repeat.

    Parameters
    ----------
    texts : Series
        Texts; null is one of them. Of coded ones, texts that are read from them are coded too.
    read : callable
        From texts to as many values, each from its own text alone.
    """
    if not repeat(texts):
        return read(texts)
    if not _is_coded(texts.dtype):
        unchanged = texts.unique()
        if read(unchanged).equals(unchanged):
            return texts
    distinct, codes = _told_apart(texts)
    made = read(distinct)
    if _is_coded(texts.dtype) and made.dtype == pl.String:
        if made.equals(distinct):
            return texts
        made = made.cast(any_code())
    return made.gather(codes)


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
        column = column if column is not None and repeat(rows[column]) else None
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
            frame = distinct_texts(rows[column]).to_frame()
        asked = [conditions[n].any().alias(str(n)) for n in numbers]
        held = frame.lazy().select(asked).collect().row(0)
        for number, holds in zip(numbers, held, strict=True):
            found[number] = bool(holds)
    return found


def distinct_texts(texts: pl.Series) -> pl.Series:
    """The texts of a column, null one of them, each once where many repeat."""
    if not repeat(texts):
        return texts
    if not _is_coded(texts.dtype):
        return texts.unique()
    distinct, codes = _told_apart(texts)
    is_there = np.zeros(len(distinct), dtype=bool)
    is_there[codes.to_numpy()] = True
    return distinct.filter(pl.Series(is_there))


def text_column(rows: pl.DataFrame, reading: pl.Expr) -> str | None:
    """The one column of text that a reading is made from; None where there is another or none."""
    names = set(reading.meta.root_names())
    if len(names) != 1:
        return None
    (name,) = names
    dtype = rows.schema[name]
    return name if dtype == pl.String or _is_coded(dtype) else None


def any_code() -> pl.Categorical:
    """Type of a coded column whose codes no other column shares."""
    return pl.Categorical(pl.Categories.random())


def decoded(rows: pl.DataFrame, *columns: str) -> pl.DataFrame:
    """Rows whose coded columns, or those of them among `columns`, are texts again."""
    coded = [
        name
        for name, dtype in rows.schema.items()
        if _is_coded(dtype) and (not columns or name in columns)
    ]
    return rows.with_columns(pl.col(coded).cast(pl.String)) if coded else rows


def _is_coded(dtype: pl.DataType) -> bool:
    return isinstance(dtype, pl.Categorical)


def repeat(texts: pl.Series) -> bool:
    """Whether a column is coded, or a sample of its texts repeats itself often enough."""
    if _is_coded(texts.dtype):
        return True
    if len(texts) <= _SAMPLE:
        return False
    sample = texts.gather_every(len(texts) // _SAMPLE)
    return sample.n_unique() <= (1 - _REPEATED) * len(sample)


def _told_apart(texts: pl.Series) -> tuple[pl.Series, pl.Series]:
    """Distinct texts, null at their end, and the place of each text among them.

    Of a coded column all texts ever given a code are there: some may be of rows that were dropped.
    """
    categories = texts if _is_coded(texts.dtype) else texts.cast(any_code())
    codes = categories.to_physical()
    known = codes.drop_nulls().to_numpy()
    n = int(known.max()) + 1 if len(known) else 0
    numbers = pl.Series(texts.name, range(n), pl.UInt32)
    distinct = numbers.cat.to(categories.dtype).cast(pl.String)
    missing = pl.Series(texts.name, [None], pl.String)
    return distinct.extend(missing), codes.fill_null(n)
