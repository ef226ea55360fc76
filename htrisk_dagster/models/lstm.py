"""PyTorch LSTM on seven-day sequences, one set of weights for all cells, count likelihood.

Belongs here: the training loop, early stopping, predicting in batches. Does not: inputs
(`lstm_inputs`), the network and its likelihood (`lstm_network`), rows (`training_rows`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.count_model import FitResult, Progress, training_counts
from htrisk_dagster.models.lstm_inputs import LSTMInputs
from htrisk_dagster.models.lstm_network import (
    NetworkShape,
    log_rate,
    log_size,
    make_network,
    negative_log_likelihood,
    pick_device,
    reproducible,
)
from htrisk_dagster.models.training_rows import Rows, block_rows, draw_rows, mean_count, split_days

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_WEIGHTS, _STATE = "lstm.npz", "lstm.json"
_PREDICTION_BATCH = 16_384
# Zeros are drawn as for at least so many incidents: fewer rows would be a step or two an epoch.
_FEWEST_INCIDENTS = 2_000
# And no more than this an epoch: each draws others, and patience is counted in epochs.
_MOST_ZEROS = 250_000


class _Cells:
    """A block as the network reads it: rows of features and the areas of its cells."""

    def __init__(self, inputs: LSTMInputs, block: CellDayBlock, device: torch.device) -> None:
        self.inputs = inputs
        self.device = device
        self.matrix = block_rows(block)
        self.positions = inputs.positions(block)
        self.precinct = block.precinct_index.astype(np.int64)
        self.borough = block.borough_index.astype(np.int64)

    def tensors(self, rows: NDArray[np.int64]) -> list[Tensor]:
        """Arguments of `log_rate` for some rows, gathered now: no array holds all windows."""
        import torch

        sequence, static = self.inputs.gather(self.matrix, rows, self.positions)
        cell = rows % len(self.precinct)
        arrays = (sequence, static, self.precinct[cell], self.borough[cell])
        return [torch.from_numpy(np.ascontiguousarray(a)).to(self.device) for a in arrays]


@dataclass
class LSTMModel:
    """LSTM over a week, joined with static features and area embeddings, negative binomial.

    Parameters
    ----------
    hidden : int
        Size of the LSTM's state.
    epochs : int
        Most epochs; the last 28 days choose which one's weights are kept.
    patience : int
        Epochs without a better validation loss after which training ends.
    learning_rate, weight_decay : float
        Of AdamW.
    batch_size : int
        Cell-days per step.
    zeros_per_incident : float
        Cell-days without incident drawn anew each epoch, per cell-day with one. They weigh more
        in return, which leaves the expected likelihood what it is on all rows.
    num_threads : int
        Of PyTorch on the CPU. The matrices are small: a second thread gains little, and costs
        eightfold where its core is busy, since threads wait for each other after each step.
    device : str
        `auto`, or a device of PyTorch's.
    """

    name: ClassVar[str] = "lstm"
    hidden: int = 32
    epochs: int = 30
    patience: int = 6
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    batch_size: int = 4096
    zeros_per_incident: float = 20.0
    num_threads: int = 1
    device: str = "auto"
    _inputs: LSTMInputs | None = field(init=False, repr=False, default=None)
    _shape: NetworkShape | None = field(init=False, repr=False, default=None)
    _network: Any = field(init=False, repr=False, default=None)

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all but the last weeks of the block, which decide when to stop."""
        train_days, valid_days = split_days(block.n_days)
        counts = training_counts(block)[train_days]
        n_hit = int(np.count_nonzero(counts))
        n_zeros = min(self.zeros_per_incident * max(n_hit, _FEWEST_INCIDENTS), _MOST_ZEROS)
        share = n_zeros / max(counts.size - n_hit, 1)
        rng = np.random.default_rng(seed)
        valid = draw_rows(block, valid_days, 1.0, rng)
        device = pick_device(self.device)
        self._inputs = LSTMInputs.fitted(block, train_days)
        self._shape = NetworkShape(
            self._inputs.n_channels,
            self._inputs.n_static,
            int(block.precinct_index.max()) + 1,
            int(block.borough_index.max()) + 1,
            self.hidden,
        )
        cells = _Cells(self._inputs, block, device)
        curves: dict[str, list[float]] = {"train_loss": [], "validation_loss": []}
        best, best_weights = math.inf, {}
        with reproducible(seed, self.num_threads, device):
            first = draw_rows(block, train_days, share, rng)
            network = make_network(self._shape, math.log(mean_count(first))).to(device)
            train = _Training(network, self.learning_rate, self.weight_decay)
            for epoch in range(1, self.epochs + 1):
                rows = draw_rows(block, train_days, share, rng)
                curves["train_loss"].append(train.epoch(cells, rows, self.batch_size, rng))
                curves["validation_loss"].append(train.loss(cells, valid))
                if progress is not None:
                    progress("LSTM epochs", epoch, self.epochs)
                if curves["validation_loss"][-1] < best:
                    best = curves["validation_loss"][-1]
                    best_weights = {k: v.clone() for k, v in network.state_dict().items()}
                elif epoch - int(np.argmin(curves["validation_loss"])) > self.patience:
                    break
            network.load_state_dict(best_weights)
        self._network = network
        params: dict[str, Any] = {
            "hidden": self.hidden,
            "epochs": self.epochs,
            "learning_rate": self.learning_rate,
            "weight_decay": self.weight_decay,
            "batch_size": self.batch_size,
            "zeros_per_incident": self.zeros_per_incident,
            "device": str(device),
            "rows_per_epoch": len(first.index),
            "channels": self._inputs.n_channels,
            "static_features": self._inputs.n_static,
            "epoch_kept": int(np.argmin(curves["validation_loss"])) + 1,
            "dispersion": float(log_size(network).exp().item()),
        }
        return FitResult(params, curves)

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        import torch

        if self._network is None or self._inputs is None:
            raise ValueError("Model 'lstm' has not been fitted.")
        device = pick_device(self.device)
        network = self._network.to(device)
        cells = _Cells(self._inputs, block, device)
        expected = np.empty(block.n_days * block.n_cells, dtype=np.float64)
        with reproducible(0, self.num_threads, device), torch.no_grad():
            for batch in _batches(np.arange(len(expected)), _PREDICTION_BATCH):
                rate = log_rate(network, *cells.tensors(batch))
                expected[batch] = rate.double().exp().cpu().numpy()
        return expected.reshape(block.n_days, block.n_cells)

    def to_bytes(self) -> dict[str, bytes]:
        """Weights as NPZ; the network's sizes, columns and scaling as JSON."""
        if self._inputs is None or self._shape is None:
            raise ValueError("Model 'lstm' has not been fitted.")
        weights = {k: v.cpu().numpy() for k, v in self._network.state_dict().items()}
        state = {"shape": asdict(self._shape), "inputs": self._inputs.to_state()}
        return {_WEIGHTS: npz_bytes(weights), _STATE: json_bytes(state)}

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        import torch

        state = json_state(files[_STATE])
        model = cls()
        model._inputs = LSTMInputs.from_state(state["inputs"])
        model._shape = NetworkShape(**state["shape"])
        # The drawn weights are replaced at once; the caller's generator stays as it was.
        with torch.random.fork_rng(devices=[]):
            model._network = make_network(model._shape, log_mean=0.0)
        weights = npz_arrays(files[_WEIGHTS])
        model._network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        return model


