"""What must hold of the forecast by precinct: each rule to a finding.

Belongs here: rules about `predictions.PRECINCT_DAY_RISK`. Does not: who runs them.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.predictions import PRECINCT_DAY_RISK

_TIMES = 3.0


def every_precinct_every_group(risk: pl.DataFrame, precincts: set[int]) -> Finding:
    """Each day and offence group has every precinct once, with legal numbers."""
    problems = PRECINCT_DAY_RISK.problems(risk)
    parts = risk.group_by("risk_on", "offence_group").agg(pl.col("precinct").unique())
    wrong = parts.filter(pl.col("precinct").list.sort() != sorted(precincts)).height
    if wrong:
        problems.append(f"{wrong} of {parts.height} days and groups lack a precinct of the grid.")
    groups = ", ".join(risk["offence_group"].unique().sort()) or "no offence group"
    return Finding(not problems, " ".join(problems) or f"{risk.height} rows of {groups}.")


def sums_are_near_recent_reports(risk: pl.DataFrame, recent: dict[str, float]) -> Finding:
    """Each day's sum of a group is within a factor of three of its recent daily mean.

    Parameters
    ----------
    risk : DataFrame
        `schemas.predictions.PRECINCT_DAY_RISK`.
    recent : dict of str to float
        Mean reports a day of each group over the window of the newest day.
    """
    sums = risk.group_by("risk_on", "offence_group").agg(pl.col("expected_count").sum())
    due = pl.col("offence_group").replace_strict(recent, default=None, return_dtype=pl.Float64)
    ratio = pl.col("expected_count") / due
    wrong = sums.filter(~ratio.is_between(1 / _TIMES, _TIMES).fill_null(value=False))
    return Finding(
        wrong.is_empty(),
        f"{sums.height} sums; {wrong.height} are not within a factor of {_TIMES:g} of recent days.",
    )
