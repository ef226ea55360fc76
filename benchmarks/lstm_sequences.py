"""One epoch of the LSTM, against a DataLoader over materialised windows with the same network.

The usual way copies the seven days of every row into one array first and lets PyTorch's DataLoader
gather rows one by one. Same rows, same order, same network, same steps: the loss must be the same.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.city_inputs import feature_inputs, simulate
from benchmarks.sides import Answer, Row, Side, Target, equal_within

FIRST, STOP, SEED, BATCH = date(2023, 7, 1), date(2024, 1, 1), 3, 1024


def _parts(folder: Path) -> tuple[Any, Any, Any]:
    """Inputs of the network, its rows and half a million cell-days in the order of training."""
    import numpy as np
    import torch
    from htrisk_dagster.features.feature_matrix import build_block
    from htrisk_dagster.models.lstm_inputs import LSTMInputs
    from htrisk_dagster.models.lstm_training import NetworkRows
    from htrisk_dagster.models.training_rows import Rows

    block = build_block(feature_inputs(folder), FIRST, STOP, with_counts=True)
    inputs = LSTMInputs.fitted(block, slice(0, block.n_days))
    cells = NetworkRows(inputs, block, torch.device("cpu"))
    n = block.n_days * block.n_cells
    counts = block.counts.ravel().astype(np.float32)
    rate = np.full(n, np.log(counts.mean()), dtype=np.float32)
    rows = Rows(np.arange(n), counts, np.ones(n, dtype=np.float32), rate)
    return block, cells, rows


def _network(block: Any, cells: Any) -> Any:
    import torch
    from htrisk_dagster.models.lstm_network import NetworkShape, make_network

    torch.manual_seed(SEED)
    return make_network(
        NetworkShape(
            n_channels=cells.inputs.n_channels, n_static=cells.inputs.n_static,
            n_cells=block.n_cells, n_precincts=int(block.precinct_index.max()) + 1,
            n_boroughs=int(block.borough_index.max()) + 1, hidden=32, zero_inflated=False,
        )
    )  # fmt: skip


def _training(block: Any, cells: Any) -> Any:
    from htrisk_dagster.models.lstm_training import Training

    return Training(
        _network(block, cells), learning_rate=2e-3, weight_decay=1e-2, batch_size=BATCH,
        n_cell_days=block.n_days * block.n_cells,
    )  # fmt: skip


def _ours(folder: Path) -> Callable[[], object]:
    import numpy as np
    import torch

    torch.set_num_threads(1)
    block, cells, rows = _parts(folder)
    training = _training(block, cells)
    return lambda: training.epoch(cells, rows, np.random.default_rng(SEED))


def _data_loader(folder: Path) -> Callable[[], object]:
    import numpy as np
    import torch
    from htrisk_dagster.models import lstm_network as net
    from torch.utils.data import DataLoader, Dataset

    torch.set_num_threads(1)
    block, cells, rows = _parts(folder)
    training = _training(block, cells)

    class Windows(Dataset):  # type: ignore[type-arg]
        """Every window copied out, as tutorials do."""

        def __init__(self) -> None:
            parts = [cells.tensors(batch) for batch in np.array_split(rows.index, 200)]
            self.sequence, self.static, self.areas = (torch.cat(part) for part in zip(*parts))  # noqa: B905
            self.counts = torch.from_numpy(rows.counts)
            self.rate = torch.from_numpy(rows.log_rates)

        def __len__(self) -> int:
            return len(self.counts)

        def __getitem__(self, i: int) -> tuple[torch.Tensor, ...]:
            return self.sequence[i], self.static[i], self.areas[i], self.counts[i], self.rate[i]

    def work() -> object:
        order = np.random.default_rng(SEED).permutation(len(rows.index))
        loader = DataLoader(Windows(), batch_size=BATCH, sampler=order.tolist())
        total = 0.0
        for sequence, static, areas, counts, rate in loader:
            deviations = net.area_deviations(training.network, areas)
            corrected = net.correction(training.network, sequence, static, deviations)
            losses = net.negative_log_likelihood(
                net.log_rate(rate, corrected), net.log_size(training.network), counts,
                net.inflation_logit(training.network),
            )  # fmt: skip
            loss = losses.mean() + net.area_penalty(training.network) / training.n_cell_days
            training.optimiser.zero_grad()
            loss.backward()
            training.optimiser.step()
            total += float(losses.detach().double().sum())
        return total / len(rows.index)

    return work


def _answer(loss: object) -> Answer:
    import numpy as np

    return {"loss": np.array([loss], dtype=np.float64)}


ROW = Row(
    work="LSTM, one epoch of 510,000 sequences",
    prepare=simulate,
    ours=Side("rows gathered by index", _ours, _answer),
    usual=Side("DataLoader over materialised windows", _data_loader, _answer),
    same=equal_within(1e-5),
    target=Target(ratio=5),
    repeats=1,
    note="Same network, rows, order and steps.",
)
