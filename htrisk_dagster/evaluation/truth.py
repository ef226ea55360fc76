"""The truth of a synthetic city, laid on the cells of a grid.

Belongs here: the one reader of `truth/intensity.npz`. Does not: what the ceilings of a block are
(`block_ceilings`). Nothing that makes a feature or fits a model may import this module; a test
holds the program to that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.filtering import LogField
from htrisk_dagster.grid.cells import Grid

Array = NDArray[np.float64]

TRUTH_FILE = Path("truth") / "intensity.npz"

_BY_CELL = ("static", "reporting")
_BY_DAY = ("calendar", "day_shock")
_BY_BOTH = ("intensity", "exposure", "field", "triggered", "triggered_as_reported")


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
