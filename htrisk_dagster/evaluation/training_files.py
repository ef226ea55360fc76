"""A training as files that load without running code, to come back from another machine.

Belongs here: every number of a `Training`, there and back to the bit. Does not: where files lie, the
model's own files, which are the model's (`CountModel.to_bytes`).
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import date

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.backtest import Fold, FoldResult
from htrisk_dagster.evaluation.training import Training
from htrisk_dagster.models.artifacts import json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.count_model import FitResult

FOLDS_FILE = "folds.npz"
_STATE = "training.json"
_MODEL = "model/"


def fold_files(forecasts: Sequence[NDArray[np.float64]]) -> dict[str, bytes]:
    """Forecasts of blind folds, in order of time, as the file that `fold_forecasts` reads."""
    buffer = io.BytesIO()
    named = {str(i): forecast for i, forecast in enumerate(forecasts)}
    np.savez_compressed(buffer, **named)  # type: ignore[arg-type]
    return {FOLDS_FILE: buffer.getvalue()}


def fold_forecasts(files: Mapping[str, bytes]) -> list[NDArray[np.float64]]:
    """Forecasts of `fold_files`, in order of time."""
    arrays = npz_arrays(files[FOLDS_FILE])
    return [arrays[name] for name in sorted(arrays, key=int)]


def training_to_files(training: Training) -> dict[str, bytes]:
    """All of a training: the model, its last fit, and what each fold gave."""
    state = {
        "fit": asdict(training.fit),
        "dispersion": training.dispersion,
        "folds": [
            {
                "fold": {name: day.isoformat() for name, day in asdict(each.fold).items()},
                "fit": asdict(each.fit),
                "digest": each.digest,
                "metrics": each.metrics,
            }
            for each in training.folds
        ],
    }
    return {
        # Python's JSON, which has NaN: a fold without incidents has no AUC.
        _STATE: json.dumps(state, sort_keys=True).encode(),
        FOLDS_FILE: npz_bytes({str(i): f.forecast for i, f in enumerate(training.folds)}),
        **{f"{_MODEL}{name}": content for name, content in training.files.items()},
    }


def training_from_files(files: Mapping[str, bytes]) -> Training:
    """Read what `training_to_files` wrote."""
    state = json_state(files[_STATE])
    folds = tuple(
        FoldResult(
            Fold(**{name: date.fromisoformat(day) for name, day in each["fold"].items()}),
            FitResult(**each["fit"]),
            forecast,
            each["digest"],
            each["metrics"],
        )
        for each, forecast in zip(state["folds"], fold_forecasts(files), strict=True)
    )
    model = {n.removeprefix(_MODEL): c for n, c in files.items() if n.startswith(_MODEL)}
    return Training(model, FitResult(**state["fit"]), folds, state["dispersion"])
