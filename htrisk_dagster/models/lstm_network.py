"""The LSTM as a PyTorch network: modules, forward pass, likelihood, reproducible settings.

Belongs here: what is PyTorch and knows nothing of blocks. Does not: inputs (`lstm_inputs`), the
training loop (`lstm`). PyTorch is imported inside functions, so that listing models stays cheap.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

_PRECINCT_SIZE, _BOROUGH_SIZE, _HEAD_SIZE = 4, 2, 32
# Log rates outside have no meaning for incidents by cell and day, and exp would overflow.
_LOG_RATE_RANGE = (-20.0, 8.0)
# The dispersion starts near Poisson; beyond the upper bound single precision cannot tell.
_START_LOG_SIZE, _LOG_SIZE_RANGE = 2.0, (-5.0, 6.0)


@dataclass(frozen=True)
class NetworkShape:
    """Sizes that define the network."""

    n_channels: int
    n_static: int
    n_precincts: int
    n_boroughs: int
    hidden: int


def make_network(shape: NetworkShape, log_mean: float) -> nn.ModuleDict:
    """Make an untrained network that predicts exp(`log_mean`) everywhere."""
    import torch
    from torch import nn

    width = shape.hidden + shape.n_static + _PRECINCT_SIZE + _BOROUGH_SIZE
    last = nn.Linear(_HEAD_SIZE, 1)
    nn.init.zeros_(last.weight)
    nn.init.constant_(last.bias, log_mean)
    precinct = nn.Embedding(shape.n_precincts, _PRECINCT_SIZE)
    borough = nn.Embedding(shape.n_boroughs, _BOROUGH_SIZE)
    # Areas start alike and differ only as far as incidents say so.
    nn.init.normal_(precinct.weight, std=0.01)
    nn.init.normal_(borough.weight, std=0.01)
    return nn.ModuleDict(
        {
            "lstm": nn.LSTM(shape.n_channels, shape.hidden, batch_first=True),
            "precinct": precinct,
            "borough": borough,
            "head": nn.Sequential(nn.Linear(width, _HEAD_SIZE), nn.ReLU(), last),
            "dispersion": nn.ParameterDict({"log_size": torch.tensor(_START_LOG_SIZE)}),
        }
    )


def log_rate(
    network: nn.ModuleDict, sequence: Tensor, static: Tensor, precinct: Tensor, borough: Tensor
) -> Tensor:
    """Log of the expected count, shape (B,).

    Parameters
    ----------
    network : ModuleDict
        From `make_network`.
    sequence : float32, shape (B, 7, N)
    static : float32, shape (B, S)
    precinct, borough : int64, shape (B,)
    """
    import torch

    _, (last_state, _) = network["lstm"](sequence)
    joined = torch.cat(
        [last_state[-1], static, network["precinct"](precinct), network["borough"](borough)], dim=1
    )
    rate: Tensor = network["head"](joined)
    return rate.squeeze(1).clamp(*_LOG_RATE_RANGE)


def log_size(network: nn.ModuleDict) -> Tensor:
    """Log of the negative binomial's size r, a scalar tensor."""
    size: Tensor = network.get_parameter("dispersion.log_size")
    return size.clamp(*_LOG_SIZE_RANGE)


def negative_log_likelihood(log_mu: Tensor, log_r: Tensor, counts: Tensor) -> Tensor:
    """Negative binomial -log P(y) with mean exp(log_mu) and size exp(log_r), shape (B,)."""
    import torch

    r = log_r.exp()
    # log(1 + mu / r), and log(mu / (r + mu)) by it, are exact for means near 0.
    log_ratio = torch.nn.functional.softplus(log_mu - log_r)
    of_count = torch.lgamma(counts + r) - torch.lgamma(r) - torch.lgamma(counts + 1)
    return r * log_ratio - counts * (log_mu - log_r - log_ratio) - of_count


def pick_device(device: str) -> torch.device:
    """`auto` is CUDA where there is one, else the CPU; any other text is PyTorch's own."""
    import torch

    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(device)


@contextmanager
def reproducible(seed: int, num_threads: int, device: torch.device) -> Iterator[None]:
    """Seed PyTorch and make it deterministic inside; all global settings are put back after.

    The number of threads is fixed, since the order of floating-point sums depends on it.
    """
    import torch

    threads = torch.get_num_threads()
    deterministic = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        torch.set_num_threads(num_threads)
        # Warn only: on CUDA, cuBLAS is deterministic only with a variable set before the process.
        torch.use_deterministic_algorithms(True, warn_only=True)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            torch.set_num_threads(threads)
