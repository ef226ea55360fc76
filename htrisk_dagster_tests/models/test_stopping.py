from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.models.stopping import fewest_steps, weekly_loss
from htrisk_dagster.models.training_rows import Rows
from scipy.stats import poisson


def test_weekly_loss_differs_from_scipys_by_what_no_forecast_changes():
    rng = np.random.default_rng(0)
    n_cells = 5
    index = np.arange(30 * n_cells, 51 * n_cells)
    counts = rng.poisson(2.0, len(index)).astype(np.float32)
    weights = rng.integers(1, 4, len(index)).astype(np.float32)
    rows = Rows(index, counts, weights, np.zeros_like(counts))
    one, other = rng.normal(size=(2, len(index)))
    ours = weekly_loss(rows, one, n_cells) - weekly_loss(rows, other, n_cells)
    terms = -weights * (poisson.logpmf(counts, np.exp(one)) - poisson.logpmf(counts, np.exp(other)))
    assert ours.shape == (3,)
    np.testing.assert_allclose(ours, terms.reshape(3, 7 * n_cells).sum(axis=1), rtol=1e-9)


def test_none_within_one_standard_error_or_fewest_within_half_of_one():
    """Excess over the best by week: no step 4+-1, one step 0.1+-1; 32 and 0.8 in 8 weeks."""
    wobble = np.array([1.0, -1.0] * 4)
    losses = np.stack([10 + 4 + wobble, 10 + 0.1 + wobble, np.full(8, 10.0), np.full(8, 12.0)])
    # The standard error of either sum is sqrt(8 / 7) * sqrt(8) = 3.02, half of it 1.51.
    assert fewest_steps(losses) == 1
    losses[1] += 0.1
    assert fewest_steps(losses) == 2
    losses[0] = 10 + 0.3 + wobble
    assert fewest_steps(losses) == 0


def test_weeks_differing_alike_do_not_hide_a_sure_gain():
    weeks = np.array([100.0, 900.0, 20.0, 450.0])
    assert fewest_steps(np.stack([weeks, weeks - [1.0, 1.2, 0.9, 1.1]])) == 1


def test_learning_that_only_harms_is_left():
    assert fewest_steps(np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])) == 0


def test_pure_noise_keeps_the_offset_mostly():
    """Steps that change nothing on average are kept no more often than one error in one tail."""
    rng = np.random.default_rng(1)
    kept = [fewest_steps(np.cumsum(rng.normal(size=(2, 40)), axis=0)) for _ in range(2000)]
    assert np.mean(kept) == pytest.approx(0.16, abs=0.03)
