from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.detection_funnel import SPEC
from htrisk_dagster.evaluation.verified_counts import release
from htrisk_dagster.publishing.public_counts import (
    KNOWN_EMPTY,
    NO_MAP,
    block_hours,
    complete_quarters,
    mapped_stages,
    publish_series_counts,
)
from htrisk_dagster.schemas.published import HOUR_COUNTS, QUARTER_COUNTS
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import PublishedTable, TableSpec
from htrisk_dagster.victim_population.suppression import publish

FIRST, LAST = date(2023, 11, 15), date(2024, 8, 20)


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (date(2024, 1, 1), date(2024, 12, 31), (date(2024, 1, 1), date(2025, 1, 1))),
        (date(2024, 1, 2), date(2024, 12, 30), (date(2024, 4, 1), date(2024, 10, 1))),
        (FIRST, LAST, (date(2024, 1, 1), date(2024, 7, 1))),
        (date(2024, 1, 2), date(2024, 6, 29), None),
        (date(2024, 3, 31), date(2024, 6, 30), (date(2024, 4, 1), date(2024, 7, 1))),
    ],
)
def test_complete_quarters_by_hand(first, last, expected):
    assert complete_quarters(first, last) == expected


@pytest.fixture(scope="module")
def incidents():
    """A common series, and a rare one that has 7 incidents in one borough and quarter."""
    rng = np.random.default_rng(3)
    n_days = (LAST - FIRST).days + 1
    rows = pl.DataFrame(
        {
            "series": ["robbery"] * 6_000 + ["rare"] * 160,
            "borough": rng.choice(["EAST", "WEST", "unknown"], 6_160, p=[0.6, 0.37, 0.03]),
            "day": rng.integers(0, n_days, 6_160),
            "hour": rng.integers(0, 24, 6_160).astype(np.int32),
        }
    )
    return rows.with_columns(occurred_on=pl.lit(FIRST) + pl.duration(days="day")).drop("day")


@pytest.fixture(scope="module")
def published(incidents):
    found = publish_series_counts(incidents, FIRST, LAST)
    assert found.stages.is_empty(), "no series here has stages"
    return found.quarters, found.hours


def test_shown_counts_are_those_of_the_complete_quarters(incidents, published):
    quarters, hours = published
    assert QUARTER_COUNTS.problems(quarters) == HOUR_COUNTS.problems(hours) == []
    within = incidents.filter(pl.col("occurred_on").is_between(date(2024, 1, 1), date(2024, 6, 30)))
    for row in quarters.filter(pl.col("incidents_count") > 0).iter_rows(named=True):
        meant = within.filter(series=row["series"])
        if row["borough"] != "(all)":
            meant = meant.filter(borough=row["borough"])
        if row["quarter_on"]:
            stop = row["quarter_on"] + timedelta(days=92)
            stop = stop.replace(day=1)
            meant = meant.filter(
                pl.col("occurred_on").is_between(row["quarter_on"], stop, closed="left")
            )
        assert row["incidents_count"] == meant.height, row
    monday = hours.filter(series="robbery", weekday="Monday", hour=0).row(0, named=True)
    assert monday["block_hours"] == 3
    rows = within.filter(pl.col("occurred_on").dt.weekday() == 1, series="robbery")
    assert monday["incidents_count"] == rows.filter(pl.col("hour") < 3).height >= 11


def test_no_small_count_is_shown_and_an_attacker_recovers_none(published):
    quarters, hours = published
    assert quarters["incidents_count"].drop_nulls().is_between(1, 10).sum() == 0
    assert hours["incidents_count"].drop_nulls().is_between(1, 10).sum() == 0
    rare = quarters.filter(series="rare")
    assert 0 < rare["incidents_count"].null_count() < rare.height
    specs = {
        ("borough", "quarter_on"): rare,
        ("weekday", "hour"): hours.filter(series="rare"),
    }
    released = [
        PublishedTable(
            TableSpec("_".join(dimensions), dimensions),
            11,
            frame.select(
                *(pl.col(d).cast(pl.String).fill_null("(all)") for d in dimensions),
                pl.col("incidents_count").alias("count"),
            ),
            "",
        )
        for dimensions, frame in specs.items()
    ]
    assert attack(released) == []


def staged(counts: dict[tuple[str, int, str | None], int]) -> pl.DataFrame:
    """Incidents by borough, month of the first quarter of 2024 and stage; None: a day without a map."""
    rows = [
        (
            borough,
            date(2024, month, 1 + i % 28),
            i % 24,
            None if stage is None else f"2024-{month:02}-01",
            stage,
        )
        for (borough, month, stage), n in counts.items()
        for i in range(n)
    ]
    schema = {
        "borough": pl.String, "occurred_on": pl.Date, "hour": pl.Int32, "period": pl.String,
        "reached": pl.String,
    }  # fmt: skip
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(series=pl.lit("target"))


