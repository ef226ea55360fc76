"""What is written into an open MLflow run: data digest, folds, learning curves, signature, version.

Belongs here: our results in MLflow's terms. Does not: which runs there are (`mlflow_tracking.py`),
what is logged (`trained.py`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from htrisk_dagster.defs.mlflow_runs import HOLDER
from htrisk_dagster.evaluation.backtest import FoldResult
from htrisk_dagster.evaluation.curves import all_curves
from htrisk_dagster.evaluation.training import fold_truth
from htrisk_dagster.features.block import CellDayBlock

if TYPE_CHECKING:
    from mlflow.data.dataset import Dataset
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

# MLflow takes at most this many metrics in one call.
_BATCH = 1000
_INDEX_COLUMNS = ("risk_on", "cell_id", "precinct_index", "borough_index")


def register(name: str, info: ModelInfo) -> str:
    """Make a version of the registered model; return its number."""
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    client = MlflowClient()
    try:
        client.get_registered_model(name)
    except MlflowException:
        client.create_registered_model(name)
    made = client.create_model_version(
        name, info.model_uri, run_id=info.run_id, model_id=info.model_id
    )
    return str(made.version)


def signature(names: tuple[str, ...]) -> ModelSignature:
    """Columns of a model's frame, index and features `names`, and what it gives."""
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, Schema

    index = [
        ColSpec("datetime" if c == "risk_on" else "integer", c, required=True)
        for c in _INDEX_COLUMNS
    ]
    features = [ColSpec("float", c, required=True) for c in names]
    return ModelSignature(
        inputs=Schema([*index, *features]), outputs=Schema([ColSpec("double", "expected_count")])
    )


def dataset(about: Mapping[str, str], block: CellDayBlock) -> Dataset:
    """Features that a training learns from, by digest; the rows stay where they are."""
    from mlflow.data.code_dataset_source import CodeDatasetSource
    from mlflow.data.numpy_dataset import NumpyDataset

    area, target = about["study_area"], about["target"]
    span = f"{block.days[0]}..{block.days[-1]}"
    source = CodeDatasetSource(tags={"asset": f"{area}/features/cell_day", "days": span})
    return NumpyDataset(block.features, source, name=f"{area} {target}", digest=about["made_from"])


def log_fold(
    name: str,
    index: int,
    fold: FoldResult,
    of_model: Mapping[str, str],
    block: CellDayBlock | None = None,
) -> None:
    """Log one blind fold as a run below its model's: days, seal, metrics, curves.

    Curves of the forecast need the cells of a `block`.
    """
    import mlflow

    above = mlflow.active_run()
    assert above is not None
    # Without its experiment a nested run lands in the default one.
    holder = {HOLDER: above.data.tags[HOLDER]} if HOLDER in above.data.tags else {}
    with mlflow.start_run(
        experiment_id=above.info.experiment_id, run_name=name, nested=True, tags=holder
    ):
        mlflow.set_tags({**of_model, "level": "fold", "fold": index, "sealed": fold.digest})
        mlflow.log_params({k: str(v) for k, v in asdict(fold.fold).items()})
        mlflow.log_metrics(finite(fold.metrics))
        log_learning(fold.fit.curves)
        if block is not None:
            log_curves(fold, block)


def log_learning(curves: Mapping[str, Sequence[float]]) -> None:
    """Log learning curves of the active run as metrics by step."""
    import mlflow
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    values = [
        Metric(curve, float(value), now, step)
        for curve, of_curve in curves.items()
        for step, value in enumerate(of_curve)
    ]
    run = mlflow.active_run()
    assert run is not None
    for start in range(0, len(values), _BATCH):
        mlflow.MlflowClient().log_batch(run.info.run_id, values[start : start + _BATCH])


def log_curves(fold: FoldResult, block: CellDayBlock) -> None:
    """Log the curves of a fold's forecast as points, with the active run."""
    import mlflow

    for curve in all_curves(fold_truth(block, fold.fold), fold.forecast):
        table = {curve.x_title: curve.x.tolist(), curve.y_title: curve.y.tolist()}
        mlflow.log_dict(table, f"curves/{curve.name}.json")


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that are numbers: MLflow's page cannot show the others."""
    return {k: v for k, v in metrics.items() if v == v and abs(v) != float("inf")}


def plain(value: Any) -> Any:
    """Give a card's value as JSON can hold it: days and paths as text."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
