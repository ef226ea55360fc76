"""Inputs as they might have been: with another future, with labels elsewhere.

Belongs here: the changes that the leak battery makes to what features and labels are made from.
Does not: what must not move under them (`leak_battery`).

The future of a day is what was not known at its cutoff: incidents reported on or after it, and
passengers of periods that end within the publication lag of their series. Permitted events and
holidays are known in advance and stay.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.mobility import SERIES

_REPORTED, _OCCURRED = pl.col("reported_on"), pl.col("occurred_on")


def without_future(inputs: FeatureInputs, day: date) -> FeatureInputs:
    """Take out everything that was not known at the cutoff of `day`."""
    cutoff = day - timedelta(days=inputs.lag_days)
    return replace(
        inputs,
        incidents=inputs.incidents.filter(cutoff > _REPORTED),
        mobility=inputs.mobility.filter(~_passengers_unknown(inputs, day)),
    )


def with_rewritten_future(inputs: FeatureInputs, day: date, *, seed: int) -> FeatureInputs:
    """Rewrite everything that was not known at the cutoff of `day`.

    Of the incidents reported on or after it, every other one is lost, and places, offences and
    days of occurrence of the others are dealt out anew among them, those of the past included. The
    rows are put first, so that whatever counts rows in the order of the table moves too.
    """
    rng = np.random.default_rng(seed)
    cutoff = day - timedelta(days=inputs.lag_days)
    future = inputs.incidents.filter(cutoff <= _REPORTED)
    kept = future[np.sort(rng.permutation(future.height)[: (future.height + 1) // 2])]
    dealt = kept.with_columns(
        kept[name][rng.permutation(kept.height)]
        for name in kept.columns
        if name not in ("incident_id", "source", "reported_on")
    )
    passengers = pl.col("passengers_count")
    return replace(
        inputs,
        incidents=pl.concat([dealt, inputs.incidents.filter(cutoff > _REPORTED)]),
        mobility=inputs.mobility.with_columns(
            pl.when(_passengers_unknown(inputs, day))
            .then(passengers * 3 + 1)
            .otherwise(passengers)
            .alias("passengers_count")
        ),
    )


def with_incidents_anywhere(inputs: FeatureInputs, *, seed: int) -> FeatureInputs:
    """Throw every incident that has a cell onto a random cell and a random day of the history.

    Its delay goes with it. Nothing of the city is left to learn: no place, no time.
    """
    rng = np.random.default_rng(seed)
    table = inputs.incidents
    precinct = inputs.grid.cells["precinct"]
    cell = rng.integers(0, inputs.grid.n_cells, table.height).astype(np.int32)
    has_cell = pl.col("cell_id").is_not_null()
    moved = table.with_columns(
        pl.when(has_cell).then(pl.Series(cell)).alias("cell_id"),
        pl.when(has_cell)
        .then(precinct.gather(cell).cast(table.schema["precinct"]))
        .otherwise("precinct")
        .alias("precinct"),
    )
    return replace(inputs, incidents=_on_random_days(moved, inputs.history_start, rng))


def with_incidents_on_other_days(inputs: FeatureInputs, *, seed: int) -> FeatureInputs:
    """Put every incident on a random day of the history, in its own place, with its own delay."""
    rng = np.random.default_rng(seed)
    return replace(inputs, incidents=_on_random_days(inputs.incidents, inputs.history_start, rng))


def _on_random_days(table: pl.DataFrame, first: date, rng: np.random.Generator) -> pl.DataFrame:
    last = table["occurred_on"].max()
    if not isinstance(last, date) or last < first:
        return table
    day = rng.integers(0, (last - first).days + 1, table.height)
    occurred = pl.lit(first) + pl.duration(days=pl.lit(pl.Series(day)))
    # What lies before the history stays there: features do not see it.
    inside = pl.col("occurred_on") >= first
    return table.with_columns(
        pl.when(inside).then(occurred).otherwise(_OCCURRED).alias("occurred_on"),
        pl.when(inside)
        .then(occurred + (_REPORTED - _OCCURRED))
        .otherwise(_REPORTED)
        .alias("reported_on"),
    )


def _passengers_unknown(inputs: FeatureInputs, day: date) -> pl.Expr:
    ends = (
        pl.when(pl.col("period") == "month")
        .then(pl.col("period_on").dt.month_end())
        .otherwise("period_on")
    )
    unknown = pl.lit(False)
    for kind, series in SERIES.items():
        cutoff = day - timedelta(days=inputs.mobility_lag_days[kind])
        unknown |= (pl.col("series") == series) & (ends >= cutoff)
    return unknown
