from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.backtest import Fold, rolling_origin_folds, seal
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.stacking import Stack, stack_folds
from htrisk_dagster.evaluation.training import (
    fold_truth,
    train,
    train_stack,
    waiting_days,
    with_counts,
)
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import FitResult
from htrisk_dagster_tests.evaluation.simulated_folds import simulate

FIRST = date(2015, 1, 1)
TRAIN_STOP = date(2015, 3, 22)  # 80 days, then 10 days whose labels are too young
N_DAYS, N_CELLS = 90, 6


def incidents_of(delays: list[int], reported_on: date = date(2015, 3, 1)) -> pl.DataFrame:
    """One incident a delay, all reported on one day."""
    return pl.DataFrame(
        {
            "occurred_on": [reported_on - timedelta(days) for days in delays],
            "reported_on": [reported_on] * len(delays),
        },
        schema={"occurred_on": pl.Date, "reported_on": pl.Date},
    )


@pytest.mark.parametrize(
    ("delays", "waiting"),
    [
        (list(range(11)), 9),  # ten of eleven wait 9 days or fewer
        ([0] * 9 + [500], 28),  # between the ninth and the tenth of ten: the longer, 28 at most
        ([0] * 10 + [500], 0),
        ([40] * 11, 28),
        ([], 0),
    ],
)
def test_waiting_days_by_hand(delays, waiting):
    assert waiting_days(incidents_of(delays), date(2015, 3, 2)) == waiting


def test_waiting_days_sees_only_what_was_reported_before():
    later = incidents_of([20] * 50, date(2015, 3, 2))
    both = pl.concat([incidents_of([3] * 11), later])
    assert waiting_days(both, date(2015, 3, 2)) == 3
    assert waiting_days(both, date(2015, 3, 3)) == 20


class Witness:
    """Forecasts each cell's mean, and tells a shared log what it was shown."""

    name = "witness"

    def __init__(self, log: list[tuple]) -> None:
        self.log = log
        log.append(("made",))

    def fit(self, block, *, seed, progress=None):
        self.mean = block.counts.mean(axis=0, dtype=np.float64) + 0.01
        self.log.append(("fit", str(block.days[0]), str(block.days[-1]), block.counts.copy(), seed))
        return FitResult({"days": block.n_days}, {"train_loss": [1.0]})

    def predict(self, block):
        self.log.append(("predict", str(block.days[0]), str(block.days[-1]), block.counts))
        return np.tile(self.mean, (block.n_days, 1))

    def to_bytes(self):
        return {"mean.bin": self.mean.tobytes()}

    @classmethod
    def from_bytes(cls, files):
        raise NotImplementedError


@pytest.fixture
def block():
    rng = np.random.default_rng(3)
    # Cells whose rate changes by day, so that counts scatter more than a Poisson.
    rate = rng.gamma(0.5, 2.0, (N_DAYS, N_CELLS))
    return CellDayBlock(
        days=np.datetime64(FIRST) + np.arange(N_DAYS),
        features=np.zeros((N_DAYS, N_CELLS, 1), dtype=np.float32),
        names=("x_km",),
        precinct_index=np.zeros(N_CELLS, dtype=np.int32),
        borough_index=np.zeros(N_CELLS, dtype=np.int32),
        counts=rng.poisson(rate).astype(np.float32),
    )


@pytest.fixture
def trained(block):
    """Log, folds and the training of a witness; every incident is known 5 days later."""
    log: list[tuple] = []
    folds = rolling_origin_folds(
        FIRST, TRAIN_STOP - timedelta(1), n_folds=2, test_days=10, gap_days=6
    )

    def counts_known_by(day: date):
        log.append(("labels", str(day)))
        known = block.counts.copy()
        known[block.days + 5 >= np.datetime64(day)] = 0
        return known

    training = train(
        lambda: Witness(log),
        block,
        folds,
        counts_known_by=counts_known_by,
        train_stop=TRAIN_STOP,
        publication_lag_days=1,
        seed=11,
    )
    return log, folds, training


def test_folds_come_first_then_the_fit_on_all_that_is_known(trained):
    log, _, _ = trained
    assert [entry[:3] if len(entry) > 2 else entry for entry in log] == [
        # The first fold tests from 2 March: labels as of the 1st, training up to 6 days before it.
        ("labels", "2015-03-01"), ("made",),
        ("fit", "2015-01-01", "2015-02-23"), ("predict", "2015-03-02", "2015-03-11"),
        ("labels", "2015-03-11"), ("made",),
        ("fit", "2015-01-01", "2015-03-05"), ("predict", "2015-03-12", "2015-03-21"),
        ("made",), ("fit", "2015-01-01", "2015-03-21"),
    ]  # fmt: skip
    assert {entry[4] for entry in log if entry[0] == "fit"} == {11}


