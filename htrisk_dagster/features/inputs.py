"""From the warehouse to `FeatureInputs`: which sources cover the period, from when, and their rows.

Belongs here: the reading of what features and labels are made from. Does not: the features
(`feature_matrix`), the rule that says what covers a period (`coverage`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.panel import count_panel
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.study_areas.area import SeriesPart, StudyArea
from htrisk_dagster.warehouse.partitions import Partitions

# A census of a city's incidents has rows on nearly every day, shootings on 95 in 100; a random
# sample of complaints, at 2,000 rows in 14 years, on one in three.
COVERED_DAY_SHARE = 0.75
_LEAST_MONTHS = 6


def read_grid(tables: Partitions, area: StudyArea) -> Grid:
    """Grid of the study area from its stored cells."""
    cells = tables.read(grid_tables.CELLS, ["all"])
    return Grid.from_cells(cells, area.grid.crs, area.grid.cell_size_m)


@dataclass(frozen=True)
class History:
    """What the incident sources cover.

    Parameters
    ----------
    covered : DataFrame
        source, month_on, day_share: share of the month's days with a row of the source.
    """

    covered: pl.DataFrame

    @classmethod
    def of(cls, incidents: pl.DataFrame) -> History:
        """Read the coverage off `grid.incident_cells`."""
        month = pl.col("occurred_on").dt.truncate("1mo")
        covered = (
            incidents.group_by("source", month.alias("month_on"))
            .agg(pl.col("occurred_on").n_unique().alias("days"))
            .with_columns(
                (pl.col("days") / pl.col("month_on").dt.days_in_month()).alias("day_share")
            )
            .select("source", "month_on", "day_share")
            .sort("source", "month_on")
        )
        return cls(covered)

    def run_start(self, source: str, end: date) -> date | None:
        """First day of the unbroken run of covered months of `source` that reaches to `end`.

        The run may stop short of `end` by three months, since a forecast can lie beyond the
        newest report; None where there is no such run of at least six months.
        """
        months = (
            self.covered.filter(
                (pl.col("source") == source)
                & (pl.col("day_share") >= COVERED_DAY_SHARE)
                & (pl.col("month_on") <= end)
            )["month_on"]
            .sort(descending=True)
            .to_list()
        )
        if not months or _months_between(months[0], end) > 3:
            return None
        run = 1
        while run < len(months) and _months_between(months[run], months[run - 1]) == 1:
            run += 1
        return months[run - 1] if run >= _LEAST_MONTHS else None

    def choose(self, part: SeriesPart, end: date) -> tuple[str, date] | None:
        """First source of `part` with a covered run to `end`, and the run's first day."""
        for source in part.sources:
            start = self.run_start(source, end)
            if start is not None:
                return source, start
        return None


def _months_between(earlier: date, later: date) -> int:
    return (later.year - earlier.year) * 12 + later.month - earlier.month


def read_inputs(
    tables: Partitions, area: StudyArea, target: SeriesPart, end: date, *, since: date | None = None
) -> FeatureInputs:
    """Everything that features up to the day `end` are made from.

    Parameters
    ----------
    tables : Partitions
        Warehouse of the study area.
    target : SeriesPart
        What is forecast.
    end : date
        Last day that features are wanted for.
    since : date, optional
        History before this day is not used.

    Raises
    ------
    SourceError
        Where no source of the target covers six months before `end`.
    """
    incidents = tables.read(grid_tables.INCIDENT_CELLS)
    history = History.of(incidents)
    chosen = history.choose(target, end)
    if chosen is None:
        raise SourceError(
            f"No source of the target '{target.title}' ({', '.join(target.sources)}) covers six months "
            f"in a row up to {end}. Bring files or fetch reports for that period, or choose another "
            "target."
        )
    source, start = chosen
    return FeatureInputs(
        grid=read_grid(tables, area),
        incidents=incidents,
        target=Series("target", (source,), target.offence_groups),
        series=tuple(
            _series(name, part, history, end)
            for name, part in (("incidents", area.incidents), *area.series.items())
        ),
        events=tables.read(staging.EVENTS),
        mobility=tables.read(staging.MOBILITY),
        holidays=tables.read(raw.HOLIDAYS),
        lag_days=area.publication_lag.incidents_days,
        mobility_lag_days={
            "airport": area.publication_lag.airport_days,
            "transit": area.publication_lag.transit_days,
        },
        history_start=max(start, since) if since else start,
    )


def _series(name: str, part: SeriesPart, history: History, end: date) -> Series:
    chosen = history.choose(part, end)
    return Series(name, (chosen[0],) if chosen else (), part.offence_groups)


def target_counts(
    inputs: FeatureInputs, days: Sequence[str], *, known_before: date | None = None
) -> NDArray[np.float32]:
    """Target incidents by day of occurrence and cell.

    Parameters
    ----------
    days : sequence of str
        Consecutive days as ISO dates, D of them.
    known_before : date, optional
        Count only what was reported before this day, as a model trained then would have seen;
        all there is when None, which only an evaluation may ask for.

    Returns
    -------
    float32, shape (D, C)
    """
    rows = inputs.target.select(inputs.incidents).filter(pl.col("cell_id").is_not_null())
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    rows = rows.filter(pl.col("occurred_on").is_between(first, last))
    if known_before is not None:
        rows = rows.filter(pl.col("reported_on") < known_before)
    index = (rows["occurred_on"] - first).dt.total_days().to_numpy()
    counts = count_panel(index, rows["cell_id"].to_numpy(), len(days), inputs.grid.n_cells)
    return counts.astype(np.float32)


def newest_report(inputs: FeatureInputs, *, before: date | None = None) -> date | None:
    """Newest day on which the target's source told of any incident, before a day if one is given.

    Of the source, not of the target alone: a rare target is silent for weeks while the feed is well.
    """
    days = inputs.incidents.filter(pl.col("source").is_in(inputs.target.sources))["reported_on"]
    newest = (days.filter(days < before) if before else days).max()
    return newest if isinstance(newest, date) else None


def recent_daily_mean(inputs: FeatureInputs, day: date, *, window_days: int = 91) -> float:
    """Target incidents a day over the window before the cutoff of `day`, as known by then."""
    cutoff = day - timedelta(days=inputs.lag_days)
    start = cutoff - timedelta(days=window_days)
    days = [(start + timedelta(days=i)).isoformat() for i in range(window_days)]
    return float(target_counts(inputs, days, known_before=cutoff).sum() / window_days)
