"""Named rules that refuse a row, and the engine that applies them: first broken rule wins.

Belongs here: `Rule`, what a source's parser is given and gives, and the marking of refused rows.
Does not: the rules of a source (its own module), collecting files (`intake`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import polars as pl

from htrisk_dagster.sources.distinct_texts import decoded, ever
from htrisk_dagster.sources.file_rows import DEFECT
from htrisk_dagster.study_areas.area import BoundingBox, StudyArea

EARLIEST_DAY = date(2000, 1, 1)
VALUE_LENGTH = 80
REFUSAL = ("rule", "column", "value", "reason")


@dataclass(frozen=True)
class Rule:
    """One reason to refuse a row.

    Parameters
    ----------
    name : str
        Name in the quarantine table.
    column : str
        Column of text whose value is shown, in the spelling of `layouts.normalise`.
    broken : Expr
        True where the row breaks the rule, judged from that row alone; null counts as kept.
    reason : str
        One sentence.
    """

    name: str
    column: str
    broken: pl.Expr
    reason: str


@dataclass(frozen=True)
class FileFacts:
    """What a parser may know beside the rows.

    Parameters
    ----------
    time_zone : str
        IANA name of the zone in which the publisher writes times.
    bounding_box : BoundingBox
        Box in degrees outside which a point is an error of geocoding.
    pulled_on : date
        Day of the file, UTC.
    area : StudyArea, optional
        The study area, for files whose columns it names.
    """

    time_zone: str
    bounding_box: BoundingBox
    pulled_on: date
    area: StudyArea | None = None

    @property
    def last_day(self) -> date:
        """Last day the file can speak of: a day later than UTC's where clocks are ahead of it."""
        return self.pulled_on + timedelta(days=1)


@dataclass(frozen=True)
class Parsed:
    """Rows of one file with the table's columns beside the text, and the rules to judge them by."""

    rows: pl.DataFrame
    rules: tuple[Rule, ...]


RAGGED_ROW = Rule(
    "ragged_row", DEFECT, pl.col(DEFECT).is_not_null(),
    "The row is not whole: it cannot be split into the header's fields, or the file ends within it.",
)  # fmt: skip


def mark_refused(
    parsed: Parsed, published: dict[str, str], for_all: tuple[Rule, ...] = ()
) -> pl.DataFrame:
    """Say of each row which rule it breaks first.

    Parameters
    ----------
    parsed : Parsed
        Rows and rules; `RAGGED_ROW` is applied before them.
    published : dict
        Normalised name of a column to the publisher's own.
    for_all : tuple of Rule
        Rules that hold whatever the source, applied after `RAGGED_ROW` and before its own.

    Returns
    -------
    DataFrame
        The rows, in order, with `rule`, `column`, `value` and `reason`; all null where kept.
    """
    rules = (RAGGED_ROW, *for_all, *parsed.rules)
    is_ever = ever(parsed.rows, [rule.broken for rule in rules])
    broken = [rule for rule, is_broken in zip(rules, is_ever, strict=True) if is_broken]
    if not broken:
        return parsed.rows.with_columns(pl.lit(None, pl.String).alias(name) for name in REFUSAL)
    first = pl.coalesce(
        pl.when(rule.broken.fill_null(value=False)).then(pl.lit(i, pl.Int16))
        for i, rule in enumerate(broken)
    )
    read = {name for rule in broken for name in (rule.column, *rule.broken.meta.root_names())}
    rows = decoded(parsed.rows, *read)
    number = rows.select(first.alias("broken_rule")).to_series()
    columns = [published.get(rule.column, "whole row") for rule in broken]
    values = (pl.when(number == i).then(pl.col(rule.column)) for i, rule in enumerate(broken))
    return rows.with_columns(
        _nth(number, [rule.name for rule in broken]).alias("rule"),
        _nth(number, columns).alias("column"),
        pl.coalesce(values).str.slice(0, VALUE_LENGTH).alias("value"),
        _nth(number, [rule.reason for rule in broken]).alias("reason"),
    )


def _nth(number: pl.Series, texts: Sequence[str]) -> pl.Series:
    return pl.Series(texts, dtype=pl.String).gather(number)


def day_rules(what: str, column: str, on: str, facts: FileFacts) -> tuple[Rule, ...]:
    """Rules for the day `on` read from `column`: there, since 2000, and not after the file.

    Parameters
    ----------
    what : str
        `occurrence` or `report`, the beginning of each rule's name.
    """
    day = pl.col(on)
    return (
        Rule(f"{what}_date_unreadable", column, day.is_null(),
             f"The day of the {what} is missing or is no date."),
        Rule(f"{what}_before_2000", column, day < EARLIEST_DAY,
             f"The day of the {what} lies before {EARLIEST_DAY}."),
        Rule(f"{what}_after_file", column, day > facts.last_day,
             f"The day of the {what} lies after {facts.pulled_on}, the day of the file."),
    )  # fmt: skip
