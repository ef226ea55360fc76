"""Panel features of three years and every cell, against good pandas.

The usual way is a wide frame of days by cells with shifts, rolling sums and exponential weights:
vectorised, one pass a feature. It makes the 41 columns of the target that are lags, means, the
exponential mean and the same weekday; ours makes all features of the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.city_inputs import FIRST, STOP, feature_inputs, simulate
from benchmarks.sides import Answer, Row, Side, Target, equal_within

LAGS, WINDOWS, HALF_LIFE, WEEKS = range(1, 29), (7, 28, 91, 364), 14, 8
CHECKED = (
    *(f"target_lag_{k}" for k in LAGS),
    *(f"target_mean_{w}" for w in WINDOWS),
    f"target_ewm_{HALF_LIFE}",
    f"target_same_weekday_mean_{WEEKS}",
)


def our_features(folder: Path, n_cells: int | None = None) -> Callable[[], object]:
    """All features of all days, as the graph makes them."""
    from htrisk_dagster.features.feature_matrix import build_block

    inputs = feature_inputs(folder, n_cells)
    return lambda: build_block(inputs, FIRST, STOP, with_counts=False)


def checked(block: object) -> Answer:
    """Every 37th day of the columns that both sides make."""
    return {name: block.column(name)[::37] for name in CHECKED}  # type: ignore[attr-defined]


def _pandas(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd

    inputs = feature_inputs(folder)
    rows = inputs.target.select(inputs.incidents).drop_nulls("cell_id")
    frame = rows.select("occurred_on", "cell_id").to_pandas()
    n_cells = inputs.grid.n_cells

    def work() -> object:
        days = pd.date_range(FIRST, periods=(STOP - FIRST).days)
        counts = (
            frame.groupby(["occurred_on", "cell_id"]).size().unstack(fill_value=0)
            .reindex(index=days, columns=range(n_cells), fill_value=0).astype("float64")
        )  # fmt: skip
        # The cutoff of a day is the day before it: the newest count known is two days old.
        known = counts.shift(2)
        made = {f"target_lag_{k}": counts.shift(1 + k) for k in LAGS}
        for w in WINDOWS:
            made[f"target_mean_{w}"] = known.rolling(w, min_periods=1).mean()
        made[f"target_ewm_{HALF_LIFE}"] = known.ewm(halflife=HALF_LIFE, adjust=True).mean()
        weekday = [counts.shift(7 * week) for week in range(1, WEEKS + 1)]
        total = sum(each.fillna(0) for each in weekday)
        number = sum(each.notna() for each in weekday)
        made[f"target_same_weekday_mean_{WEEKS}"] = total / number.where(number > 0)
        return {name: values.to_numpy(np.float32) for name, values in made.items()}

    return work


def _answer(made: object) -> Answer:
    return {name: made[name][::37] for name in CHECKED}  # type: ignore[index]


ROW = Row(
    work="panel features, 3 years x 2,800 cells",
    prepare=simulate,
    ours=Side("build_block, all features", our_features, checked),
    usual=Side("pandas, wide frame, 34 features", _pandas, _answer),
    same=equal_within(2e-6),
    target=Target(ratio=15),
    note="Ours makes every feature of the catalogue and counts what was known by each cutoff; pandas makes 34 of them, with one clock.",
)