def test_a_forecast_never_sees_the_truth(trained):
    log, _, _ = trained
    shown = [entry[3] for entry in log if entry[0] == "predict"]
    assert shown == [None, None]


def test_a_fold_is_fitted_on_labels_as_they_stood_and_the_last_fit_on_those_of_now(trained, block):
    log, _, _ = trained
    first, second, last = (entry[3] for entry in log if entry[0] == "fit")
    # Of what was reported before 1 March, days up to 23 February are whole; training ends there.
    np.testing.assert_array_equal(first, block.counts[:54])
    np.testing.assert_array_equal(second, block.counts[:64])
    np.testing.assert_array_equal(last, block.counts[:80])


def test_labels_that_were_not_known_are_not_fitted_on(block):
    log: list[tuple] = []
    fold = Fold(FIRST, date(2015, 2, 1), date(2015, 2, 2), date(2015, 2, 12))
    nothing = np.zeros_like(block.counts)
    train(
        lambda: Witness(log),
        block,
        [fold],
        counts_known_by=lambda _: nothing,
        train_stop=TRAIN_STOP,
        publication_lag_days=1,
        seed=0,
    )
    blind, last = (entry[3] for entry in log if entry[0] == "fit")
    assert blind.sum() == 0
    assert last.sum() > 0


def test_what_comes_out_is_the_last_fit_and_every_fold(trained, block):
    _, folds, training = trained
    assert training.fit.params == {"days": 80}
    mean = block.counts[:80].mean(axis=0, dtype=np.float64) + 0.01
    assert training.files == {"mean.bin": mean.tobytes()}
    assert tuple(f.fold for f in training.folds) == folds
    assert [f.fit.params["days"] for f in training.folds] == [54, 64]
    assert [f.forecast.shape for f in training.folds] == [(10, N_CELLS)] * 2


def test_dispersion_is_the_most_probable_for_the_folds_forecasts(trained, block):
    from scipy.stats import nbinom

    _, _, training = trained
    truth = block.counts[60:80]
    forecast = np.concatenate([f.forecast for f in training.folds])

    def log_likelihood(size: float) -> float:
        # The prior of 1 / size is exponential with mean 1.
        return float(nbinom.logpmf(truth, size, size / (size + forecast)).sum()) - 1 / size

    sizes = np.geomspace(0.05, 20, 4_000)
    likeliest = sizes[np.argmax([log_likelihood(s) for s in sizes])]
    assert training.dispersion == pytest.approx(likeliest, rel=2e-3)
    assert 0.1 < training.dispersion < 2  # drawn with 0.5, around means that are not exact


def test_truth_of_a_fold(block):
    fold = Fold(FIRST, date(2015, 2, 1), date(2015, 2, 4), date(2015, 2, 6))
    np.testing.assert_array_equal(fold_truth(block, fold), block.counts[34:36])
    with pytest.raises(ValueError, match="asked of a block without counts"):
        fold_truth(block.without_truth(), fold)


def test_labels_are_added_to_a_block(block):
    blind = replace(block, counts=None)
    found = with_counts(blind, block.counts)
    assert found.counts is block.counts
    assert blind.counts is None
    with pytest.raises(ValueError, match="has counts"):
        with_counts(blind, block.counts[1:])


def test_a_stack_is_trained_on_folds_and_seals_its_own_blind_forecasts():
    city = simulate(2, 20)
    start = FIRST + timedelta(days=60)
    folds = [
        Fold(FIRST, start + timedelta(28 * k - 2), start + timedelta(28 * k),
             start + timedelta(28 * (k + 1)))
        for k in range(3)
    ]  # fmt: skip
    training = train_stack(folds, city.folds, gap_days=2)
    stack = Stack.from_bytes(training.files)
    assert training.fit.params == {f"weight_{n}": stack.weights[n] for n in stack.members}
    for fold, blind, result in zip(
        folds, stack_folds(city.folds, gap_days=2), training.folds, strict=True
    ):
        np.testing.assert_array_equal(result.forecast, blind)
        assert result.digest == seal(fold, blind)
    assert training.folds[2].metrics["poisson_deviance"] == pytest.approx(
        poisson_deviance(city.folds[2].counts, training.folds[2].forecast)
    )
