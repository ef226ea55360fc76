from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.models.lstm import LSTMModel
from htrisk_dagster.models.lstm_inputs import LSTMInputs
from scipy.stats import nbinom


def test_sequences_run_from_the_oldest_day_to_the_newest(small_city):
    block = small_city.block
    inputs = LSTMInputs.fitted(block, slice(28, 200))
    assert inputs.n_channels == 2
    rows = np.array([40 * block.n_cells + 7, 250 * block.n_cells + 99])
    matrix = block.features.reshape(-1, len(block.names))
    sequence, static = inputs.gather(matrix, rows, inputs.positions(block))
    assert sequence.shape == (2, 7, 2)
    assert static.shape == (2, inputs.n_static)
    for step, k in enumerate(range(7, 0, -1)):
        for channel, series in enumerate(("target", "incidents")):
            logged = np.log1p(block.column(f"{series}_lag_{k}").astype(float))
            train = logged[28:200]
            wanted = (logged[[40, 250], [7, 99]] - train.mean()) / train.std()
            np.testing.assert_allclose(
                sequence[:, step, channel], np.clip(wanted, -8, 8), rtol=1e-4, atol=1e-5
            )


def test_static_values_are_counts_logged_or_plain(small_city):
    block = small_city.block
    inputs = LSTMInputs.fitted(block, slice(28, 200))
    static_names = inputs.columns[14:]
    assert "transit_subway_ratio" not in static_names
    assert "target_lag_8" in static_names
    matrix = block.features.reshape(-1, len(block.names))
    _, static = inputs.gather(matrix, np.array([5000]), inputs.positions(block))
    month = np.log1p(28 * block.column("target_mean_28").astype(float))
    weekday = block.column("weekday_sin").astype(float)
    for name, values in (("target_mean_28", month), ("weekday_sin", weekday)):
        train = values[28:200]
        wanted = (values.ravel()[5000] - train.mean()) / train.std()
        assert static[0, static_names.index(name)] == pytest.approx(wanted, rel=1e-3)


def test_nan_becomes_the_training_mean(small_city):
    block = small_city.block
    inputs = LSTMInputs.fitted(block, slice(28, 200))
    features = np.full_like(block.features, np.nan)
    sequence, static = inputs.gather(
        features.reshape(-1, len(block.names)), np.array([3]), inputs.positions(block)
    )
    assert not sequence.any()
    assert not static.any()


def test_likelihood_against_scipy():
    import torch
    from htrisk_dagster.models.lstm_network import negative_log_likelihood

    rng = np.random.default_rng(2)
    mean, counts = rng.gamma(0.5, 4.0, 500) + 1e-4, rng.integers(0, 12, 500)
    for r in (0.3, 5.0, 100.0):
        ours = negative_log_likelihood(
            torch.from_numpy(np.log(mean)),
            torch.tensor(math.log(r), dtype=torch.float64),
            torch.from_numpy(counts.astype(float)),
        )
        np.testing.assert_allclose(
            ours.numpy(), -nbinom.logpmf(counts, r, r / (r + mean)), rtol=1e-8
        )


def test_subsampled_zeros_leave_the_prevalence_as_it_is(small_city):
    """With 1 zero per incident a tenth of rows is seen; rates must not be ten times too high."""
    days = small_city.block.days
    train = small_city.block.between(days[0], days[240])
    model = LSTMModel(epochs=10, hidden=4, batch_size=256, zeros_per_incident=1.0)
    result = model.fit(train, seed=0)
    assert result.params["rows_per_epoch"] < 0.25 * 205 * train.n_cells
    expected = model.predict(train.without_truth())
    # A network of 4 units drifts by a tenth; without the weights it would be 4 times too high.
    assert expected.sum() == pytest.approx(train.counts.sum(), rel=0.25)


def test_torch_settings_and_generator_are_put_back(small_city):
    import torch

    days = small_city.block.days
    before = (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    state = torch.get_rng_state()
    model = LSTMModel(epochs=1, hidden=2)
    model.fit(small_city.block.between(days[0], days[100]), seed=3)
    LSTMModel.from_bytes(model.to_bytes()).predict(small_city.block)
    assert before == (torch.get_num_threads(), torch.are_deterministic_algorithms_enabled())
    assert torch.equal(state, torch.get_rng_state())


def test_the_best_epoch_is_kept(small_city):
    """Training on after the best epoch changes nothing, so patience decides time and not result."""
    days = small_city.block.days
    train = small_city.block.between(days[0], days[130])
    long = LSTMModel(epochs=8, hidden=4, batch_size=256, learning_rate=0.05, patience=8)
    result = long.fit(train, seed=1)
    kept = result.params["epoch_kept"]
    assert kept == int(np.argmin(result.curves["validation_loss"])) + 1
    assert kept < 8
    short = replace(long, epochs=kept)
    short.fit(train, seed=1)
    assert short.to_bytes() == long.to_bytes()
