"""MLflow as a resource: a run a training, below it a run a model, below that a run a fold.

Belongs here: which runs there are, the registry, the connection. Does not: what is written into a
run (`mlflow_records.py`), the choice of what is logged (`trained.py`, `compared.py`), training.

A training is what was made for one month from one set of rows. Its run holds the data's digest and,
once the champion is chosen, the comparison page; the tag `level` tells `training`, `model` and `fold`.

dagster-mlflow predates assets and leaves an asset's run RUNNING; this class is what is needed of
it. https://mlflow.org/docs/latest/ml/tracking
"""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import dagster as dg

from htrisk_dagster.defs import mlflow_records, mlflow_runs
from htrisk_dagster.defs.mlflow_runs import opened_run
from htrisk_dagster.evaluation.backtest import FoldResult
from htrisk_dagster.evaluation.training import Training
from htrisk_dagster.features.block import CellDayBlock
from htrisk_dagster.models.count_model import FitResult
from htrisk_dagster.settings import without_password

_LOADER = "htrisk_dagster.defs.mlflow_model"
COMPARISON_PAGE = "comparison.html"
# Tag of a model's run that names its learning curves among its metrics.
_CURVES = "learning_curves"

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

    uri: str = field(repr=False)  # may hold a password
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
        """Log one model below its training: parameters, folds, curves, digest, files, a version.

        Returns
        -------
        dict
            `mlflow_run_id`, `registered_model` and `registered_version`.
        """
        import mlflow

        registered = f"htrisk-{area}-{target}"
        about = {
            "study_area": area,
            "target": target,
            "month": card["month"],
            "known_before": str(card["known_before"]),
            "made_from": card["made_from"],
        }
        training = self._training(f"{area}/{target}", about, block)
        with self._run(f"{area}/{target}", f"{name} {card['month']}", training) as run:
            of_model = {**about, "model": name, "dagster_run_id": card["dagster_run_id"]}
            mlflow.set_tags({**of_model, "level": "model", _CURVES: ",".join(trained.fit.curves)})
            mlflow.log_params({**trained.fit.params, "seed": card["seed"]})
            mlflow.log_metric("dispersion", min(trained.dispersion, 1e12))
            mlflow.log_input(mlflow_records.dataset(about, block), context="training")
            for index, fold in enumerate(trained.folds):
                mlflow.log_metrics(mlflow_records.finite(fold.metrics), step=index)
                mlflow_records.log_fold(
                    f"{name} {card['month']} fold {index}", index, fold, of_model, block
                )
            mlflow_records.log_learning(trained.fit.curves)
            mlflow_records.log_curves(trained.folds[-1], block)
            mlflow.log_dict({k: mlflow_records.plain(v) for k, v in card.items()}, "card.json")
            logged = self._log_model(name, trained.files, block, registered)
        return {
            "mlflow_run_id": run.info.run_id,
            "mlflow_experiment_id": run.info.experiment_id,
            "registered_model": registered,
            "registered_version": logged,
        }

    def learning_curves(self, run_id: str) -> dict[str, list[float]]:
        """Learning curves of a model's run by name; empty where the run is not in this store."""
        self._connect()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client = MlflowClient()
        try:
            named = client.get_run(run_id).data.tags.get(_CURVES, "")
        except MlflowException:
            return {}
        return {
            name: [
                m.value
                for m in sorted(client.get_metric_history(run_id, name), key=lambda m: m.step)
            ]
            for name in named.split(",")
            if name
        }

    def log_figures(self, run_id: str, figures: Mapping[str, str]) -> None:
        """Add drawings, SVG by name, to a run; nothing where the run is not in this store."""
        self._connect()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client = MlflowClient()
        try:
            client.get_run(run_id)
        except MlflowException:
            return
        for name, drawing in figures.items():
            client.log_text(run_id, drawing, f"figures/{name}.svg")

    def log_document(self, run_id: str, text: str, name: str) -> dg.MetadataValue | None:
        """Add a document to a run and give its address; None where the run is not in this store."""
        self._connect()
        from mlflow import MlflowClient
        from mlflow.exceptions import MlflowException

        client = MlflowClient()
        try:
            run = client.get_run(run_id)
        except MlflowException:
            return None
        client.log_text(run_id, text, name)
        return dg.MetadataValue.url(
            f"{self._address(run.info.experiment_id, run_id)}/artifacts/{name}"
        )

    def log_page(
        self,
        about: Mapping[str, str],
        page: str,
        *,
        figures: Mapping[str, str],
        data: Mapping[str, Any],
        params: Mapping[str, object],
        metrics: Mapping[str, float],
    ) -> dg.MetadataValue:
        """Log what compares the models of a training: page, drawings, and their points.

        Parameters
        ----------
        about : dict of str to str
            Tags of the training: `study_area`, `target`, `month`, `made_from` and others.
        page : str
            HTML.
        figures, data : dict
            SVG and points by name of curve.
        params, metrics : dict
            Of the training as a whole.

        Returns
        -------
        dagster.MetadataValue
            Address of the page in MLflow.
        """
        self._connect()
        from mlflow import MlflowClient
        from mlflow.entities import Param

        client = MlflowClient()
        run_id = self._training(f"{about['study_area']}/{about['target']}", about)
        for key, value in about.items():
            client.set_tag(run_id, key, value)
        # A parameter is written once: choosing the champion again from the same rows gives the same.
        client.log_batch(run_id, params=[Param(k, str(v)) for k, v in params.items()])
        for metric, reached in mlflow_records.finite(metrics).items():
            client.log_metric(run_id, metric, reached)
        client.log_text(run_id, page, COMPARISON_PAGE)
        self.log_figures(run_id, figures)
        for name, points in data.items():
            client.log_dict(run_id, dict(points), f"curves/{name}.json")
        experiment_id = client.get_run(run_id).info.experiment_id
        return dg.MetadataValue.url(
            f"{self._address(experiment_id, run_id)}/artifacts/{COMPARISON_PAGE}"
        )

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
            mlflow.log_metrics(
                mlflow_records.finite({k: v for k, v in metrics.items() if v is not None})
            )

    def log_blind_folds(
        self, experiment: str, name: str, fit: FitResult, folds: Sequence[FoldResult],
        about: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Log a model that is of no cell with its blind folds, by the names of those that are."""
        run_name = f"{name} {about['month']}"
        with self._run(experiment, run_name):
            import mlflow

            of_model = {**about, "model": name}
            mlflow.set_tags({**of_model, "level": "model"})
            mlflow.log_params(fit.params)
            mlflow_records.log_learning(fit.curves)
            for index, fold in enumerate(folds):
                mlflow.log_metrics(mlflow_records.finite(fold.metrics), step=index)
                mlflow_records.log_fold(f"{run_name} fold {index}", index, fold, of_model)

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
        run = self._address(figures["mlflow_experiment_id"], figures["mlflow_run_id"])
        return {**shown, "mlflow_run": dg.MetadataValue.url(run)}

    def close_dead_runs(self) -> list[str]:
        """Mark runs as KILLED whose process was killed; return their ids."""
        if not mlflow_runs.dead_holders(self.store):
            return []
        self._connect()
        return mlflow_runs.close_dead_runs(self.store)

    def prepare(self) -> None:
        """Make the database and its tables: two cold processes that do it at once can fail."""
        self._connect()
        from mlflow import MlflowClient

        MlflowClient().search_experiments(max_results=1)

    def _connect(self) -> None:
        os.environ.update(ENVIRONMENT)
        import mlflow

        mlflow_runs.make_database(self.uri, self.store)
        mlflow.set_tracking_uri(_with_credentials_apart(self.uri))
        logging.getLogger("mlflow").setLevel(logging.WARNING)

    def _address(self, experiment_id: str, run_id: str) -> str:
        base = (
            without_password(self.uri) if self.uri.startswith("http") else "http://127.0.0.1:5000"
        )
        return f"{base}/#/experiments/{experiment_id}/runs/{run_id}"

    def _experiment(self, name: str) -> str:
        """Id of the experiment, made if it is not there."""
        self._connect()
        import mlflow

        found = mlflow.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        local = None if self.uri.startswith("http") else (self.store / "artifacts").as_uri()
        return str(mlflow.create_experiment(name, local))

    def _training(
        self, experiment: str, about: Mapping[str, str], block: CellDayBlock | None = None
    ) -> str:
        """Id of the run of a training, made if it is not there; `block` is what it learns from.

        Models of one training come one by one, from Dagster runs of their own, so that no run is
        open from the first to the last: it is finished at once and added to.
        """
        experiment_id = self._experiment(experiment)
        import mlflow
        from mlflow import MlflowClient

        client = MlflowClient()
        wanted = {"level": "training", "month": about["month"], "made_from": about["made_from"]}
        same = " and ".join(f"tags.{k} = '{v}'" for k, v in wanted.items())
        found = client.search_runs([experiment_id], same, max_results=1)
        if found:
            return str(found[0].info.run_id)
        name = f"training {about['month']}"
        with opened_run(self.store, experiment_id=experiment_id, run_name=name) as run:
            mlflow.set_tags({**about, **wanted})
            if block is not None:
                mlflow.log_input(mlflow_records.dataset(about, block), context="training")
        return str(run.info.run_id)

    @contextmanager
    def _run(self, experiment: str, name: str, parent: str | None = None) -> Iterator[Any]:
        with opened_run(
            self.store,
            experiment_id=self._experiment(experiment),
            run_name=name,
            parent_run_id=parent,
        ) as run:
            yield run

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
                signature=mlflow_records.signature(block.names),
                pip_requirements=[f"htrisk-dagster=={version('htrisk-dagster')}"],
            )
        return mlflow_records.register(registered, info)


def _with_credentials_apart(uri: str) -> str:
    """Address of a server without user and password, which MLflow takes from its own variables.

    In an address they would stand in every error that MLflow's client raises, and so in Dagster's
    history. https://mlflow.org/docs/latest/self-hosting/security/basic-http-auth/
    """
    parts = urlsplit(uri)
    if not uri.startswith("http") or parts.username is None:
        return uri
    os.environ["MLFLOW_TRACKING_USERNAME"] = unquote(parts.username)
    os.environ["MLFLOW_TRACKING_PASSWORD"] = unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
