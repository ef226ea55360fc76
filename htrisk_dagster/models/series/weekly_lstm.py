"""One LSTM for the weeks of all areas, with a count likelihood.

Belongs here: its inputs, the network, training with early stopping, forecasts by week. Does not: months
out of weeks (`week_split`), the LSTM of cells and days (`models/lstm`).

What it learns is a correction: the expected count of an area h weeks ahead is its mean of the last 26
weeks times exp(output), so that an untrained network repeats that mean, and areas large and small share
their weights (a global model: Montero-Manso and Hyndman 2021, doi 10.1016/j.ijforecast.2021.03.004).
The LSTM reads 52 weeks of log rates, of the area and of all areas together, less those means; the head
adds the time of the year of the target week, two harmonics, how that week stood a year before, and h.
The likelihood is negative binomial with one learned dispersion. The last year of the training weeks is
not trained on: it tells when to stop.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.series.hierarchical_smoothing import LEAST_RATE
from htrisk_dagster.models.series.panel import Array, SeriesPanel
from htrisk_dagster.models.series.seasonal_pattern import log_rates

WINDOW = 52
LEVEL_WEEKS = 26
LEAST_WEEKS = 4 * WINDOW
"""Weeks under which nothing is trained: two to see, one to learn from, one to judge by."""
LONGEST = 57
"""Weeks ahead that are trained: a year and the week that straddles its end."""
_CHANNELS, _STATIC = 2, 6
_LARGEST_CORRECTION = 3.0


@dataclass(frozen=True)
class WeeklyLSTM:
    """The model before it is fitted.

    Parameters
    ----------
    seed : int
        Of the first weights and of the order of batches.
    hidden : int
        Size of the state.
    epochs, patience : int
        Most passes, and passes without a better validation year before it stops.
    batch, steps : int
        Area-weeks a step, and steps a pass.
    """

    seed: int
    hidden: int = 24
    epochs: int = 30
    patience: int = 4
    batch: int = 512
    steps: int = 40
    name: str = "weekly_lstm"

    def fit(self, weeks: SeriesPanel) -> FittedWeeklyLSTM:
        """Train on a panel of weeks.

        Raises
        ------
        ValueError
            Where the panel is not of weeks, or shorter than four years.
        """
        import torch

        if weeks.frequency != "week" or weeks.n_periods < LEAST_WEEKS:
            raise ValueError(
                f"The LSTM is trained on four years of weeks or more; this panel has "
                f"{weeks.n_periods} periods by {weeks.frequency}."
            )
        torch.manual_seed(self.seed)
        rng = np.random.default_rng(self.seed)
        inputs = _Inputs(weeks)
        network = _make_network(self.hidden)
        optimiser = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-3)
        valid_from = weeks.n_periods - WINDOW
        held_out = inputs.batch(inputs.draw(rng, 8 * self.batch, valid_from, weeks.n_periods))
        best, since, kept, curve = math.inf, 0, _copy(network), []
        for _ in range(self.epochs):
            network.train()
            for _ in range(self.steps):
                rows = inputs.draw(rng, self.batch, 2 * WINDOW, valid_from)
                optimiser.zero_grad()
                loss = _loss(network, *inputs.batch(rows))
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
                optimiser.step()
            network.eval()
            with torch.no_grad():
                value = float(_loss(network, *held_out))
            curve.append(value)
            if value < best - 1e-4:
                best, since, kept = value, 0, _copy(network)
            else:
                since += 1
                if since >= self.patience:
                    break
        return FittedWeeklyLSTM(kept, self.hidden, tuple(curve))


@dataclass(frozen=True, eq=False)
class FittedWeeklyLSTM:
    """Trained weights by name, and the validation loss of every pass."""

    weights: dict[str, NDArray[np.float32]]
    hidden: int
    curve: tuple[float, ...]

    def forecast(self, weeks: SeriesPanel, horizon: int) -> Array:
        """Expected counts of the `horizon` weeks after the panel's last, shape (H, S)."""
        import torch

        if not 1 <= horizon <= LONGEST:
            raise ValueError(f"The LSTM was trained to {LONGEST} weeks ahead, not {horizon}.")
        network = _make_network(self.hidden)
        network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in self.weights.items()})
        network.eval()
        inputs = _Inputs(weeks)
        n_areas = len(weeks.areas)
        ahead = np.repeat(np.arange(1, horizon + 1), n_areas)
        area = np.tile(np.arange(n_areas), horizon)
        origin = np.full(len(area), weeks.n_periods)
        window, static, level = inputs.features(origin, area, ahead)
        with torch.no_grad():
            state = _encode(network, torch.from_numpy(window[:n_areas]))
            out = _decode(network, state.repeat(horizon, 1), torch.from_numpy(static)).numpy()
        expected = 7.0 * np.maximum(np.exp(level + out), LEAST_RATE)
        return np.asarray(expected.reshape(horizon, n_areas), dtype=np.float64)


