"""Every corrupted file of a layout.

Belongs here: the list of all cases. Does not: the corruptions (`row_corruptions`, `file_corruptions`).
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from htrisk_dagster.faults.corrupted_file import Case
from htrisk_dagster.faults.file_corruptions import file_cases, json_cases, table_cases
from htrisk_dagster.faults.row_corruptions import cell_cases, line_cases, swap_cases
from htrisk_dagster.faults.source_samples import Sample


def cases(sample: Sample, seed: int, n_columns: int = 3) -> Iterator[Case]:
    """Every corruption of a good file; rows, places and up to `n_columns` columns drawn by `seed`."""
    rng = np.random.default_rng([seed, *sample.name.encode()])
    yield from cell_cases(sample, rng, n_columns)
    yield from swap_cases(sample, rng, 2 * n_columns)
    if sample.form == "CSV":
        yield from line_cases(sample, rng)
        yield from table_cases(sample)
    yield from file_cases(sample, rng)
    if sample.form in ("JSON", "GeoJSON"):
        yield from json_cases(sample)
