from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.stacked_model import StackedModel, member_files
from htrisk_dagster.evaluation.stacking import Stack
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import make_model


@pytest.fixture
def block():
    rng = np.random.default_rng(4)
    return CellDayBlock(
        days=np.datetime64("2015-01-01") + np.arange(60),
        features=np.zeros((60, 9, 1), dtype=np.float32),
        names=("x_km",),
        precinct_index=np.repeat(np.arange(3, dtype=np.int32), 3),
        borough_index=np.zeros(9, dtype=np.int32),
        counts=rng.poisson(0.4, (60, 9)).astype(np.float32),
    )


def test_it_predicts_what_the_stack_makes_of_its_members(block):
    mean = make_model("historical_mean")
    mean.fit(block, seed=0)
    stack = Stack({"historical_mean": 0.8, "lstm": 0.0}, 0.1)
    files = {**stack.to_bytes(), **member_files({"historical_mean": mean.to_bytes()})}
    found = StackedModel.from_bytes(files)
    assert list(found.members) == ["historical_mean"]
    expected = np.exp(0.1) * mean.predict(block) ** 0.8
    np.testing.assert_allclose(found.predict(block.without_truth()), expected, rtol=1e-12)


def test_members_of_like_names_keep_their_own_files():
    files = member_files({"kde": {"a.json": b"1"}, "kde_ewma": {"a.json": b"2"}})
    assert files == {"kde@a.json": b"1", "kde_ewma@a.json": b"2"}
