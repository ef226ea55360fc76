"""Forecasts of blind folds as one file that loads without running code.

Belongs here: there and back to the bit. Does not: where the file lies (`warehouse/model_files`).
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.artifacts import npz_arrays

FOLDS_FILE = "folds.npz"


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
