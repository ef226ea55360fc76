"""Portland's burglaries under the rules of the NIJ challenge: PAI and PEI for the five windows.

Belongs here: the rules, density maps at the last day that is known, their choice on earlier
windows, and one unit for all windows. Does not: forecasts by day (`blind_run`).

National Institute of Justice, Real-Time Crime Forecasting Challenge, 2017: point at 0.25 to 0.75 of
the city's 147.7 square miles in cells of 62,500 to 360,000 square feet; the five windows all begin on
2017-03-01. PAI = (n / N) / (a / A), with n of N incidents on a of A square miles. PEI is PAI over the
PAI of the best choice of as many cells that hindsight could have made.

Everything is chosen before 2017-03-01, on windows of the same length that fill the year before:
bandwidth and half-life by the likelihood of where incidents fell, which uses all of them; size of
cell and area by pooled PAI, which uses the few that were hit. A week has 20 burglaries in the whole
city, so the PAI of the shorter windows rests on one or two hits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.grid.panel import day_number, day_numbers
from htrisk_dagster.models.shrinkage import shrunk_ratio

FILE = "benchmarks/nij_portland/crimes_bur.csv"
FIRST_WINDOW_DAY = date(2017, 3, 1)
WINDOW_DAYS = {"1 week": 7, "2 weeks": 14, "1 month": 31, "2 months": 61, "3 months": 92}
CITY_SQUARE_MILES = 147.7
_SQUARE_FEET = 5280.0**2
# Squares of 62,500 to 360,000 square feet.
SIDES_FT = (250, 400, 500, 600)
AREAS_SQUARE_MILES = (0.25, 0.5, 0.75)
BANDWIDTHS_FT = (250.0, 500.0, 1000.0, 1500.0, 2500.0, 4000.0)
HALF_LIVES_DAYS = (28.0, 91.0, 182.0, 365.0, 730.0)
# Bandwidths are in feet and chosen once, on squares of this side.
_SIDE_OF_CHOICE_FT = 500
_CHOICE_DAYS = 365
# As in `hotspots.kde`: one surprise must not cost infinity.
_UNIFORM_SHARE = 0.01

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Burglaries:
    """Incidents by day number and position in feet (EPSG:2913), sorted by day."""

    day: NDArray[np.int64]
    x_ft: Array
    y_ft: Array


@dataclass(frozen=True, eq=False)
class Squares:
    """Incidents on squares of one side: the square of each and the lattice's shape."""

    day: NDArray[np.int64]
    square: NDArray[np.int64]
    shape: tuple[int, int]
    side_ft: int

    @classmethod
    def of(cls, incidents: Burglaries, side_ft: int) -> Squares:
        """Put incidents on squares; the lattice begins at the south-west corner of all."""
        col, row = (
            ((axis - axis.min()) // side_ft).astype(np.int64)
            for axis in (incidents.x_ft, incidents.y_ft)
        )
        shape = (int(row.max()) + 1, int(col.max()) + 1)
        return cls(incidents.day, row * shape[1] + col, shape, side_ft)

    def counts(self, start: int, stop: int) -> Array:
        """Incidents by square on days `start` to `stop`, which is not included."""
        chosen = self.square[slice(*np.searchsorted(self.day, [start, stop]))]
        return np.bincount(chosen, minlength=self.shape[0] * self.shape[1]).astype(np.float64)

    def decayed(self, stop: int, half_life_days: float) -> Array:
        """Incidents by square before `stop`, each weighing half as much every half-life."""
        known = slice(0, int(np.searchsorted(self.day, stop)))
        weight = 0.5 ** ((stop - self.day[known]) / half_life_days)
        summed = np.bincount(self.square[known], weight, minlength=self.shape[0] * self.shape[1])
        return np.asarray(summed, dtype=np.float64)

    def smoothed(self, counts: Array, bandwidth_ft: float) -> Array:
        """Counts spread by a Gaussian kernel; what leaves the lattice comes back at its edge."""
        from scipy.ndimage import gaussian_filter

        lattice = counts.reshape(self.shape)
        spread = gaussian_filter(lattice, bandwidth_ft / self.side_ft, mode="reflect")
        return np.asarray(spread, dtype=np.float64).ravel()


def read_burglaries(path: Path) -> Burglaries:
    """Incidents of the challenge's file with day and place.

    Raises
    ------
    SourceError
        Where there is no such file.
    """
    if not path.is_file():
        raise SourceError(f"There is no file {path}. Give the folder of the real data.")
    columns = ["occ_date", "x_coordina", "y_coordina"]
    rows = pl.read_csv(path, columns=columns, try_parse_dates=True).drop_nulls().sort(columns)
    x, y = (rows[name].to_numpy().astype(np.float64) for name in columns[1:])
    return Burglaries(day_numbers(rows["occ_date"].cast(pl.Date)), x, y)


Map = Callable[[Squares, int], Array]
"""Relative risk of each square, from incidents before a day."""


def _historical_mean(squares: Squares, stop: int) -> Array:
    return squares.counts(0, stop)


def _kde(squares: Squares, stop: int, *, bandwidth_ft: float) -> Array:
    return squares.smoothed(squares.counts(0, stop), bandwidth_ft)


def _recent_kde(
    squares: Squares, stop: int, *, bandwidth_ft: float, half_life_days: float
) -> Array:
    return squares.smoothed(squares.decayed(stop, half_life_days), bandwidth_ft)


def _empirical_bayes(squares: Squares, stop: int, *, bandwidth_ft: float) -> Array:
    """The density, times the gamma-Poisson ratio of each square to it."""
    observed = squares.counts(0, stop)
    expected = _mixed(squares.smoothed(observed, bandwidth_ft)) * observed.sum()
    return np.asarray(expected * shrunk_ratio(observed, expected)[0])


def _candidates() -> dict[str, list[tuple[dict[str, float], Map]]]:
    """Maps to choose from by model, with their options."""
    return {
        "historical_mean": [({}, _historical_mean)],
        "kde": [({"bandwidth_ft": b}, partial(_kde, bandwidth_ft=b)) for b in BANDWIDTHS_FT],
        "kde with recency": [
            (
                {"bandwidth_ft": b, "half_life_days": h},
                partial(_recent_kde, bandwidth_ft=b, half_life_days=h),
            )
            for b, h in product(BANDWIDTHS_FT, HALF_LIVES_DAYS)
        ],
        "empirical_bayes": [
            ({"bandwidth_ft": b}, partial(_empirical_bayes, bandwidth_ft=b)) for b in BANDWIDTHS_FT
        ],
    }


def _mixed(risk: Array) -> Array:
    """Risk as a distribution over squares, a hundredth of it even."""
    return np.asarray((1 - _UNIFORM_SHARE) * risk / risk.sum() + _UNIFORM_SHARE / risk.size)


@dataclass(frozen=True)
class Outcome:
    """Incidents of a window that fell on the squares pointed at, and what hindsight could have."""

    hits: float
    best_hits: float
    incidents: float
    share: float  # of the city's area

    @property
    def pai(self) -> float:
        """Predictive accuracy index."""
        return self.pai_at(self.hits)

    def pai_at(self, hits: float) -> float:
        """PAI had there been so many hits."""
        return hits / self.incidents / self.share

    @property
    def pei(self) -> float:
        """Prediction efficiency index: PAI over that of the best choice of as many squares."""
        return self.hits / self.best_hits


def poisson_interval(hits: float) -> tuple[float, float]:
    """Exact 95% interval of the mean of a Poisson count (Garwood 1936, doi 10.2307/2333958)."""
    from scipy.stats import chi2

    low = chi2.ppf(0.025, 2 * hits) / 2 if hits else 0.0
    return float(low), float(chi2.ppf(0.975, 2 * (hits + 1)) / 2)


def outcome(risk: Array, counts: Array, *, side_ft: float, area_square_miles: float) -> Outcome:
    """Point at the squares of highest risk that fill the area, the lower number first where equal.

    As few squares as reach the area: rounding up stays within the rules' 0.75 square miles, but
    for squares that would pass it the number is rounded down.
    """
    square_miles = side_ft**2 / _SQUARE_FEET
    n = -int(-area_square_miles // square_miles)
    if n * square_miles > AREAS_SQUARE_MILES[-1]:
        n = int(AREAS_SQUARE_MILES[-1] // square_miles)
    chosen = np.argsort(-risk, kind="stable")[:n]
    best = -np.sort(-counts)[:n]
    share = n * square_miles / CITY_SQUARE_MILES
    return Outcome(float(counts[chosen].sum()), float(best.sum()), float(counts.sum()), share)


def _pooled(outcomes: list[Outcome]) -> Outcome:
    hits, best, incidents = (
        sum(getattr(o, name) for o in outcomes) for name in ("hits", "best_hits", "incidents")
    )
    return Outcome(hits, best, incidents, outcomes[0].share)


def choice_origins(first_day: int, window_days: int) -> list[int]:
    """First days of the windows, one after the other, that fill the year before `first_day`."""
    return [first_day - window_days * k for k in range(_CHOICE_DAYS // window_days, 0, -1)]


def _log_likelihood(squares: Squares, risk_map: Map, origins: list[int], window: int) -> float:
    """Of where the incidents of the windows fell, in nats."""
    total = 0.0
    for origin in origins:
        counts = squares.counts(origin, origin + window)
        total += float(counts @ np.log(_mixed(risk_map(squares, origin))))
    return total


def forecast_portland(data: str) -> dict[str, Any]:
    """Choose every model's map on the year before, and score the five windows.

    Returns
    -------
    dict
        `windows` by name, each with `incidents` and `models`; of each model the options, side and
        area chosen, `pai` with its interval and `pei` of the window, and `choice_pai` on the year before.
    """
    incidents = read_burglaries(Path(data) / FILE)
    return {
        "incidents": len(incidents.day),
        "windows": {
            name: _window(incidents, days) for name, days in WINDOW_DAYS.items()
        },
    }  # fmt: skip


def _window(incidents: Burglaries, window: int) -> dict[str, Any]:
    first = day_number(FIRST_WINDOW_DAY)
    by_side = {side: Squares.of(incidents, side) for side in SIDES_FT}
    origins = choice_origins(first, window)
    models = {}
    for name, maps in _candidates().items():
        squares = by_side[_SIDE_OF_CHOICE_FT]
        likelihood = [_log_likelihood(squares, risk_map, origins, window) for _, risk_map in maps]
        options, risk_map = maps[int(np.argmax(likelihood))]
        models[name] = {
            **options,
            **_score(by_side, risk_map, origins, first, window),
            "choice_nats_per_incident": max(likelihood)
            / sum(squares.counts(o, o + window).sum() for o in origins),
        }
    total = by_side[_SIDE_OF_CHOICE_FT].counts(first, first + window).sum()
    return {"days": window, "incidents": int(total), "models": models}


def _score(
    by_side: Mapping[int, Squares], risk_map: Map, origins: list[int], first: int, window: int
) -> dict[str, Any]:
    """Choose side and area on the origins, then point at squares of the window itself."""

    def at(side: int, area: float, day: int, risk: Array) -> Outcome:
        counts = by_side[side].counts(day, day + window)
        return outcome(risk, counts, side_ft=side, area_square_miles=area)

    tried = {}
    for side in SIDES_FT:
        maps = [(origin, risk_map(by_side[side], origin)) for origin in origins]
        for area in AREAS_SQUARE_MILES:
            tried[side, area] = _pooled([at(side, area, day, risk) for day, risk in maps])
    side, area = max(tried, key=lambda key: tried[key].pai)
    # From here on the window may be read.
    reached = at(side, area, first, risk_map(by_side[side], first))
    return {
        "side_ft": side,
        "area_square_miles": area,
        "choice_pai": tried[side, area].pai,
        "hits": reached.hits,
        "pai": reached.pai,
        "pai_95": [reached.pai_at(hits) for hits in poisson_interval(reached.hits)],
        "pei": reached.pei,
    }
