"""Panel features as notebooks make them: a loop over cells with groupby and apply.

A seventh of the cells, on both sides: the whole city would take the usual way an hour.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks.city_inputs import FIRST, STOP, feature_inputs, simulate
from benchmarks.panel_features import CHECKED, HALF_LIFE, LAGS, WEEKS, WINDOWS, checked, our_features
from benchmarks.sides import Answer, Row, Side, Target, equal_within

N_CELLS = 400


def _notebook(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd

    inputs = feature_inputs(folder, N_CELLS)
    rows = inputs.target.select(inputs.incidents).drop_nulls("cell_id")
    frame = rows.select("occurred_on", "cell_id").to_pandas()

    def features_of_cell(group: pd.DataFrame) -> pd.DataFrame:
        n = group["n"]
        made = {f"target_lag_{k}": n.shift(1 + k) for k in LAGS}
        for w in WINDOWS:
            made[f"target_mean_{w}"] = n.shift(2).rolling(w, min_periods=1).mean()
        made[f"target_ewm_{HALF_LIFE}"] = n.shift(2).ewm(halflife=HALF_LIFE).mean()
        same = pd.concat([n.shift(7 * week) for week in range(1, WEEKS + 1)], axis=1)
        made[f"target_same_weekday_mean_{WEEKS}"] = same.mean(axis=1)
        return pd.DataFrame(made)

    def work() -> object:
        days = pd.date_range(FIRST, periods=(STOP - FIRST).days)
        index = pd.MultiIndex.from_product([range(N_CELLS), days], names=["cell_id", "day"])
        counts = frame.groupby(["cell_id", "occurred_on"]).size()
        panel = counts.reindex(index, fill_value=0).astype(float).rename("n").reset_index()
        made = panel.groupby("cell_id", group_keys=False).apply(features_of_cell)
        shape = (N_CELLS, len(days))
        return {name: made[name].to_numpy(np.float32).reshape(shape).T for name in CHECKED}

    return work


def _answer(made: object) -> Answer:
    return {name: made[name][::37] for name in CHECKED}  # type: ignore[index]


ROW = Row(
    work=f"panel features, 3 years x {N_CELLS} cells",
    prepare=simulate,
    ours=Side("build_block, all features", partial(our_features, n_cells=N_CELLS), checked),
    usual=Side("pandas, groupby and apply, 34 features", _notebook, _answer),
    same=equal_within(2e-6),
    target=Target(ratio=50),
)
