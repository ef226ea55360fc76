"""`Unit`: an area, a tile, a period and settings; what a unit of work is a pure function of.

Belongs here: what travels to a machine and what comes back, and the cut of days into periods. Does not:
the work (`feature_work`, `training_work`, `score_work`), where it is done (`execution`).

A unit reads shared storage and writes partitions, each as a whole. Done twice it writes the same bytes
twice, so that a machine that dies in the middle costs a repetition and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.study_areas.area import StudyArea

_NO_ROWS = Series("target", ())


@dataclass(frozen=True)
class Period:
    """Days from `start` up to, not including, `stop`."""

    start: date
    stop: date

    @property
    def days(self) -> list[str]:
        """Days as ISO dates."""
        n_days = (self.stop - self.start).days
        return [(self.start + timedelta(days=i)).isoformat() for i in range(n_days)]


@dataclass(frozen=True)
class UnitSettings:
    """What a result depends on beside rows, chosen once for all units of a run.

    Parameters
    ----------
    target_name : str
        What is forecast, a target of the study area's file.
    target : Series
        The source that was chosen for it, which looks at the whole history and is not for a unit to do.
        Without sources for work that reads no rows of incidents.
    series : tuple of Series
        Covariates with their sources.
    history_start : date
        First day of occurrence that is known.
    n_tiles : int
        Tiles that the grid is cut into.
    models : mapping of str to str
        Month of the models that forecast the period, by name of the forecast.
    origin : str
        Where the rows come from: `synthetic`, `files` or `api`.
    """

    target_name: str
    target: Series = _NO_ROWS
    series: tuple[Series, ...] = ()
    history_start: date = date.min
    n_tiles: int = 1
    models: Mapping[str, str] = field(default_factory=dict)
    origin: str = "synthetic"

    @classmethod
    def chosen(cls, target_name: str, inputs: FeatureInputs, *, n_tiles: int = 1) -> UnitSettings:
        """What the inputs of a run were chosen to be."""
        return cls(target_name, inputs.target, inputs.series, inputs.history_start, n_tiles)


@dataclass(frozen=True)
class Unit:
    """One piece of work.

    Parameters
    ----------
    storage : SharedStorage
    area : StudyArea
    tile : int
        0-based, below `settings.n_tiles`; work on whole cities has tile 0.
    period : Period
    settings : UnitSettings
    made_from : mapping of str to str
        Fingerprint of what each day's partition is made from, by day.
    """

    storage: SharedStorage
    area: StudyArea
    tile: int
    period: Period
    settings: UnitSettings
    made_from: Mapping[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Area, tile and first day, for a message."""
        return f"{self.area.name}, tile {self.tile}, from {self.period.start}"


@dataclass(frozen=True)
class UnitReport:
    """What a unit tells of its work.

    Parameters
    ----------
    files : tuple of str
        Partitions written, as paths below the root of the storage.
    sums : mapping of str to int
        Counts, and fixed-point sums in units of `fixed_point.UNIT`.
    absent : tuple of str
        Features that no cell has on any day.
    """

    files: tuple[str, ...] = ()
    sums: Mapping[str, int] = field(default_factory=dict)
    absent: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """A kind of work and the unit it is done on.

    Parameters
    ----------
    work : callable
        A function of a module, so that another process can import it; takes the unit first.
    unit : Unit
    arguments : tuple
        What the work takes beside the unit.
    """

    work: Callable[..., UnitReport]
    unit: Unit
    arguments: tuple[Any, ...] = ()

    def do(self) -> UnitReport:
        """Do the work here and now."""
        return self.work(self.unit, *self.arguments)

    @property
    def name(self) -> str:
        """Work and unit, for a message."""
        return f"{self.work.__name__} of {self.unit.name}"


def periods_of(first: date, last: date, n_days: int) -> Iterator[Period]:
    """Cut the days from `first` up to and with `last` into periods of `n_days`, the last shorter."""
    start = first
    while start <= last:
        stop = min(start + timedelta(days=n_days), last + timedelta(days=1))
        yield Period(start, stop)
        start = stop
