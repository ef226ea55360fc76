"""A small city as a block with lags, two folds and late reports, and the set made from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
from htrisk_dagster.evaluation.backtest import Fold, rolling_origin_folds
from htrisk_dagster.evaluation.exchange import FoldSet, Origin, fold_set
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import FeatureSpec
from numpy.typing import NDArray

FIRST = np.datetime64("2015-01-01")
N_DAYS, N_CELLS, DELAY_DAYS = 90, 12, 3
NAMES = (*(f"target_lag_{k}" for k in range(1, 9)), "target_mean_28", "weekday_sin", "absent")


def simulate() -> CellDayBlock:
    """Counts of rates that differ by cell, their lags, and awkward numbers in one column."""
    rng = np.random.default_rng(5)
    rates = rng.lognormal(-1, 1, N_CELLS)
    history = rng.poisson(rates, (N_DAYS + 40, N_CELLS)).astype(np.float32)
    lags = [history[40 - 1 - k : N_DAYS + 40 - 1 - k] for k in range(1, 29)]
    days = FIRST + np.arange(N_DAYS)
    awkward = np.sin(np.arange(N_DAYS * N_CELLS, dtype=np.float32) / 7).reshape(N_DAYS, N_CELLS)
    awkward[3, :4] = [-0.0, np.float32(1e-42), np.float32(3.4e38), np.nan]
    columns = [*lags[:8], np.mean(lags, axis=0), awkward, np.full_like(awkward, np.nan)]
    precinct = (np.arange(N_CELLS) // 3).astype(np.int32)
    return CellDayBlock(
        days=days,
        features=np.stack(columns, axis=-1).astype(np.float32),
        names=NAMES,
        precinct_index=precinct,
        borough_index=(precinct // 2).astype(np.int32),
        counts=history[40:],
    )


def known_by(block: CellDayBlock) -> Callable[[date], NDArray[np.float32]]:
    """Labels as they stood: every incident is reported three days after it occurred."""

    def counts(day: date) -> NDArray[np.float32]:
        known = block.counts.copy()
        known[block.days + DELAY_DAYS >= np.datetime64(day)] = 0
        return known

    return counts


def two_folds() -> tuple[Fold, ...]:
    return rolling_origin_folds(
        date(2015, 1, 1), date(2015, 3, 26), n_folds=2, test_days=14, gap_days=4
    )


def catalogue() -> tuple[FeatureSpec, ...]:
    return tuple(FeatureSpec(n, "unit", "somewhere", "none", f"What {n} is, in %.") for n in NAMES)


def small_fold_set(block: CellDayBlock | None = None, **given: object) -> FoldSet:
    block = block or simulate()
    origin = Origin("toy", "robbery", "2015-04-01", date(2015, 3, 31), 1, "abc")
    arguments: dict[str, object] = {"counts_known_by": known_by(block), **given}
    return fold_set(origin, catalogue(), two_folds(), block, **arguments)  # type: ignore[arg-type]


def with_features(data: FoldSet, features: NDArray[np.float32]) -> FoldSet:
    return replace(data, block=replace(data.block, features=features))
