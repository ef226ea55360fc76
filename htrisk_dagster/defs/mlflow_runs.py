"""MLflow's runs and the process behind each: opened under its name, closed when it is gone.

Belongs here: opening a run so that its end is seen however it comes, closing what a killed process left
RUNNING, a database that is there whole or not at all. Does not: what is logged (`mlflow_tracking.py`).
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from htrisk_dagster.warehouse.leftovers import beside
from htrisk_dagster.warehouse.living import dead_names, forget, living

HOLDER = "htrisk_holder"
"""Tag of a run: the name that the process behind it holds while it runs."""
_SQLITE = "sqlite:///"


@contextmanager
def opened_run(store: Path, **given: Any) -> Iterator[Any]:
    """Give a new run of MLflow, by the arguments of `mlflow.start_run`."""
    import mlflow

    name = uuid.uuid4().hex
    with living(_names(store), name):
        # The tag comes with the run: one that is killed at once is known too.
        tags = {**given.pop("tags", {}), HOLDER: name}
        with mlflow.start_run(**given, tags=tags) as run:
            yield run


def close_dead_runs(store: Path) -> list[str]:
    """Mark runs as KILLED whose process is gone; return their ids.

    MLflow has to be connected. Runs of other machines and of other programs are left alone.
    """
    from mlflow import MlflowClient
    from mlflow.entities import ViewType

    client, names, closed = MlflowClient(), dead_holders(store), []
    experiments = [e.experiment_id for e in client.search_experiments(ViewType.ALL)]
    for name in names:
        of_name = f"tags.{HOLDER} = '{name}' and attributes.status = 'RUNNING'"
        for run in client.search_runs(experiments, of_name):
            client.set_terminated(run.info.run_id, "KILLED")
            closed.append(str(run.info.run_id))
    forget(_names(store), names)
    return closed


def dead_holders(store: Path) -> list[str]:
    """Names of processes that are gone and have left runs behind."""
    return dead_names(_names(store))


def make_database(uri: str, store: Path) -> None:
    """Make MLflow's SQLite file with all its tables, if it is not there.

    It is made beside and moved: one that was cut off between two of its tables can be neither used
    nor mended by MLflow.
    """
    path = Path(uri.removeprefix(_SQLITE))
    if not uri.startswith(_SQLITE) or path.exists():
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    store.mkdir(parents=True, exist_ok=True)
    new = beside(path)
    try:
        artifacts = (store / "artifacts").as_uri()
        made = SqlAlchemyStore(f"{_SQLITE}{new}", artifacts)  # type: ignore[no-untyped-call]
        made.engine.dispose()
        with suppress(FileExistsError):  # two cold processes: the first one's stays
            os.link(new, path)
    finally:
        new.unlink(missing_ok=True)


def _names(store: Path) -> Path:
    return store / "under_way"
