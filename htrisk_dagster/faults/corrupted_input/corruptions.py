"""Every corrupted file of a layout.

Belongs here: the list of all cases, and as many different ones as are asked for. Does not: the
corruptions (`row_corruptions`, `file_corruptions`, `json_corruptions`, `archive_corruptions`).
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import numpy as np

from htrisk_dagster.faults.corrupted_input.archive_corruptions import archive_cases
from htrisk_dagster.faults.corrupted_input.corrupted_file import Case
from htrisk_dagster.faults.corrupted_input.file_corruptions import (
    cut_cases,
    file_cases,
    table_cases,
)
from htrisk_dagster.faults.corrupted_input.json_corruptions import json_cases
from htrisk_dagster.faults.corrupted_input.row_corruptions import (
    cell_cases,
    line_cases,
    several_cases,
    swap_cases,
)
from htrisk_dagster.faults.corrupted_input.sample import Sample

_MOST_ROUNDS = 100


def cases(sample: Sample, seed: int, n_columns: int = 3) -> Iterator[Case]:
    """Every corruption of a good file; rows, places and up to `n_columns` columns drawn by `seed`."""
    rng = np.random.default_rng([seed, *sample.name.encode()])
    yield from cell_cases(sample, rng, n_columns)
    yield from several_cases(sample, rng, 4 * n_columns)
    yield from swap_cases(sample, rng, 2 * n_columns)
    yield from cut_cases(sample, rng, n_columns)
    if sample.form == "CSV":
        yield from line_cases(sample, rng)
        yield from table_cases(sample)
    if sample.form == "ZIP":
        yield from archive_cases(sample, rng)
    if sample.way != "service":
        yield from file_cases(sample, rng)
    if sample.form in ("JSON", "GeoJSON", "ArcGIS"):
        yield from json_cases(sample)


def different_cases(
    sample: Sample, n_rounds: int, at_least: int = 0, n_columns: int = 3
) -> Iterator[Case]:
    """Cases of `n_rounds` seeds, and of further ones until there are `at_least`; no file twice."""
    seen: set[bytes] = set()
    for seed in range(max(n_rounds, _MOST_ROUNDS)):
        if seed >= n_rounds and len(seen) >= at_least:
            return
        for case in cases(sample, seed, n_columns):
            fingerprint = sha256(case.content).digest() + case.size_bytes.to_bytes(8, "big")
            if fingerprint not in seen:
                seen.add(fingerprint)
                yield case
