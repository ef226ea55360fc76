from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes
from htrisk_dagster.models.lstm import LIKELIHOODS, LSTMModel
from htrisk_dagster.models.lstm_inputs import LSTMInputs
from htrisk_dagster.models.lstm_network import (
    AREA_PRIOR_SD,
    NetworkShape,
    area_deviations,
    area_penalty,
    make_network,
    reproducible,
)
from htrisk_dagster.models.lstm_training import NetworkRows, Training
from htrisk_dagster.models.training_rows import Rows, draw_rows
from scipy.stats import nbinom, norm
from sklearn.metrics import mean_poisson_deviance


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
    assert "target_lag_8" not in static_names
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


def test_zero_inflated_likelihood_sums_to_one_and_has_its_mean():
    """The closed form: a share pi of zeros, and (1 - pi) of scipy's negative binomial."""
    import torch
    from htrisk_dagster.models.lstm_network import negative_log_likelihood

    share, r = 0.3, 1.7
    mean = np.array([1e-4, 0.02, 0.7, 3.0])
    counts = np.arange(400)
    log_mu = torch.from_numpy(np.repeat(np.log(mean), len(counts)))
    ours = negative_log_likelihood(
        log_mu,
        torch.tensor(math.log(r), dtype=torch.float64),
        torch.from_numpy(np.tile(counts, len(mean)).astype(float)),
        torch.tensor(math.log(share / (1 - share)), dtype=torch.float64),
    )
    own_mean = mean[:, None] / (1 - share)
    closed = (1 - share) * nbinom.pmf(counts, r, r / (r + own_mean)) + share * (counts == 0)
    found = np.exp(-ours.numpy()).reshape(len(mean), -1)
    np.testing.assert_allclose(found, closed, rtol=1e-8, atol=1e-300)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-9)
    np.testing.assert_allclose(found @ counts, mean, rtol=1e-7)


def test_no_certain_zeros_is_the_negative_binomial():
    import torch
    from htrisk_dagster.models.lstm_network import negative_log_likelihood

    log_mu, counts = torch.linspace(-6, 2, 40, dtype=torch.float64), torch.arange(40) % 5
    log_r = torch.tensor(0.4, dtype=torch.float64)
    plain = negative_log_likelihood(log_mu, log_r, counts)
    inflated = negative_log_likelihood(
        log_mu, log_r, counts, torch.tensor(-40.0, dtype=torch.float64)
    )
    np.testing.assert_allclose(inflated.numpy(), plain.numpy(), rtol=1e-12)


def test_zero_inflation_is_learnt_where_it_is_and_tells_in_the_likelihood(small_city):
    """Half of the cell-days of a busy city are emptied at random."""
    rng = np.random.default_rng(0)
    rates = 2 * small_city.intensity / small_city.intensity.mean()
    counts = rng.poisson(rates) * (rng.random(rates.shape) < 0.5)
    days = small_city.block.days
    block = replace(small_city.block, counts=counts.astype(np.float32)).between(days[0], days[160])
    found = {}
    for likelihood in LIKELIHOODS:
        model = LSTMModel(
            likelihood=likelihood, epochs=4, hidden=4, batch_size=256, learning_rate=0.01
        )
        found[likelihood] = model.fit(block, seed=0).params["validation_likelihood"]
    logit = model._network.get_parameter("spread.inflation_logit").item()
    assert 1 / (1 + math.exp(-logit)) == pytest.approx(0.5, abs=0.12)
    assert found["zero_inflated"] < found["negative_binomial"] - 0.01
    again = LSTMModel.from_bytes(model.to_bytes())
    assert again.to_bytes() == model.to_bytes()


def test_an_unknown_likelihood_is_a_sentence():
    with pytest.raises(SettingError, match=r"no likelihood 'poisson'\. Choose one of negative_bin"):
        LSTMModel(likelihood="poisson")


def test_zeros_drawn_leave_the_prevalence_as_it_is(small_city):
    """At 1 zero in 40, rates must not be ten times too high."""
    days = small_city.block.days
    train = small_city.block.between(days[0], days[240])
    model = LSTMModel(epochs=10, hidden=4, batch_size=256, most_zeros=400)
    model.fit(train, seed=0)
    expected = model.predict(train.without_truth())
    assert expected.sum() == pytest.approx(train.counts.sum(), rel=0.15)


def test_without_an_epoch_it_is_empirical_bayes_to_the_bit(small_city):
    train, test, _ = small_city.split(240)
    model, plain = LSTMModel(epochs=0, hidden=2), EmpiricalBayes()
    assert model.fit(train, seed=0).params["epoch_kept"] == 0
    plain.fit(train, seed=0)
    test = test.without_truth()
    np.testing.assert_array_equal(model.predict(test), plain.predict(test))


