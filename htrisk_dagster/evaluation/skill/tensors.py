"""The 16 x 16 New York tensors of ST-HSL: unmasked errors, and why the published ones mislead.

Belongs here: the benchmark's file as `FeatureInputs`, its split and its errors. Does not: the steps
of a blind run (`blind_run`), which figures are the published ones (`targets`).

Data set of Li et al. (ICDE 2022, doi 10.1109/ICDE53745.2022.00266): four kinds of felony by day and
3 km cell of a 16 x 16 box, 608 days to train, 30 to validate, 92 to test. Its published errors score
entries above zero alone (`mask = 1 * (label > 0)`), so they never see that nothing happened; 8 or 9
cell-days in 10 are such. Under that mask the constant 1 beats the published model on 7 of 8 figures.
Here every cell-day counts, and the masked error stands beside only to show this.

The box has no precincts: each 4 x 4 square of cells stands for a precinct, each 8 x 8 for a borough.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from htrisk_dagster.errors import SourceError
from htrisk_dagster.evaluation.count_scores import poisson_deviance
from htrisk_dagster.evaluation.skill.blind_run import run_blind
from htrisk_dagster.evaluation.skill.units_of_work import COST
from htrisk_dagster.features.catalogue import ALL_INCIDENTS, TARGET
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.schemas import grid as grid_tables
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.sources.holiday_calendar import holidays_between

FILE = "benchmarks/sthsl_nyc/nyc_tensors_rebuilt.npz"
CATEGORIES = ("burglary", "larceny", "robbery", "assault")
CELL_SIZE_M = 3000
FIRST_DAY = date(2014, 1, 1)
_SPLITS = ("trn", "val", "tst")
_TEST_DAYS = 92
_PRECINCT_CELLS, _BOROUGH_CELLS = 4, 8


def read_tensor(path: Path) -> NDArray[np.int64]:
    """Counts by day, row, column and category, all three splits in order of time.

    Raises
    ------
    SourceError
        Where a split is absent, or they do not have one box and four categories.
    """
    with np.load(path, allow_pickle=False) as stored:
        absent = [name for name in _SPLITS if name not in stored.files]
        if absent:
            raise SourceError(f"{path} lacks the split '{absent[0]}'; it has {stored.files}.")
        tensor = np.concatenate([stored[name] for name in _SPLITS], axis=2).astype(np.int64)
    if tensor.ndim != 4 or tensor.shape[3] != len(CATEGORIES):
        raise SourceError(
            f"{path} has counts of shape {tensor.shape}; rows, columns, days and "
            f"{len(CATEGORIES)} categories are expected."
        )
    return np.moveaxis(tensor, 2, 0)


def tensor_inputs(tensor: NDArray[np.int64], category: str) -> FeatureInputs:
    """Write the counts out as incidents, one row each, so that features are made as for any city.

    Parameters
    ----------
    tensor : int, shape (D, rows, columns, 4)
    category : str
        What is forecast, one of `CATEGORIES`.
    """
    n_days, n_rows, n_cols, _ = tensor.shape
    grid = _grid(n_rows, n_cols)
    day, cell, kind = np.nonzero(tensor.reshape(n_days, n_rows * n_cols, len(CATEGORIES)))
    times = tensor.reshape(n_days, n_rows * n_cols, len(CATEGORIES))[day, cell, kind]
    day, cell, kind = (np.repeat(index, times) for index in (day, cell, kind))
    occurred_on = np.datetime64(FIRST_DAY) + day
    rows = pl.DataFrame(
        {
            "source": ["felonies"] * len(day),
            "offence_group": np.array(CATEGORIES, dtype=object)[kind],
            "occurred_on": occurred_on,
            "reported_on": occurred_on,
            "cell_id": cell,
            "precinct": grid.cells["precinct"].to_numpy()[cell],
            "location_quality": ["exact"] * len(day),
        },
        schema_overrides={"offence_group": pl.String},
    ).with_row_index("incident_id")
    last = FIRST_DAY + timedelta(days=n_days)
    return FeatureInputs(
        grid=grid,
        incidents=grid_tables.INCIDENT_CELLS.conform(
            rows.with_columns(pl.col("incident_id").cast(pl.String))
        ),
        target=Series(TARGET, ("felonies",), (category,)),
        series=(
            Series(ALL_INCIDENTS, ("felonies",)),
            *(Series(name, ("felonies",), (name,)) for name in CATEGORIES),
        ),
        events=staging.EVENTS.empty(),
        mobility=staging.MOBILITY.empty(),
        holidays=raw.HOLIDAYS.conform(
            holidays_between(FIRST_DAY - timedelta(days=31), last + timedelta(days=31))
        ),
        lag_days=1,
        mobility_lag_days={"airport": 45, "transit": 2},
        history_start=FIRST_DAY,
    )


def _grid(n_rows: int, n_cols: int) -> Grid:
    row, col = (axis.ravel() for axis in np.indices((n_rows, n_cols)))

    def block(side: int) -> NDArray[np.int64]:
        return row // side * -(-n_cols // side) + col // side

    table = pl.DataFrame(
        {
            "cell_id": np.arange(n_rows * n_cols),
            "col": col,
            "row": row,
            "x_m": CELL_SIZE_M * (col + 0.5),
            "y_m": CELL_SIZE_M * (row + 0.5),
            "lon": np.zeros(n_rows * n_cols),
            "lat": np.zeros(n_rows * n_cols),
            "land_share": np.ones(n_rows * n_cols),
            "precinct": block(_PRECINCT_CELLS),
            "borough": [f"quarter {number}" for number in block(_BOROUGH_CELLS)],
        }
    )
    return Grid.from_cells(table, "local plane in metres", CELL_SIZE_M)


def errors(counts: ArrayLike, expected: ArrayLike) -> dict[str, float]:
    """MAE, RMSE and deviance over all cell-days, and the benchmark's own masked MAE and MAPE.

    An expectation of 0, no forecast at all, has an infinite deviance wherever something happened.
    The masked errors are means over the cell-days with an incident, MAPE relative to their count.
    """
    observed, forecast = (np.asarray(a, dtype=np.float64) for a in (counts, expected))
    error = np.abs(observed - forecast)
    hit = observed > 0
    return {
        "mae": float(error.mean()),
        "rmse": float(np.sqrt(np.square(error).mean())),
        "poisson_deviance": (
            poisson_deviance(observed, forecast) if (forecast > 0).all() else float("inf")
        ),
        "masked_mae": float(error[hit].mean()),
        "masked_mape": float((error[hit] / observed[hit]).mean()),
    }


def forecast_tensor(data: str, category: str, seed: int) -> dict[str, Any]:
    """Forecast one category on the benchmark's test days, blind, and score every model.

    Returns
    -------
    dict
        `category`, `cell_days`, `zero_share`, `chosen`, `reason`, and `models` with `errors` of each model
        and of the constants 0 and 1.
    """
    tensor = read_tensor(Path(data) / FILE)
    stop = FIRST_DAY + timedelta(days=len(tensor))
    inputs = tensor_inputs(tensor, category)
    run = run_blind(inputs, stop - timedelta(days=_TEST_DAYS), stop, seed=seed)
    scored = {name: errors(run.counts, expected) for name, expected in run.forecasts.items()}
    constants = {
        f"constant {value}": errors(run.counts, np.full(run.counts.shape, float(value)))
        for value in (0, 1)
    }
    return {
        "category": category,
        "cell_days": run.counts.size,
        "zero_share": float((run.counts == 0).mean()),
        "incidents": int(run.counts.sum()),
        "chosen": run.chosen,
        "reason": run.reason,
        COST: dict(run.cpu_seconds),
        "sealed": dict(run.seals),
        "models": {**constants, **scored},
    }
