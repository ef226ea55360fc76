"""LightGBM forecast of incidents by police agency and day: recursive, and blind by construction.

Belongs here: fitting, the choice of its options, and the walk into the future. Does not: features
(`volume_state`), intervals and backtests (`evaluation/volume_backtest`).

A forecast for the day after tomorrow takes tomorrow's *expectation* where it would take
tomorrow's count. `forecast` is handed no count at all after the origin, so that it cannot look: the
days before it went into the state, and the state walks on alone.

The level of an agency is its exponentially weighted mean, shrunk to that of all agencies by
residents; trees correct it under a Poisson likelihood. Half-life and number of trees are chosen on
blind recursive forecasts inside the training days, none but the level being a choice too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.agency_days import AgencyDays, days_from, weekday
from htrisk_dagster.models.artifacts import json_bytes, json_state
from htrisk_dagster.models.count_model import FitResult
from htrisk_dagster.models.stopping import fewest_steps
from htrisk_dagster.models.volume_state import FEATURES, KEPT_DAYS, VolumeState

Array = NDArray[np.float64]

HALF_LIVES_DAYS = (28.0, 56.0, 112.0)
TREE_STEPS = (0, 10, 20, 40, 80, 160)
WARM_UP_DAYS = 2 * KEPT_DAYS
_WEEK = 7
_STATE_FILE, _TREES_FILE = "volume_forecast.json", "volume_forecast.txt"


@dataclass
class VolumeForecaster:
    """One model of all agencies.

    Parameters
    ----------
    horizon_days : int
        Days of the blind forecasts that choose, as long as those to come.
    n_origins : int
        Blind forecasts inside the training days, one after the other at their end.
    learning_rate, num_leaves, min_leaf_incidents, prior_incidents : number
        Of the trees: few leaves that each hold expected incidents, pulled toward no correction.
    """

    horizon_days: int = 30
    n_origins: int = 3
    learning_rate: float = 0.1
    num_leaves: int = 8
    min_leaf_incidents: float = 50.0
    prior_incidents: float = 20.0
    half_life_days: float = field(init=False, default=HALF_LIVES_DAYS[1])
    n_trees: int = field(init=False, default=0)
    _booster: Any = field(init=False, repr=False, default=None)

    @property
    def needed_days(self) -> int:
        """Days of history without which there is nothing to choose on."""
        return 2 * WARM_UP_DAYS + self.n_origins * self.horizon_days

    def fit(self, history: AgencyDays, holidays: NDArray[np.datetime64], *, seed: int) -> FitResult:
        """Choose half-life, then trees, on blind forecasts within `history`; then fit on all of it.

        Parameters
        ----------
        history : AgencyDays
            Every count that is known at the origin.
        holidays : datetime64[D]
            Holidays, also of the days to come: they are known.
        seed : int

        Raises
        ------
        ValueError
            Where `history` is too short to warm up, learn and be judged on.
        """
        if len(history.days) < self.needed_days:
            raise ValueError(
                f"{len(history.days)} days are too few for the volume forecast; it needs "
                f"{self.needed_days}, some to warm up, some to learn from and some to choose on."
            )
        ends = [
            history.next_day - timedelta(days=self.horizon_days * k)
            for k in range(self.n_origins, 0, -1)
        ]
        losses = {}
        for half_life in HALF_LIVES_DAYS:
            self.half_life_days, self._booster = half_life, None
            losses[half_life] = self._judge(history, ends, holidays, (0,), seed).sum()
        self.half_life_days = min(losses, key=lambda h: losses[h])
        weekly = self._judge(history, ends, holidays, TREE_STEPS, seed)
        self.n_trees = TREE_STEPS[fewest_steps(weekly)]
        self._booster = self._grow(history, holidays, self.n_trees, seed) if self.n_trees else None
        per_day = weekly.sum(axis=1) / (
            self.horizon_days * self.n_origins * len(history.agency_ids)
        )
        return FitResult(
            {
                "half_life_days": self.half_life_days, "trees_kept": self.n_trees,
                "training_days": len(history.days), "agencies": len(history.agency_ids),
                "learning_rate": self.learning_rate, "num_leaves": self.num_leaves,
            },
            {"validation_loss": per_day.tolist()},
        )  # fmt: skip

    def forecast(self, history: AgencyDays, n_days: int, holidays: NDArray[np.datetime64]) -> Array:
        """Expected incidents of the `n_days` after `history`, shape (n_days, S), all above 0."""
        return np.asarray(self._walk(history, n_days, holidays, (None,))[0])

    def to_bytes(self) -> dict[str, bytes]:
        """What was chosen as JSON, and the trees, if any were kept, in LightGBM's own format."""
        chosen = {"half_life_days": self.half_life_days, "n_trees": self.n_trees}
        files = {_STATE_FILE: json_bytes(chosen)}
        if self._booster is not None:
            files[_TREES_FILE] = str(self._booster.model_to_string()).encode()
        return files

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        model, chosen = cls(), json_state(files[_STATE_FILE])
        model.half_life_days, model.n_trees = chosen["half_life_days"], chosen["n_trees"]
        if _TREES_FILE in files:
            import lightgbm

            model._booster = lightgbm.Booster(model_str=files[_TREES_FILE].decode())
        return model

    def _walk(
        self, history: AgencyDays, n_days: int, holidays: NDArray[np.datetime64],
        steps: Sequence[int | None],
    ) -> Array:  # fmt: skip
        """Forecasts by the first so many trees each (None is all), shape (steps, n_days, S)."""
        expected = np.empty((len(steps), n_days, len(history.agency_ids)))
        future = days_from(history.next_day, n_days)
        origin = self._state_after(history)
        for number, step in enumerate(steps):
            state = deepcopy(origin)
            for h, (day, of_week) in enumerate(zip(future, weekday(future), strict=True)):
                log_rate = np.log(state.level())
                if self._booster is not None and step != 0:
                    features = state.features(day, holidays)
                    log_rate += self._booster.predict(
                        features, raw_score=True, num_iteration=step, num_threads=1
                    )
                expected[number, h] = np.exp(log_rate)
                state.push(int(of_week), expected[number, h], is_expected=True)
        return expected

    def _state_after(self, history: AgencyDays) -> VolumeState:
        state = VolumeState(history.residents, self.half_life_days)
        for of_week, counts in zip(weekday(history.days), history.counts, strict=True):
            state.push(int(of_week), counts)
        return state

    def _judge(
        self, history: AgencyDays, origins: Sequence[date], holidays: NDArray[np.datetime64],
        steps: Sequence[int], seed: int,
    ) -> Array:  # fmt: skip
        """Poisson loss of blind forecasts by number of trees and week, shape (steps, W)."""
        parts = []
        for origin in origins:
            known = history.before(origin)
            self._booster = self._grow(known, holidays, max(steps), seed) if max(steps) else None
            expected = self._walk(known, self.horizon_days, holidays, steps)
            stop = origin + timedelta(days=self.horizon_days)
            counts = history.between(origin, stop)
            by_day = (expected - counts * np.log(expected)).sum(axis=2)
            parts.append(np.add.reduceat(by_day, np.arange(0, self.horizon_days, _WEEK), axis=1))
        return np.concatenate(parts, axis=1)

    def _grow(
        self, history: AgencyDays, holidays: NDArray[np.datetime64], n_trees: int, seed: int
    ) -> Any:
        import lightgbm

        state = VolumeState(history.residents, self.half_life_days)
        features: list[Array] = []
        log_rates: list[Array] = []
        for day, of_week, counts in zip(
            history.days, weekday(history.days), history.counts, strict=True
        ):
            if day >= history.days[WARM_UP_DAYS]:
                features.append(state.features(day, holidays))
                log_rates.append(np.log(state.level()))
            state.push(int(of_week), counts)
        rows = lightgbm.Dataset(
            np.concatenate(features), history.counts[WARM_UP_DAYS:].ravel(),
            init_score=np.concatenate(log_rates), feature_name=list(FEATURES),
        )  # fmt: skip
        return lightgbm.train(self._settings(seed), rows, num_boost_round=n_trees)

    def _settings(self, seed: int) -> dict[str, Any]:
        # LightGBM inflates the Poisson hessian by e to this power, and sums of it with it.
        step = 0.7
        return {
            "objective": "poisson", "poisson_max_delta_step": step,
            "learning_rate": self.learning_rate, "num_leaves": self.num_leaves,
            "min_sum_hessian_in_leaf": self.min_leaf_incidents * np.exp(step),
            "lambda_l2": self.prior_incidents * np.exp(step), "feature_fraction": 0.7,
            "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1,
            "verbosity": -1,
        }  # fmt: skip
