"""The mailed report of each day: what is read, where it is kept, and its place in MLflow.

Belongs here: the step behind `publishing/daily_report`. Does not: what the report says
(`publishing/daily_report.py`), its release (`released.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.forecast import map_header
from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.publishing.daily_report import (
    LARGEST_BYTES,
    days_shown,
    render_daily_report,
)
from htrisk_dagster.schemas import governance, grid, predictions, raw
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE, write_text_whole


def report_path(workspace: Workspace, area: StudyArea, day: str) -> Path:
    """File of one day's report."""
    return workspace.settings.warehouse / "reports" / area.name / "daily" / f"{day}.html"


def store_reports(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, days: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Write the report of each day and log it with the champion's run; return metadata by day.

    Raises
    ------
    MissingPartitionError
        Where a day has no risk, or its model no card.
    ReleaseError
        Where a report is larger than an attachment may be.
    """
    figures = {}
    made = MadeFrom(workspace, area)
    for day in days:
        page = _render(workspace, area, day, made)
        path = write_text_whole(report_path(workspace, area, day), page)
        figures[day] = {
            "daily_report": dg.MetadataValue.path(path),
            "bytes": path.stat().st_size,
        }
        logged = tracking.log_document(
            _run_of(workspace, area, day), page, f"daily_reports/{day}.html"
        )
        if logged is not None:
            figures[day]["daily_report_in_mlflow"] = logged
    return figures


def month_of(workspace: Workspace, area: StudyArea, day: str) -> str:
    """Month of the champion in use on a day."""
    return workspace.models(area).newest_month(CHAMPION, date.fromisoformat(day))


def _render(workspace: Workspace, area: StudyArea, day: str, made: MadeFrom) -> str:
    store = workspace.tables(area.name)
    risk = store.read(predictions.CELL_DAY_RISK, _shown_days(workspace, area, day))
    of_day = risk.filter(pl.col("risk_on") == date.fromisoformat(day))
    header = map_header(workspace, area, of_day, made.daily_report(day), made.silence(day))
    page = render_daily_report(
        risk.filter(pl.col("target") == of_day["target"][0]),
        store.read(grid.CELLS, [WHOLE]),
        boroughs=store.read(raw.BOROUGHS, [WHOLE]),
        card=store.read(governance.MODEL_CARD, [month_of(workspace, area, day)]),
        header=header,
        shapes=store.read(raw.PRECINCTS, [WHOLE]),
    )
    size = len(page.encode())
    if size > LARGEST_BYTES:
        raise ReleaseError(
            f"The report of {day} has {size:,} bytes, more than the {LARGEST_BYTES:,} of an "
            "attachment. Use larger cells."
        )
    return page


def _shown_days(workspace: Workspace, area: StudyArea, day: str) -> list[str]:
    """Days of the report's slider that have a map, its own last; its own always."""
    made = set(workspace.tables(area.name).keys(predictions.CELL_DAY_RISK))
    wanted = [str(on) for on in days_shown(date.fromisoformat(day))]
    return [on for on in wanted if on in made or on == day]


def _run_of(workspace: Workspace, area: StudyArea, day: str) -> str:
    """MLflow run of the model behind the champion in use; empty where it has none."""
    models, month = workspace.models(area), month_of(workspace, area, day)
    name = str(models.card(month, CHAMPION).get("champion", ""))
    return str(models.card(month, name).get("mlflow_run_id", "")) if name else ""
