"""Loader of a registered model: MLflow's pyfunc over our own files, no pickle, no code run.

Belongs here: the two functions that MLflow calls. Does not: logging (`mlflow_tracking.py`).
https://mlflow.org/docs/latest/ml/model (loader_module)
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.stacked_model import StackedModel
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import CountModel, load_model

if TYPE_CHECKING:
    import pandas as pd

_INDEX = ("risk_on", "cell_id", "precinct_index", "borough_index")


class RegisteredModel:
    """Predicts on a frame that holds all cells of each of its days."""

    def __init__(self, model: CountModel | StackedModel) -> None:
        self.model = model

    def predict(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """Expected counts of the rows, in their order.

        Raises
        ------
        ValueError
            Where the rows are not every cell of every day exactly once.
        """
        names = tuple(c for c in frame.columns if c not in _INDEX)
        ordered = frame.reset_index(drop=True).sort_values(["risk_on", "cell_id"], kind="stable")
        days = np.unique(ordered["risk_on"].to_numpy().astype("datetime64[D]"))
        n_days, n_cells = len(days), ordered["cell_id"].nunique()
        if len(ordered) != n_days * n_cells:
            raise ValueError(
                f"{len(ordered)} rows are not {n_days} days of {n_cells} cells: give every cell of "
                "every day once."
            )
        block = CellDayBlock(
            days=days,
            features=ordered[list(names)].to_numpy(np.float32).reshape(n_days, n_cells, len(names)),
            names=names,
            precinct_index=ordered["precinct_index"].to_numpy(np.int32)[:n_cells],
            borough_index=ordered["borough_index"].to_numpy(np.int32)[:n_cells],
        )
        expected = np.empty(len(ordered))
        expected[ordered.index.to_numpy()] = self.model.predict(block).reshape(-1)
        return expected


def _load_pyfunc(path: str) -> RegisteredModel:
    """Called by MLflow with the folder of the model's files."""
    files = {p.name: p.read_bytes() for p in sorted(Path(path).iterdir())}
    name = files.pop("name.txt").decode()
    model = StackedModel.from_bytes(files) if name == STACK else load_model(name, files)
    return RegisteredModel(model)
