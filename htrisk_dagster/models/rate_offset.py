"""What is already known of every cell-day, as the offset that the learners correct.

Belongs here: the log of the empirical-Bayes rate, cross-fitted by blocks of days for the rows that
are trained on. Does not: empirical Bayes itself (`empirical_bayes`), what is learned on top
(`boosted_trees`, `lstm`).

A learner predicts log E[count] = offset + correction, so that a correction of 0 is empirical Bayes
to the bit. An empirical-Bayes rate has seen the counts it was fitted on: as an offset of the same
rows it would explain away what a learner should find, and hide what it does not know itself. The
offset of a training row therefore comes from a fit on the other blocks of days (cross-fitting,
Chernozhukov et al. 2018), whose error is of the size it will have on days to come.

All learners of a training ask for the offsets of the same blocks, which cost most of a fit on rare
events. The newest are kept under the digest of what they depend on: the counts, and the two fifths of
the features that empirical Bayes reads.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state
from htrisk_dagster.models.count_model import training_counts
from htrisk_dagster.models.empirical_bayes import EmpiricalBayes, columns_read

_STATE = "rate_offset.json"
# The folds and the last fit of one training.
_KEPT = 8
_Key = tuple[str, int]
_log_rates: dict[_Key, NDArray[np.float64]] = {}
_on_all_days: dict[_Key, EmpiricalBayes] = {}
_T = TypeVar("_T")


def block_edges(n_days: int, n_blocks: int) -> NDArray[np.int64]:
    """First day of each of K blocks that days are cut into, and the number of days, shape (K + 1,)."""
    return np.linspace(0, n_days, n_blocks + 1).astype(np.int64)


def offsets(block: CellDayBlock, n_blocks: int) -> tuple[NDArray[np.float64], RateOffset]:
    """Offset of every cell-day that is trained on, and of days to come.

    The first by an empirical Bayes that has not seen the counts of its block of days, the second by
    one fitted on all days.

    Parameters
    ----------
    block : CellDayBlock
        With counts, and at least one day a block.
    n_blocks : int
        K, at least 2. With 5, each fit has four fifths of the days, and of a cell's rate nearly as
        much is known as at the end; fewer cost less.

    Returns
    -------
    log_rates : float64, shape (D, C)
        Read-only.
    offset : RateOffset

    References
    ----------
    Chernozhukov, V. et al. (2018). Double/debiased machine learning for treatment and structural
    parameters. Econometrics Journal 21.
    """
    counts = training_counts(block)
    known = block.select(columns_read(block.names))
    digest = _digest(known)
    log_rates = _kept(_log_rates, (digest, n_blocks), lambda: _cross_fit(known, n_blocks))
    model = _kept(_on_all_days, (digest, 0), lambda: _fit_on_all_days(known))
    total = max(float(counts.sum(dtype=np.float64)), 0.5)
    return log_rates, RateOffset(model, math.log(total / counts.size))


def _cross_fit(block: CellDayBlock, n_blocks: int) -> NDArray[np.float64]:
    counts = training_counts(block)
    edges = block_edges(block.n_days, n_blocks)
    log_rates = np.empty(counts.shape, dtype=np.float64)
    for start, stop in pairwise(edges):
        model = EmpiricalBayes()
        model.fit(_without(block, counts, start, stop), seed=0)
        held_out = replace(
            block, days=block.days[start:stop], features=block.features[start:stop], counts=None
        )
        log_rates[start:stop] = np.log(model.predict(held_out))
    log_rates.flags.writeable = False
    return log_rates


def _fit_on_all_days(block: CellDayBlock) -> EmpiricalBayes:
    model = EmpiricalBayes()
    model.fit(block, seed=0)
    return model


def _digest(block: CellDayBlock) -> str:
    """Everything that an offset depends on, as a digest."""
    digest = hashlib.sha256(repr((block.names, block.features.shape)).encode())
    for part in (
        block.days.astype(np.int64),
        block.precinct_index,
        block.borough_index,
        training_counts(block),
        block.features,
    ):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


def _kept(kept: dict[_Key, _T], key: _Key, make: Callable[[], _T]) -> _T:
    """Return what is kept under the key, else make it; the oldest goes when there are too many."""
    if key not in kept:
        made = make()
        while len(kept) >= _KEPT:
            del kept[next(iter(kept))]
        kept[key] = made
    return kept[key]


def _without(
    block: CellDayBlock, counts: NDArray[np.float32], start: int, stop: int
) -> CellDayBlock:
    """The days around a block of days; views where there are days on one side only."""
    days: slice | NDArray[np.int64] = np.r_[0:start, stop : block.n_days]
    if start == 0:
        days = slice(stop, block.n_days)
    elif stop == block.n_days:
        days = slice(0, start)
    return replace(block, days=block.days[days], features=block.features[days], counts=counts[days])


@dataclass(frozen=True)
class RateOffset:
    """Offset of days to come: empirical Bayes on all training days.

    Parameters
    ----------
    model : EmpiricalBayes
        Fitted.
    log_city_mean : float
        Log of the incidents per cell-day of the training days, of half an incident where there was
        none: from here reasons are counted.
    """

    model: EmpiricalBayes
    log_city_mean: float

    def rates(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Rate of every cell-day, shape (D, C), in an array of its own."""
        return self.model.predict(block)

    def to_bytes(self) -> dict[str, bytes]:
        """The files of empirical Bayes, and JSON with the city's mean."""
        return {
            **self.model.to_bytes(),
            _STATE: json_bytes({"log_city_mean": self.log_city_mean}),
        }

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote, among the files of a learner."""
        return cls(
            EmpiricalBayes.from_bytes(files), float(json_state(files[_STATE])["log_city_mean"])
        )
