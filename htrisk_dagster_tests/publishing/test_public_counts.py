from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.publishing.public_counts import (
    block_hours,
    complete_quarters,
    publish_series_counts,
)
from htrisk_dagster.schemas.published import HOUR_COUNTS, QUARTER_COUNTS
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import PublishedTable, TableSpec

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
    return publish_series_counts(incidents, FIRST, LAST)


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


@pytest.mark.parametrize(
    ("n_incidents", "hours"), [(5_544, 1), (5_543, 3), (1_848, 3), (1_847, 6), (10, 6)]
)
def test_rare_series_are_counted_in_blocks_of_hours(n_incidents, hours):
    """168 hours of 33 incidents are 5,544; 56 blocks of three hours are 1,848."""
    assert block_hours(n_incidents) == hours


def test_no_complete_quarter_gives_no_row(incidents):
    quarters, hours = publish_series_counts(incidents, date(2024, 1, 2), date(2024, 6, 29))
    assert quarters.height == hours.height == 0
    assert QUARTER_COUNTS.problems(quarters) == HOUR_COUNTS.problems(hours) == []
