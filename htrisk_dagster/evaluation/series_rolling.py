"""Forecasts of series from rolling origins, each from what was known there.

Belongs here: refits, origins, the forecasts of a model from all of them, and which of their truths are
known at a later origin. Does not: models (`models/series`), choice (`series_choice`), bands
(`series_bands`).

Origin o stands before period o: a forecast from it sees periods 0 to o - 1, and its h-th value is of
period o + h - 1. Its truth is known at origin o' where o + h <= o'.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.series.panel import SeriesPanel

Array = NDArray[np.float64]


class FittedSeriesModel(Protocol):
    """A model whose form and coefficients are known."""

    def forecast(self, panel: SeriesPanel, horizon: int) -> Array:
        """Expected counts of the periods after the panel's last, shape (H, S)."""
        ...


class SeriesModel(Protocol):
    """A model before it is fitted."""

    @property
    def name(self) -> str:
        """What the model is called in tables."""
        ...

    def fit(self, panel: SeriesPanel) -> FittedSeriesModel:
        """Fit to all periods of the panel."""
        ...


@dataclass(frozen=True, eq=False)
class RollingForecasts:
    """Forecasts of several models from the same origins.

    Parameters
    ----------
    panel : SeriesPanel
        With the truth, as far as it is known.
    origins : int64, shape (O,)
        Ascending.
    expected : dict of str to float64, shape (O, H, S)
        By model.
    """

    panel: SeriesPanel
    origins: NDArray[np.int64]
    expected: dict[str, Array]

    @property
    def horizon(self) -> int:
        """Periods ahead H."""
        return int(next(iter(self.expected.values())).shape[1])

    def targets(self) -> NDArray[np.int64]:
        """Period of each origin and horizon, shape (O, H)."""
        return np.asarray(self.origins[:, None] + np.arange(self.horizon))

    def truths(self) -> Array:
        """Counts of each origin and horizon, shape (O, H, S); NaN after the panel's end."""
        targets = self.targets()
        out = np.full((*targets.shape, len(self.panel.areas)), np.nan)
        inside = targets < self.panel.n_periods
        out[inside] = self.panel.counts[targets[inside]]
        return out

    def known_at(self, origin: int) -> NDArray[np.bool_]:
        """Which forecasts had met their truth by an origin, shape (O, H)."""
        return np.asarray(self.targets() < origin)

    def from_origin(self, origin: int) -> RollingForecasts:
        """Those from an origin on."""
        chosen = self.origins >= origin
        return RollingForecasts(
            self.panel, self.origins[chosen], {k: v[chosen] for k, v in self.expected.items()}
        )

    def with_model(self, name: str, expected: Array) -> RollingForecasts:
        """The same with one more model."""
        return RollingForecasts(self.panel, self.origins, {**self.expected, name: expected})


def roll(
    model: SeriesModel,
    panel: SeriesPanel,
    fit_origins: Sequence[int],
    stop: int,
    *,
    horizon: int,
) -> Array:
    """Forecast from every origin of `fit_origins[0]` to before `stop`, shape (O, H, S).

    Form and coefficients are chosen at the fit origins, and kept up to the next; states are brought up to
    date at every origin.
    """
    ends = [*fit_origins[1:], stop]
    out = []
    for first, end in zip(fit_origins, ends, strict=True):
        fitted = model.fit(panel.until(first))
        out += [fitted.forecast(panel.until(origin), horizon) for origin in range(first, end)]
    return np.stack(out)
