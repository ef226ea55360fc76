"""MLflow as a resource: one run a model and month, with folds, curves, digests and registry.

Belongs here: every call of MLflow. Does not: what is logged (`trained.py` decides), training.

dagster-mlflow predates assets and leaves an asset's run RUNNING; this class is what is needed of
it. https://mlflow.org/docs/latest/ml/tracking
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from htrisk_dagster.evaluation.training import Training, fold_truth
from htrisk_dagster.features.block import CellDayBlock

if TYPE_CHECKING:
    from mlflow.models import ModelSignature
    from mlflow.models.model import ModelInfo

_LOADER = "htrisk_dagster.defs.mlflow_model"
_INDEX_COLUMNS = ("risk_on", "cell_id", "precinct_index", "borough_index")

ENVIRONMENT = {
    # No telemetry; no job workers in the server: 541 MB in two processes instead of 2.6 GB in ten.
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "GIT_PYTHON_REFRESH": "quiet",
}


@dataclass(frozen=True)
class MlflowTracking:
    """Runs and registered models of one workspace.

    Parameters
    ----------
    uri : str
        A server's address, or `sqlite:///…`.
    store : Path
        Folder of the artifacts of new experiments when `uri` is a file.
    """

    uri: str
    store: Path

    def log_training(
        self,
        area: str,
        target: str,
        name: str,
        trained: Training,
        block: CellDayBlock,
        card: Mapping[str, Any],
    ) -> dict[str, Any]:
        """Log one model: parameters, metrics a fold, curves, data digest, files, a version.

        Returns
        -------
        dict
            `mlflow_run_id`, `registered_model` and `registered_version`.
        """
        import mlflow

        registered = f"htrisk-{area}-{target}"
        with self._run(f"{area}/{target}", f"{name} {card['month']}") as run:
            mlflow.set_tags(
                {
                    "study_area": area,
                    "target": target,
                    "model": name,
                    "month": card["month"],
                    "known_before": str(card["known_before"]),
                    "dagster_run_id": card["dagster_run_id"],
                    "made_from": card["made_from"],
                }
            )
            mlflow.log_params({**trained.fit.params, "seed": card["seed"]})
            mlflow.log_metric("dispersion", min(trained.dispersion, 1e12))
            self._log_dataset(area, target, block, str(card["made_from"]))
            for index, fold in enumerate(trained.folds):
                mlflow.log_metrics(_finite(fold.metrics), step=index)
            for curve, values in trained.fit.curves.items():
                for step, value in enumerate(values):
                    mlflow.log_metric(curve, value, step=step, synchronous=False)
            _log_curves(trained, block)
            mlflow.log_dict({k: _plain(v) for k, v in card.items()}, "card.json")
            logged = self._log_model(name, trained.files, block, registered)
        return {
            "mlflow_run_id": run.info.run_id,
            "mlflow_experiment_id": run.info.experiment_id,
            "registered_model": registered,
            "registered_version": logged,
        }

    def log_values(
        self,
        experiment: str,
        name: str,
        metrics: Mapping[str, float | None],
        params: Mapping[str, str],
        dagster_run_id: str,
    ) -> None:
        """Log one result that has no model to keep, to compare it with its like."""
        with self._run(experiment, name):
            import mlflow

            mlflow.set_tag("dagster_run_id", dagster_run_id)
            mlflow.log_params(dict(params))
            mlflow.log_metrics(_finite({k: v for k, v in metrics.items() if v is not None}))

    def set_aliases(self, aliases: Mapping[str, tuple[str, str]]) -> None:
        """Point each alias at a registered model and version."""
        self._connect()
        from mlflow import MlflowClient

        client = MlflowClient()
        for alias, (model, number) in aliases.items():
            client.set_registered_model_alias(model, alias, number)

    def as_metadata(self, figures: Mapping[str, Any]) -> dict[str, Any]:
        """Figures for Dagster's UI, the MLflow run as a link where there is a server."""
        shown = {k: v for k, v in figures.items() if k != "mlflow_experiment_id"}
        base = self.uri if self.uri.startswith("http") else "http://127.0.0.1:5000"
        run = f"{base}/#/experiments/{figures['mlflow_experiment_id']}/runs/{figures['mlflow_run_id']}"
        return {**shown, "mlflow_run": dg.MetadataValue.url(run)}

    def prepare(self) -> None:
        """Make the database and its tables: two cold processes that do it at once can fail."""
        self._connect()
        from mlflow import MlflowClient

        MlflowClient().search_experiments(max_results=1)

    def _connect(self) -> None:
        os.environ.update(ENVIRONMENT)
        self.store.mkdir(parents=True, exist_ok=True)
        import mlflow

        mlflow.set_tracking_uri(self.uri)
        logging.getLogger("mlflow").setLevel(logging.WARNING)

    @contextmanager
    def _run(self, experiment: str, name: str) -> Iterator[Any]:
        self._connect()
        import mlflow

        found = mlflow.get_experiment_by_name(experiment)
        if found is None:
            local = None if self.uri.startswith("http") else (self.store / "artifacts").as_uri()
            experiment_id = mlflow.create_experiment(experiment, local)
        else:
            experiment_id = found.experiment_id
        with mlflow.start_run(experiment_id=experiment_id, run_name=name) as run:
            yield run

    def _log_dataset(self, area: str, target: str, block: CellDayBlock, digest: str) -> None:
        import mlflow
        from mlflow.data.code_dataset_source import CodeDatasetSource
        from mlflow.data.numpy_dataset import NumpyDataset

        span = f"{block.days[0]}..{block.days[-1]}"
        source = CodeDatasetSource(tags={"asset": f"{area}/features/cell_day", "days": span})
        dataset = NumpyDataset(block.features, source, name=f"{area} {target}", digest=digest)
        mlflow.log_input(dataset, context="training")

    def _log_model(
        self, name: str, files: Mapping[str, bytes], block: CellDayBlock, registered: str
    ) -> str:
        import mlflow

        with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
            # An input example would be every cell of a day, and is checked by loading the model.
            warnings.filterwarnings("ignore", message=".*input example was not provided.*")
            data = Path(folder) / "model"
            data.mkdir()
            (data / "name.txt").write_text(name)
            for file, content in files.items():
                (data / file).write_bytes(content)
            info = mlflow.pyfunc.log_model(
                name="model",
                loader_module=_LOADER,
                data_path=str(data),
                signature=_signature(block.names),
                pip_requirements=[f"htrisk-dagster=={version('htrisk-dagster')}"],
            )
        return _register(registered, info)


def _register(name: str, info: ModelInfo) -> str:
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


def _signature(names: tuple[str, ...]) -> ModelSignature:
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


def _log_curves(trained: Training, block: CellDayBlock) -> None:
    import mlflow

    from htrisk_dagster.evaluation.curves import all_curves

    last = trained.folds[-1]
    for curve in all_curves(fold_truth(block, last.fold), last.forecast):
        table = {curve.x_title: curve.x.tolist(), curve.y_title: curve.y.tolist()}
        mlflow.log_dict(table, f"curves/{curve.name}.json")


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {k: v for k, v in metrics.items() if v == v and abs(v) != float("inf")}


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    return value if isinstance(value, str | int | float | bool | type(None)) else str(value)
