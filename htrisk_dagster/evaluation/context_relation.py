"""How reported incidents relate to each variable of context, cell by cell, in numbers and in words.

Belongs here: the variable's scale, the regression it enters, the table and its sentences. Does not: the
regression itself (`block_poisson`), the values (`grid/context_tables`).

For each variable by itself: incidents of a cell over a period ~ Poisson(land area x period x
exp(borough + b z)), z the variable in standard deviations over the cells that have it. exp(b) is the
ratio of rates between cells of the same borough that differ by one standard deviation. Counts of places and
incomes, which are skewed, enter as log(1 + x). Cells without the variable are left out, never filled.

Blocks are squares of 10 km, so that most of what neighbours share stays within one. On simulated cities
of 40 km, where neither the variable nor an unseen field (sd 0.7) has any effect on the other and both are
smooth over 0.5, 1, 1.5 and 2 km, the 95% interval covered 93.8, 92.2, 93.0 and 91.5% of 400 nulls each; with
blocks of 5 km on a city of 30 km it fell to 79% at the last.

It is an association of places, with everything else that differs between them left in it: a cell with
more hotels also has more visitors, more police and more to report. It says nothing of persons, and
nothing of causes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.block_poisson import fit_without_blocks, poisson_deviance
from htrisk_dagster.features.context import ContextInputs, context_columns
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas.context import CONTEXT_RELATION
from htrisk_dagster.study_areas.area import ContextPart

BLOCK_KM = 10.0
LEAST_INCIDENTS = 30
LEAST_BLOCKS = 8
LEAST_IN_BOROUGH = 10
_DAYS_A_YEAR = 365.25
_WORDS = {
    "residents_count": "the number of residents",
    "acs_residents_count": "the number of residents in the survey",
    "median_income_usd": "median household income",
    "poverty_pct": "the poverty rate",
    "unemployment_pct": "the unemployment rate",
    "foreign_born_pct": "the share of residents born abroad",
    "limited_english_pct": "the share of residents with limited English",
    "other_language_pct": "the share of residents who speak another language than English",
    "hotels_count": "the number of hotels",
    "subway_stations_count": "the number of subway stations",
    "news_polarity": "the mean polarity of the news",
    "news_negative_share": "the share of negative news",
    "news_texts_mean": "the number of news a day",
    "adverts_mean": "the number of adverts a day",
}
# Skewed, most cells having none or few; residents are not.
_ON_LOG_SCALE = {
    "median_income_usd", "hotels_count", "subway_stations_count", "news_texts_mean", "adverts_mean",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Reports:
    """Incidents of a period by cell.

    Parameters
    ----------
    target : str
        Name of the target.
    counts : float64, shape (C,)
        Incidents placed in each cell; those without a trusted point are in none.
    first, last : date
        Days of the period, both included.
    """

    target: str
    counts: NDArray[np.float64]
    first: date
    last: date


@dataclass(frozen=True, eq=False)
class Variable:
    """One variable of context by cell: its name, last day of its period and values, NaN where absent."""

    name: str
    period_on: date
    values: NDArray[np.float64]

    @property
    def scale(self) -> str:
        """`log1p` for counts of places, incomes and frequencies, `linear` for residents and shares."""
        is_skewed = self.name in _ON_LOG_SCALE or self.name.startswith("places_")
        return "log1p" if is_skewed else "linear"

    @property
    def words(self) -> str:
        """What is higher."""
        if self.name.startswith("places_"):
            return f"the number of places of the category {self.name[7:-6].replace('_', ' ')}"
        return _WORDS[self.name]


def context_variables(inputs: ContextInputs, grid: Grid, reports: Reports) -> list[Variable]:
    """Every variable that has a value: the newest period of each, and daily series over the period.

    News and adverts are averaged over the days of the reports themselves, without a lag: this is a
    description after the fact, no forecast.
    """
    found = []
    for (name,), rows in inputs.cells.group_by("variable", maintain_order=True):
        newest = rows.filter(pl.col("period_on") == pl.col("period_on").max())
        values = np.full(grid.n_cells, np.nan)
        values[newest["cell_id"].to_numpy()] = newest["value"].to_numpy()
        found.append(Variable(str(name), newest["period_on"][0], values))
    length = (reports.last - reports.first).days + 1
    declared = inputs.declared
    whole = ContextPart.model_construct(
        **{
            name: part.model_copy(update={"lag_days": 0, "window_days": length})
            for name in ("news_sentiment", "advert_counts")
            if (part := getattr(declared, name)) is not None
        }
    )
    day = np.datetime64(reports.last + timedelta(days=1)) + np.arange(1)
    for name, values in context_columns(replace(inputs, declared=whole), grid, day):
        if np.isfinite(values).any():
            found.append(Variable(name.removesuffix(f"_{length}"), reports.last, values[0]))
    return found


def relate(
    reports: Reports, variables: list[Variable], grid: Grid, block_km: float = BLOCK_KM
) -> pl.DataFrame:
    """Relation of the reports with each variable.

    Returns
    -------
    DataFrame
        `schemas.context.CONTEXT_RELATION`, sorted by variable; effects are missing where fewer than 30
        incidents, fewer than 10 blocks or no difference between cells is left.
    """
    rows = [
        _relation(reports, variable, grid, block_km)
        for variable in sorted(variables, key=lambda v: v.name)
    ]
    return CONTEXT_RELATION.conform(pl.DataFrame(rows, schema=CONTEXT_RELATION.polars_schema()))


def blocks_of(grid: Grid, cells: NDArray[np.intp], block_km: float) -> NDArray[np.int64]:
    """Number of each cell's block, squares of `block_km` from the grid's corner; 0 to G-1, none empty."""
    size = block_km * 1000
    col = (grid.cells["x_m"].to_numpy()[cells] - grid.origin_x_m) // size
    row = (grid.cells["y_m"].to_numpy()[cells] - grid.origin_y_m) // size
    _, number = np.unique(row * 10_000 + col, return_inverse=True)
    return number.astype(np.int64)


def _relation(
    reports: Reports, variable: Variable, grid: Grid, block_km: float
) -> dict[str, object]:
    cells = np.flatnonzero(np.isfinite(variable.values))
    block = blocks_of(grid, cells, block_km)
    counts = reports.counts[cells]
    n_blocks = int(block.max()) + 1 if cells.size else 0
    row: dict[str, object] = {
        "target": reports.target,
        "variable": variable.name,
        "scale": variable.scale,
        "context_on": variable.period_on,
        "first_on": reports.first,
        "last_on": reports.last,
        "cells_count": cells.size,
        "incidents_count": int(counts.sum()),
        "block_km": block_km,
        "blocks_count": n_blocks,
    }
    values = variable.values[cells]
    scaled = np.log1p(values) if variable.scale == "log1p" else values
    spread = scaled.std() if cells.size else 0.0
    if counts.sum() < LEAST_INCIDENTS or n_blocks < LEAST_BLOCKS or spread == 0:
        told = f"Too little to relate {reports.target} and {variable.words}: {int(counts.sum())} incidents"
        return row | {"sentence": f"{told} in {cells.size} cells and {n_blocks} blocks."}
    level = borough_levels(grid.cells["borough"].to_numpy()[cells], counts)
    boroughs = np.eye(int(level.max()) + 1)[level]
    years = ((reports.last - reports.first).days + 1) / _DAYS_A_YEAR
    area = grid.cells["land_share"].to_numpy()[cells] * (grid.cell_size_m / 1000) ** 2
    exposure = area * years
    without = fit_without_blocks(boroughs, counts, exposure, block)
    design = np.column_stack([boroughs, (scaled - scaled.mean()) / spread])
    fits = fit_without_blocks(design, counts, exposure, block)
    low, high = fits.interval(design.shape[1] - 1)
    before, after = (
        np.bincount(block, poisson_deviance(counts, f.out_of_block)) for f in (without, fits)
    )
    row |= {
        "rate_ratio": float(np.exp(fits.coefficients[-1])),
        "rate_ratio_low": float(np.exp(low)),
        "rate_ratio_high": float(np.exp(high)),
        "deviance_gain_pct": float(100 * (before.sum() - after.sum()) / before.sum()),
        "blocks_improved_share": float((after < before).mean()),
    }
    return row | {"sentence": _sentence(variable, reports, row)}


def borough_levels(boroughs: NDArray[np.object_], counts: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of each cell's borough, 0 to G-1; those with few incidents share that of the one with most."""
    names, level = np.unique(boroughs, return_inverse=True)
    totals = np.bincount(level, counts, minlength=len(names))
    merged = np.where(totals < LEAST_IN_BOROUGH, int(totals.argmax()), np.arange(len(names)))[level]
    return np.unique(merged, return_inverse=True)[1].astype(np.int64)


def _sentence(variable: Variable, reports: Reports, row: dict[str, object]) -> str:
    ratio, low, high, gain, share = (
        float(str(row[name]))
        for name in (
            "rate_ratio", "rate_ratio_low", "rate_ratio_high", "deviance_gain_pct",
            "blocks_improved_share",
        )
    )  # fmt: skip
    scale = " on the log scale" if variable.scale == "log1p" else ""
    unclear = ", which no difference at all would also give" if low <= 1 <= high else ""
    explains = (
        f"out of block it explains {gain:.1f}% of the deviance"
        if gain > 0
        else f"out of block it explains nothing ({gain:.1f}% of the deviance)"
    )
    last = reports.last
    later = (
        f" The values speak of {variable.period_on.year}, later than the reports, which end in {last.year}."
        if variable.period_on.year > last.year
        else ""
    )
    return (
        f"Where {variable.words} is one standard deviation higher{scale}, cells had {ratio:.2f} times "
        f"({low:.2f} to {high:.2f}) the reported incidents ({row['target']}) a square kilometre of their "
        f"borough{unclear}; {explains} and forecasts {share:.0%} of {row['blocks_count']} blocks better. "
        f"This is association at the level of places, not cause.{later}"
    )
