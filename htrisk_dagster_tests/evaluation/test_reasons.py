from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.reasons import (
    corrected,
    explained_members,
    importance_table,
    pooled,
    reason_texts,
)
from htrisk_dagster.evaluation.recalibration import Recalibration
from htrisk_dagster.evaluation.stacking import Stack
from htrisk_dagster.models.attribution import GROUPS, Attribution

NAMES = ("target_lag_1", "target_mean_28", "events_lag_1", "weekday_sin", "rate_of_cell")


def drawn(seed: int, base: float, n_rows: int = 12) -> Attribution:
    rng = np.random.default_rng(seed)
    return Attribution(NAMES, rng.normal(0, 0.5, (n_rows, len(NAMES))), base)


def log_expected(attribution: Attribution) -> np.ndarray:
    return attribution.base + attribution.contributions.sum(axis=1)


def test_reasons_of_a_pool_add_up_to_its_forecast():
    members = {"lightgbm": drawn(1, -4.0), "lstm": drawn(2, -4.2)}
    stack = Stack({"lightgbm": 0.7, "lstm": 0.4, "kde": 0.0}, -0.3)
    weights = explained_members(stack)
    assert weights == {"lightgbm": pytest.approx(0.7), "lstm": pytest.approx(0.4)}
    found = pooled(members, weights, stack.level)
    expected = {name: np.exp(log_expected(each)) for name, each in members.items()}
    np.testing.assert_allclose(log_expected(found), np.log(stack.combine(expected)), rtol=1e-12)
    assert found.names == GROUPS
    # Against the city's mean, as the members tell it.
    assert found.base == pytest.approx((0.7 * -4.0 + 0.4 * -4.2) / 1.1)


def test_members_of_little_weight_are_not_asked_and_the_others_stand_for_them():
    weights = explained_members(Stack({"a": 0.6, "b": 0.36, "c": 0.04}, 0.0))
    assert weights == {"a": pytest.approx(0.625), "b": pytest.approx(0.375)}


def test_reasons_of_a_corrected_forecast_add_up_to_it():
    correction = Recalibration(0.1, 0.8, -3.0, (0.05, -0.02))
    attribution, borough = drawn(3, -4.0), np.arange(12) % 3
    found = corrected(attribution, correction, borough)
    before = np.exp(log_expected(attribution))[None, :]
    after = correction.apply(before, borough)[0]
    np.testing.assert_allclose(log_expected(found), np.log(after), rtol=1e-12)
    same = corrected(attribution, Recalibration(), borough)
    np.testing.assert_allclose(
        same.contributions.sum(axis=1), attribution.contributions.sum(axis=1)
    )


def test_the_text_by_hand():
    logs = np.zeros((2, len(GROUPS)))
    logs[0, [GROUPS.index("own recent history"), GROUPS.index("events")]] = np.log([1.8, 1.25])
    logs[0, GROUPS.index("weekday")] = np.log(0.9)
    logs[1, GROUPS.index("surroundings")] = np.log(0.25)
    texts = reason_texts(Attribution(GROUPS, logs, -5.0))
    assert texts[0] == "+ own recent history (x1.8), + events (x1.3), - weekday (x0.9)"
    assert texts[1].startswith("- surroundings (x0.25), + ")


def test_importance_by_hand():
    one = Attribution(NAMES[:2], np.array([[1.0, -1.0], [0.5, 0.5]]), -4.0)
    table = importance_table(
        {"lightgbm": one, "stack": drawn(1, -4.0)},
        month=date(2015, 7, 1),
        target="shootings",
        models=["lightgbm"],
    )
    rows = {(r["model"], r["kind"], r["feature"]): r["mean_abs_log"] for r in table.to_dicts()}
    assert rows["lightgbm", "feature", "target_lag_1"] == pytest.approx(0.75)
    # Both are recent history, and cancel on the first of two cell-days.
    assert rows["lightgbm", "field term", "own recent history"] == pytest.approx(0.5)
    assert table.filter(pl.col("model") == "stack")["kind"].unique().to_list() == ["field term"]
