from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.evaluation.backtest import Fold, rolling_origin_folds, run_fold, seal
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import FitResult

FIRST = date(2015, 1, 1)
FOLD = Fold(FIRST, date(2015, 1, 29), date(2015, 2, 1), date(2015, 2, 11))


class CellMean:
    """Smallest model that follows the protocol, and keeps what it was shown."""

    name = "cell_mean"

    def fit(self, block, *, seed, progress=None):
        self.days, self.seen = block.days, block.counts.copy()
        self.seed = seed
        return FitResult({"cells": block.n_cells})

    def predict(self, block):
        self.truth_at_predict = block.counts
        return np.tile(self.seen.mean(axis=0, dtype=np.float64) + 0.01, (block.n_days, 1))

    def to_bytes(self):
        return {}

    @classmethod
    def from_bytes(cls, files):
        return cls()


@pytest.fixture
def block():
    n_days, n_cells = 60, 8
    rng = np.random.default_rng(0)
    return CellDayBlock(
        days=np.datetime64(FIRST) + np.arange(n_days),
        features=np.zeros((n_days, n_cells, 1), dtype=np.float32),
        names=("x_km",),
        precinct_index=np.zeros(n_cells, dtype=np.int32),
        borough_index=np.zeros(n_cells, dtype=np.int32),
        counts=rng.poisson(0.5, (n_days, n_cells)).astype(np.float32),
    )


def known_by(block):
    """Every incident reported 10 days after it occurred."""

    def counts(day):
        known = block.counts.copy()
        known[block.days + 10 >= np.datetime64(day)] = 0
        return known

    return counts


def run(block, fold=FOLD, lag=1, model=None, labels=None):
    model = model or CellMean()
    return run_fold(
        lambda: model,
        block,
        fold,
        counts_known_by=labels or known_by(block),
        publication_lag_days=lag,
        seed=7,
    )


def test_folds_adjoin_end_on_the_last_day_and_keep_the_gap():
    folds = rolling_origin_folds(FIRST, date(2015, 6, 30), n_folds=3, test_days=28, gap_days=5)
    assert folds[-1].test_stop == date(2015, 7, 1)
    for earlier, later in pairwise(folds):
        assert earlier.test_stop == later.test_start
    for fold in folds:
        assert fold.train_start == FIRST
        assert fold.test_start - fold.train_stop == timedelta(days=5)
        assert fold.test_stop - fold.test_start == timedelta(days=28)
    assert folds[0].cutoff(2) == folds[0].test_start - timedelta(days=2)


def test_a_period_that_just_fits_fits_and_one_day_less_does_not():
    arguments = {"n_folds": 2, "test_days": 10, "gap_days": 3}
    (first, _) = rolling_origin_folds(FIRST, FIRST + timedelta(days=32), **arguments)
    assert (first.train_stop - first.train_start).days == 10
    with pytest.raises(SettingError, match=r"has 32 days; 2 folds of 10 days .* need 33"):
        rolling_origin_folds(FIRST, FIRST + timedelta(days=31), **arguments)
    with pytest.raises(SettingError, match="0 folds of 10 days"):
        rolling_origin_folds(FIRST, date(2016, 1, 1), n_folds=0, test_days=10, gap_days=3)


def test_the_fit_sees_labels_as_they_stood_at_the_cutoff(block):
    model = CellMean()
    run(block, model=model)
    assert model.days[0] == np.datetime64(FOLD.train_start)
    assert model.days[-1] == np.datetime64(FOLD.train_stop) - 1
    # Cutoff 31 January: reported before it, 10 days after occurrence, is 20 January at the latest.
    assert model.seen[19].tolist() == block.counts[19].tolist()
    assert model.seen[19].sum() > 0
    assert model.seen[20:].sum() == 0
    assert block.counts[20:28].sum() > 0
    assert model.seed == 7


def test_later_truth_moves_neither_fit_nor_forecast(block):
    changed = block.counts.copy()
    changed[31:] += 3
    other = replace(block, counts=changed)
    first, second = run(block), run(other, labels=known_by(block))
    assert first.digest == second.digest
    assert first.metrics != second.metrics


def test_the_forecaster_is_not_handed_the_truth(block):
    model = CellMean()
    run(block, model=model)
    assert model.truth_at_predict is None


def test_the_forecast_is_sealed_by_value_and_dates(block):
    result = run(block)
    header = "2015-01-01 2015-01-29 2015-02-01 2015-02-11 (10, 8)"
    raw = header.encode() + result.forecast.astype("<f8").tobytes()
    assert result.digest == hashlib.sha256(raw).hexdigest()
    nudged = result.forecast.copy()
    nudged[3, 3] = np.nextafter(nudged[3, 3], 1)
    assert seal(FOLD, nudged) != result.digest
    assert seal(replace(FOLD, train_stop=date(2015, 1, 28)), result.forecast) != result.digest


def test_scores_are_on_the_test_days(block):
    result = run(block)
    truth = block.counts[31:41]
    assert result.forecast.shape == truth.shape
    assert result.metrics["poisson_deviance"] == poisson_deviance(truth, result.forecast)
    assert result.fit.params == {"cells": 8}


def test_an_unfit_fold_is_refused(block):
    with pytest.raises(
        ValueError, match=r"gap of 3 days before 2015-02-01 is shorter .* of 4 days"
    ):
        run(block, lag=4)
    with pytest.raises(ValueError, match="the block has 2015-01-01 to 2015-03-01"):
        run(block, fold=replace(FOLD, test_stop=date(2015, 3, 3)))
    with pytest.raises(ValueError, match=r"Labels of shape \(3, 8\) do not fit"):
        run(block, labels=lambda day: np.zeros((3, 8), dtype=np.float32))
    with pytest.raises(ValueError, match="this block has none"):
        run(block.without_truth(), labels=known_by(block))
