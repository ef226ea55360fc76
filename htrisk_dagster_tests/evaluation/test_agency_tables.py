from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation import agency_findings
from htrisk_dagster.evaluation.agency_tables import (
    backtest_table,
    comparison_table,
    mix_table,
    volume_table,
)
from htrisk_dagster.evaluation.backtest import Fold, FoldResult
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.evaluation.volume_backtest import VolumeIntervals, VolumeOutlook
from htrisk_dagster.features.offence_contexts import ContextCodes, unique_offences
from htrisk_dagster.models.count_model import FitResult
from htrisk_dagster.models.offence_mix import OffenceMix
from htrisk_dagster.models.volume_forecast import VolumeForecaster
from htrisk_dagster_tests.models.mixed_offences import few_rounds
from scipy.stats import nbinom, poisson

DAYS = np.array(["2022-12-31", "2023-01-01"], dtype="datetime64[D]")
LABELS = {"1": "Ansonia", "2": "Avon", "state": "Connecticut"}
OUTLOOK = VolumeOutlook(
    DAYS, np.array([[4.0, 0.5], [8.0, 0.25]]),
    VolumeIntervals(CountIntervals.of_size(np.inf), CountIntervals.of_size(10.0)),
    FitResult({}), (), VolumeForecaster(),
)  # fmt: skip


def test_the_outlook_becomes_a_row_a_day_and_agency():
    found = volume_table(OUTLOOK, ("1", "2"), LABELS, {date(2023, 1, 1): "New Year's Day"})
    assert found.select("forecast_on", "agency", "horizon_days", "expected_count", "holiday").rows() == [
        (date(2022, 12, 31), "Ansonia", 1, 4.0, None), (date(2022, 12, 31), "Avon", 1, 0.5, None),
        (date(2022, 12, 31), "Connecticut", 1, 4.5, None),
        (date(2023, 1, 1), "Ansonia", 2, 8.0, "New Year's Day"),
        (date(2023, 1, 1), "Avon", 2, 0.25, "New Year's Day"),
        (date(2023, 1, 1), "Connecticut", 2, 8.25, "New Year's Day"),
    ]  # fmt: skip
    assert found["is_holiday"].to_list() == [False] * 3 + [True] * 3
    assert set(found["origin_on"]) == {date(2022, 12, 31)}
    ends = found.select("lower_95_count", "upper_95_count").rows()
    assert ends[0] == tuple(poisson(4.0).ppf([0.025, 0.975]))
    assert ends[5] == tuple(nbinom(10, 10 / 18.25).ppf([0.025, 0.975]))
    for rule in (
        agency_findings.every_agency_every_day,
        agency_findings.intervals_are_nested,
        agency_findings.state_is_the_sum,
    ):
        assert rule(found).holds


def test_folds_and_scores_become_rows():
    fold = Fold(date(2021, 1, 1), date(2022, 1, 1), date(2022, 1, 1), date(2022, 1, 31))
    result = FoldResult(fold, FitResult({}), np.ones((1, 1)), "seal", {"wape": 0.5, "auc": np.nan})
    assert backtest_table([result]).rows() == [
        (date(2022, 1, 1), date(2022, 1, 31), "auc", None, "seal"),
        (date(2022, 1, 1), date(2022, 1, 31), "wape", 0.5, "seal"),
    ]
    assert comparison_table({"prior": {"log_loss": 1.2}}).rows() == [("prior", "log_loss", 1.2)]


@pytest.fixture(scope="module")
def offences() -> pl.DataFrame:
    """Forgery in banks by day in town 1, drugs at night in the streets of both towns."""
    rng = np.random.default_rng(1)
    rows = []
    for i in range(900):
        agency = "1" if rng.random() < 0.7 else "2"
        by_day = agency == "1" and rng.random() < 0.5
        hour = int(rng.integers(9, 17) if by_day else rng.integers(0, 6))
        day = date(2021, int(rng.integers(1, 13)), int(rng.integers(1, 29)))
        kind = ("Forgery", "Bank") if by_day else ("Drugs", "Street")
        rows.append((agency, str(i), day, hour, *kind))
    columns = {"agency_id": pl.String, "incident_id": pl.String, "occurred_on": pl.Date,
               "occurred_hour": pl.Int32, "offence_category": pl.String, "location": pl.String}  # fmt: skip
    return pl.DataFrame(rows, schema=columns, orient="row")


def test_the_mix_of_each_agency_is_by_its_own_places_beside_its_past(offences: pl.DataFrame):
    codes = ContextCodes.of(offences, {}, {})
    rows = unique_offences(offences)
    model = OffenceMix(2)
    with few_rounds():
        model.fit(codes.encode(rows), codes.labels(rows), seed=1)
    found = mix_table(model, codes, offences, LABELS)
    assert found.height == 2 * 4 * 2 * 2
    assert agency_findings.probabilities_sum_to_one(found).holds
    drugs = found.filter(offence_category="Drugs", is_weekend=False)
    by_time = {
        (a, p): v for a, p, v in drugs.select("agency_id", "day_part", "offence_prob").rows()
    }
    assert by_time["2", "night"] > 0.95
    # In town 1 every offence by day was a forgery in a bank, by night drugs in the street.
    assert by_time["1", "morning"] < 0.1 < 0.9 < by_time["1", "night"]
    past = offences.filter(agency_id="1")["offence_category"].value_counts(normalize=True)
    share = dict(past.rows())["Drugs"]
    assert set(drugs.filter(agency_id="1")["past_share"]) == {share}


def test_an_interval_upside_down_is_found_in_a_table():
    table = volume_table(replace(OUTLOOK), ("1", "2"), LABELS, {})
    wrong = table.with_columns(lower_95_count=pl.col("upper_95_count") + 1)
    assert not agency_findings.intervals_are_nested(wrong).holds
