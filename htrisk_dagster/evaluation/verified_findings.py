"""What must hold of aggregates of verified cases before they leave: each rule to a finding.

Belongs here: rules about the tables of `schemas/verified.py` and `staging.VERIFIED_CASE_COUNTS`.
Does not: who runs them (`defs/verified_checks.py`), what hides a count.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.evaluation.verified_counts import BY_PERIOD
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.verified import LEAD_TIME, STAGES
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import ALL, K, PublishedTable


def attacker_recovers_nothing(counts: pl.DataFrame) -> Finding:
    """Differencing and bounds on the stored counts give no hidden one away."""
    period = pl.col("period_on").dt.strftime("%Y-%m-%d").fill_null(ALL)
    cells = counts.select("borough", period.alias("period"), pl.col("cases_count").alias("count"))
    small = cells.filter(pl.col("count").is_between(1, K - 1)).height
    found = attack([PublishedTable(BY_PERIOD, K, cells, "")]) if not small else []
    hidden = cells["count"].null_count()
    return Finding(
        not small and not found,
        f"{small} counts of 1 to {K - 1} stand open and {len(found)} of {hidden} hidden counts can be "
        "worked out.",
        {"hidden_counts": float(hidden)},
    )


def cases_are_those_released(overlay: pl.DataFrame, counts: pl.DataFrame) -> Finding:
    """The overlay shows the counts of `staging.verified_case_counts`, and no other."""
    keys = ["borough", "period_on"]
    shown = overlay.filter(pl.col("cases_count").is_not_null()).select(*keys, "cases_count")
    new = shown.join(counts, on=[*keys, "cases_count"], how="anti")
    return Finding(
        new.is_empty(),
        f"{shown.height} counts of cases are shown, {new.height} of them not as they were released.",
    )


def hits_tell_no_small_count(hit_rate: pl.DataFrame) -> Finding:
    """Hits, misses and the hits between any two shown budgets are 0 or at least eleven."""
    ordered = hit_rate.filter(pl.col("hits_count").is_not_null()).sort("model", "budget_pct")
    between = ordered.select(
        pl.col("hits_count").diff().over("model").fill_null(pl.col("hits_count")).alias("n")
    )
    missed = hit_rate.select((pl.col("located_count") - pl.col("hits_count")).alias("n"))
    every = pl.concat([between, missed, hit_rate.select(n="located_count")])["n"].drop_nulls()
    small = int(((every > 0) & (every < K)).sum())
    falling = int((every < 0).sum())
    return Finding(
        small + falling == 0,
        f"{len(every)} counts can be read or subtracted; {small} are 1 to {K - 1}, {falling} below 0.",
    )


def leads_stand_beside_chance(lead_time: pl.DataFrame) -> Finding:
    """A lead has its interval under exchanged places and rests on eleven cases, or is missing."""
    problems = LEAD_TIME.problems(lead_time)
    beside = pl.col("exchanged_lower_95").is_not_null() & pl.col("p_value_prob").is_not_null()
    enough = pl.col("located_count").fill_null(0) >= K
    bare = lead_time.filter(pl.col("value").is_not_null() & ~(beside & enough)).height
    if bare:
        problems.append(f"{bare} values stand without chance beside them or on too few cases.")
    told = int(lead_time["value"].is_not_null().sum())
    return Finding(not problems, " ".join(problems) or f"{told} values, each beside chance.")


def stages_are_nested(funnel: pl.DataFrame) -> Finding:
    """No stage before verification holds more than the one before it; shares are of the reported."""
    in_order = funnel.filter(
        pl.col("incidents_count").is_not_null(), pl.col("stage") != STAGES[-1]
    ).sort(pl.col("stage").cast(pl.Enum(STAGES)))
    growing = in_order.filter(
        pl.col("incidents_count").diff().over("borough", "period_on") > 0
    ).height
    return Finding(growing == 0, f"{in_order.height} counts, {growing} above the stage before.")


def funnel_tells_no_small_count(funnel: pl.DataFrame) -> Finding:
    """Counts are 0 or at least eleven, and missing wherever the status says so."""
    count = pl.col("incidents_count")
    small = funnel.filter(count.is_between(1, K - 1)).height
    told = funnel.filter((pl.col("status") == "shown") != count.is_not_null()).height
    return Finding(
        small + told == 0,
        f"{small} counts are 1 to {K - 1}; {told} disagree with their status.",
    )
