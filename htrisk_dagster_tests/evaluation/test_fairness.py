from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation import fairness_findings as rules
from htrisk_dagster.evaluation.fairness import (
    REPORTING_RATES,
    Grouping,
    borough_grouping,
    fairness_table,
    tercile_groupings,
)
from htrisk_dagster.schemas.context import CELLS
from htrisk_dagster.schemas.governance import FAIRNESS
from scipy.stats import poisson

DAYS = (date(2024, 3, 1), date(2024, 3, 2))
WHEN = {"days": DAYS, "month": date(2024, 4, 1), "target": "robbery"}
N = 40
# Cells 0-19 are west, 20-39 east; the two highest of the city (5%) are in the west.
HALVES = Grouping("borough", ("EAST", "WEST"), np.where(np.arange(N) < 20, 1, 0))


def world(west=((0, 30), (5, 20)), east=((25, 15), (30, 25))):
    """Two days of forecasts and counts: (cell, incidents) a day, half of them on each."""
    expected = np.full((2, N), 1.0)
    expected[:, [3, 0]] = 9.0, 8.0
    expected[:, 25] = 5.0
    counts = np.zeros((2, N))
    for cell, n in (*west, *east):
        counts[0, cell], counts[1, cell] = n // 2, n - n // 2
    return counts, expected


@pytest.fixture(scope="module")
def table():
    return fairness_table(*world(), [HALVES], **WHEN)


def row(table, group, rate=1.0):
    return table.filter(group=group, reporting_rate=rate).row(0, named=True)


def test_exposure_and_need_by_hand(table):
    """Flagged: cells 3 and 0, both west. Incidents: 50 west, 40 east."""
    west, east = row(table, "WEST"), row(table, "EAST")
    assert (west["exposure_pct"], east["exposure_pct"]) == (100.0, 0.0)
    assert (west["cells_pct"], west["incidents_count"]) == (50.0, 50)
    assert west["need_pct"] == pytest.approx(100 * 50 / 90)
    assert west["exposure_over_need"] == pytest.approx(90 / 50)
    assert east["exposure_over_need"] == 0.0


def test_the_city_row_is_the_plain_hit_rate(table):
    """Of 90 incidents 30 lie in cell 0, which with cell 3 is flagged."""
    city = row(table, "(all)")
    assert city["equal_budget_recall_pct"] == pytest.approx(100 * 30 / 90)
    assert city["observed_over_expected"] == pytest.approx(90 / (2 * (37 + 9 + 8 + 5)))


def test_equal_budget_flags_the_same_share_of_each_groups_cells(table):
    """One of 20 cells each: 3 in the west, without an incident, and 25 in the east, with 15 of 40."""
    west, east = row(table, "WEST"), row(table, "EAST")
    assert east["equal_budget_recall_pct"] == pytest.approx(100 * 15 / 40)
    assert west["equal_budget_recall_pct"] == 0.0
    low, high = (east[f"equal_budget_recall_{end}_95_pct"] for end in ("lower", "upper"))
    assert low < 37.5 < high


def test_calibration_within_group_has_its_exact_interval(table):
    east = row(table, "EAST")
    expected = 2 * (19 + 5)
    assert east["expected_count"] == expected
    assert east["observed_over_expected"] == pytest.approx(40 / expected)
    # At the ends of the interval 40 or more, and 40 or fewer, have a chance of 2.5%.
    low, high = (expected * east[f"observed_over_expected_{end}_95"] for end in ("lower", "upper"))
    assert poisson.sf(39, low) == pytest.approx(0.025)
    assert poisson.cdf(40, high) == pytest.approx(0.025)


def test_less_reporting_means_more_need_and_other_flags(table):
    """At a rate of 0.5 the east's cell 25 has 10, more than any of the west, and the rest 2."""
    east = row(table, "EAST", 0.5)
    assert east["need_pct"] == pytest.approx(100 * 80 / 130)
    assert east["exposure_if_reported_pct"] == 50.0
    assert east["observed_over_expected"] == pytest.approx(2 * 40 / 48)
    assert set(table.filter(grouping="borough")["reporting_rate"]) == {*REPORTING_RATES}


def test_a_full_rate_changes_nothing(table):
    whole = table.filter(reporting_rate=1.0)
    assert (whole["exposure_if_reported_pct"] == whole["exposure_pct"]).all()


def test_the_table_is_whole_and_tells_no_small_count(table):
    assert FAIRNESS.problems(table) == []
    assert rules.groups_are_whole(table).holds
    assert rules.fairness_tells_no_small_count(table).holds


