"""Typed values from publishers' text: days, clocks, numbers, identifiers, local time to UTC.

Belongs here: Polars expressions that read one text column, null where the text cannot be read.
Does not: whether a value is plausible (`quarantine` and each source), splitting (`file_rows`).
"""

from __future__ import annotations

import polars as pl

# Separators of thousands stand before groups of three: `40,5` and `1,2,3` are no numbers.
NUMBER = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)?(?:\.\d*)?(?:[eE][+-]?\d{1,3})?$"
DIGITS = r"^(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.0+)?$"  # what `identifier` reads as a number
# A spreadsheet writes a long number as 5.2E+08, and its last digits are gone.
_ALL_DIGITS = r"^[+-]?(?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d*)?$"
_DAY = (
    r"^(\d{1,2}/\d{1,2}/\d{4}|\d{4}-\d{1,2}-\d{1,2})"
    r"(?:(?:T|\s+)[\d:.]+\s*(?:[AaPp]\.?[Mm]\.?)?Z?)?$"
)
_CLOCK = r"^(\d{1,2}):(\d{2})(?::(\d{2})(?:\.\d+)?)?\s*(?:([AaPp])\.?[Mm]\.?)?$"
_NO_NUMBER = pl.Series([None], dtype=pl.Float64)
_LAST_SECOND = 24 * 3600 - 1


def day(column: str) -> pl.Expr:
    """Day of `9/9/2015`, `10/02/2015 12:11:00 PM`, `2017-11-18 19:00:00` or ISO 8601 text.

    Null where anything but a time of day follows it; whether that time is legal is not asked.
    """
    date_part = pl.col(column).str.extract(_DAY)
    return pl.coalesce(
        date_part.str.to_date("%m/%d/%Y", strict=False),
        date_part.str.to_date("%Y-%m-%d", strict=False),
    )


def clock_part(column: str) -> pl.Expr:
    """Text of the time of day in a date-time text; null where it has none."""
    return pl.col(column).str.extract(r"^[^T\s]+[T\s]+(.*)$")


def seconds_of_day(clock: pl.Series) -> pl.Series:
    """Seconds since local midnight of `2:17:00`, `14:50` or `02:30:00 AM`; null where none.

    `24:00:00`, which the NYPD uses, is read as the last second of the published day, so that the
    day of the incident stays the one that was published.
    """
    # A series and not an expression: Polars would match the pattern anew for each of its parts.
    groups = clock.str.extract_groups(_CLOCK).struct.unnest()
    parts = groups.select(
        pl.nth(0).cast(pl.Int32).alias("hour"),
        pl.nth(1).cast(pl.Int32).alias("minute"),
        pl.nth(2).cast(pl.Int32).fill_null(0).alias("second"),
        pl.nth(3).str.to_uppercase().alias("half"),
    )
    hour, minute, second, half = (pl.col(name) for name in parts.columns)
    is_24 = half.is_null()
    hour_24 = pl.when(is_24).then(hour).otherwise(hour % 12 + 12 * (half == "P").cast(pl.Int32))
    is_end_of_day = is_24 & (hour == 24) & (minute == 0) & (second == 0)
    legal_hour = pl.when(is_24).then(hour <= 23).otherwise(hour.is_between(1, 12))
    seconds = (
        pl.when(is_end_of_day)
        .then(_LAST_SECOND)
        .when(legal_hour & (minute < 60) & (second < 60))
        .then(hour_24 * 3600 + minute * 60 + second)
    )
    return parts.select(seconds).to_series()


def local_instant(on: pl.Expr, seconds: pl.Expr) -> pl.Expr:
    """Local date-time from a day and seconds since midnight; midnight where `seconds` is null."""
    return on.cast(pl.Datetime("us")) + pl.duration(seconds=seconds.fill_null(0))


def to_utc(local: pl.Expr, time_zone: str) -> pl.Expr:
    """Naive UTC of a naive local time.

    An hour that happens twice in autumn is its first; one that spring skips is an hour later.
    """

    def in_zone(instant: pl.Expr) -> pl.Expr:
        return instant.dt.replace_time_zone(time_zone, ambiguous="earliest", non_existent="null")

    at = in_zone(local)
    # Null but where spring skips an hour, so that the second pass costs nothing.
    skipped = in_zone(pl.when(at.is_null()).then(local + pl.duration(hours=1)))
    return pl.coalesce(at, skipped).dt.convert_time_zone("UTC").dt.replace_time_zone(None)


def number(column: str) -> pl.Expr:
    """Read a number such as `40.828`, `40,086` or `75.0`; null where the text is none or not finite."""
    return pl.col(column).map_batches(_numbers, return_dtype=pl.Float64, is_elementwise=True)


def _numbers(texts: pl.Series) -> pl.Series:
    """Numbers of texts; where none has a comma, as in a column of coordinates, in one pass less."""
    plain = texts
    if texts.str.contains(",", literal=True).any():
        plain = texts.str.replace_all(",", "", literal=True)
    values = plain.cast(pl.Float64, strict=False)
    good = values.is_finite() & texts.str.contains(NUMBER)
    return values if good.all() else values.zip_with(good.fill_null(value=False), _NO_NUMBER)


def whole_number(column: str, dtype: type[pl.Int32] | type[pl.Int64] = pl.Int32) -> pl.Expr:
    """Whole number of `75`, `75.0` or `40,086`; null where the text is none, `4.2E+05` among them."""
    value = number(column)
    is_whole = (value == value.floor()) & pl.col(column).str.contains(_ALL_DIGITS)
    return pl.when(is_whole).then(value).cast(dtype, strict=False)


def is_unreadable(column: str, parsed: pl.Expr) -> pl.Expr:
    """Whether a text is there but gave no value."""
    return pl.col(column).is_not_null() & parsed.is_null()


def identifier(column: str) -> pl.Expr:
    """Read the publisher's number as text; `522,575,447` and `522575447.0` become `522575447`."""
    return pl.col(column).map_batches(_identifiers, return_dtype=pl.String, is_elementwise=True)


def _identifiers(texts: pl.Series) -> pl.Series:
    """Publishers' numbers; a column of nothing but digits is what it is."""
    if texts.str.contains(r"^\d+$").all():
        return texts
    plain = texts.str.replace(r"\.0+$", "").str.replace_all(",", "", literal=True)
    return plain.zip_with(texts.str.contains(DIGITS).fill_null(value=False), texts)
