"""One network and its optimiser: cell-days as tensors, an epoch, losses, log rates.

Belongs here: batches, gradients, the prior of areas in the loss. Does not: how many epochs
(`lstm`), the network (`lstm_network`), inputs (`lstm_inputs`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.lstm_inputs import LSTMInputs
from htrisk_dagster.models.lstm_network import (
    area_deviations,
    area_penalty,
    correction,
    inflation_logit,
    log_rate,
    log_size,
    negative_log_likelihood,
)
from htrisk_dagster.models.stopping import fewest_steps, weekly_loss
from htrisk_dagster.models.training_rows import Rows, block_rows

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_PREDICTION_BATCH = 16_384
# Two numbers with far to go and every row to go by.
_SPREAD_SPEED = 10.0


class NetworkRows:
    """A block as the network reads it: rows of features and the areas of its cells."""

    def __init__(self, inputs: LSTMInputs, block: CellDayBlock, device: torch.device) -> None:
        self.inputs = inputs
        self.device = device
        self.matrix = block_rows(block)
        self.positions = inputs.positions(block)
        cells = np.arange(block.n_cells)
        self.areas = np.column_stack([block.borough_index, block.precinct_index, cells])

    def tensors(self, rows: NDArray[np.int64]) -> tuple[Tensor, Tensor, Tensor]:
        """Sequence, static values and areas of some rows, gathered now: no array holds all."""
        sequence, static = self.inputs.gather(self.matrix, rows, self.positions)
        areas = self.areas[rows % len(self.areas)].astype(np.int64)
        return self.tensor(sequence), self.tensor(static), self.tensor(areas)

    def tensor(self, values: NDArray[np.float32] | NDArray[np.int64]) -> Tensor:
        """An array on the device."""
        import torch

        return torch.from_numpy(np.ascontiguousarray(values)).to(self.device)


def corrections(
    network: nn.ModuleDict, cells: NetworkRows, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Log ratio of the expected count to the offset's for each row, shape (n,)."""
    import torch

    found = np.empty(len(rows), dtype=np.float64)
    with torch.no_grad():
        for batch in _batches(np.arange(len(rows)), _PREDICTION_BATCH):
            sequence, static, areas = cells.tensors(rows[batch])
            corrected = correction(network, sequence, static, area_deviations(network, areas))
            found[batch] = corrected.double().cpu().numpy()
    return found


class Training:
    """A network on its way, with its optimiser.

    Parameters
    ----------
    network : ModuleDict
    learning_rate, weight_decay : float
        Of AdamW; areas have their prior instead of weight decay, dispersion has neither.
    batch_size : int
        Rows per step.
    n_cell_days : float
        Cell-days that the rows of an epoch stand for: what one area's prior is weighed against.
    """

    def __init__(
        self,
        network: nn.ModuleDict,
        *,
        learning_rate: float,
        weight_decay: float,
        batch_size: int,
        n_cell_days: float,
    ) -> None:
        import torch

        self.network = network
        self.batch_size = batch_size
        self.n_cell_days = n_cell_days
        groups: list[dict[str, Any]] = [
            {"params": [*network["lstm"].parameters(), *network["head"].parameters()]},
            {"params": list(network["areas"].parameters()), "weight_decay": 0.0},
            {
                "params": list(network["spread"].parameters()),
                "weight_decay": 0.0,
                "lr": _SPREAD_SPEED * learning_rate,
            },
        ]
        self.optimiser = torch.optim.AdamW(groups, lr=learning_rate, weight_decay=weight_decay)

    def _losses(self, cells: NetworkRows, rows: Rows, batch: NDArray[np.int64]) -> Tensor:
        """Weighted negative log likelihood of each row of a batch."""
        sequence, static, areas = cells.tensors(rows.index[batch])
        corrected = correction(self.network, sequence, static, area_deviations(self.network, areas))
        counts, weights, offset = (
            cells.tensor(values[batch]) for values in (rows.counts, rows.weights, rows.log_rates)
        )
        return weights * negative_log_likelihood(
            log_rate(offset, corrected),
            log_size(self.network),
            counts,
            inflation_logit(self.network),
        )

    def epoch(self, cells: NetworkRows, rows: Rows, rng: np.random.Generator) -> float:
        """One pass over `rows` in random order; returns the mean loss per cell-day."""
        total = 0.0
        # One scale for all batches, or batches rich in incidents would count for less.
        per_row = float(np.mean(rows.weights, dtype=np.float64))
        for batch in _batches(rng.permutation(len(rows.index)), self.batch_size):
            losses = self._losses(cells, rows, batch)
            loss = losses.mean() / per_row + area_penalty(self.network) / self.n_cell_days
            self.optimiser.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self.optimiser.step()
            total += float(losses.detach().double().sum())
        return total / float(np.sum(rows.weights, dtype=np.float64))

    def likelihood(self, cells: NetworkRows, rows: Rows) -> float:
        """Mean negative log likelihood per cell-day, nothing learned from it."""
        import torch

        with torch.no_grad():
            total = sum(
                float(self._losses(cells, rows, batch).double().sum())
                for batch in _batches(np.arange(len(rows.index)), _PREDICTION_BATCH)
            )
        return total / float(np.sum(rows.weights, dtype=np.float64))


