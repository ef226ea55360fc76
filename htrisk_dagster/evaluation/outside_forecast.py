"""A forecast made elsewhere, scored on the same folds by the same metrics as our models.

Belongs here: the check of such a file, its seal, its scores beside the others'. Does not: where
our models' forecasts and the truth lie (`defs`), the metrics (`comparison`).

The order is that of a fold of our own: the forecast is checked whole and sealed, and only then is
the truth asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.errors import SourceError, TableError
from htrisk_dagster.evaluation.backtest import Fold, seal
from htrisk_dagster.evaluation.comparison import compare, to_markdown
from htrisk_dagster.evaluation.training_comparison import fold_scores
from htrisk_dagster.schemas.predictions import OUTSIDE_FORECAST

_FOLD_COLUMNS = (
    ("poisson_deviance", "deviance, per 1,000 cell-days", 1000),
    ("pai_1pct", "PAI at 1%", 1),
    ("average_precision", "average precision, %", 100),
    ("auc", "AUC", 1),
    ("calibration_slope", "calibration slope", 1),
)


@dataclass(frozen=True)
class OutsideScore:
    """How a forecast from outside did, beside the models.

    Parameters
    ----------
    name : str
        What the forecast is called.
    seals : tuple of str
        SHA-256 of each fold's forecast, taken before its truth was read; see `backtest.seal`.
    comparison : DataFrame
        `MODEL_COMPARISON` over the test days of all folds.
    by_fold : DataFrame
        Of `training_comparison.fold_scores`, on all cells.
    n_incidents : dict of str to int
        Reported incidents by mask.
    n_cells : dict of str to int
        Cells by mask.
    """

    name: str
    seals: tuple[str, ...]
    comparison: pl.DataFrame
    by_fold: pl.DataFrame
    n_incidents: Mapping[str, int]
    n_cells: Mapping[str, int]


def read_forecast(
    path: Path, folds: Sequence[Fold], n_cells: int
) -> tuple[NDArray[np.float64], ...]:
    """Read a forecast from CSV or Parquet: expected counts of each fold, shape (D, C).

    Raises
    ------
    SourceError
        Where the file is absent or of another kind, or the rows are not each cell of each test day
        of each fold exactly once, with an expected count above 0. The sentence names the first row.
    """
    if not path.is_file():
        raise SourceError(f"There is no file {path}. Name the forecast to score.")
    if path.suffix not in (".csv", ".parquet"):
        raise SourceError(
            f"{path} has the suffix '{path.suffix}'; a forecast is a .csv or .parquet file."
        )
    try:
        frame = (
            pl.read_csv(path, comment_prefix="#", try_parse_dates=True)
            if path.suffix == ".csv"
            else pl.read_parquet(path, glob=False)
        )
        rows = OUTSIDE_FORECAST.conform(frame)
    except (pl.exceptions.PolarsError, TableError) as error:
        raise SourceError(f"{path} is no forecast: {str(error).splitlines()[0]}") from error
    others = rows.filter(pl.col("fold") >= len(folds))["fold"]
    if len(others):
        raise SourceError(
            f"{path} has rows of fold {others[0]}; the folds are 0 to {len(folds) - 1}. "
            "Forecast the folds of the export, as its header lists them."
        )
    return tuple(_of_fold(path, rows, k, fold, n_cells) for k, fold in enumerate(folds))


def _of_fold(
    path: Path, rows: pl.DataFrame, index: int, fold: Fold, n_cells: int
) -> NDArray[np.float64]:
    """One fold's forecast; the key is checked already, so a whole count is a whole fold."""
    last = fold.test_stop - timedelta(days=1)
    own = rows.filter(fold=index)
    where = f"{path}: fold {index} tests {fold.test_start} to {last}, cells 0 to {n_cells - 1}"
    inside = own["risk_on"].is_between(fold.test_start, last) & (own["cell_id"] < n_cells)
    if not inside.all():
        row = own.filter(~inside).row(0, named=True)
        raise SourceError(f"{where}; it has no cell {row['cell_id']} on {row['risk_on']}.")
    n_days = (fold.test_stop - fold.test_start).days
    day = (own["risk_on"] - fold.test_start).dt.total_days().to_numpy()
    expected = np.full((n_days, n_cells), np.nan)
    expected[day, own["cell_id"].to_numpy()] = own["expected_count"].to_numpy()
    if own.height < n_days * n_cells:
        given = np.zeros((n_days, n_cells), dtype=bool)
        given[day, own["cell_id"].to_numpy()] = True
        at_day, cell = (int(i) for i in np.argwhere(~given)[0])
        raise SourceError(
            f"{where}; {n_days * n_cells - own.height} rows are missing, first cell {cell} on "
            f"{fold.test_start + timedelta(days=at_day)}. Forecast every cell of every test day."
        )
    wrong = ~(np.isfinite(expected) & (expected > 0))
    if wrong.any():
        at_day, cell = (int(i) for i in np.argwhere(wrong)[0])
        raise SourceError(
            f"{where}; the expected count of cell {cell} on "
            f"{fold.test_start + timedelta(days=at_day)} is {expected[at_day, cell]}, and must be "
            "a number above 0: no incident is impossible. Give a small rate instead."
        )
    return expected


