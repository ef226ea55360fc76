"""New York's felonies by week in the manner of the NIJ challenge: PAI and PEI of a plain density.

Belongs here: the one unit that reproduces the weekly anchors of reference/field.md 1.1. Does not: the
anchors (`targets`), daily forecasts (`felonies`).

183 m cells (600 ft), 13 weeks from 2015-10-01, each ranked by a Gaussian density of all incidents
before it. Shares of area are of 784 km² of land. The anchors do not state their bandwidth: 150 m is
the one that comes closest to them. Nothing is forecast with it, so nothing is tuned on a test.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.skill.felonies import GROUPS, TEST_START
from htrisk_dagster.evaluation.skill.real_city import FELONIES, Lattice, read_incidents

CELL_SIZE_M = 183
BANDWIDTH_M = 150.0
LAND_KM2 = 784.0
SHARES = (0.0017, 0.005, 0.01)
N_WEEKS = 13

Array = NDArray[np.float64]


def score_weeks(data: str) -> dict[str, Any]:
    """Mean PAI and PEI over the weeks, by series and share of area.

    Returns
    -------
    dict
        By series of `felonies.GROUPS`: `incidents_per_week`, and `pai` and `pei` in the order of
        `SHARES`.
    """
    felonies = read_incidents(Path(data) / "nyc" / "complaints", FELONIES)
    west, south = (float(felonies[axis].to_numpy().min()) for axis in ("lon", "lat"))
    col, row = Lattice(west, south, CELL_SIZE_M).squares(felonies).T
    shape = (int(row.max()) + 1, int(col.max()) + 1)
    placed = felonies.with_columns(square=pl.Series(row * shape[1] + col))
    scores = {}
    for series, groups in GROUPS.items():
        rows = placed.filter(pl.col("offence_group").is_in(groups)) if groups else placed
        scores[series] = _score_series(rows, shape)
    return scores


def _score_series(rows: pl.DataFrame, shape: tuple[int, int]) -> dict[str, Any]:
    from scipy.ndimage import gaussian_filter

    def counted(chosen: pl.Expr) -> Array:
        squares = rows.filter(chosen)["square"].to_numpy()
        return np.bincount(squares, minlength=shape[0] * shape[1]).astype(np.float64)

    day = pl.col("occurred_on")
    pai, pei, incidents = [], [], 0.0
    for week in range(N_WEEKS):
        start = TEST_START + timedelta(days=7 * week)
        known = counted(day < start).reshape(shape)
        density = gaussian_filter(known, BANDWIDTH_M / CELL_SIZE_M).ravel()
        counts = counted(day.is_between(start, start + timedelta(days=6)))
        found = [_shares_found(counts, density, share) for share in SHARES]
        pai.append([p for p, _ in found])
        pei.append([e for _, e in found])
        incidents += counts.sum()
    return {
        "incidents_per_week": incidents / N_WEEKS,
        "pai": np.mean(pai, axis=0),
        "pei": np.mean(pei, axis=0),
    }


def _shares_found(counts: Array, density: Array, share: float) -> tuple[float, float]:
    n_cells = max(1, round(share * LAND_KM2 * 1e6 / CELL_SIZE_M**2))
    hits = counts[np.argsort(-density, kind="stable")[:n_cells]].sum()
    best = np.sort(counts)[-n_cells:].sum()
    return float(hits / counts.sum() / share), float(hits / best)