# March has maps but for a few days, on which 4 incidents of WEST were reported.
STAGED = {
    ("WEST", 3, "flagged"): 15, ("WEST", 3, "geocoded"): 25, ("WEST", 3, None): 4,
    ("EAST", 3, "flagged"): 40, ("EAST", 3, "geocoded"): 60, ("EAST", 3, None): 30,
    ("NORTH", 3, "flagged"): 14, ("NORTH", 3, "geocoded"): 40, ("NORTH", 3, None): 26,
}  # fmt: skip
QUARTER = (date(2024, 1, 1), date(2024, 3, 31))


def left_over(quarters: pl.DataFrame, stages: pl.DataFrame) -> dict[str, int]:
    """Quarter less mapped days of each borough, where a reader can tell: days without a map."""
    whole = dict(
        quarters.filter(pl.col("quarter_on").is_not_null())
        .select("borough", "incidents_count")
        .rows()
    )
    mapped = stages.filter(pl.col("period") == "(all)", pl.col("reached") == "(all)")
    return {
        b: whole[b] - n
        for b, n in mapped.select("borough", "count").rows()
        if n is not None and whole[b] is not None
    }


def test_quarters_and_funnel_apart_give_the_days_without_a_map_away():
    """Why they are released together: each is safe by itself, and their difference is 4 incidents."""
    rows = staged(STAGED)
    quarters = publish_series_counts(rows.drop("period", "reached"), *QUARTER).quarters
    apart = release(rows.drop_nulls("reached").select(*SPEC.dimensions), [SPEC])[0]
    assert left_over(quarters, apart.cells)["WEST"] == 4


def test_quarters_and_funnel_together_give_nothing_away():
    rows = staged(STAGED)
    found = publish_series_counts(rows, *QUARTER)
    assert found.stages.height
    assert not any(1 <= n <= 10 for n in left_over(found.quarters, found.stages).values())
    shown = found.stages["count"].drop_nulls()
    assert shown.is_between(1, 10).sum() == 0
    assert (shown > 0).sum() >= 3, "something is left to show"
    # The attacker over all three tables, who knows which months and stages go together.
    words = rows.select(
        "borough", quarter=pl.lit("2024-01-01"), weekday=pl.col("occurred_on").dt.strftime("%A"),
        hour=(pl.col("hour") // block_hours(rows.height) * block_hours(rows.height)).cast(pl.String),
        period=pl.col("period").fill_null(NO_MAP), reached=pl.col("reached").fill_null(NO_MAP),
    )  # fmt: skip
    tables = (
        TableSpec("quarter_counts", ("borough", "quarter")),
        TableSpec("hour_counts", ("weekday", "hour")),
        SPEC,
    )
    together = publish(words, tables, known_empty=KNOWN_EMPTY)
    empty = pl.DataFrame(
        {"period": [NO_MAP, NO_MAP, "2024-03-01"], "reached": ["flagged", "geocoded", NO_MAP]}
    )
    assert attack(together, empty) == []
    # What is published is what was attacked.
    by_quarter = {
        (r["borough"], r["quarter"]): r["count"] for r in together[0].cells.iter_rows(named=True)
    }
    for row in found.quarters.iter_rows(named=True):
        assert (
            by_quarter[row["borough"], str(row["quarter_on"] or "(all)")] == row["incidents_count"]
        )
    assert found.stages.equals(mapped_stages(together[2].cells))


def test_of_mapped_days_margins_leave_the_others_out():
    """All counts are large here, so that all are shown: 40 of 70 incidents have a map."""
    counts = {("WEST", 3, "flagged"): 15, ("WEST", 3, "geocoded"): 25, ("WEST", 3, None): 30}
    found = publish_series_counts(staged(counts), *QUARTER).stages
    by_key = {(b, m, r): n for b, m, r, n in found.rows()}
    assert by_key["WEST", "(all)", "(all)"] == 40
    assert by_key["WEST", "2024-03-01", "(all)"] == 40
    assert by_key["WEST", "(all)", "flagged"] == 15
    assert not any(NO_MAP in key for key in by_key)


def test_a_funnel_of_hidden_counts_alone_does_not_leave():
    few = {("WEST", 3, "flagged"): 2, ("WEST", 3, None): 60, ("EAST", 3, None): 70}
    found = publish_series_counts(staged(few), *QUARTER)
    assert found.stages.is_empty()
    assert found.quarters.height


@pytest.mark.parametrize(
    ("n_incidents", "hours"), [(5_544, 1), (5_543, 3), (1_848, 3), (1_847, 6), (10, 6)]
)
def test_rare_series_are_counted_in_blocks_of_hours(n_incidents, hours):
    """168 hours of 33 incidents are 5,544; 56 blocks of three hours are 1,848."""
    assert block_hours(n_incidents) == hours


def test_no_complete_quarter_gives_no_row(incidents):
    found = publish_series_counts(incidents, date(2024, 1, 2), date(2024, 6, 29))
    quarters, hours = found.quarters, found.hours
    assert quarters.height == hours.height == 0
    assert QUARTER_COUNTS.problems(quarters) == HOUR_COUNTS.problems(hours) == []
