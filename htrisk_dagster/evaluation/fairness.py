"""How forecasts treat groups of places: exposure, calibration within group, recall at equal budget.

Belongs here: groups of cells, the table, and what changes if a group reports less than the rest. Does
not: which documents print it (`publishing`), rules about it (`fairness_findings`).

*Exposure* is a group's share of the flagged cell-days, *need* its share of incidents. A map that
flags by need has exposure over need of 1 in every group. *Calibration within group* is observed over
expected incidents; calibration and equal recall cannot both hold where groups differ in prevalence
(Kleinberg, Mullainathan and Raghavan 2016, arXiv 1609.05807; Chouldechova 2017, doi
10.1089/big.2016.0047), so both are shown. *Recall at equal budget* flags the same share of each
group's own cells, so that it asks how well the map ranks inside the group, not how many flags the
group gets.

Reports are not all that happens. For each assumed rate r from 0.3 to 1, one group at a time reports
a share r of its incidents and all others report all: its need becomes n / r, and forecasts made up
for it are expected / r.

Counts leave through k = 11, those by group with complementary suppression. What follows from
forecasts alone, such as exposure, tells no count and is always shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.pairs import cells_in_budget, checked_pair, top_cells
from htrisk_dagster.evaluation.verified_counts import release
from htrisk_dagster.schemas.governance import CITY, FAIRNESS, WITHOUT
from htrisk_dagster.victim_population.published_tables import ALL, K, TableSpec

BUDGET_PCT = 5.0
"""All that the map colours. With a smaller budget the hits of a group are too few to be shown."""
REPORTING_RATES = (0.3, 0.5, 0.7, 1.0)
TERCILES = ("low", "middle", "high")
TERCILE_VARIABLES = ("poverty_pct", "foreign_born_pct", "limited_english_pct")
"""Of `context.cells`: poverty, and who may fear to report."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """Groups that each cell is in one of.

    Parameters
    ----------
    name : str
        `borough` or a variable of context.
    groups : tuple of str
    code : int, shape (C,)
        Place of each cell's group.
    context_on : date or None
        Last day that the variable speaks of.
    """

    name: str
    groups: tuple[str, ...]
    code: NDArray[np.int64]
    context_on: date | None = None


def borough_grouping(cells: pl.DataFrame) -> Grouping:
    """Boroughs of `schemas.grid.CELLS`, in order of cells."""
    names = cells.sort("cell_id")["borough"]
    groups = tuple(sorted(names.unique()))
    return Grouping("borough", groups, np.searchsorted(np.array(groups), names.to_numpy()))


def tercile_groupings(context: pl.DataFrame, n_cells: int) -> list[Grouping]:
    """Thirds of residents by each variable of `TERCILE_VARIABLES`, newest period; none without it.

    Cells are put in order of the variable and cut where a third and two thirds of the residents are
    reached, so that groups stand for equally many people, not for equally much land.

    Parameters
    ----------
    context : DataFrame
        `schemas.context.CELLS`.
    n_cells : int
    """
    found = []
    residents, _ = _newest(context, "residents_count", n_cells)
    for variable in TERCILE_VARIABLES:
        value, on = _newest(context, variable, n_cells)
        if on is None:
            continue
        known = np.isfinite(value) & (np.nan_to_num(residents) > 0)
        order = np.flatnonzero(known)[np.argsort(value[known], kind="stable")]
        # The middle of each cell's residents decides; equal values stay together.
        weight = residents[order]
        reached = (np.cumsum(weight) - weight / 2) / weight.sum()
        _, first = np.unique(value[order], return_index=True)
        steps = np.repeat(reached[first], np.diff(np.append(first, order.size)))
        code = np.full(n_cells, len(TERCILES), dtype=np.int64)
        code[order] = np.minimum((3 * steps).astype(np.int64), 2)
        groups = (*TERCILES, WITHOUT) if (code == len(TERCILES)).any() else TERCILES
        found.append(Grouping(variable, groups, code, on))
    return found


def _newest(context: pl.DataFrame, variable: str, n_cells: int) -> tuple[Array, date | None]:
    rows = context.filter(pl.col("variable") == variable)
    value = np.full(n_cells, np.nan)
    on = rows["period_on"].max()
    if not isinstance(on, date):
        return value, None
    newest = rows.filter(pl.col("period_on") == on)
    value[newest["cell_id"].to_numpy()] = newest["value"].to_numpy()
    return value, on


def fairness_table(
    counts: NDArray[np.floating],
    expected: Array,
    groupings: Sequence[Grouping],
    *,
    days: Sequence[date],
    month: date,
    target: str,
) -> pl.DataFrame:
    """Measure every group at every reporting rate.

    Parameters
    ----------
    counts, expected : array, shape (D, C)
        Incidents reported on the test days of blind folds, and the forecasts sealed before them.
    groupings : sequence of Grouping
    days : sequence of date
        The test days.
    month : date
        First day on which the model may be used.
    target : str

    Returns
    -------
    DataFrame
        `schemas.governance.FAIRNESS`; the city's own row comes first.
    """
    observed, forecast = checked_pair(counts, expected)
    flagged = _flagged(forecast)
    released = _released(observed, forecast, groupings)
    total = int(observed.sum())
    city = _city_counts(total, int(observed[flagged].sum()))
    everybody = np.ones(forecast.shape[1], dtype=bool)
    rows = [
        {"grouping": "city", "group": CITY}
        | _exposure(forecast, flagged, everybody, 1.0)
        | _of_counts(city, total, float(forecast.sum()), 1.0)
    ]
    rows += [
        {"grouping": grouping.name, "group": group, "context_on": grouping.context_on}
        | _exposure(forecast, flagged, grouping.code == place, rate)
        | _of_counts(
            released[grouping.name, group],
            total,
            float(forecast[:, grouping.code == place].sum()),
            rate,
        )
        for grouping in groupings
        for place, group in enumerate(grouping.groups)
        for rate in REPORTING_RATES
    ]
    table = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.lit(month).alias("month_on"),
        pl.lit(target).alias("target"),
        pl.lit(BUDGET_PCT).alias("budget_pct"),
        pl.lit(min(days)).alias("first_on"),
        pl.lit(max(days)).alias("last_on"),
        pl.when(pl.col("need_pct").cast(pl.Float64) > 0)
        .then(pl.col("exposure_pct") / pl.col("need_pct"))
        .alias("exposure_over_need"),
    )
    return FAIRNESS.conform(table)


@dataclass(frozen=True)
class _Counts:
    """Incidents of a group and those in its flagged cells, None where they may not be shown."""

    incidents: int | None
    hits: int | None


def _city_counts(total: int, hits: int) -> _Counts:
    """The city's own counts: k = 11 holds for them too, and for what hits leave of the total."""
    can_be_told = [n == 0 or n >= K for n in (total, hits, total - hits)]
    return _Counts(total if can_be_told[0] else None, hits if all(can_be_told) else None)


