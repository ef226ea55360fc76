"""What is measured of a blind run: differences of deviance with their paired interval."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.count_intervals import fit_intervals
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.skill.blind_run import BlindRun, deviance_difference, score_models
from htrisk_dagster.features.block import CellDayBlock


@pytest.fixture(scope="module")
def run() -> BlindRun:
    """Thirteen weeks of 60 cells; `near` is close to the truth, `historical_mean` is not."""
    rng = np.random.default_rng(8)
    truth = np.tile(rng.lognormal(-1.5, 1, 60), (91, 1))
    counts = rng.poisson(truth).astype(np.float32)
    forecasts = {
        name: truth * rng.lognormal(0, spread, truth.shape)
        for name, spread in (("historical_mean", 0.8), ("near", 0.1), ("as near", 0.1))
    }
    block = CellDayBlock(
        np.datetime64("2015-10-01") + np.arange(91), np.zeros((91, 60, 1), np.float32), ("none",),
        np.zeros(60, np.int32), np.zeros(60, np.int32),
    )  # fmt: skip
    intervals = fit_intervals([counts], [truth])
    seals = dict.fromkeys(forecasts, "sealed")
    return BlindRun(block, counts, counts, forecasts, seals, "near", "It is.", intervals)


def test_the_difference_is_that_of_the_two_deviances(run: BlindRun):
    found = deviance_difference(run, "near", "historical_mean", seed=1)
    own, other = (
        poisson_deviance(run.counts, run.forecasts[n]) for n in ("near", "historical_mean")
    )
    assert found["difference"] == pytest.approx(own - other, rel=1e-12)
    assert found["lower_95"] < found["difference"] < found["upper_95"] < 0
    back = deviance_difference(run, "historical_mean", "near", seed=1)
    assert back["lower_95"] == pytest.approx(-found["upper_95"])


def test_two_models_as_good_are_not_told_apart_and_a_model_never_from_itself(run: BlindRun):
    found = deviance_difference(run, "near", "as near", seed=1)
    assert found["lower_95"] < 0 < found["upper_95"]
    itself = deviance_difference(run, "near", "near", seed=1)
    assert itself == {"difference": 0, "lower_95": 0, "upper_95": 0}


def test_the_interval_is_that_of_thirteen_weekly_sums(run: BlindRun):
    """Normal theory on the weekly sums, an independent road to nearly the same ends."""
    found = deviance_difference(run, "near", "historical_mean", seed=1)
    weeks = np.array([
        poisson_deviance(run.counts[s], run.forecasts["near"][s])
        - poisson_deviance(run.counts[s], run.forecasts["historical_mean"][s])
        for s in (slice(7 * w, 7 * w + 7) for w in range(13))
    ])  # fmt: skip
    half = 1.96 * weeks.std() / np.sqrt(13)
    assert found["lower_95"] == pytest.approx(weeks.mean() - half, abs=0.15 * half)
    assert found["upper_95"] == pytest.approx(weeks.mean() + half, abs=0.15 * half)


def test_scores_name_the_seal_and_take_the_historical_mean_for_reference(run: BlindRun):
    scores = score_models(run)
    assert scores["historical_mean"]["information_gain_bits"] == 0
    assert scores["near"]["information_gain_bits"] > 0
    assert scores["near"]["sealed"] == "sealed"
