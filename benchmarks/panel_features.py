"""Panel features, against vectorised pandas: a long frame, groupby and transform, a merge for neighbours.

It makes every feature of incidents (`from_incidents`); ours makes these and those of events,
passengers and the calendar. A quarter of the cells, on both sides: the long frame of all would
not fit into memory beside its merges.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.city_inputs import FIRST, STOP, feature_inputs, simulate
from benchmarks.sides import Answer, Row, Side, Target, equal_within

N_CELLS = 800
WINDOWS, SHORT, HALF_LIFE, WEEKS = (7, 28, 91, 364), (28, 364), 14, 8
LAGS = {"target": 28, "incidents": 7}
# Every so many days are compared.
STEP = 37


def our_features(folder: Path, n_cells: int | None = None) -> Callable[[], object]:
    """All features of all days, as the graph makes them."""
    from htrisk_dagster.features.feature_matrix import build_block

    inputs = feature_inputs(folder, n_cells)
    build_block(
        inputs, FIRST, FIRST + timedelta(days=1), with_counts=False
    )  # imports are not timed
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


def some_days(made: Any) -> Answer:
    """Some days of what a usual way has made."""
    assert isinstance(made, Mapping)
    return {name: values[::STEP] for name, values in made.items()}


def _pandas(folder: Path) -> Callable[[], object]:
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
    usual=Side("pandas, groupby and transform", _pandas, some_days),
    same=equal_within(1e-5),
    target=Target(ratio=15),
    note="Ours makes every feature and counts what was known by each cutoff.",
)
