"""Fitted state as bytes that load without running code: NPZ without pickles, and JSON.

Belongs here: the two encodings the models share. Does not: which state a model keeps (each
model's `to_bytes`), files on disk.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray


def npz_bytes(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as an NPZ; equal arrays give equal bytes, since NumPy dates every member 1980."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **dict(arrays))
    return buffer.getvalue()


def npz_arrays(content: bytes) -> dict[str, NDArray[Any]]:
    """Arrays of `npz_bytes`, equal to the bit; a pickled member raises ValueError."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def json_bytes(state: Mapping[str, Any]) -> bytes:
    """State as JSON with sorted keys; floats are written so that they read back equal."""
    return json.dumps(state, sort_keys=True, indent=1, allow_nan=False).encode()


def json_state(content: bytes) -> dict[str, Any]:
    """State of `json_bytes`."""
    return cast("dict[str, Any]", json.loads(content))
