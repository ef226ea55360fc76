"""Gradient-boosted trees that correct an empirical-Bayes rate: what both libraries share.

Belongs here: settings with their reasons, rows and offset, the number of trees, predicting,
contributions. Does not: calls of a library (`boosting`, `xgboost_model`), the rule for the number
(`stopping`).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.attribution import LEARNED_LEVEL, Attribution
from htrisk_dagster.models.checkpoints import Checkpoints
from htrisk_dagster.models.count_model import FitResult, Progress
from htrisk_dagster.models.rate_offset import RateOffset, offsets
from htrisk_dagster.models.rate_reasons import days_of_rows, rate_parts
from htrisk_dagster.models.stopping import fewest_steps, weekly_loss
from htrisk_dagster.models.training_rows import (
    THIN_HISTORY_DAYS,
    Rows,
    block_rows,
    column_positions,
    draw_rows,
    learnable_columns,
    rolling_origins,
)

# Both libraries inflate the Poisson hessian by e to this power to keep steps short; a sum of
# hessians is therefore this factor times a number of expected incidents.
MAX_DELTA_STEP = 0.7
HESSIAN_OF_INCIDENT = math.exp(MAX_DELTA_STEP)
# Pulls a leaf's correction toward none as this many further incidents without one would.
PRIOR_INCIDENTS = 10.0
# Each tree sees 70% of features, since lags and means of one series are near copies.
FEATURE_SHARE = 0.7
# Rows predicted at once, which bounds the copy of their features.
_BATCH = 262_144

Watch = Callable[[int, NDArray[np.floating]], None]
"""Called after each tree with the number of a set and the expected counts of its rows."""


@dataclass(frozen=True)
class TreeRows:
    """Rows with their features, shape (n, F), gathered for a library."""

    rows: Rows
    features: NDArray[np.float32]

    def between(self, start: int, stop: int) -> TreeRows:
        """Rows numbered from `start` up to, not including, `stop`; arrays are views."""
        low, high = np.searchsorted(self.rows.index, [start, stop])
        return TreeRows(self.rows.between(start, stop), self.features[low:high])


@dataclass
class BoostedTrees(ABC):
    """Trees on the log ratio of the expected count to the empirical-Bayes rate.

    Parameters
    ----------
    n_estimators : int
        Most trees; two later blocks of days choose how many are kept, and none is a choice.
    learning_rate : float
        Step per tree.
    min_leaf_incidents : float
        Expected incidents a leaf must hold. Rows are the wrong measure when nearly all are 0.
    zeros_per_incident : float
        Cell-days without incident trained on, per cell-day with one; see `draw_rows`.
    most_zeros : int
        And no more than these: what a further zero says of a rate is soon next to nothing.
    offset_blocks : int
        Blocks of days over which the offset is cross-fitted; see `rate_offset.offsets`.
    num_threads : int
        Fixed, since the order of floating-point sums depends on it. One, since trees this small
        gain little from a second, and take tenfold where its core is busy.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    trees_file: ClassVar[str]
    n_estimators: int = 120
    learning_rate: float = 0.1
    min_leaf_incidents: float = 10.0
    zeros_per_incident: float = 20.0
    most_zeros: int = 150_000
    offset_blocks: int = 5
    num_threads: int = 1
    checkpoints: Checkpoints | None = field(init=False, repr=False, default=None)
    _offset: RateOffset | None = field(init=False, repr=False, default=None)
    _booster: Any = field(init=False, repr=False, default=None)
    _columns: tuple[str, ...] = field(init=False, repr=False, default=())

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Choose the number of trees on rolling origins, then fit so many on all days.

        Trees kept on the last four weeks alone would be a guess where these hold a handful of
        incidents. See `rolling_origins` for the days that choose and `fewest_steps` for the rule.
        With `checkpoints` set, what each origin has shown is kept: trees cannot be grown on to the
        same bytes, since a library draws features anew, but an origin need not be judged twice.
        """
        origins = rolling_origins(block.n_days)
        log_rates, self._offset = offsets(block, self.offset_blocks)
        days = slice(THIN_HISTORY_DAYS, block.n_days)
        drawn = draw_rows(
            block,
            log_rates,
            days,
            self.zeros_per_incident,
            np.random.default_rng(seed),
            most_zeros=self.most_zeros,
        )
        self._columns = learnable_columns(block, days)
        positions = column_positions(block, self._columns)
        rows = TreeRows(drawn, block_rows(block)[drawn.index[:, None], positions])
        report = _Report(progress, f"{self.title} trees", (len(origins) + 1) * self.n_estimators)
        judged: list[_Losses] = []
        saved = dict(self.checkpoints.load()) if self.checkpoints else {}
        for number, origin in enumerate(origins):
            train, valid = (
                rows.between(part.start * block.n_cells, part.stop * block.n_cells)
                for part in (origin.train, origin.valid)
            )
            watched = _Losses((train.rows, valid.rows), block.n_cells, report)
            judged.append(watched)
            file = f"origin_{number}.npz"
            if file in saved:
                watched.take(npz_arrays(saved[file]))
                continue
            if self.n_estimators:
                self._grow(train, self.n_estimators, seed, watched, also=valid)
            if self.checkpoints is not None:
                saved[file] = npz_bytes(watched.to_arrays())
                self.checkpoints.save(saved, number + 1)
        kept = fewest_steps(np.concatenate([losses.weekly(1) for losses in judged], axis=1))
        self._booster = None
        if kept:
            self._booster = self._grow(rows, kept, seed, lambda *_: report())
        params: dict[str, float | int | str] = {
            f.name: getattr(self, f.name) for f in fields(self) if f.init
        }
        params |= {
            "training_rows": len(drawn.index),
            "features": len(self._columns),
            "trees_kept": kept,
        }
        curves = {"train_loss": _mean_loss(judged, 0), "validation_loss": _mean_loss(judged, 1)}
        params["validation_loss_of_offset"] = curves["validation_loss"][0]
        return FitResult(params, {name: curve[1:] for name, curve in curves.items()})

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        expected = self._fitted_offset().rates(block)
        if self._booster is not None:
            flat = expected.reshape(-1)
            matrix, positions = block_rows(block), column_positions(block, self._columns)
            for start in range(0, len(flat), _BATCH):
                batch = slice(start, start + _BATCH)
                flat[batch] *= np.exp(self._corrections(matrix[batch][:, positions]))
        return expected

    def explain(self, block: CellDayBlock, rows: NDArray[np.int64]) -> Attribution:
        """Parts of the offset, and of the trees by their exact Shapley values; see `Explains`.

        The library's own TreeSHAP, with the trees' mean on their training rows as `learned_level`.

        References
        ----------
        Lundberg, S. M. et al. (2020). From local explanations to global understanding with
        explainable AI for trees. Nature Machine Intelligence 2.
        """
        offset = self._fitted_offset()
        block, rows = days_of_rows(block, rows)
        of_rate = rate_parts(offset.rates, block, rows, offset.log_city_mean)
        if self._booster is None:
            return of_rate
        positions = column_positions(block, self._columns)
        of_trees = self._contributions(block_rows(block)[rows[:, None], positions])
        return Attribution(
            (*of_rate.names, *self._columns, LEARNED_LEVEL),
            np.column_stack([of_rate.contributions, of_trees]),
            of_rate.base,
        )

    def _fitted_offset(self) -> RateOffset:
        if self._offset is None:
            raise ValueError(f"Model '{self.name}' has not been fitted.")
        return self._offset

    def to_bytes(self) -> dict[str, bytes]:
        """The library's own format unless no tree was kept, the columns and the offset."""
        trees = {} if self._booster is None else {self.trees_file: self._write_trees()}
        state = json_bytes({"columns": self._columns, "n_threads": self.num_threads})
        return {**trees, f"{self.name}.json": state, **self._fitted_offset().to_bytes()}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        state = json_state(files[f"{cls.name}.json"])
        model = cls(num_threads=int(state["n_threads"]))
        model._columns = tuple(state["columns"])
        model._offset = RateOffset.from_bytes(files)
        if cls.trees_file in files:
            model._read_trees(files[cls.trees_file])
        return model

    @abstractmethod
    def _grow(
        self, train: TreeRows, n_trees: int, seed: int, watch: Watch, also: TreeRows | None = None
    ) -> Any:
        """Fit `n_trees` on `train`; watch its rows (0) and those of `also` (1) after each tree."""

    @abstractmethod
    def _corrections(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Sum of the trees for each row, shape (n,)."""

    @abstractmethod
    def _contributions(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Shapley values of the features and the trees' mean, shape (n, F + 1)."""

    @abstractmethod
    def _write_trees(self) -> bytes:
        """Trees in the library's own format."""

    @abstractmethod
    def _read_trees(self, content: bytes) -> None:
        """Take up the trees that `_write_trees` wrote."""


class _Report:
    """Counts trees over several fits for one progress."""

    def __init__(self, progress: Progress | None, what: str, most: int) -> None:
        self.progress, self.what, self.most, self.done = progress, what, most, 0

    def __call__(self) -> None:
        self.done += 1
        if self.progress is not None:
            self.progress(self.what, self.done, self.most)


class _Losses:
    """Losses of two sets of rows by number of trees, none included, and week."""

    def __init__(self, sets: Sequence[Rows], n_cells: int, report: _Report) -> None:
        self.sets, self.n_cells, self.report = sets, n_cells, report
        self._weekly = [[weekly_loss(rows, rows.log_rates, n_cells)] for rows in sets]

    def __call__(self, number: int, expected: NDArray[np.floating]) -> None:
        self._weekly[number].append(weekly_loss(self.sets[number], np.log(expected), self.n_cells))
        if number == 0:
            self.report()

    def to_arrays(self) -> dict[str, NDArray[np.float64]]:
        """Losses of both sets by their numbers."""
        return {str(number): self.weekly(number) for number in range(len(self.sets))}

    def take(self, arrays: Mapping[str, NDArray[np.float64]]) -> None:
        """Take up what `to_arrays` gave; the trees were grown elsewhere."""
        self._weekly = [list(arrays[str(number)]) for number in range(len(self.sets))]

    def weekly(self, number: int) -> NDArray[np.float64]:
        """Losses of one set, shape (T + 1, W)."""
        return np.stack(self._weekly[number])


def _mean_loss(judged: Sequence[_Losses], number: int) -> list[float]:
    """Loss per cell-day by number of trees, over all origins."""
    total = sum(losses.weekly(number).sum(axis=1) for losses in judged)
    n_rows = sum(float(losses.sets[number].weights.sum(dtype=np.float64)) for losses in judged)
    mean: list[float] = (total / n_rows).tolist()
    return mean
