from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.scored_fold import ScoredFold, known_before, model_names


@pytest.fixture
def folds():
    """Three folds of five days, each day's counts and forecasts its number."""
    days = np.arange(15.0).reshape(3, 5, 1)
    return [ScoredFold(day, {"a": day + 0.5}) for day in days]


@pytest.mark.parametrize(
    ("number", "gap", "last"),
    [(0, 2, None), (1, 0, 4), (1, 2, 2), (2, 0, 9), (2, 3, 6), (2, 5, 4), (2, 7, 2), (2, 10, None)],
)
def test_what_was_known_ends_a_gap_before_the_fold(folds, number, gap, last):
    known = known_before(folds, number, gap_days=gap)
    days = [day for fold in known for day in fold.counts.ravel()]
    assert days == ([] if last is None else list(range(last + 1)))
    assert [day for fold in known for day in fold.forecasts["a"].ravel() - 0.5] == days


def test_a_forecast_is_added_and_the_fold_stays_as_it_was(folds):
    more = folds[0].with_forecast("stack", np.ones((5, 1)))
    assert model_names([more]) == ["a", "stack"]
    assert model_names(folds) == ["a"]


def test_unfit_folds_are_refused(folds):
    with pytest.raises(ValueError, match="there is none"):
        model_names([])
    with pytest.raises(ValueError, match="Fold 1 has the models a, b, the first fold a;"):
        model_names([folds[0], folds[1].with_forecast("b", np.ones((5, 1)))])
