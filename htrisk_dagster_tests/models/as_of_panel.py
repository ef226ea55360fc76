"""Blocks made from a panel of counts: the target's lags and means, exact and as of each cutoff."""

from __future__ import annotations

import numpy as np
from htrisk_dagster.features.block import CellDayBlock
from numpy.typing import NDArray


def panel_block(counts: NDArray[np.floating], n_days: int, n_cols: int) -> CellDayBlock:
    """The last `n_days` of a panel (T, C) of at least 364 days more; cells fill rows of `n_cols`.

    The cutoff is the start of each day: lag 1 is the day before.
    """
    running = np.concatenate([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    cutoff = np.arange(len(counts) - n_days, len(counts))
    columns = {f"target_lag_{k}": counts[cutoff - k] for k in range(1, 29)}
    for w in (28, 91, 364):
        columns[f"target_mean_{w}"] = (running[cutoff] - running[cutoff - w]) / w
    row, col = np.divmod(np.arange(counts.shape[1]), n_cols)
    shape = (n_days, counts.shape[1])
    columns["x_km"] = np.broadcast_to(0.5 * col, shape)
    columns["y_km"] = np.broadcast_to(0.5 * row, shape)
    city = columns["target_mean_28"].mean(axis=1, keepdims=True)
    columns["city_target_mean_28"] = np.broadcast_to(city, shape)
    precinct = (row // 6 * (n_cols // 6 + 1) + col // 6).astype(np.int32)
    return CellDayBlock(
        days=np.datetime64("2015-01-01") + np.arange(n_days),
        features=np.stack(list(columns.values()), axis=-1).astype(np.float32),
        names=tuple(columns),
        precinct_index=precinct,
        borough_index=np.zeros(counts.shape[1], dtype=np.int32),
        counts=counts[cutoff].astype(np.float32),
    )
