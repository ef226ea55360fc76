"""Simulated cities with forecasts of known faults, and blind folds of them.

The truth of a cell-day is log-normal over cells times a factor that changes by day. The forecasts
are what real models are: right about places and late (`empirical_bayes`), noise where counts are few
(`historical_mean`), right about days but too sure (`lightgbm`), right about days and rough (`lstm`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from htrisk_dagster.evaluation.scored_fold import ScoredFold

N_CELLS, TRAIN_DAYS, FOLD_DAYS, N_FOLDS, TEST_DAYS = 300, 400, 28, 3, 90


@dataclass(frozen=True)
class SimulatedCity:
    """Blind folds, the block after them, and the true intensity of that block."""

    folds: list[ScoredFold]
    test: ScoredFold
    intensity: np.ndarray

    def expected_deviance(self, forecast: np.ndarray) -> float:
        """Poisson deviance to the true intensity, per incident; 0 is the truth itself."""
        true = self.intensity
        return 2 * float((true * np.log(true / forecast) - true + forecast).sum() / true.sum())

    def skill(self, forecast: np.ndarray) -> float:
        """Share of the way from the historical mean to the truth."""
        worst = self.expected_deviance(self.test.forecasts["historical_mean"])
        return 1 - self.expected_deviance(forecast) / worst


def simulate(seed: int, per_day: float) -> SimulatedCity:
    rng = np.random.default_rng(seed)
    n_days = TRAIN_DAYS + N_FOLDS * FOLD_DAYS + TEST_DAYS
    place = rng.normal(0, 1.4, N_CELLS)
    change = rng.normal(0, 0.5, (n_days, N_CELLS))
    for day in range(1, n_days):
        change[day] = 0.9 * change[day - 1] + np.sqrt(1 - 0.9**2) * change[day]
    intensity = np.exp(place + change)
    intensity *= per_day / intensity.sum(axis=1).mean()
    counts = rng.poisson(intensity)
    hint = np.exp(0.64 * place + 0.8 * 0.84 * rng.normal(0, 1, N_CELLS))
    hint /= hint.mean()
    fault = {name: rng.normal(0, 0.25, N_CELLS) for name in ("lightgbm", "lstm")}

    def forecasts(start: int, stop: int) -> dict[str, np.ndarray]:
        known = counts[:start].sum(axis=0)
        rate = known.sum() / start / N_CELLS
        pooled = np.tile((1 + known) / (1 / (hint * rate) + start), (stop - start, 1))
        now = change[start:stop]
        return {
            "historical_mean": np.tile(np.maximum(known / start, 0.1 * rate), (stop - start, 1)),
            "empirical_bayes": pooled,
            "lightgbm": (pooled / rate) ** 1.2 * rate * np.exp(0.6 * now + fault["lightgbm"]),
            "lstm": pooled * np.exp(0.4 * now + fault["lstm"]),
        }

    starts = [TRAIN_DAYS + k * FOLD_DAYS for k in range(N_FOLDS)]
    folds = [ScoredFold(counts[s : s + FOLD_DAYS], forecasts(s, s + FOLD_DAYS)) for s in starts]
    first = TRAIN_DAYS + N_FOLDS * FOLD_DAYS
    test = ScoredFold(counts[first:], forecasts(first, n_days))
    return SimulatedCity(folds, test, intensity[first:])
