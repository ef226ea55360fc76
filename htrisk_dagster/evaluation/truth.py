"""The truth of a synthetic city, and what its ceilings are on the days and cells of a test block.

Belongs here: the one reader of `truth/intensity.npz`, its place on a grid, and both ceilings of a
block as rows of the comparison. Does not: ceilings of an intensity (`ceilings`,
`ceiling_simulation`), the filter (`filtering`). Nothing that makes a feature or fits a model may
import this module; a test holds the program to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.ceiling_simulation import N_DRAWS, ceiling_rows
from htrisk_dagster.evaluation.comparison import CEILING_PREFIX
from htrisk_dagster.evaluation.filtering import LogField, expected_triggered, filtering_forecast
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.panel import count_panel

Array = NDArray[np.float64]

TRUTH_FILE = Path("truth") / "intensity.npz"
OMNISCIENT, FILTERING = f"{CEILING_PREFIX}omniscient", f"{CEILING_PREFIX}filtering"
CEILINGS = (OMNISCIENT, FILTERING)

_BY_CELL = ("static", "reporting")
_BY_DAY = ("calendar", "day_shock")
_BY_BOTH = ("intensity", "exposure", "field", "triggered", "triggered_as_reported")
# A cell in which nothing can happen: no forecast is 0.
_LEAST = 1e-12
# The field forgets: 0.9 a day leaves under a hundredth after this.
_BURN_IN_DAYS = 45


@dataclass(frozen=True, eq=False)
class CityTruth:
    """What is true of the target of a synthetic city; D days, C cells.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        Consecutive.
    static, reporting : float64, shape (C,)
        Expected true incidents a day from place alone; share of incidents that is reported.
    calendar, day_shock : float64, shape (D,)
        Factor of the day, known beforehand; and the one that nobody can know.
    exposure, field, triggered, triggered_as_reported : float64, shape (D, C)
        Factor known in advance; factor that nobody observes; triggered true incidents, by all that
        happened and as computable from reports.
    intensity : float64, shape (D, C)
        Expected reported incidents by true place, the day's shock at 1.
    offence_codes : frozenset of int
        Codes of the target.
    """

    days: NDArray[np.datetime64]
    static: Array
    reporting: Array
    calendar: Array
    day_shock: Array
    exposure: Array
    field: Array
    triggered: Array
    triggered_as_reported: Array
    intensity: Array
    offence_codes: frozenset[int]

    def between(self, first: date, last: date) -> CityTruth:
        """Days from `first` to `last`, both included.

        Raises
        ------
        SourceError
            Where the city does not have all of them.
        """
        low, high = np.searchsorted(self.days, [np.datetime64(first), np.datetime64(last)])
        if self.days[0] > np.datetime64(first) or self.days[-1] < np.datetime64(last):
            raise SourceError(
                f"The synthetic city is true from {self.days[0]} to {self.days[-1]}; {first} to {last} "
                "is not within. Ask for days of the city, or publish a longer one."
            )
        part = slice(int(low), int(high) + 1)
        cut = {name: getattr(self, name)[part] for name in (*_BY_DAY, *_BY_BOTH)}
        kept = {name: getattr(self, name) for name in _BY_CELL}
        return CityTruth(days=self.days[part], offence_codes=self.offence_codes, **cut, **kept)

    @property
    def log_field(self) -> LogField:
        """Law of the field: its variance and memory as measured on it, its length by design."""
        log = np.log(self.field[:, self.static > 0])
        log -= log.mean()
        varied = log.std()
        follows = (
            float((log[1:] * log[:-1]).mean() / np.square(log).mean()) if len(log) > 1 else 0.0
        )
        return LogField(
            sd=float(varied),
            daily_correlation=min(max(follows, 0.0), 0.999),
            day_sd=float(np.log(self.day_shock).std()),
        )

    @property
    def offspring(self) -> float:
        """Mean number of incidents that one triggers: the triggered share of all."""
        own = float((self.calendar[:, None] * self.static * self.exposure * self.field).sum())
        triggered = float(self.triggered.sum())
        return triggered / (own + triggered) if triggered else 0.0


def read_truth(folder: Path, grid: Grid) -> CityTruth:
    """Read the truth below a folder of a synthetic city, in the order of a grid's cells.

    Parameters
    ----------
    folder : Path
        Of the city; the truth lies in `truth/intensity.npz` below it.
    grid : Grid
        Cells with centres on the city's own lattice. A cell that the city does not know expects
        nothing.

    Raises
    ------
    SourceError
        Where the file is absent, lacks a part, or lies on another lattice.
    """
    path = folder / TRUTH_FILE
    if not path.is_file():
        raise SourceError(f"{path} is absent: only a synthetic city has a truth to compare with.")
    with np.load(path, allow_pickle=False) as stored:
        wanted = (*_BY_CELL, *_BY_DAY, *_BY_BOTH, "days", "col", "row", "cell_size_m", "crs")
        missing = [name for name in (*wanted, "offence_codes") if name not in stored.files]
        if missing:
            raise SourceError(
                f"{path} has no {', '.join(missing)}: another version of the program wrote it. "
                "Remove the folder, and the city is written again."
            )
        parts = {name: stored[name] for name in (*wanted, "offence_codes")}
    at = _cells_on_grid(parts, grid, path)
    known = at >= 0

    def laid(name: str, missing: float) -> Array:
        values = parts[name].astype(np.float64)
        return np.where(known, values[..., np.maximum(at, 0)], missing)

    return CityTruth(
        days=parts["days"].astype("datetime64[D]"),
        static=laid("static", 0.0),
        reporting=laid("reporting", 1.0),
        calendar=parts["calendar"].astype(np.float64),
        day_shock=parts["day_shock"].astype(np.float64),
        exposure=laid("exposure", 1.0),
        field=laid("field", 1.0),
        triggered=laid("triggered", 0.0),
        triggered_as_reported=laid("triggered_as_reported", 0.0),
        intensity=laid("intensity", 0.0),
        offence_codes=frozenset(int(c) for c in parts["offence_codes"]),
    )


def _cells_on_grid(
    parts: dict[str, NDArray[np.generic]], grid: Grid, path: Path
) -> NDArray[np.int64]:
    """Index of the city's cell at each cell of the grid, -1 for none, shape (C,)."""
    size = int(parts["cell_size_m"])
    where = np.stack([grid.cells[f"{axis}_m"].to_numpy() for axis in ("x", "y")]) / size - 0.5
    place = np.round(where).astype(np.int64)
    if (
        size != grid.cell_size_m
        or str(parts["crs"]) != grid.crs
        or np.abs(where - place).max() > 0.01
    ):
        raise SourceError(
            f"{path} lies on cells of {size} m in {parts['crs']}, the grid on {grid.cell_size_m} m in "
            f"{grid.crs} or between them. Ceilings need the grid of the city; leave its size as it is."
        )
    city = {
        (int(c), int(r)): i for i, (c, r) in enumerate(zip(parts["col"], parts["row"], strict=True))
    }
    return np.array([city.get((int(c), int(r)), -1) for c, r in place.T], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class BlockIntensity:
    """Expected reported incidents with a cell on a test block, for who knows everything.

    Parameters
    ----------
    omniscient : float64, shape (D, C)
        Knows the field and every incident up to the day before.
    day_shock : float64, shape (D,)
        Factors of the days that came, which nobody could know.
    """

    omniscient: Array
    day_shock: Array

    @property
    def drawn_from(self) -> Array:
        """What the counts of the block were drawn from, shape (D, C)."""
        return np.maximum(self.omniscient * self.day_shock[:, None], _LEAST)


def block_intensity(truth: CityTruth, inputs: FeatureInputs, days: Sequence[str]) -> BlockIntensity:
    """Omniscient ceiling of consecutive days, ISO dates, on the grid of the inputs."""
    part = truth.between(date.fromisoformat(days[0]), date.fromisoformat(days[-1]))
    located = _located_share(inputs, date.fromisoformat(days[0]))
    return BlockIntensity(np.maximum(part.intensity * located, _LEAST), part.day_shock)


def block_filtering(truth: CityTruth, inputs: FeatureInputs, days: Sequence[str]) -> Array:
    """Filtering ceiling of consecutive days: the law, and what was reported before each cutoff.

    Parameters
    ----------
    truth : CityTruth
        On the grid of the inputs.
    inputs : FeatureInputs
        Incidents of the target, on which the filter runs, and the publication lag.
    days : sequence of str
        Consecutive days as ISO dates.

    Returns
    -------
    float64, shape (D, C)
    """
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    begin = max(
        first - timedelta(days=_BURN_IN_DAYS + inputs.lag_days),
        date.fromisoformat(str(truth.days[0])),
    )
    part = truth.between(begin, last)
    prompt, share = _prompt_counts(inputs, part, first)
    forecast = filtering_forecast(
        static=part.static,
        calendar=part.calendar,
        exposure=part.exposure,
        reporting=part.reporting * _located_share(inputs, first),
        triggered=expected_triggered(
            part.triggered_as_reported,
            static=part.static,
            reporting=part.reporting,
            offspring=truth.offspring,
        ),
        observed=prompt,
        prompt_share=share,
        x_m=inputs.grid.cells["x_m"].to_numpy(),
        y_m=inputs.grid.cells["y_m"].to_numpy(),
        field=truth.log_field,
        ahead_days=inputs.lag_days + 1,
    )
    return np.maximum(forecast[-len(days) :], _LEAST)


def _located_share(inputs: FeatureInputs, before: date) -> float:
    """Share of the target's reports before a day that have a cell: the others are on no map."""
    rows = inputs.target.select(inputs.incidents).filter(pl.col("reported_on") < before)
    return 1 - rows["cell_id"].null_count() / rows.height if rows.height else 1.0


def _prompt_counts(inputs: FeatureInputs, part: CityTruth, before: date) -> tuple[Array, float]:
    """Incidents reported on their own day, shape (D, C), and their share among those before a day."""
    rows = inputs.target.select(inputs.incidents)
    same_day = pl.col("reported_on") == pl.col("occurred_on")
    earlier = rows.filter(pl.col("reported_on") < before)
    share = float(earlier.select(same_day.mean()).item() or 0.0) if earlier.height else 1.0
    prompt = rows.filter(same_day).drop_nulls("cell_id")
    start = date.fromisoformat(str(part.days[0]))
    index = (prompt["occurred_on"] - start).dt.total_days().to_numpy()
    counts = count_panel(
        index, prompt["cell_id"].to_numpy().astype(np.int64), len(part.days), len(part.static)
    )
    return counts.astype(np.float64), max(share, 1e-6)


def ceilings_for(
    truth: CityTruth,
    inputs: FeatureInputs,
    days: Sequence[str],
    *,
    historical_mean: ArrayLike,
    active: NDArray[np.bool_],
    n_draws: int = N_DRAWS,
    seed: int,
) -> pl.DataFrame:
    """Rows of both ceilings of consecutive days for the table of models.

    Parameters
    ----------
    truth : CityTruth
        On the grid of the inputs.
    inputs : FeatureInputs
    days : sequence of str
        ISO dates, D of them.
    historical_mean : array, shape (D, C)
        Forecast that differences and information gain refer to.
    active : bool, shape (C,)
        Cells of the mask `active`.
    n_draws, seed : int
        Of the draws from the true intensity.

    Returns
    -------
    DataFrame
        `schemas.predictions.MODEL_COMPARISON`, models `ceiling_omniscient` and
        `ceiling_filtering`. Intervals are bands of the draws; see `ceiling_rows`.
    """
    block = block_intensity(truth, inputs, days)
    return ceiling_rows(
        block.drawn_from,
        {OMNISCIENT: block.omniscient, FILTERING: block_filtering(truth, inputs, days)},
        reference=historical_mean,
        active=active,
        n_draws=n_draws,
        seed=seed,
    )