def _flagged(expected: Array) -> NDArray[np.bool_]:
    """Cells in the budget of each day."""
    return top_cells(expected, cells_in_budget(expected.shape[1], BUDGET_PCT / 100))


def _released(
    observed: Array, expected: Array, groupings: Sequence[Grouping]
) -> dict[tuple[str, str], _Counts]:
    """Counts by grouping and group, as far as they may be shown."""
    day, cell = np.nonzero(observed)
    times = observed[day, cell].astype(np.int64)
    columns, specs = {}, []
    for g in groupings:
        own = np.zeros(expected.shape, dtype=bool)
        for place in range(len(g.groups)):
            members = np.flatnonzero(g.code == place)
            if members.size:
                own[:, members] = _flagged(expected[:, members])
        columns[g.name] = np.array(g.groups)[g.code[cell]]
        columns[f"flagged_{g.name}"] = np.where(own[day, cell], "yes", "no")
        specs.append(TableSpec(f"fairness_{g.name}", (g.name, f"flagged_{g.name}")))
    records = pl.DataFrame({name: np.repeat(v, times) for name, v in columns.items()})
    tables = release(records, specs) if specs else []
    found = {}
    for g, table in zip(groupings, tables, strict=True):
        shown = {(a, b): n for a, b, n in table.cells.iter_rows()}
        # A group or flag that no incident has is in no table; a zero may be shown with the others.
        missing = 0 if (ALL, ALL) in shown else None
        for group in g.groups:
            incidents = shown.get((group, ALL), missing)
            found[g.name, group] = _Counts(incidents, shown.get((group, "yes"), missing))
    return found


def _exposure(
    expected: Array, flagged: NDArray[np.bool_], of_group: NDArray[np.bool_], rate: float
) -> dict[str, float]:
    made_up = flagged
    if rate < 1 and not of_group.all():
        made_up = _flagged(np.where(of_group, expected / rate, expected))
    return {
        "reporting_rate": rate,
        "cells_pct": 100 * float(of_group.mean()),
        "exposure_pct": 100 * float(flagged[:, of_group].sum() / flagged.sum()),
        "exposure_if_reported_pct": 100 * float(made_up[:, of_group].sum() / made_up.sum()),
    }


def _of_counts(found: _Counts, total: int, expected: float, rate: float) -> dict[str, object]:
    from scipy.special import gammaincinv
    from scipy.stats import binomtest

    n = found.incidents
    row: dict[str, object] = {"expected_count": expected, "incidents_count": n, "need_pct": None}
    calibration = "observed_over_expected"
    row |= dict.fromkeys((calibration, f"{calibration}_lower_95", f"{calibration}_upper_95"))
    recall = "equal_budget_recall"
    row |= dict.fromkeys((f"{recall}_pct", f"{recall}_lower_95_pct", f"{recall}_upper_95_pct"))
    if n is None:
        return row
    if total:
        row["need_pct"] = 100 * (n / rate) / (total - n + n / rate)
    if expected > 0:
        row[calibration] = n / rate / expected
        # Garwood 1936: the ends are quantiles of gamma distributions.
        low = float(gammaincinv(n, 0.025)) if n else 0.0
        row[f"{calibration}_lower_95"] = low / rate / expected
        row[f"{calibration}_upper_95"] = float(gammaincinv(n + 1, 0.975)) / rate / expected
    if n and found.hits is not None:
        # Clopper and Pearson, Biometrika 26 (1934) 404-413.
        ends = binomtest(found.hits, n).proportion_ci(0.95, method="exact")
        row |= {
            f"{recall}_pct": 100 * found.hits / n,
            f"{recall}_lower_95_pct": 100 * ends.low,
            f"{recall}_upper_95_pct": 100 * ends.high,
        }
    return row
