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

_AREA_SIZE, _HEAD_SIZE = 4, 32
# How far an area is expected to lie from the one around it, on the scale of the other inputs, which
# have standard deviation 1: cells differ less within a precinct than precincts do.
AREA_PRIOR_SD = {"borough": 0.5, "precinct": 0.5, "cell": 0.25}
# Log rates outside have no meaning for incidents by cell and day, and exp would overflow.
_LOG_RATE_RANGE = (-20.0, 8.0)
# The dispersion starts near Poisson; beyond the upper bound single precision cannot tell.
_START_LOG_SIZE, _LOG_SIZE_RANGE = 2.0, (-5.0, 6.0)
# Zero inflation starts at 2%; at the bound of 99.3% nothing else is left.
_START_LOGIT, _LOGIT_RANGE = -4.0, (-12.0, 5.0)


@dataclass(frozen=True)
class NetworkShape:
    """What defines the network beside its weights."""

    n_channels: int
    n_static: int
    n_cells: int
    n_precincts: int
    n_boroughs: int
    hidden: int
    zero_inflated: bool


def make_network(shape: NetworkShape) -> nn.ModuleDict:
    """Make an untrained network, whose correction is 0 everywhere."""
    import torch
    from torch import nn

    last = nn.Linear(_HEAD_SIZE, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    sizes = {"borough": shape.n_boroughs, "precinct": shape.n_precincts, "cell": shape.n_cells}
    areas = {level: nn.Embedding(size, _AREA_SIZE) for level, size in sizes.items()}
    for embedding in areas.values():
        nn.init.zeros_(embedding.weight)
    # Beyond the mean, the likelihood has a dispersion, and a share of certain zeros if asked for.
    spread = {"log_size": torch.tensor(_START_LOG_SIZE)}
    if shape.zero_inflated:
        spread["inflation_logit"] = torch.tensor(_START_LOGIT)
    width = shape.hidden + shape.n_static + _AREA_SIZE
    return nn.ModuleDict(
        {
            "lstm": nn.LSTM(shape.n_channels, shape.hidden, batch_first=True),
            "areas": nn.ModuleDict(areas),
            "head": nn.Sequential(nn.Linear(width, _HEAD_SIZE), nn.ReLU(), last),
            "spread": nn.ParameterDict(spread),
        }
    )


def area_deviations(network: nn.ModuleDict, areas: Tensor) -> Tensor:
    """Deviation of each row's borough, of its precinct within that and of its cell within that.

    A cell is the sum of the three, so one without incidents of its own is its precinct, and a
    precinct without any its borough.

    Parameters
    ----------
    network : ModuleDict
        From `make_network`.
    areas : int64, shape (B, 3)
        Index of borough, precinct and cell.

    Returns
    -------
    float32, shape (B, 3, 4)
    """
    import torch

    levels = [network.get_submodule(f"areas.{level}") for level in AREA_PRIOR_SD]
    return torch.stack([levels[i](areas[:, i]) for i in range(len(levels))], dim=1)


def area_penalty(network: nn.ModuleDict) -> Tensor:
    """Negative log density of all areas' deviations under their exchangeable normal priors."""
    import torch

    levels = [
        network.get_parameter(f"areas.{level}.weight").square().sum() / (2 * sd**2)
        for level, sd in AREA_PRIOR_SD.items()
    ]
    return torch.stack(levels).sum()


def correction(
    network: nn.ModuleDict, sequence: Tensor, static: Tensor, deviations: Tensor
) -> Tensor:
    """Log ratio of the expected count to the offset's, shape (B,).

    Parameters
    ----------
    network : ModuleDict
        From `make_network`.
    sequence : float32, shape (B, 7, N)
    static : float32, shape (B, S)
    deviations : float32, shape (B, 3, 4)
        From `area_deviations`.
    """
    import torch

    _, (last_state, _) = network["lstm"](sequence)
    joined = torch.cat([last_state[-1], static, deviations.sum(dim=1)], dim=1)
    summed: Tensor = network["head"](joined)
    return summed.squeeze(1)


def log_rate(offset: Tensor, corrected: Tensor) -> Tensor:
    """Log of the expected count, shape (B,)."""
    return (offset + corrected).clamp(*_LOG_RATE_RANGE)


def log_size(network: nn.ModuleDict) -> Tensor:
    """Log of the negative binomial's size r, a scalar tensor."""
    size: Tensor = network.get_parameter("spread.log_size")
    return size.clamp(*_LOG_SIZE_RANGE)


def inflation_logit(network: nn.ModuleDict) -> Tensor | None:
    """Logit of the share of certain zeros, a scalar tensor; None without zero inflation."""
    found = dict(network.named_parameters()).get("spread.inflation_logit")
    return None if found is None else found.clamp(*_LOGIT_RANGE)


def negative_log_likelihood(
    log_mu: Tensor, log_r: Tensor, counts: Tensor, logit: Tensor | None = None
) -> Tensor:
    """-log P(y) of a negative binomial, zero-inflated if a logit is given; shape (B,).

    With a share pi of certain zeros the negative binomial's own mean is exp(log_mu) / (1 - pi), so
    that exp(log_mu) stays the expected count (Lambert 1992; here with gamma mixing).

    Parameters
    ----------
    log_mu : float, shape (B,)
        Log of the expected count.
    log_r : float, scalar
        Log of the size r.
    counts : float, shape (B,)
    logit : float, scalar, optional
        log(pi / (1 - pi)).

    References
    ----------
    Lambert, D. (1992). Zero-inflated Poisson regression. Technometrics 34.
    """
    import torch
    from torch.nn.functional import softplus

    # log(1 / (1 - pi)) is softplus(logit).
    shared = torch.zeros_like(log_r) if logit is None else softplus(logit)
    log_mean = log_mu + shared
    r = log_r.exp()
    # log(1 + mu / r), and log(mu / (r + mu)) by it, are exact for means near 0.
    log_ratio = softplus(log_mean - log_r)
    of_count = torch.lgamma(counts + r) - torch.lgamma(r) - torch.lgamma(counts + 1)
    plain = r * log_ratio - counts * (log_mean - log_r - log_ratio) - of_count
    if logit is None:
        return plain
    # P(0) = pi + (1 - pi) P_nb(0); both terms carry 1 - pi = exp(-shared).
    of_zero = shared - torch.logaddexp(logit, -plain)
    return torch.where(counts > 0, plain + shared, of_zero)


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
    mode = torch.get_deterministic_debug_mode()
    gpus = [torch.cuda.current_device()] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus):
        torch.manual_seed(seed)
        torch.set_num_threads(num_threads)
        # Warn only: on CUDA, cuBLAS is deterministic only with a variable set before the process.
        # Not `use_deterministic_algorithms`, which does the same and imports PyTorch's compiler: 1.4 s.
        torch.set_deterministic_debug_mode("warn")
        try:
            yield
        finally:
            torch.set_deterministic_debug_mode(mode)
            torch.set_num_threads(threads)
