"""What the LSTM's correction is made of: integrated gradients.

Belongs here: the path integral and its names. Does not: the network (`lstm_network`), the parts of
its offset (`rate_reasons`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.models.attribution import LEARNED_LEVEL
from htrisk_dagster.models.lstm_network import AREA_PRIOR_SD, area_deviations, correction
from htrisk_dagster.models.lstm_training import NetworkRows

if TYPE_CHECKING:
    from torch import Tensor, nn

_STEPS = 32
_BATCH = 4096


def names_of(columns: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns of `integrated_gradients`."""
    return (*columns, *(f"area_{level}" for level in AREA_PRIOR_SD), LEARNED_LEVEL)


def integrated_gradients(
    network: nn.ModuleDict, cells: NetworkRows, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Contribution of each input to the log ratio of the expected count to the offset's.

    An input's contribution is its value times the mean gradient on the straight way from the
    baseline, where every input has its mean over the training days and every area is average
    (standardised, both are 0). Contributions and the network's value at the baseline add up to its
    value (completeness), up to the error of the midpoint rule on 32 steps.

    Parameters
    ----------
    network : ModuleDict
        From `make_network`.
    cells : NetworkRows
    rows : int64, shape (n,)

    Returns
    -------
    float64, shape (n, 7 N + S + 4)
        Columns as the inputs have them, borough, precinct, cell, and the value at the baseline.

    References
    ----------
    Sundararajan, M., Taly, A. and Yan, Q. (2017). Axiomatic attribution for deep networks. ICML.
    """
    parts = [
        _of_batch(network, cells, rows[start : start + _BATCH])
        for start in range(0, len(rows), _BATCH)
    ]
    return np.concatenate(parts)


def _of_batch(
    network: nn.ModuleDict, cells: NetworkRows, rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    import torch

    sequence, static, areas = cells.tensors(rows)
    with torch.no_grad():
        inputs = (sequence, static, area_deviations(network, areas))
        at_baseline = correction(network, *(torch.zeros_like(i[:1]) for i in inputs))
    gradients = [torch.zeros_like(i, dtype=torch.float64) for i in inputs]
    for step in range(_STEPS):
        for total, gradient in zip(
            gradients, _gradients(network, inputs, (step + 0.5) / _STEPS), strict=True
        ):
            total += gradient
    of_sequence, of_static, of_areas = (
        (g * i / _STEPS).cpu().numpy() for g, i in zip(gradients, inputs, strict=True)
    )
    return np.column_stack(
        [
            of_sequence.reshape(len(rows), -1),
            of_static,
            of_areas.sum(axis=2),
            np.full(len(rows), at_baseline.item()),
        ]
    )


def _gradients(
    network: nn.ModuleDict, inputs: tuple[Tensor, ...], share: float
) -> tuple[Tensor, ...]:
    """Gradients of the correction at a share of the way to the inputs."""
    import torch

    there = tuple((share * i).requires_grad_() for i in inputs)
    return torch.autograd.grad(correction(network, *there).sum(), there)
