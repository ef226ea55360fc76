"""The protocol every count model follows, and the register of models by name.

Belongs here: what fit and predict promise, what a fit returns, how a model is made or read back.
Does not: any model (the modules beside this one), metrics, reading or writing files, MLflow.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from typing import ClassVar, Protocol, Self, cast

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.features.block import CellDayBlock

Progress = Callable[[str, int, int], None]
"""Called with what is being done, how many steps are done and how many there are at most."""

# Module and class by model name. Text, so that a model's library is imported only when it is used.
_MODELS = {
    "historical_mean": ("historical_mean", "HistoricalMean"),
    "kde": ("kde", "KernelDensity"),
    "ewma": ("ewma", "EWMA"),
    "kde_ewma": ("kde_ewma", "KDEEWMA"),
    "prospective_hotspot": ("prospective_hotspot", "ProspectiveHotspot"),
    "etas": ("etas", "ETAS"),
    "risk_terrain": ("risk_terrain", "RiskTerrain"),
    "empirical_bayes": ("empirical_bayes", "EmpiricalBayes"),
    "lightgbm": ("boosting", "LightGBMModel"),
    "xgboost": ("xgboost_model", "XGBoostModel"),
    "lstm": ("lstm", "LSTMModel"),
}
MODEL_NAMES = tuple(_MODELS)


@dataclass(frozen=True)
class FitResult:
    """What a fit reports beside the model.

    Parameters
    ----------
    params : dict
        Options and fitted scalars worth logging.
    curves : dict of str to list of float
        One value per epoch or tree, such as `train_loss` and `validation_loss`.
    """

    params: dict[str, float | int | str]
    curves: dict[str, list[float]] = field(default_factory=dict)


class CountModel(Protocol):
    """A forecaster of counts by cell and day.

    The same block, options and seed give the same `to_bytes` on the same machine.
    """

    name: ClassVar[str]

    def fit(self, block: CellDayBlock, *, seed: int, progress: Progress | None = None) -> FitResult:
        """Fit on a block with counts; raise ValueError where it has none."""
        ...

    def predict(self, block: CellDayBlock) -> NDArray[np.float64]:
        """Give expected counts, shape (D, C), all above 0; `block.counts` is never read."""
        ...

    def to_bytes(self) -> dict[str, bytes]:
        """File name to content, in formats that load without running code."""
        ...

    @classmethod
    def from_bytes(cls, files: Mapping[str, bytes]) -> Self:
        """Read the model of `to_bytes`; its predictions are exactly equal."""
        ...


def _model_class(name: str) -> type[CountModel]:
    if name not in _MODELS:
        raise SettingError(f"There is no model '{name}'. Choose one of {', '.join(MODEL_NAMES)}.")
    module, class_name = _MODELS[name]
    return cast(
        "type[CountModel]", getattr(import_module(f"htrisk_dagster.models.{module}"), class_name)
    )


def make_model(name: str, **options: float | int | str) -> CountModel:
    """Make an unfitted model.

    Parameters
    ----------
    name : str
        One of `MODEL_NAMES`.
    **options
        Arguments of the model's class, such as `n_estimators` or `epochs`.

    Raises
    ------
    SettingError
        Where the name or an option is unknown.
    """
    model_class = _model_class(name)
    allowed = inspect.signature(model_class).parameters
    unknown = sorted(set(options) - set(allowed))
    if unknown:
        raise SettingError(
            f"Model '{name}' has no option '{unknown[0]}'. It takes {', '.join(allowed) or 'none'}."
        )
    return model_class(**options)


def load_model(name: str, files: Mapping[str, bytes]) -> CountModel:
    """Read the fitted model that `to_bytes` of model `name` wrote as `files`."""
    return _model_class(name).from_bytes(files)


def training_counts(block: CellDayBlock) -> NDArray[np.float32]:
    """Give the counts of a block to fit on, shape (D, C).

    Raises
    ------
    ValueError
        Where the block carries no counts, or no days.
    """
    if block.counts is None:
        raise ValueError("A model is fitted on a block with counts; this block has none.")
    if block.n_days == 0:
        raise ValueError("A model is fitted on at least one day; this block has none.")
    return block.counts


def require_cells(name: str, fitted_cells: int, block: CellDayBlock) -> None:
    """Refuse a block of other cells than a per-cell model was fitted on."""
    if block.n_cells != fitted_cells:
        raise ValueError(
            f"Model '{name}' was fitted on {fitted_cells} cells and the block has "
            f"{block.n_cells}. Fit it again on this grid."
        )


def require_columns(name: str, block: CellDayBlock, columns: Sequence[str]) -> None:
    """Refuse a block that lacks a feature that a model is defined on."""
    missing = [column for column in columns if column not in block.names]
    if missing:
        raise ValueError(
            f"Model '{name}' needs feature '{missing[0]}', which the block lacks "
            f"({len(missing)} missing in all). Make the features with the whole list."
        )
