"""What is installed, configured and missing, as lines for a person.

Belongs here: looking. Does not: changing anything.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from htrisk_dagster.defs import dbt_project
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import HtriskError, SourceError
from htrisk_dagster.schemas import ALL_TABLES, raw
from htrisk_dagster.settings import Settings, load_settings, without_password
from htrisk_dagster.sources.unread_files import unread_files

_PACKAGES = (
    "dagster", "dagster-webserver", "dagster-duckdb", "dagster-dbt", "duckdb", "dbt-core",
    "dbt-duckdb", "polars", "geopandas", "scikit-learn", "lightgbm", "torch", "hdbscan", "mlflow",
)  # fmt: skip
_LEAST_FREE_GB = 2


@dataclass
class Report:
    """Lines to print, and whether everything that must be there is."""

    lines: list[str]
    is_well: bool = True

    def good(self, what: str) -> None:
        """Add a line about something in order."""
        self.lines.append(f"ok       {what}")

    def missing(self, what: str) -> None:
        """Add a line about something that must be there and is not."""
        self.lines.append(f"MISSING  {what}")
        self.is_well = False

    def note(self, what: str) -> None:
        """Add a line about something optional."""
        self.lines.append(f"-        {what}")


def examine(area: str) -> Report:
    """Look at packages, settings, study area, dbt, stores and disk."""
    report = Report([])
    _packages(report)
    try:
        settings = load_settings(area=area)
        workspace = Workspace(settings)
        study_area = workspace.area(area)
    except HtriskError as error:
        report.missing(str(error))
        return report
    target, part = workspace.target(study_area)
    report.good(f"study area {area}: {study_area.title}, target {target} ({part.title})")
    report.good(f"origin {settings.origin}, workspace {settings.workspace}")
    _settings(report, settings)
    _dbt(report)
    _stores(report, workspace, area)
    free = shutil.disk_usage(_existing(settings.workspace)).free / 1e9
    line = f"{free:.0f} GB free for {settings.workspace}"
    report.good(line) if free >= _LEAST_FREE_GB else report.missing(f"{line}; 2 GB are needed")
    return report


def _packages(report: Report) -> None:
    for package in _PACKAGES:
        try:
            report.good(f"{package} {version(package)}")
        except PackageNotFoundError:
            report.missing(f"package {package}: run `make setup`")
    try:
        found = "xgboost-cpu", version("xgboost-cpu")
    except PackageNotFoundError:
        try:
            found = "xgboost", version("xgboost")
        except PackageNotFoundError:
            report.missing("package xgboost-cpu: run `make setup`")
            return
    report.good(" ".join(found))


def _settings(report: Report, settings: Settings) -> None:
    if settings.data_dir and not settings.data_dir.is_dir():
        report.missing(f"data_dir {settings.data_dir} is no folder")
    elif settings.data_dir:
        try:
            for unread in unread_files(settings.data_dir):
                report.note(unread.sentence)
        except SourceError as error:
            report.missing(str(error))
    if settings.socrata_app_token:
        report.good("socrata_app_token is set")
    else:
        report.note("socrata_app_token is not set: the live API works, more slowly")
    report.note(f"MLflow at {without_password(settings.tracking_uri)}")


def _dbt(report: Report) -> None:
    try:
        report.good(f"dbt manifest {dbt_project.manifest()}")
    except (HtriskError, OSError) as error:
        report.missing(f"dbt manifest: {error}")


def _stores(report: Report, workspace: Workspace, area: str) -> None:
    store = workspace.tables(area)
    made = {t: len(store.keys(t)) for t in ALL_TABLES if t not in raw.RESTRICTED_TABLES}
    filled = {t.full_name: n for t, n in made.items() if n}
    if not filled:
        report.note("warehouse is empty: run `make demo` or `htrisk run`")
        return
    report.good(f"warehouse: {sum(filled.values())} partitions of {len(filled)} tables")
    ledger = store.read(raw.INTAKE)
    with_rows = set(ledger.filter(ledger["rows_kept_count"] > 0)["source"])
    for table in raw.TABLES:
        if table.layer == raw.LAYER and store.keys(table) and table.name in _FROM_FILES:
            present = table.name in with_rows
            report.note(f"source {table.name}: {'present' if present else 'absent'}")


_FROM_FILES = frozenset(
    t.name for t in (*raw.INCIDENT_TABLES, raw.PERMITTED_EVENTS, raw.AIRPORT_PASSENGERS,
                     raw.TRANSIT_RIDERSHIP, raw.BOROUGHS, raw.PRECINCTS)
)  # fmt: skip


def _existing(path: Path) -> Path:
    while not path.exists():
        path = path.parent
    return path
