"""Panel features as notebooks make them: a long frame, groupby and transform, a merge for neighbours.

Some of the cells, on both sides: the whole city would take the usual way an hour and more memory
than there is.
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

N_CELLS = 200


def _notebook(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd
    from htrisk_dagster.grid.neighbours import queen_contiguity

    inputs = feature_inputs(folder, N_CELLS)
    frames = incident_frames(inputs)
    edges = queen_contiguity(inputs.grid).tocoo()
    pairs = pd.DataFrame({"cell_id": edges.row, "neighbour": edges.col})
    precinct = inputs.grid.cells["precinct"].to_numpy()

    def work() -> object:
        days = pd.date_range(FIRST, periods=(STOP - FIRST).days)
        index = pd.MultiIndex.from_product([range(N_CELLS), days], names=["cell_id", "day"])
        panel = pd.DataFrame(index=index).reset_index()
        panel["precinct"] = precinct[panel["cell_id"]]
        made: dict[str, Any] = {}
        for name, frame in frames.items():
            counts = frame.groupby(["cell_id", "occurred_on"]).size()
            panel["n"] = counts.reindex(index, fill_value=0).to_numpy(float)
            by_cell = panel.groupby("cell_id")["n"]
            for w in WINDOWS if name in LAGS else SHORT:
                made[f"{name}_mean_{w}"] = by_cell.transform(
                    lambda n, w=w: n.shift(2).rolling(w, min_periods=1).mean()
                )
            panel["of_precinct"] = panel.groupby(["precinct", "day"])["n"].transform("mean")
            made[f"precinct_{name}_mean_364"] = panel.groupby("cell_id")["of_precinct"].transform(
                lambda n: n.shift(2).rolling(364, min_periods=1).mean()
            )
            if name not in LAGS:
                continue
            for k in range(1, LAGS[name] + 1):
                made[f"{name}_lag_{k}"] = by_cell.transform(lambda n, k=k: n.shift(1 + k))
            for w in SHORT:
                own = panel[["cell_id", "day"]].assign(value=made[f"{name}_mean_{w}"])
                around = pairs.merge(own.rename(columns={"cell_id": "neighbour"}), on="neighbour")
                mean = around.groupby(["cell_id", "day"])["value"].mean()
                made[f"{name}_near_mean_{w}"] = mean.reindex(index)
            made[f"{name}_ewm_{HALF_LIFE}"] = by_cell.transform(
                lambda n: n.shift(2).ewm(halflife=HALF_LIFE).mean()
            )
            made[f"{name}_same_weekday_mean_{WEEKS}"] = by_cell.transform(
                lambda n: pd.concat([n.shift(7 * w) for w in range(1, WEEKS + 1)], axis=1).mean(
                    axis=1
                )
            )
            if name == "target":
                panel["of_city"] = panel.groupby("day")["n"].transform("mean")
                made["city_target_mean_28"] = panel.groupby("cell_id")["of_city"].transform(
                    lambda n: n.shift(2).rolling(28, min_periods=1).mean()
                )
        shape = (N_CELLS, len(days))
        return {n: values.to_numpy(np.float32).reshape(shape).T for n, values in made.items()}

    return work


ROW = Row(
    work=f"panel features, 3 years x {N_CELLS} cells",
    prepare=simulate,
    ours=Side("build_block", partial(our_features, n_cells=N_CELLS), checked),
    usual=Side("pandas, groupby and transform", _notebook, some_days),
    same=equal_within(1e-5),
    target=Target(ratio=50),
    repeats=1,
    note="Ours makes every feature and counts what was known by each cutoff.",
)