class _Inputs:
    """Windows, what is known of the target week, and levels, cut from one panel."""

    def __init__(self, weeks: SeriesPanel) -> None:
        days = np.full(weeks.n_periods, 7.0)
        self.counts = weeks.counts
        self.log = log_rates(weeks.counts, days)
        self.total = log_rates(weeks.counts.sum(axis=1), days)
        self.first = weeks.starts[0]

    def draw(
        self, rng: np.random.Generator, n: int, first: int, stop: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Origins, areas and weeks ahead of targets from week `first` to before `stop`."""
        target = rng.integers(first, stop, n)
        ahead = np.minimum(rng.integers(1, LONGEST + 1, n), target - WINDOW)
        return target - ahead + 1, rng.integers(0, self.log.shape[1], n), ahead

    def features(
        self, origin: NDArray[np.int64], area: NDArray[np.int64], ahead: NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], Array]:
        """Windows (B, 52, 2), static inputs (B, 6) and levels (B,), from weeks before `origin`."""
        steps = origin[:, None] - WINDOW + np.arange(WINDOW)
        own, total = self.log[steps, area[:, None]], self.total[steps]
        rate = np.exp(own[:, -LEVEL_WEEKS:]).mean(axis=1)
        level = np.log(rate)
        whole = total[:, -LEVEL_WEEKS:].mean(axis=1)
        window = np.stack([own - level[:, None], total - whole[:, None]], axis=2)
        target = origin + ahead - 1
        angle = 2.0 * math.pi * (7.0 * target + self._day_of_year()) / 365.25
        # The newest week of the same season that the window holds.
        before = (target - origin) % WINDOW
        static = np.stack(
            [
                np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle),
                window[np.arange(len(area)), before, 1], ahead / LONGEST,
            ],
            axis=1,
        )  # fmt: skip
        return window.astype(np.float32), static.astype(np.float32), level

    def _day_of_year(self) -> float:
        day = self.first.astype("datetime64[D]")
        return float((day - day.astype("datetime64[Y]").astype("datetime64[D]")).astype(np.int64))

    def batch(self, rows: tuple[NDArray[np.int64], ...]) -> tuple[Any, Any, Any, Any]:
        import torch

        origin, area, ahead = rows
        window, static, level = self.features(origin, area, ahead)
        count = self.counts[origin + ahead - 1, area].astype(np.float32)
        mean = (level + math.log(7.0)).astype(np.float32)
        return tuple(torch.from_numpy(a) for a in (window, static, mean, count))  # type: ignore[return-value]


def _make_network(hidden: int) -> Any:
    import torch
    from torch import nn

    last = nn.Linear(32, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.ModuleDict(
        {
            "lstm": nn.LSTM(_CHANNELS, hidden, batch_first=True),
            "head": nn.Sequential(nn.Linear(hidden + _STATIC, 32), nn.ReLU(), last),
            "spread": nn.ParameterDict({"log_size": torch.tensor(3.0)}),
        }
    )


def _encode(network: Any, window: Any) -> Any:
    _, (state, _) = network["lstm"](window)
    return state[-1]


def _decode(network: Any, state: Any, static: Any) -> Any:
    import torch

    out = network["head"](torch.cat([state, static], dim=1))[:, 0]
    return torch.clamp(out, -_LARGEST_CORRECTION, _LARGEST_CORRECTION)


def _loss(network: Any, window: Any, static: Any, log_mean: Any, count: Any) -> Any:
    """Mean negative log likelihood of the negative binomial, less what only counts decide."""
    import torch

    log_mu = log_mean + _decode(network, _encode(network, window), static)
    size = torch.exp(torch.clamp(network["spread"]["log_size"], -3.0, 8.0))
    log_total = torch.log(size + torch.exp(log_mu))
    likelihood = (
        torch.lgamma(count + size) - torch.lgamma(size) - torch.lgamma(count + 1)
        + size * (torch.log(size) - log_total) + count * (log_mu - log_total)
    )  # fmt: skip
    return -likelihood.mean()


def _copy(network: Any) -> dict[str, NDArray[np.float32]]:
    return {k: v.detach().numpy().copy() for k, v in network.state_dict().items()}
