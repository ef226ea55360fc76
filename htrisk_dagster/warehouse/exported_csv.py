"""CSV for people: a table as text that no spreadsheet takes for a program.

Belongs here: writing a table that a person will open. Does not: CSV that only a program reads back
to the bit (`evaluation/exchange_files`, numbers and dates alone), nor the invented city's files,
which are in the publishers' own layouts.

A cell that begins with one of `= + - @`, a tab or a line break is a formula to a spreadsheet, and may
run a program or send the sheet's contents away. Such a text gets a single quote before it, which
spreadsheets show as text (OWASP, "CSV Injection"). Numbers are written as they are.
"""

from __future__ import annotations

import polars as pl

_STARTS_A_FORMULA = r"^[=+\-@\t\r\n＝＋－＠]"
_NUMBER = r"^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$"


def csv_for_people(frame: pl.DataFrame) -> str:
    """Frame as CSV, with a quote before every text, name of a column included, that starts a formula."""
    safe = frame.with_columns(_made_safe(pl.col(pl.String)))
    names = pl.Series(safe.columns, dtype=pl.String).to_frame("name")
    return safe.rename(
        dict(zip(safe.columns, names.select(_made_safe(pl.col("name"))).to_series(), strict=True))
    ).write_csv()


def _made_safe(text: pl.Expr) -> pl.Expr:
    is_formula = text.str.contains(_STARTS_A_FORMULA) & ~text.str.contains(_NUMBER)
    return pl.when(is_formula).then("'" + text).otherwise(text).name.keep()