class _Training:
    """A network with its optimiser."""

    def __init__(self, network: nn.ModuleDict, learning_rate: float, weight_decay: float) -> None:
        import torch

        self.network = network
        self.optimiser = torch.optim.AdamW(
            network.parameters(), lr=learning_rate, weight_decay=weight_decay
        )

    def _batch_losses(self, cells: _Cells, rows: Rows, batch: NDArray[np.int64]) -> Tensor:
        """Weighted negative log likelihood of each row of a batch."""
        import torch

        counts, weights = (
            torch.from_numpy(values[batch]).to(cells.device)
            for values in (rows.counts, rows.weights)
        )
        log_mu = log_rate(self.network, *cells.tensors(rows.index[batch]))
        return weights * negative_log_likelihood(log_mu, log_size(self.network), counts)

    def epoch(self, cells: _Cells, rows: Rows, batch_size: int, rng: np.random.Generator) -> float:
        """One pass over `rows` in random order; returns the mean loss per cell-day."""
        total = 0.0
        # One scale for all batches, or batches rich in incidents would count for less.
        per_row = float(np.mean(rows.weights, dtype=np.float64))
        for batch in _batches(rng.permutation(len(rows.index)), batch_size):
            losses = self._batch_losses(cells, rows, batch)
            self.optimiser.zero_grad()
            (losses.mean() / per_row).backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            total += float(losses.detach().double().sum())
        return total / float(np.sum(rows.weights, dtype=np.float64))

    def loss(self, cells: _Cells, rows: Rows) -> float:
        """Mean loss per cell-day without learning from it."""
        import torch

        with torch.no_grad():
            total = sum(
                float(self._batch_losses(cells, rows, batch).double().sum())
                for batch in _batches(np.arange(len(rows.index)), _PREDICTION_BATCH)
            )
        return total / float(np.sum(rows.weights, dtype=np.float64))


def _batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]
