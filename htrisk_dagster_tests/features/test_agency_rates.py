from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.features.agency_rates import poisson_interval, yearly_rates
from htrisk_dagster.features.staffing import staffing
from htrisk_dagster_tests.features.test_staffing import agency_rows
from scipy.stats import poisson

OFFENCES = pl.DataFrame(
    [
        ("1", "a", "Drugs", date(2021, 3, 1)), ("1", "a", "Drugs", date(2021, 3, 1)),
        ("1", "a", "Robbery", date(2021, 3, 1)), ("1", "b", "Drugs", date(2021, 3, 2)),
        ("2", "c", "Drugs", date(2021, 5, 2)), ("1", "d", "Robbery", date(2022, 5, 2)),
    ],
    schema=["agency_id", "incident_id", "offence_category", "occurred_on"],
    orient="row",
)  # fmt: skip
AGENCIES = agency_rows(
    ("1", 2021, 4_000, 8, 2), ("1", 2022, 5_000, 8, 2), ("2", 2021, 0, 5, 0), ("2", 2022, 0, 5, 0)
)


def test_an_incident_counts_once_in_each_category_and_once_in_all():
    rates = yearly_rates(OFFENCES, staffing(AGENCIES, range(2021, 2023)), state="Somewhere")
    of_2021 = rates.filter(year=2021).select(
        "agency", "offence_category", "incidents_count", "rate_per_1000"
    )
    assert of_2021.rows() == [
        ("Somewhere", "Drugs", 3, 0.75), ("Somewhere", "Robbery", 1, 0.25), ("Somewhere", "all", 3, 0.75),
        ("Town 1", "Drugs", 2, 0.5), ("Town 1", "Robbery", 1, 0.25), ("Town 1", "all", 2, 0.5),
        ("Town 2", "Drugs", 1, None), ("Town 2", "Robbery", 0, None), ("Town 2", "all", 1, None),
    ]  # fmt: skip
    town = rates.filter(agency="Town 1", offence_category="all")
    assert town["officers_per_1000"].to_list() == [2.5, 2.0]
    assert rates.filter(agency="Somewhere", year=2021)["officers_per_1000"][0] == 15 / 4
    assert not rates["is_staffing_carried"].any()


def test_the_interval_ends_where_the_tails_are_two_and_a_half_percent():
    counts = np.array([0, 1, 7, 250])
    lower, upper = poisson_interval(counts)
    assert lower[0] == 0
    assert poisson.sf(counts[1:] - 1, lower[1:]) == pytest.approx([0.025] * 3)
    assert poisson.cdf(counts, upper) == pytest.approx([0.025] * 4)
