from __future__ import annotations

from datetime import date

import polars as pl
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules, mark_refused
from htrisk_dagster.study_areas.area import BoundingBox

BOX = BoundingBox(west=-1, south=-1, east=1, north=1)
RULES = (
    Rule("small", "N", pl.col("N").cast(pl.Int64) < 5, "Too small."),
    Rule("odd", "M", pl.col("N").cast(pl.Int64) % 2 == 1, "Odd."),
)


def marked(rows: pl.DataFrame, rules: tuple[Rule, ...] = RULES) -> list[tuple[object, ...]]:
    with_defects = rows if "DEFECT" in rows.columns else rows.with_columns(
        pl.lit(None, pl.String).alias("DEFECT")
    )  # fmt: skip
    frame = mark_refused(Parsed(with_defects, rules), {"N": "Number", "M": "the other"})
    return frame.select("rule", "column", "value", "reason").rows()


def test_the_first_broken_rule_wins_and_null_breaks_none():
    rows = pl.DataFrame({"N": ["3", "6", "7", None], "M": ["a", "b", "c" * 200, "d"]})
    assert marked(rows) == [
        ("small", "Number", "3", "Too small."),
        (None, None, None, None),
        ("odd", "the other", "c" * 80, "Odd."),
        (None, None, None, None),
    ]


def test_a_ragged_row_is_judged_before_every_rule():
    rows = pl.DataFrame({"N": ["3"], "M": ["a"], "DEFECT": ["2 fields, the header has 3"]})
    (rule, column, value, _) = marked(rows)[0]
    assert (rule, column, value) == ("ragged_row", "whole row", "2 fields, the header has 3")


def test_a_day_must_be_there_since_2000_and_not_after_the_file():
    facts = FileFacts("America/New_York", BOX, pulled_on=date(2020, 5, 5))
    days = [None, date(1999, 12, 31), date(2000, 1, 1), date(2020, 5, 6), date(2020, 5, 7)]
    rows = pl.DataFrame({"on": days, "N": ["x"] * 5, "M": ["y"] * 5})
    found = [rule for rule, *_ in marked(rows, day_rules("report", "N", "on", facts))]
    assert found == [
        "report_date_unreadable", "report_before_2000", None, None, "report_after_file",
    ]  # fmt: skip
