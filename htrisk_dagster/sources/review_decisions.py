"""Decisions of reviewers on flagged cells: an optional file of a partner, one row a decision.

Source: the user's own log of reviews. Licence: the partner's. Cadence: by arrangement.

Quirks:
- Exactly the columns Map Day, Cell Id, Reviewer Role, Decision and Decided On are read. A role, not
  a name; any further column is never loaded.

No value of this file goes into the quarantine table, only the rule and the row's number.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.incidents import label_rule
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, Rule, day_rules
from htrisk_dagster.sources.text_values import day, whole_number

TABLE = raw.REVIEW_DECISIONS


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["review_decisions"]`.
    facts : FileFacts
        Day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `restricted.review_decisions`, and the rules.
    """
    typed = rows.with_columns(
        day("MAP_DAY").alias("risk_on"),
        whole_number("CELL_ID", pl.Int32).alias("cell_id"),
        pl.col("REVIEWER_ROLE").alias("reviewer_role"),
        pl.col("DECISION").alias("decision"),
        day("DECIDED_ON").alias("decided_on"),
    )
    cell = pl.col("cell_id")
    rules = (
        *day_rules("map", "MAP_DAY", "risk_on", facts),
        *day_rules("decision", "DECIDED_ON", "decided_on", facts),
        Rule("cell_unreadable", "CELL_ID", cell.is_null() | (cell < 0),
             "A cell must be a whole number, zero or more."),
        Rule("role_missing", "REVIEWER_ROLE", pl.col("reviewer_role").is_null(),
             "A decision must tell the reviewer's role."),
        Rule("decision_missing", "DECISION", pl.col("decision").is_null(),
             "A decision must say what was decided."),
        label_rule("REVIEWER_ROLE"),
        label_rule("DECISION"),
    )  # fmt: skip
    return Parsed(typed, rules)
