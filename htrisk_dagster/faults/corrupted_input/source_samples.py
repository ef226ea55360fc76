"""A small good file of every layout that is read, for faults to be planted in.

Belongs here: the list. Does not: the rows (one module for each kind of publisher), faults
(`corruptions`), nor anything random: a sample is always the same.

Every row differs from the others in each column that tells rows apart, so that what became of one
row can be followed to the end.
"""

from __future__ import annotations

from functools import cache

from htrisk_dagster.faults.corrupted_input.city_samples import city_samples
from htrisk_dagster.faults.corrupted_input.ctdc_samples import ctdc_samples
from htrisk_dagster.faults.corrupted_input.new_york_samples import new_york_samples
from htrisk_dagster.faults.corrupted_input.nibrs_samples import nibrs_samples
from htrisk_dagster.faults.corrupted_input.sample import Sample


@cache
def source_samples() -> tuple[Sample, ...]:
    """One good file of every layout."""
    return (*new_york_samples(), *city_samples(), *nibrs_samples(), *ctdc_samples())
