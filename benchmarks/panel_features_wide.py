"""Panel features of three years and every cell, against the best pandas we could write.

It is a wide frame of days by cells with shifts, rolling means and exponential weights,
one vectorised pass a feature, and a sparse product for neighbours. It makes every feature of
incidents (`from_incidents`); ours makes these and those of events, passengers and the calendar.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.city_inputs import FIRST, STOP, feature_inputs, simulate
from benchmarks.panel_features import (
    HALF_LIFE,
    LAGS,
    SHORT,
    WEEKS,
    WINDOWS,
    checked,
    incident_frames,
    our_features,
    some_days,
)
from benchmarks.sides import Row, Side, Target, equal_within

# More than there are. Reports of a precinct that have no place lie in no frame of cells: both do without.
_ALL_CELLS = 1_000_000


def _pandas(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd
    from htrisk_dagster.grid.neighbours import queen_contiguity

    inputs = feature_inputs(folder, _ALL_CELLS)
    frames = incident_frames(inputs)
    grid, precinct = inputs.grid, inputs.grid.cells["precinct"].to_numpy()
    near = queen_contiguity(grid, row_standardised=True)
    # A product gives 0 where a cell has no neighbour; there is no mean of none.
    alone = near.sum(axis=1) == 0

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
                around = pd.DataFrame((near @ means[w].to_numpy().T).T)
                made[f"{name}_near_mean_{w}"] = around.mask(np.broadcast_to(alone, around.shape))
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


ROW = Row(
    work="panel features, 3 years x 3,127 cells, against wide frames",
    prepare=simulate,
    ours=Side("build_block", partial(our_features, n_cells=_ALL_CELLS), checked),
    usual=Side("pandas, wide frames", _pandas, some_days),
    same=equal_within(1e-5),
    target=Target(ratio=1),
    repeats=1,
    note="Ours makes every feature and counts what was known by each cutoff; pandas makes those of incidents, with one clock.",
)
