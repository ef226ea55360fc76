"""Leak checks that try the program's own code on inputs that never were, run by Dagster.

That they pass on the city is in `test_asset_checks.py`; here a leak is planted in the features.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import dagster as dg
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.defs import shuffled
from htrisk_dagster.features import feature_matrix
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.models.count_model import FitResult
from htrisk_dagster.schemas import grid
from htrisk_dagster_tests.defs.small_city import City
from numpy.typing import NDArray

honest_block = feature_matrix.build_block


def leaky_block(
    inputs: FeatureInputs, start: date, stop: date, *, with_counts: bool
) -> CellDayBlock:
    """The features, with the count of the day itself put into one of them."""
    block = honest_block(inputs, start, stop, with_counts=with_counts)
    features = np.array(block.features)
    features[..., block.names.index("target_lag_2")] = target_counts(
        inputs, [str(day) for day in block.days]
    )
    return replace(block, features=features)


class BelievesOneFeature:
    """A learner that has found the leak, at no cost."""

    def fit(self, block: CellDayBlock, **_: object) -> FitResult:
        return FitResult({})

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        return block.column("target_lag_2").astype(np.float64) + 1e-6


def make_the_target_frequent(city: City) -> None:
    """Of an incident in two days, place with hindsight tells nearly all, and a leak no more."""
    store = city.workspace.tables("nyc")
    for month in store.keys(grid.INCIDENT_CELLS):
        rows = store.read(grid.INCIDENT_CELLS, [month])
        told = rows.with_columns(
            offence_group=pl.when(pl.int_range(pl.len()) % 8 == 0)
            .then(pl.lit("prostitution_related"))
            .otherwise("offence_group")
        )
        store.write_unchecked(grid.INCIDENT_CELLS, told, month)


@pytest.mark.parametrize(
    ("asset", "checks", "sentence"),
    [
        ("features/cell_day", ["another_future_changes_no_feature"], "something not yet known"),
        (
            "models/champion",
            ["a_random_city_gives_no_skill", "shuffled_days_give_no_more_than_place"],
            "the forecast knows",
        ),
    ],
)
def test_a_feature_that_knows_its_day_fails(
    city_copy: City,
    monkeypatch: pytest.MonkeyPatch,
    asset: str,
    checks: list[str],
    sentence: str,
) -> None:
    make_the_target_frequent(city_copy)
    monkeypatch.setattr(feature_matrix, "build_block", leaky_block)
    monkeypatch.setattr(shuffled, "make_model", lambda *_, **__: BelievesOneFeature())
    job = dg.define_asset_job(
        "leaks", dg.AssetSelection.checks_for_assets(dg.AssetKey(["nyc", *asset.split("/")]))
    )
    definitions = dg.Definitions.merge(city_copy.definitions, dg.Definitions(jobs=[job]))
    with city_copy.instance() as instance:
        result = definitions.resolve_job_def("leaks").execute_in_process(
            instance=instance, raise_on_error=False
        )
    found = {e.check_name: e for e in result.get_asset_check_evaluations()}
    for check in checks:
        assert not found[check].passed
        assert found[check].blocking
        assert sentence in (found[check].description or "")
    assert not result.success, "what is blocked goes no further"
