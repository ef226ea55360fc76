"""Lags and window counts as notebooks make them: groupby a cell, then apply over its days.

Every number is a comparison of all the cell's incidents with one day. Thirty cells on both sides,
and on the usual side only the 32 lags and means of the target: it is slow enough with these.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.city_inputs import FIRST, STOP, feature_inputs, simulate
from benchmarks.panel_features import LAGS, STEP, WINDOWS, incident_frames, our_features, some_days
from benchmarks.sides import Answer, Row, Side, Target, equal_within

N_CELLS = 30
_NAMES = [*(f"target_lag_{k}" for k in range(1, LAGS["target"] + 1)),
          *(f"target_mean_{w}" for w in WINDOWS)]  # fmt: skip


def _notebook(folder: Path) -> Callable[[], object]:
    import numpy as np
    import pandas as pd

    frame = incident_frames(feature_inputs(folder, N_CELLS))["target"]

    def work() -> object:
        days = pd.Series(pd.date_range(FIRST, periods=(STOP - FIRST).days))
        since = days.iloc[0]

        def features_of_cell(when: pd.Series) -> pd.DataFrame:
            made = {}
            for k in range(1, LAGS["target"] + 1):
                lag = days.apply(lambda day, k=k: (when == day - pd.Timedelta(days=1 + k)).sum())
                made[f"target_lag_{k}"] = lag.where(days >= since + pd.Timedelta(days=1 + k))
            for w in WINDOWS:
                counts = days.apply(
                    lambda day, w=w: (
                        (when < day - pd.Timedelta(days=1))
                        & (when >= day - pd.Timedelta(days=1 + w))
                    ).sum()
                )
                known = ((days - since).dt.days - 1).clip(0, w)
                made[f"target_mean_{w}"] = counts / known.where(known > 0)
            return pd.DataFrame(made)

        by_cell = dict(list(frame.groupby("cell_id")["occurred_on"]))
        none = frame["occurred_on"].iloc[:0]
        made = [features_of_cell(by_cell.get(cell, none)) for cell in range(N_CELLS)]
        return {n: np.column_stack([m[n].to_numpy(np.float32) for m in made]) for n in _NAMES}

    return work


def _checked(block: Any) -> Answer:
    return {name: block.column(name)[::STEP] for name in _NAMES}


ROW = Row(
    work=f"panel features, 3 years x {N_CELLS} cells",
    prepare=simulate,
    ours=Side("build_block, every feature", partial(our_features, n_cells=N_CELLS), _checked),
    usual=Side("a notebook: groupby and apply, 32 features", _notebook, some_days),
    same=equal_within(1e-5),
    target=Target(ratio=50),
    repeats=1,
)
