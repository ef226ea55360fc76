"""What must hold of the fairness table and the feedback-loop monitor: each rule to a finding.

Belongs here: rules about `governance.fairness` and `governance.feedback_loop`. Does not: the
measures (`fairness`, `feedback_loop`), who runs the rules (`defs/governance_checks.py`).
"""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from htrisk_dagster.evaluation.fairness import REPORTING_RATES
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.governance import FAIRNESS, FEEDBACK_LOOP, FEEDBACK_RULES
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import ALL, K, PublishedTable, TableSpec

_SHARES = ("cells_pct", "exposure_pct")
_ROUNDING_PCT = 1e-6


def groups_are_whole(fairness: pl.DataFrame) -> Finding:
    """The table is as described, has city and boroughs, and the shares of groups add up to 100."""
    problems = FAIRNESS.problems(fairness)
    if problems:
        return Finding(False, " ".join(problems))
    missing = {"city", "borough"} - set(fairness["grouping"])
    rates = set(fairness.filter(grouping="borough")["reporting_rate"])
    sums = fairness.group_by("grouping", "reporting_rate").agg(pl.col(*_SHARES).sum())
    off = sums.filter(pl.any_horizontal((pl.col(*_SHARES) - 100).abs() > _ROUNDING_PCT)).height
    groupings = ", ".join(fairness["grouping"].unique(maintain_order=True))
    return Finding(
        not missing and rates == {*REPORTING_RATES} and not off,
        f"Groupings: {groupings}; missing: {', '.join(sorted(missing)) or 'none'}; "
        f"{len({*REPORTING_RATES} - rates)} reporting rates missing; {off} sums of shares are "
        "not 100.",
    )


def fairness_tells_no_small_count(fairness: pl.DataFrame) -> Finding:
    """Differencing and bounds on counts, and on what recall tells, give none of 1 to 10 away.

    Hits are worked out again from recall and count, as a reader would.
    """
    tables = list(_as_read(fairness))
    city = fairness.filter(pl.col("incidents_count").is_between(1, K - 1), grouping="city").height
    small = city + sum(t.cells.filter(pl.col("count").is_between(1, K - 1)).height for t in tables)
    hidden = sum(t.cells["count"].null_count() for t in tables)
    found = [] if small or not tables else attack(tables)
    return Finding(
        not small and not found,
        f"{small} counts of 1 to {K - 1} can be read and {len(found)} of {hidden} hidden ones "
        "worked out.",
        {"hidden_counts": float(hidden)},
    )


def _as_read(fairness: pl.DataFrame) -> Iterator[PublishedTable]:
    """Counts that the table tells, by group and whether the cell was flagged."""
    city = fairness.filter(grouping="city")["incidents_count"].to_list()
    groups = fairness.filter(pl.col("grouping") != "city", reporting_rate=1.0)
    for (name,), rows in groups.group_by("grouping", maintain_order=True):
        if rows["incidents_count"].is_null().all():
            continue
        n, flag = pl.col("incidents_count"), f"flagged_{name}"
        told = (pl.col("equal_budget_recall_pct") * n / 100).round().cast(pl.Int64)
        hits = pl.when(n == 0).then(0).otherwise(told)
        cells = pl.concat(
            rows.select(pl.col("group").alias(str(name)), pl.lit(v).alias(flag), c.alias("count"))
            for v, c in (("yes", hits), ("no", n - hits), (ALL, n))
        )
        margins = pl.DataFrame({str(name): ALL, flag: ALL, "count": city}, schema=cells.schema)
        spec = TableSpec(str(name), (str(name), flag))
        yield PublishedTable(spec, K, pl.concat([cells, margins]), "")


def loop_is_watched(feedback: pl.DataFrame) -> Finding:
    """The monitor is as described and has every rule of counting."""
    problems = FEEDBACK_LOOP.problems(feedback)
    missing = sorted(set(FEEDBACK_RULES) - set(feedback["rule"])) if not problems else []
    if missing:
        problems.append(f"The rules {', '.join(missing)} are missing.")
    return Finding(not problems, " ".join(problems) or f"{feedback.height} simulations.")


def weighted_loop_is_damped(feedback: pl.DataFrame) -> Finding:
    """With discovered incidents weighted, the map does not come to believe what it was sent to find.

    That it does where they count like reports is told in the sentence and on the model card: whether
    anybody follows the map cannot be known here.
    """
    counted, weighted = (
        feedback.filter(rule=rule).sort("discovery_ratio") for rule in FEEDBACK_RULES[1:]
    )
    figures = {
        f"inflation_at_{r['discovery_ratio']:g}": r["inflation"]
        for r in counted.iter_rows(named=True)
    }
    worst = counted.row(-1, named=True)
    as_counted = (
        f"With {worst['discovery_ratio']:g} incidents discovered for each one reported, "
        f"{worst['weeks_count']} weeks of dispatch make the map believe {worst['inflation']:.2f} "
        "times what is true of its top cells if they count like reports"
    )
    if weighted["is_alarm"].any():
        return Finding(
            False,
            f"{as_counted}, and weighing them does not stop it. Do not send the same people where "
            "the map points and count what they find.",
            figures,
        )
    highest = float(weighted["inflation"].to_numpy().max())
    return Finding(True, f"{as_counted}, {highest:.2f} if they are weighted.", figures)
