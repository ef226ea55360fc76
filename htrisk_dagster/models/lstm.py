"""PyTorch LSTM on seven-day sequences, one set of weights for all cells, count likelihood.

Belongs here: options, how many epochs are kept, predicting, storing. Does not: epochs and batches
(`lstm_training`), inputs (`lstm_inputs`), the network and its likelihood (`lstm_network`), the
offset it starts from (`rate_offset`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.artifacts import json_bytes, json_state, npz_arrays, npz_bytes
from htrisk_dagster.models.attribution import Attribution
from htrisk_dagster.models.checkpoints import Checkpoints
from htrisk_dagster.models.count_model import FitResult, Progress
from htrisk_dagster.models.lstm_inputs import LSTMInputs
from htrisk_dagster.models.lstm_network import (
    NetworkShape,
    log_size,
    make_network,
    pick_device,
    reproducible,
)
from htrisk_dagster.models.lstm_reasons import integrated_gradients, names_of
from htrisk_dagster.models.lstm_training import (
    Judgement,
    NetworkRows,
    Training,
    checkpoint_files,
    corrections,
    go_on_from,
)
from htrisk_dagster.models.rate_offset import RateOffset, offsets
from htrisk_dagster.models.rate_reasons import days_of_rows, rate_parts
from htrisk_dagster.models.training_rows import Rows, draw_rows, rolling_origins

_WEIGHTS, _STATE = "lstm.npz", "lstm.json"
LIKELIHOODS = ("negative_binomial", "zero_inflated")


@dataclass
class LSTMModel:
    """LSTM over a week, joined with static features and the cell's area, that corrects a rate.

    Parameters
    ----------
    hidden : int
        Size of the LSTM's state.
    epochs : int
        Most epochs; the last fifth of the days chooses which one's weights are kept. Epoch 0 is
        empirical Bayes alone.
    patience : int
        Epochs without a better validation loss after which training ends.
    learning_rate, weight_decay : float
        Of AdamW.
    batch_size : int
        Cell-days per step.
    zeros_per_incident : float
        Cell-days without incident drawn anew each epoch, per cell-day with one; see `draw_rows`.
    most_zeros : int
        And no more than these: each epoch draws others, and patience is counted in epochs.
    likelihood : str
        `negative_binomial`, or `zero_inflated` with a share of certain zeros; compare
        `validation_likelihood` of both fits to choose.
    offset_blocks : int
        Blocks of days over which the offset is cross-fitted; see `rate_offset.offsets`.
    num_threads : int
        Of PyTorch on the CPU. The matrices are small: a second thread gains little, and costs
        eightfold where its core is busy, since threads wait for each other after each step.
    device : str
        `auto`, or a device of PyTorch's.
    """

    name: ClassVar[str] = "lstm"
    hidden: int = 32
    epochs: int = 20
    patience: int = 4
    learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    batch_size: int = 1024
    zeros_per_incident: float = 20.0
    most_zeros: int = 100_000
    likelihood: str = "negative_binomial"
    offset_blocks: int = 5
    num_threads: int = 1
    device: str = "auto"
    checkpoints: Checkpoints | None = field(init=False, repr=False, default=None)
    _offset: RateOffset | None = field(init=False, repr=False, default=None)
    _inputs: LSTMInputs | None = field(init=False, repr=False, default=None)
    _shape: NetworkShape | None = field(init=False, repr=False, default=None)
    _network: Any = field(init=False, repr=False, default=None)

    def __post_init__(self) -> None:
        """Check the one option that is a name."""
        if self.likelihood not in LIKELIHOODS:
            raise SettingError(
                f"The LSTM has no likelihood '{self.likelihood}'. "
                f"Choose one of {', '.join(LIKELIHOODS)}."
            )

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on all but the last fifth of the days, which decides how many epochs count.

        The weights kept are those that were judged: a fit on all days with the same number of
        epochs would cost as much again and be another network, whose errors nobody has seen. The
        offset, which holds most of what is known of a place, is from all days. With `checkpoints`
        set, each epoch leaves one, and a fit goes on from the newest; see `models/checkpoints`.
        """
        origin = rolling_origins(block.n_days)[-1]
        log_rates, self._offset = offsets(block, self.offset_blocks)
        rng = np.random.default_rng(seed)

        def draw(days: slice) -> Rows:
            return draw_rows(
                block, log_rates, days, self.zeros_per_incident, rng, most_zeros=self.most_zeros
            )

        valid = draw(origin.valid)
        self._inputs = LSTMInputs.fitted(block, origin.train)
        self._shape = NetworkShape(
            n_channels=self._inputs.n_channels,
            n_static=self._inputs.n_static,
            n_cells=block.n_cells,
            n_precincts=int(block.precinct_index.max()) + 1,
            n_boroughs=int(block.borough_index.max()) + 1,
            hidden=self.hidden,
            zero_inflated=self.likelihood == "zero_inflated",
        )
        device = pick_device(self.device)
        cells = NetworkRows(self._inputs, block, device)
        with reproducible(seed, self.num_threads, device):
            training = Training(
                make_network(self._shape).to(device),
                learning_rate=self.learning_rate,
                weight_decay=self.weight_decay,
                batch_size=self.batch_size,
                n_cell_days=(origin.train.stop - origin.train.start) * block.n_cells,
            )
            judged = Judgement(cells, valid)
            train_loss: list[float] = []
            if saved := self.checkpoints.load() if self.checkpoints else {}:
                train_loss = go_on_from(saved, training, judged, rng)
            else:
                judged.add(training)
            while self._goes_on(len(train_loss), judged):
                train_loss.append(training.epoch(cells, draw(origin.train), rng))
                judged.add(training)
                if self.checkpoints is not None:
                    files = checkpoint_files(training, judged, rng, train_loss)
                    self.checkpoints.save(files, len(train_loss))
                if progress is not None:
                    progress("LSTM epochs", len(train_loss), self.epochs)
            kept = judged.restore(training)
            likelihood = training.likelihood(cells, valid)
        self._network = training.network
        curve = judged.curve()
        params: dict[str, float | int | str] = {
            f.name: getattr(self, f.name) for f in fields(self) if f.init
        }
        params |= {
            "device": str(device),
            "channels": self._inputs.n_channels,
            "static_features": self._inputs.n_static,
            "epoch_kept": kept,
            "validation_loss_of_offset": curve[0],
            "validation_likelihood": likelihood,
            "dispersion": float(log_size(training.network).exp().item()),
        }
        return FitResult(params, {"train_loss": train_loss, "validation_loss": curve[1:]})

    def _goes_on(self, epoch: int, judged: Judgement) -> bool:
        """Whether another epoch follows this one."""
        patient = epoch == 0 or epoch - judged.best() < self.patience
        return epoch < self.epochs and patient

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C)."""
        rates = self._fitted_offset().rates(block)
        device = pick_device(self.device)
        cells = NetworkRows(self._fitted_inputs(), block, device)
        with reproducible(0, self.num_threads, device):
            corrected = corrections(
                self._network.to(device), cells, np.arange(rates.size, dtype=np.int64)
            )
        return rates * np.exp(corrected).reshape(rates.shape)

    def explain(self, block: CellDayBlock, rows: NDArray[np.int64]) -> Attribution:
        """Parts of the offset, and of the correction by integrated gradients; see `Explains`."""
        offset = self._fitted_offset()
        block, rows = days_of_rows(block, rows)
        of_rate = rate_parts(offset.rates, block, rows, offset.log_city_mean)
        device = pick_device(self.device)
        cells = NetworkRows(self._fitted_inputs(), block, device)
        with reproducible(0, self.num_threads, device):
            of_network = integrated_gradients(self._network.to(device), cells, rows)
        return Attribution(
            (*of_rate.names, *names_of(cells.inputs.columns)),
            np.column_stack([of_rate.contributions, of_network]),
            of_rate.base,
        )

    def _fitted_inputs(self) -> LSTMInputs:
        if self._inputs is None:
            raise ValueError("Model 'lstm' has not been fitted.")
        return self._inputs

    def _fitted_offset(self) -> RateOffset:
        if self._offset is None:
            raise ValueError("Model 'lstm' has not been fitted.")
        return self._offset

    def to_bytes(self) -> dict[str, bytes]:
        """Weights as NPZ; the network's sizes, columns and scaling as JSON; the offset."""
        if self._inputs is None or self._shape is None:
            raise ValueError("Model 'lstm' has not been fitted.")
        weights = {k: v.cpu().numpy() for k, v in self._network.state_dict().items()}
        state = {"shape": asdict(self._shape), "inputs": self._inputs.to_state()}
        return {
            _WEIGHTS: npz_bytes(weights),
            _STATE: json_bytes(state),
            **self._fitted_offset().to_bytes(),
        }

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read what `to_bytes` wrote."""
        import torch

        state = json_state(files[_STATE])
        model = cls()
        model._offset = RateOffset.from_bytes(files)
        model._inputs = LSTMInputs.from_state(state["inputs"])
        model._shape = NetworkShape(**state["shape"])
        # The drawn weights are replaced at once; the caller's generator stays as it was.
        with torch.random.fork_rng(devices=[]):
            model._network = make_network(model._shape)
        weights = npz_arrays(files[_WEIGHTS])
        model._network.load_state_dict({k: torch.from_numpy(v) for k, v in weights.items()})
        return model
