"""Local day and UTC instant of the times that cities write, whatever their layout.

Belongs here: telling the layouts of one column apart, row by row. Does not: single values such as a
clock (`text_values`), whether a day is plausible (`quarantine`).

A row is read by the first of these that fits, and one file may mix them, as a service and its own
download do:

- Unix time: 12 or 13 digits are milliseconds (ArcGIS, REST API, "Date"), 9 or 10 are seconds.
- A date and a clock that end in `Z`, `UTC` or an offset: an absolute instant (ISO 8601, RFC 3339).
- A date, year first, eight digits or not, or a clock behind it: local, or UTC where said so.
- A date with the year last: month first, or day first where said so; nobody can tell 3/4 from 4/3.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.sources.text_values import local_instant, seconds_of_day, to_utc

YEAR_FIRST = ("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y%m%d")
# Two digits of a year are tried first: four would leave two behind and fail.
MONTH_FIRST = ("%m/%d/%y", "%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y")
DAY_FIRST = ("%d/%m/%y", "%d/%m/%Y", "%d-%m-%Y", "%d.%m.%Y")
NAMED_MONTH = ("%d-%b-%Y", "%d/%b/%Y", "%d-%b-%y")
_OFFSET = r"\d:\d{2}[\d:.]*\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)$"
_ZONE = r"\s*(Z|UTC|[+-]\d{2}(?::?\d{2})?)$"
_UNIX = r"^(\d{9,10}|\d{12,13})(?:\.0+)?$"


def with_instants(
    rows: pl.DataFrame,
    name: str,
    column: str,
    *,
    clock: str | None,
    time_zone: str,
    day_first: bool,
    is_utc: bool,
) -> pl.DataFrame:
    """Add `<name>_on` (local day), `<name>_at` (naive UTC) and `<name>_clock_unreadable`.

    Parameters
    ----------
    rows : DataFrame
        Text columns.
    name : str
        Beginning of the columns that are added.
    column : str
        Text of a day, or of a day and a time.
    clock : str, optional
        Column of the time of day where it has one of its own: `14:50`, `1450`, or `14`, an hour.
        A day without a time is local midnight.
    time_zone : str
        IANA name of the study area's zone.
    day_first : bool
        Whether the day comes before the month where the year comes last.
    is_utc : bool
        Whether a time that does not tell its own offset is UTC, else local.

    Returns
    -------
    DataFrame
        Day and instant are null where the day cannot be read.
    """
    text = pl.col(column)
    date_text = text.str.extract(r"^([^T\s]+)")
    # A parser of `%Y` takes 3/4/24 for a day of the year 3.
    by_year = pl.when(date_text.str.contains(r"^\d{4}")).then(date_text)
    year_last = (*(DAY_FIRST if day_first else MONTH_FIRST), *NAMED_MONTH)
    days = [
        *(by_year.str.to_date(f, strict=False) for f in YEAR_FIRST),
        *(date_text.str.to_date(f, strict=False) for f in year_last),
    ]
    behind = text.str.extract(r"^[^T\s]+[T\s]+(.*)$").str.replace(_ZONE, "")
    parts = rows.select(
        unix=text.str.extract(_UNIX),
        day=pl.coalesce(days),
        offset=text.str.extract(_OFFSET),
        clock=behind if clock is None else _clock(clock),
        behind=behind,
    ).with_columns(
        day=pl.when(pl.col("unix").is_null()).then("day"),
        clock=pl.when(pl.col("unix").is_null() & (pl.col("clock") != "")).then("clock"),
    )
    parts = parts.with_columns(
        seconds=seconds_of_day(parts["clock"]),
        is_followed=_is_no_clock(parts["behind"]) if clock else pl.lit(value=False),
        # A day by itself has no zone: it is the local day even where times are UTC.
        is_absolute=pl.col("offset").is_not_null()
        | (pl.lit(is_utc) & pl.col("clock").is_not_null()),
    )
    written = local_instant(pl.col("day"), pl.col("seconds"))
    absolute = pl.coalesce(_from_unix(), pl.when("is_absolute").then(written - _shift()))
    local = absolute.dt.replace_time_zone("UTC").dt.convert_time_zone(time_zone).dt.date()
    made = parts.select(
        pl.coalesce(local, "day").alias(f"{name}_on"),
        pl.coalesce(absolute, to_utc(written, time_zone)).alias(f"{name}_at"),
        (
            (pl.col("clock").is_not_null() & pl.col("seconds").is_null()) | pl.col("is_followed")
        ).alias(f"{name}_clock_unreadable"),
    )
    return pl.concat([rows, made], how="horizontal")


def _clock(column: str) -> pl.Expr:
    """Text of a time of day: `9` and `0930` become `9:00` and `09:30`."""
    text = pl.col(column).str.strip_suffix(".0")
    return (
        pl.when(text.str.contains(r"^\d{1,2}$"))
        .then(text + ":00")
        .when(text.str.contains(r"^\d{3,4}$"))
        .then(text.str.replace(r"^(\d{1,2})(\d{2})$", "${1}:${2}"))
        .otherwise(text)
    )


def _is_no_clock(behind: pl.Series) -> pl.Series:
    """Whether something else than a clock stands behind the day, where clocks have a column."""
    return (behind != "").fill_null(value=False) & seconds_of_day(behind).is_null()


def _from_unix() -> pl.Expr:
    digits = pl.col("unix")
    number = digits.cast(pl.Int64, strict=False)
    thousandths = pl.when(digits.str.len_chars() >= 12).then(number).otherwise(number * 1000)
    return pl.from_epoch(thousandths, time_unit="ms").cast(pl.Datetime("us"))


def _shift() -> pl.Expr:
    """Local time less UTC, from `+02`, `-0530` or `Z`."""
    offset = pl.col("offset")
    sign = pl.when(offset.str.starts_with("-")).then(-1).otherwise(1)
    hours = offset.str.extract(r"^[+-](\d{2})").cast(pl.Int64).fill_null(0)
    minutes = offset.str.extract(r"^[+-]\d{2}:?(\d{2})$").cast(pl.Int64).fill_null(0)
    return pl.duration(minutes=sign * (60 * hours + minutes))