class Judgement:
    """Weights after each epoch, from 0 on, and how they do on rows that they do not learn from.

    The judge is the Poisson likelihood of the expected counts, not the network's own: else a better
    dispersion would look like a better map.
    """

    def __init__(self, cells: NetworkRows, rows: Rows) -> None:
        self.cells, self.rows = cells, rows
        self._weights: list[dict[str, Tensor]] = []
        self._weekly: list[NDArray[np.float64]] = []

    def add(self, training: Training) -> None:
        """Judge the network as it is now."""
        network = training.network
        self._weights.append({k: v.clone() for k, v in network.state_dict().items()})
        log_expected = self.rows.log_rates + corrections(network, self.cells, self.rows.index)
        self._weekly.append(weekly_loss(self.rows, log_expected, len(self.cells.areas)))

    def best(self) -> int:
        """Epoch with the lowest loss so far."""
        return int(np.argmin(self.curve()))

    def restore(self, training: Training) -> int:
        """Put the weights of the epoch that `fewest_steps` chooses back; returns its number.

        Dispersion and certain zeros stay as they are: they had longest to settle, and move no
        expected count.
        """
        chosen = fewest_steps(np.stack(self._weekly))
        settled = {
            name: value
            for name, value in training.network.state_dict().items()
            if name.startswith("spread.")
        }
        training.network.load_state_dict(self._weights[chosen] | settled)
        return chosen

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Weights and weekly losses of all epochs so far."""
        weights = {
            f"{epoch}/{name}": value.cpu().numpy()
            for epoch, of_epoch in enumerate(self._weights)
            for name, value in of_epoch.items()
        }
        return {"weekly": np.stack(self._weekly), **weights}

    def take(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take up what `to_arrays` gave."""
        import torch

        self._weekly = list(arrays["weekly"])
        self._weights = [{} for _ in self._weekly]
        for key, value in arrays.items():
            epoch, _, name = key.partition("/")
            if name:
                self._weights[int(epoch)][name] = torch.from_numpy(value).to(self.cells.device)

    def curve(self) -> list[float]:
        """Loss per cell-day by epoch, from 0 on."""
        scale = float(self.rows.weights.sum(dtype=np.float64))
        return [float(losses.sum()) / scale for losses in self._weekly]


_ADAM = ("step", "exp_avg", "exp_avg_sq")


def checkpoint_files(
    training: Training, judged: Judgement, rng: np.random.Generator, train_loss: list[float]
) -> dict[str, bytes]:
    """All that an interrupted fit needs to go on: weights, moments, judgement, random stream."""
    moments = {
        f"{number}/{name}": values[name].cpu().numpy()
        for number, values in training.optimiser.state_dict()["state"].items()
        for name in _ADAM
    }
    weights = {k: v.cpu().numpy() for k, v in training.network.state_dict().items()}
    state = {"rng": rng.bit_generator.state, "train_loss": train_loss}
    return {
        "weights.npz": npz_bytes(weights),
        "moments.npz": npz_bytes(moments),
        "judged.npz": npz_bytes(judged.to_arrays()),
        "state.json": json_bytes(state),
    }


def go_on_from(
    files: Mapping[str, bytes], training: Training, judged: Judgement, rng: np.random.Generator
) -> list[float]:
    """Put everything back as `checkpoint_files` found it; returns the losses of the epochs done."""
    import torch

    device = judged.cells.device
    weights = npz_arrays(files["weights.npz"])
    training.network.load_state_dict(
        {k: torch.from_numpy(v).to(device) for k, v in weights.items()}
    )
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in npz_arrays(files["moments.npz"]).items():
        number, _, name = key.partition("/")
        moments.setdefault(int(number), {})[name] = torch.from_numpy(value)
    groups = training.optimiser.state_dict()["param_groups"]
    training.optimiser.load_state_dict({"state": moments, "param_groups": groups})
    judged.take(npz_arrays(files["judged.npz"]))
    state = json_state(files["state.json"])
    rng.bit_generator.state = state["rng"]
    return list(state["train_loss"])


def _batches(order: NDArray[np.int64], size: int) -> Iterator[NDArray[np.int64]]:
    for start in range(0, len(order), size):
        yield order[start : start + size]
