"""The LSTM of weeks: its start, its likelihood, its seed, and what it may not see."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from htrisk_dagster.models.series import weekly_lstm
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts
from htrisk_dagster.models.series.weekly_lstm import LEVEL_WEEKS, FittedWeeklyLSTM, WeeklyLSTM
from scipy.stats import nbinom


def weeks(n: int, *, amplitude: float = 0.4, seed: int = 1) -> SeriesPanel:
    t = np.arange(n)
    mean = np.exp(amplitude * np.sin(2 * np.pi * t / 52.18))[:, None] * np.array(
        [30.0, 80.0, 200.0]
    )
    counts = np.random.default_rng(seed).poisson(mean).astype(float)
    return SeriesPanel(
        ("a", "b", "c"), next_starts(np.datetime64("2015-01-05"), n, "week"), counts, "week"
    )


def test_untrained_it_repeats_the_mean_of_half_a_year() -> None:
    torch.manual_seed(1)
    network = weekly_lstm._make_network(8)
    fitted = FittedWeeklyLSTM(weekly_lstm._copy(network), 8, ())
    panel = weeks(120)
    ahead = fitted.forecast(panel, 5)
    # Half a report is added before the logarithm.
    expected = panel.counts[-LEVEL_WEEKS:].mean(axis=0) + 0.5
    assert ahead == pytest.approx(np.repeat(expected[None], 5, axis=0), rel=1e-5)


def test_the_loss_is_the_negative_binomial_of_scipy() -> None:
    torch.manual_seed(1)
    network = weekly_lstm._make_network(8)
    inputs = weekly_lstm._Inputs(weeks(160))
    rows = inputs.draw(np.random.default_rng(1), 64, 104, 160)
    window, static, mean, count = inputs.batch(rows)
    size, mu = float(np.exp(3.0)), np.exp(mean.numpy().astype(float))
    expected = -nbinom.logpmf(count.numpy(), size, size / (size + mu)).mean()
    loss = weekly_lstm._loss(network, window, static, mean, count).item()
    assert loss == pytest.approx(expected, rel=1e-4)


def test_it_learns_a_season_and_the_same_seed_gives_the_same_weights() -> None:
    panel = weeks(52 * 7)
    origin = 52 * 6
    model = WeeklyLSTM(3, hidden=8, epochs=5, steps=20, batch=96)
    fitted = model.fit(panel.until(origin))
    ahead = fitted.forecast(panel.until(origin), 52)
    flat = np.repeat(panel.counts[origin - LEVEL_WEEKS : origin].mean(axis=0)[None], 52, axis=0)
    truth = panel.counts[origin:]
    assert np.abs(ahead - truth).mean() < 0.7 * np.abs(flat - truth).mean()
    short = WeeklyLSTM(3, hidden=8, epochs=1, steps=5, batch=64)
    one, other = (short.fit(panel.until(origin)).weights for _ in range(2))
    assert all((one[k] == other[k]).all() for k in one)


def test_no_input_reads_the_origin_or_later() -> None:
    panel = weeks(160)
    origin, area, ahead = np.array([120]), np.array([1]), np.array([9])
    before = weekly_lstm._Inputs(panel).features(origin, area, ahead)
    counts = panel.counts.copy()
    counts[120:] = 0.0
    after = weekly_lstm._Inputs(SeriesPanel(panel.areas, panel.starts, counts, "week")).features(
        origin, area, ahead
    )
    for one, other in zip(before, after, strict=True):
        assert (one == other).all()


def test_too_few_weeks_and_too_far_ahead_are_errors() -> None:
    with pytest.raises(ValueError, match="four years"):
        WeeklyLSTM(1).fit(weeks(100))
    with pytest.raises(ValueError, match="trained to 57 weeks"):
        FittedWeeklyLSTM({}, 8, ()).forecast(weeks(60), 60)
