"""Panel features of three years and every cell, against good pandas.

The usual way is a wide frame of days by cells with shifts, rolling means and exponential weights,
one vectorised pass a feature, and a sparse product for neighbours. It makes every feature of
incidents (`from_incidents`); ours makes these and those of events, passengers and the calendar.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.city_inputs import FIRST, STOP, feature_inputs, simulate
from benchmarks.sides import Answer, Row, Side, Target, equal_within

WINDOWS, SHORT, HALF_LIFE, WEEKS = (7, 28, 91, 364), (28, 364), 14, 8
LAGS = {"target": 28, "incidents": 7}
# Every so many days are compared.
STEP = 37


def our_features(folder: Path, n_cells: int | None = None) -> Callable[[], object]:
    """All features of all days, as the graph makes them."""
    from htrisk_dagster.features.feature_matrix import build_block

    inputs = feature_inputs(folder, n_cells)
    return lambda: build_block(inputs, FIRST, STOP, with_counts=False)


def checked(block: Any) -> Answer:
    """Some days of the columns that are made from incidents."""
    return {n: block.column(n)[::STEP] for n in block.names if from_incidents(n)}


def from_incidents(name: str) -> bool:
    """Whether a feature is made from incidents; the others come from files of other kinds."""
    return (
        name.startswith(("target_", "incidents_", "precinct_", "city_")) or "_mean_" in name
    ) and not name.startswith(("events_", "news_", "adverts_"))


def incident_frames(inputs: Any) -> dict[str, Any]:
    """Day and cell of each incident of every series, as pandas."""
    series = {"target": inputs.target, **{part.name: part for part in inputs.series}}
    return {
        name: part.select(inputs.incidents)
        .drop_nulls("cell_id")
        .select("occurred_on", "cell_id")
        .to_pandas()
        for name, part in series.items()
    }


def _pandas(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd
    from htrisk_dagster.grid.neighbours import queen_contiguity

    inputs = feature_inputs(folder)
    frames = incident_frames(inputs)
    grid, precinct = inputs.grid, inputs.grid.cells["precinct"].to_numpy()
    near = queen_contiguity(grid, row_standardised=True)

    def work() -> object:
        days = pd.date_range(FIRST, periods=(STOP - FIRST).days)
        made: dict[str, Any] = {}

        def mean(known: pd.DataFrame, window: int) -> pd.DataFrame:
            return known.rolling(window, min_periods=1).mean()

        for name, frame in frames.items():
            counts = (
                frame.groupby(["occurred_on", "cell_id"]).size().unstack(fill_value=0)
                .reindex(index=days, columns=range(grid.n_cells), fill_value=0).astype("float64")
            )  # fmt: skip
            # The cutoff of a day is the day before it: the newest count known is two days old.
            known = counts.shift(2)
            means = {w: mean(known, w) for w in (WINDOWS if name in LAGS else SHORT)}
            made |= {f"{name}_mean_{w}": values for w, values in means.items()}
            by_precinct = known.T.groupby(precinct).transform("mean").T
            made[f"precinct_{name}_mean_364"] = mean(by_precinct, 364)
            if name not in LAGS:
                continue
            for k in range(1, LAGS[name] + 1):
                made[f"{name}_lag_{k}"] = counts.shift(1 + k)
            for w in SHORT:
                made[f"{name}_near_mean_{w}"] = pd.DataFrame((near @ means[w].to_numpy().T).T)
            made[f"{name}_ewm_{HALF_LIFE}"] = known.ewm(halflife=HALF_LIFE).mean()
            weekday = [counts.shift(7 * week) for week in range(1, WEEKS + 1)]
            number = sum(each.notna() for each in weekday)
            total = sum(each.fillna(0) for each in weekday)
            made[f"{name}_same_weekday_mean_{WEEKS}"] = total / number.where(number > 0)
            if name == "target":
                city = mean(known.mean(axis=1).to_frame(), 28)
                made["city_target_mean_28"] = pd.concat([city] * grid.n_cells, axis=1)
        return {name: values.to_numpy(np.float32) for name, values in made.items()}

    return work


def some_days(made: Any) -> Answer:
    """Some days of what a usual way has made."""
    assert isinstance(made, Mapping)
    return {name: values[::STEP] for name, values in made.items()}


ROW = Row(
    work="panel features, 3 years x 3,100 cells",
    prepare=simulate,
    ours=Side("build_block", our_features, checked),
    usual=Side("pandas, wide frames", _pandas, some_days),
    same=equal_within(1e-5),
    target=Target(ratio=15),
    repeats=1,
    note="Ours makes every feature and counts what was known by each cutoff; pandas makes those of incidents, with one clock.",
)