@pytest.mark.parametrize("seed", range(6))
def test_no_attack_finds_a_count_below_eleven(seed):
    """Random worlds with small groups: counts and hits are read back and attacked."""
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.3, 1.0, N), (2, N)).astype(float)
    expected = rng.lognormal(0, 1, (2, N))
    thirds = Grouping("poverty_pct", ("low", "middle", "high"), rng.integers(0, 3, N))
    boroughs = Grouping("borough", tuple("ABCDE"), rng.choice(5, N, p=[0.4, 0.3, 0.2, 0.05, 0.05]))
    found = fairness_table(counts, expected, [boroughs, thirds], **WHEN)
    shown = found["incidents_count"].drop_nulls()
    assert ((shown == 0) | (shown >= 11)).all()
    verdict = rules.fairness_tells_no_small_count(found)
    assert verdict.holds, verdict.sentence
    # The truth, to see that what is shown is true.
    for place, name in enumerate(boroughs.groups):
        n = row(found, name)["incidents_count"]
        assert n is None or n == counts[:, boroughs.code == place].sum()


def test_a_table_that_tells_is_caught(table):
    """Three hits of 40, read from recall; then a hidden count that the total gives away."""
    open_hits = table.with_columns(
        pl.when(pl.col("group") == "EAST")
        .then(7.5)
        .otherwise("equal_budget_recall_pct")
        .alias("equal_budget_recall_pct")
    )
    assert not rules.fairness_tells_no_small_count(open_hits).holds
    total = table.with_columns(
        pl.when(pl.col("group") == "EAST")
        .then(None)
        .otherwise("incidents_count")
        .alias("incidents_count"),
        pl.when(pl.col("group") == "WEST").then(0.0).alias("equal_budget_recall_pct"),
    ).with_columns(
        pl.when(pl.col("group") == "(all)")
        .then(57)
        .otherwise("incidents_count")
        .alias("incidents_count")
    )
    verdict = rules.fairness_tells_no_small_count(total)
    assert not verdict.holds
    assert "worked out" in verdict.sentence


@pytest.mark.parametrize(
    "spoil",
    [
        lambda t: t.filter(pl.col("grouping") != "borough"),
        lambda t: t.filter(pl.col("reporting_rate") != 0.3),
        lambda t: t.filter(pl.col("group") != "WEST"),
        lambda t: t.with_columns(exposure_pct=pl.lit(200.0)),
    ],
)
def test_a_table_that_is_not_whole_is_caught(table, spoil):
    assert not rules.groups_are_whole(spoil(table)).holds


def context_rows(variable, values, on=date(2023, 12, 31)):
    rows = [
        {"cell_id": i, "variable": variable, "period_on": on, "known_on": on, "value": float(v),
         "margin_of_error": None, "is_approximate": True}
        for i, v in enumerate(values) if v is not None
    ]  # fmt: skip
    return CELLS.conform(pl.DataFrame(rows, schema=CELLS.polars_schema()))


def test_terciles_hold_a_third_of_the_residents_each():
    residents = [400, 100, 100, 100, 100, 100, 300, 0, 50]
    poverty = [1, 5, 6, 7, 8, 9, 20, 3, None]
    context = pl.concat(
        [
            context_rows("residents_count", residents),
            context_rows("poverty_pct", poverty),
            context_rows("poverty_pct", [50] * 9, on=date(2020, 12, 31)),
        ]
    )
    (found,) = tercile_groupings(context, 9)
    assert (found.name, found.context_on) == ("poverty_pct", date(2023, 12, 31))
    # 1,200 residents with a value: thirds at 400 and 800. Nobody lives in cell 7, cell 8 has no value.
    names = [found.groups[c] for c in found.code]
    assert names == ["low", *["middle"] * 4, "high", "high", "(without)", "(without)"]


def test_without_context_there_are_no_terciles():
    assert tercile_groupings(CELLS.empty(), 9) == []


def test_boroughs_come_in_order_of_cells():
    cells = pl.DataFrame({"cell_id": [2, 0, 1], "borough": ["B", "C", "A"]})
    found = borough_grouping(cells)
    assert [found.groups[c] for c in found.code] == ["C", "A", "B"]


def test_a_city_with_few_incidents_tells_no_count_at_all():
    few = fairness_table(*world(west=((0, 4),), east=((25, 3),)), [HALVES], **WHEN)
    assert few["incidents_count"].null_count() == few.height
    assert few["equal_budget_recall_pct"].null_count() == few.height
    assert rules.fairness_tells_no_small_count(few).holds
    told = few.with_columns(incidents_count=pl.when(pl.col("group") == "(all)").then(7))
    assert not rules.fairness_tells_no_small_count(told).holds
    # 90 incidents, of which 5 in flagged cells: the total may be told, the hits may not.
    some = fairness_table(*world(west=((0, 5), (5, 45))), [HALVES], **WHEN)
    assert row(some, "(all)")["incidents_count"] == 90
    assert row(some, "(all)")["equal_budget_recall_pct"] is None


def test_a_place_without_any_incident_is_a_table_without_counts():
    counts, expected = world(west=(), east=())
    found = fairness_table(counts, expected, [HALVES], **WHEN)
    assert found.filter(grouping="borough")["incidents_count"].null_count() == 2 * len(
        REPORTING_RATES
    )
    assert found["exposure_pct"].null_count() == 0
