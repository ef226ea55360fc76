"""Features, labels and folds as one set that leaves the program: for a model of one's own.

Belongs here: what such a set holds, what a fold may see of the labels, and the digest that vouches
for it. Does not: files (`exchange_files`), scoring what comes back (`outside_forecast`).

The labels are those each fold may train on and no others: as they stood at its cutoff, on its
training days, missing elsewhere. The truth of the test days does not leave; a forecast is scored
here, sealed first. A set has one digest whatever the format it travels in.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.evaluation.backtest import CountsKnownBy, Fold
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.features.catalogue import FeatureSpec
from htrisk_dagster.features.sequences import sequence_columns

FORMAT = "htrisk-folds-1"
_NAN = np.float32("nan")


@dataclass(frozen=True)
class Origin:
    """What a set was taken from.

    Parameters
    ----------
    area, target : str
        Study area, and what is forecast.
    month : str
        First day on which the models of these folds may be used.
    known_before : date
        Nothing reported on or after this day is in the set.
    publication_lag_days : int
        A feature of day D uses rows reported before D less this many days.
    made_from : str
        Fingerprint of the code, declarations and rows behind the newest day's features.
    """

    area: str
    target: str
    month: str
    known_before: date
    publication_lag_days: int
    made_from: str


@dataclass(frozen=True, eq=False)
class FoldSet:
    """Features of D days and C cells, and the labels of K folds.

    Parameters
    ----------
    origin : Origin
    catalogue : tuple of FeatureSpec, length F
        The features in the order of the block's last axis.
    folds : tuple of Fold
        All of their days lie in the block.
    block : CellDayBlock
        Without counts.
    labels : float32, shape (K, D, C)
        Counts each fold may train on; NaN on days it must not see.
    """

    origin: Origin
    catalogue: tuple[FeatureSpec, ...]
    folds: tuple[Fold, ...]
    block: CellDayBlock
    labels: NDArray[np.float32]

    def __post_init__(self) -> None:
        """Check that the parts belong together."""
        names = tuple(f.name for f in self.catalogue)
        if names != self.block.names:
            raise ValueError(f"The catalogue lists {names}, the block has {self.block.names}.")
        wanted = (len(self.folds), self.block.n_days, self.block.n_cells)
        if self.labels.shape != wanted:
            raise ValueError(f"Labels have shape {self.labels.shape}; the folds need {wanted}.")
        if self.block.counts is not None:
            raise ValueError("The block of a fold set carries no counts: they are the truth.")

    def sequences(self, day: int) -> NDArray[np.float32]:
        """Seven-day sequences of one day's cells, shape (C, 7, N), lag 7 first."""
        lag_index = sequence_columns(self.block.names).lag_index
        return np.take(self.block.features[day], lag_index, axis=1)

    def training_block(self, fold: int) -> CellDayBlock:
        """Training days of a fold with the labels it may see."""
        chosen = self.folds[fold]
        return replace(self.block, counts=self.labels[fold]).between(
            np.datetime64(chosen.train_start), np.datetime64(chosen.train_stop)
        )

    def test_block(self, fold: int) -> CellDayBlock:
        """Test days of a fold, to forecast."""
        chosen = self.folds[fold]
        return self.block.between(np.datetime64(chosen.test_start), np.datetime64(chosen.test_stop))

    def header(self) -> dict[str, Any]:
        """Describe the set in plain values; `from_header` reads them back."""
        found = sequence_columns(self.block.names)
        lag = self.origin.publication_lag_days
        return {
            "format": FORMAT,
            **{k: str(v) if isinstance(v, date) else v for k, v in asdict(self.origin).items()},
            "cutoff": f"A feature of day D uses what was reported before D less {lag} days.",
            "labels": "fold_<k>_count: what fold k may train on, as known on its cutoff.",
            "first_day": str(self.block.days[0]),
            "n_days": self.block.n_days,
            "n_cells": self.block.n_cells,
            "folds": [
                {
                    **{k: str(v) for k, v in asdict(fold).items()},
                    "labels_known_before": str(fold.cutoff(lag)),
                }
                for fold in self.folds
            ],
            "features": [asdict(f) for f in self.catalogue],
            "sequences": {
                "channels": list(found.channels),
                "columns_oldest_first": [
                    [self.block.names[i] for i in of_day] for of_day in found.lag_index
                ],
            },
        }

    def digest(self) -> str:
        """SHA-256 of the header and, day by day, of features and labels; NaN has one form."""
        sha = hashlib.sha256(canonical_json(self.header()).encode())
        for codes in (self.block.precinct_index, self.block.borough_index):
            sha.update(np.ascontiguousarray(codes, dtype="<i4").tobytes())
        for day in range(self.block.n_days):
            sha.update(plain_bytes(self.block.features[day]))
            sha.update(plain_bytes(self.labels[:, day]))
        return sha.hexdigest()


