from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from htrisk_dagster.evaluation import precinct_findings as rules
from htrisk_dagster.models.precinct_day import PrecinctRates
from htrisk_dagster.publishing.precinct_table import precinct_table
from htrisk_dagster.schemas.predictions import PRECINCT_DAY_RISK

DAY = date(2024, 4, 1)
RATES = PrecinctRates(np.array([0.1, 0.4]), np.array([2.0, 1, 1, 1, 1, 1, 0]), np.inf)
TABLE = precinct_table(
    {"sex_crimes": RATES}, np.array([1, 5], dtype=np.int32), DAY, date(2024, 3, 31)
)


def test_the_table_is_that_of_a_monday():
    """P(any) of a Poisson of 0.2 and 0.8; 95% of 0.8 lie up to 3."""
    assert PRECINCT_DAY_RISK.problems(TABLE) == []
    assert TABLE["expected_count"].to_list() == pytest.approx([0.2, 0.8])
    assert TABLE["risk_prob"].to_list() == pytest.approx([0.181269, 0.550671], abs=1e-6)
    assert TABLE["upper_95_count"].to_list() == [1, 3]
    assert precinct_table({}, np.array([1], dtype=np.int32), DAY, DAY).is_empty()


def test_a_precinct_too_few_fails():
    assert rules.every_precinct_every_group(TABLE, {1, 5}).holds
    assert rules.every_precinct_every_group(TABLE.clear(), {1, 5}).holds
    assert not rules.every_precinct_every_group(TABLE.head(1), {1, 5}).holds
    assert not rules.every_precinct_every_group(TABLE, {1, 5, 6}).holds


def test_sums_far_from_recent_days_fail():
    assert rules.sums_are_near_recent_reports(TABLE, {"sex_crimes": 0.5}).holds
    assert not rules.sums_are_near_recent_reports(TABLE, {"sex_crimes": 0.3}).holds
    assert not rules.sums_are_near_recent_reports(TABLE, {"sex_crimes": 5.0}).holds
    assert not rules.sums_are_near_recent_reports(TABLE, {}).holds, "a group that nobody reports"