def poisson_deviances(city, n_train: int) -> tuple[float, float, float]:
    """Of empirical Bayes, the LSTM and the truth, on the days after the first `n_train`."""
    train, test, truth = city.split(n_train)
    plain, model = EmpiricalBayes(), LSTMModel(epochs=12, hidden=8, batch_size=512)
    plain.fit(train, seed=0)
    model.fit(train, seed=0)
    test_days = test.without_truth()
    counts = test.counts.ravel()
    forecasts = (plain.predict(test_days), model.predict(test_days), truth)
    first, second, third = (mean_poisson_deviance(counts, f.ravel()) for f in forecasts)
    return first, second, third


def test_events_and_drift_are_worth_having(changing_city):
    plain, learned, best = poisson_deviances(changing_city, 460)
    assert 0.25 < (plain - learned) / (plain - best) < 1.0


def test_where_there_is_nothing_to_learn_little_is_lost(still_city):
    plain, learned, _ = poisson_deviances(still_city, 460)
    assert learned < 1.001 * plain


def test_an_area_without_data_is_the_area_around_it(small_city):
    """No row of cell 7 or of precinct 3 is learned from; every other area moves."""
    import torch

    block = small_city.block
    inputs = LSTMInputs.fitted(block, slice(28, 200))
    shape = NetworkShape(inputs.n_channels, inputs.n_static, 100, 8, 2, 4, False)
    cells = NetworkRows(inputs, block, torch.device("cpu"))
    rng = np.random.default_rng(0)
    offset = np.full(block.counts.shape, math.log(block.counts.mean()))
    drawn = draw_rows(block, offset, slice(28, 200), 20.0, rng, most_zeros=10**6)
    cell = drawn.index % block.n_cells
    seen = (cell != 7) & (block.precinct_index[cell] != 3)
    rows = Rows(*(v[seen] for v in (drawn.index, drawn.counts, drawn.weights, drawn.log_rates)))
    with reproducible(0, 1, torch.device("cpu")):
        training = Training(
            make_network(shape),
            learning_rate=0.01,
            weight_decay=0.01,
            batch_size=256,
            n_cell_days=172 * 100,
        )
        for _ in range(2):
            training.epoch(cells, rows, rng)
    areas = torch.from_numpy(cells.areas.astype(np.int64))
    deviations = area_deviations(training.network, areas).detach().numpy()
    borough, precinct, own = deviations.transpose(1, 0, 2)
    assert np.abs(borough).min() > 0
    in_third = block.precinct_index == 3
    assert not precinct[in_third].any()
    assert not own[in_third].any()
    assert not own[7].any()
    assert precinct[7].any()
    others = ~in_third & (np.arange(100) != 7)
    assert np.abs(own[others]).max(axis=1).min() > 0


def test_penalty_of_areas_is_the_normal_density():
    import torch

    network = make_network(NetworkShape(1, 1, 30, 5, 2, 2, False))
    total = 0.0
    with torch.no_grad():
        for level, sd in AREA_PRIOR_SD.items():
            weight = network.get_parameter(f"areas.{level}.weight")
            weight.normal_(std=0.3, generator=torch.Generator().manual_seed(1))
            values = weight.numpy().astype(float)
            total -= (norm.logpdf(values, scale=sd) - norm.logpdf(0, scale=sd)).sum()
    assert area_penalty(network).item() == pytest.approx(total, rel=1e-5)


def test_events_and_passengers_of_the_catalogue_reach_the_network(small_city):
    names = tuple(f.name for f in feature_catalogue(["incidents", "robbery"]))
    block = small_city.block
    features = np.random.default_rng(0).normal(size=(40, block.n_cells, len(names)))
    whole = replace(
        block.between(block.days[0], block.days[40]),
        names=names,
        features=features.astype(np.float32),
    )
    inputs = LSTMInputs.fitted(whole, slice(28, 40))
    n_lags = 7 * inputs.n_channels
    assert {f"events_lag_{k}" for k in range(1, 8)} < set(inputs.columns[:n_lags])
    assert {"events_radius_1000m_count", "airport_jfk_anomaly", "transit_subway_ratio"} < set(
        inputs.columns[n_lags:]
    )


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


def test_the_epoch_chosen_is_put_back(small_city):
    train, test, _ = small_city.split(160)
    model = LSTMModel(epochs=8, hidden=4, batch_size=256, learning_rate=0.05, patience=8)
    result = model.fit(train, seed=1)
    kept, curve = result.params["epoch_kept"], result.curves["validation_loss"]
    best = 1 + int(np.argmin(curve))
    assert len(curve) == 8
    assert kept <= best < 8
    short = replace(model, epochs=best)
    short.fit(train, seed=1)
    np.testing.assert_array_equal(
        short.predict(test.without_truth()), model.predict(test.without_truth())
    )