def score(
    name: str,
    forecast: Sequence[NDArray[np.float64]],
    folds: Sequence[Fold],
    models: Mapping[str, Sequence[NDArray[np.float64]]],
    read_truth: Callable[[], tuple[Sequence[NDArray[np.floating]], NDArray[np.bool_]]],
    *,
    n_resamples: int,
    seed: int,
) -> OutsideScore:
    """Seal a forecast, then read the truth and compare with the models' sealed forecasts.

    Parameters
    ----------
    name : str
        What the forecast is called; none of the models' names.
    forecast : sequence of array (D, C)
        Of `read_forecast`, one for each fold.
    folds : sequence of Fold
        Adjoining test blocks, in order of time.
    models : dict of str to sequence of array (D, C)
        The models' own forecasts of the folds, `historical_mean` among them.
    read_truth : callable
        Gives the counts of each fold's test days, (D, C) each, and the mask of active cells,
        shape (C,). It is called once, after the seals.
    n_resamples, seed : int
        As in `comparison.compare`.

    Raises
    ------
    SourceError
        Where a model has that name already.
    """
    if name in models:
        raise SourceError(
            f"'{name}' is the name of a model of the program; give the forecast another --name."
        )
    seals = tuple(seal(fold, values) for fold, values in zip(folds, forecast, strict=True))
    # From here on the truth may be read.
    counts, active = read_truth()
    by_model = {**models, name: forecast}
    truth = np.concatenate(counts)
    comparison = compare(
        truth,
        {model: np.concatenate(values) for model, values in by_model.items()},
        active=active,
        n_resamples=n_resamples,
        seed=seed,
    )
    return OutsideScore(
        name,
        seals,
        comparison,
        fold_scores(counts, by_model, active=np.ones_like(active)),
        {"active": int(truth[:, active].sum()), "land": int(truth.sum())},
        {"active": int(active.sum()), "land": active.size},
    )


def score_to_markdown(found: OutsideScore, folds: Sequence[Fold]) -> str:
    """Print seals, the comparison on both masks, and the models by fold."""
    n_days = sum((f.test_stop - f.test_start).days for f in folds)
    parts = [f"# {found.name} beside the models, {folds[0].test_start} to {folds[-1].test_stop}"]
    parts.append(
        "Sealed before the truth was read:\n\n"
        + "\n".join(f"- fold {k}: `{digest}`" for k, digest in enumerate(found.seals))
    )
    for mask, heading in (("active", "On active cells"), ("land", "On all land cells")):
        table = to_markdown(
            found.comparison,
            mask,
            n_days=n_days,
            n_cells=found.n_cells[mask],
            n_incidents=found.n_incidents[mask],
        )
        parts.append(f"## {heading}\n\n{table.rstrip()}")
    lines = [f"| model | fold | {' | '.join(h for _, h, _ in _FOLD_COLUMNS)} |"]
    lines.append("|---" * (len(_FOLD_COLUMNS) + 2) + "|")
    values = {(r["model"], r["fold"], r["metric"]): r["value"] for r in found.by_fold.to_dicts()}
    for model, fold in dict.fromkeys((m, f) for m, f, _ in values):
        figures = ((values[model, fold, m], unit) for m, _, unit in _FOLD_COLUMNS)
        shown = ("not defined" if v is None else f"{unit * v:.4g}" for v, unit in figures)
        lines.append(f"| {model} | {fold} | {' | '.join(shown)} |")
    parts.append("## By fold, on all land cells\n\n" + "\n".join(lines))
    return "\n\n".join(parts) + "\n"
