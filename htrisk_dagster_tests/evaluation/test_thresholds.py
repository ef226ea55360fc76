from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.thresholds import (
    BUDGETS_PCT,
    threshold_for_budget,
    threshold_table,
)
from htrisk_dagster.schemas.predictions import THRESHOLDS


def test_threshold_flags_the_budget_where_nothing_ties():
    probabilities = np.random.default_rng(0).permutation(1000) / 1000
    threshold = threshold_for_budget(probabilities, budget_pct=5)
    assert (probabilities >= threshold).mean() == 0.05
    assert threshold == 0.95


def test_ties_underspend_the_budget_and_never_overspend_it():
    probabilities = [0.4, 0.3, 0.3, 0.3, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1]
    # 20% of ten is two; flagging 0.3 would take four.
    assert threshold_for_budget(probabilities, budget_pct=20) == 0.4
    assert threshold_for_budget(probabilities, budget_pct=40) == 0.3
    assert threshold_for_budget(probabilities, budget_pct=100) == 0.1
    above = threshold_for_budget([0.3] * 10, budget_pct=20)
    assert 0.3 < above < 0.3 + 1e-12


def test_invariant_on_random_values_with_ties():
    rng = np.random.default_rng(1)
    for _ in range(100):
        values = np.round(rng.beta(1, 20, 200), rng.integers(1, 5))
        budget = float(rng.choice(BUDGETS_PCT))
        threshold = threshold_for_budget(values, budget_pct=budget)
        assert (values >= threshold).mean() <= budget / 100 + 1e-12
        lower = values[values < threshold]
        if lower.size:
            assert (values >= lower.max()).mean() > budget / 100


def test_report_by_hand():
    fold = np.arange(1, 11).reshape(1, 10) / 10
    counts = np.array([[0, 1, 0, 2]])
    test = np.array([[0.95, 1.0, 0.2, 0.3]])
    table = threshold_table({"lstm": [fold, fold]}, counts, {"lstm": test}, budgets_pct=[10, 20])
    assert THRESHOLDS.problems(table) == []
    first, second = table.rows(named=True)
    # Tuned on folds, 10% flags 1.0 alone: cell 1 of the test block, one of two incidents.
    assert first == {
        "model": "lstm",
        "budget_pct": 10.0,
        "threshold_prob": 1.0,
        "flagged_pct": 25.0,
        "recall_pct": 50.0,
        "precision_pct": 100.0,
    }
    assert (second["threshold_prob"], second["flagged_pct"]) == (0.9, 50.0)
    assert (second["recall_pct"], second["precision_pct"]) == (50.0, 50.0)


def test_undefined_shares_are_missing():
    fold = np.array([[0.5, 0.4, 0.3, 0.2]])
    nothing_flagged = np.full((1, 4), 0.1)
    (row,) = threshold_table(
        {"a": [fold]}, np.zeros((1, 4)), {"a": nothing_flagged}, budgets_pct=[25]
    ).rows(named=True)
    assert row["flagged_pct"] == 0.0
    assert row["recall_pct"] is None
    assert row["precision_pct"] is None


@pytest.mark.parametrize(
    ("values", "budget", "message"),
    [([], 5, "one at least"), ([0.1, np.nan], 5, r"in \[0, 1\]"), ([0.1], 0, "not in")],
)
def test_unfit_input_is_refused(values, budget, message):
    with pytest.raises(ValueError, match=message):
        threshold_for_budget(values, budget_pct=budget)


def test_models_must_match():
    fold = np.array([[0.5, 0.4]])
    with pytest.raises(ValueError, match=r"Folds have the models \['a'\], the test block \['b'\]"):
        threshold_table({"a": [fold]}, [[0, 1]], {"b": fold})
    with pytest.raises(ValueError, match="Model 'a': probabilities of shape"):
        threshold_table({"a": [fold]}, [[0, 1, 0]], {"a": fold})