def canonical_json(header: dict[str, Any]) -> str:
    """One line of JSON with sorted keys: the same header gives the same text."""
    return json.dumps(header, sort_keys=True, ensure_ascii=True, allow_nan=False)


def plain_bytes(values: NDArray[np.float32]) -> bytes:
    """Little-endian float32 bytes in row order, every NaN the same one."""
    plain = np.ascontiguousarray(values, dtype="<f4")
    return np.where(np.isnan(plain), _NAN, plain).astype("<f4").tobytes()


def fold_set(
    origin: Origin,
    catalogue: Sequence[FeatureSpec],
    folds: Sequence[Fold],
    block: CellDayBlock,
    *,
    counts_known_by: CountsKnownBy,
    start: date | None = None,
    end: date | None = None,
) -> FoldSet:
    """Take from a block what may leave: features, and the labels each fold may train on.

    Parameters
    ----------
    origin, catalogue
        As in `FoldSet`.
    folds : sequence of Fold
        Of the block; those whose test days lie from `start` to `end` are taken.
    block : CellDayBlock
        Days of all folds; its counts are not read.
    counts_known_by : callable
        Labels of the block's days as they stood on a past day, shape (D, C).
    start, end : date, optional
        First and last day that leave; all days of the block if None.

    Raises
    ------
    SettingError
        Where no fold has a training day and all its test days in the range.
    """
    first, last = (day.astype(object) for day in (block.days[0], block.days[-1]))
    first, last = max(first, start or first), min(last, end or last)
    taken = [
        (fold, replace(fold, train_start=max(fold.train_start, first)))
        for fold in folds
        if first < fold.train_stop and (fold.test_stop - last).days <= 1
    ]
    if not taken:
        tested = ", ".join(f"{f.test_start} to {f.test_stop}" for f in folds)
        raise SettingError(
            f"No fold of {origin.month} lies within {first} to {last}; they test {tested} (the last "
            "day not included) and train before. Give an earlier --start or a later --end."
        )
    labels = np.full((len(taken), block.n_days, block.n_cells), _NAN, dtype=np.float32)
    for index, (fold, cut) in enumerate(taken):
        known = counts_known_by(fold.cutoff(origin.publication_lag_days))
        sees = (block.days >= np.datetime64(cut.train_start)) & (
            block.days < np.datetime64(cut.train_stop)
        )
        labels[index, sees] = known[sees]
    low, high = np.searchsorted(block.days, [np.datetime64(first), np.datetime64(last) + 1])
    return FoldSet(
        origin,
        tuple(catalogue),
        tuple(cut for _, cut in taken),
        block.without_truth().between(np.datetime64(first), np.datetime64(last) + 1),
        labels[:, low:high],
    )


def from_header(
    header: dict[str, Any],
    features: NDArray[np.float32],
    labels: NDArray[np.float32],
    precinct_index: NDArray[np.int32],
    borough_index: NDArray[np.int32],
) -> FoldSet:
    """Make the set that `FoldSet.header` described, from its arrays."""
    fields = {k: header[k] for k in Origin.__dataclass_fields__}
    fields["known_before"] = date.fromisoformat(str(header["known_before"]))
    catalogue = tuple(FeatureSpec(**f) for f in header["features"])
    folds = tuple(
        Fold(**{k: date.fromisoformat(f[k]) for k in Fold.__dataclass_fields__})
        for f in cast("list[dict[str, str]]", header["folds"])
    )
    days = np.datetime64(header["first_day"]) + np.arange(int(header["n_days"]))
    block = CellDayBlock(
        days, features, tuple(f.name for f in catalogue), precinct_index, borough_index
    )
    return FoldSet(Origin(**fields), catalogue, folds, block, labels)
