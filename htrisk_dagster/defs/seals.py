"""Seals of forecasts: the digest of each day's partition, written down when it is made.

Belongs here: writing and reading the digests. Does not: what a broken seal means
(`evaluation/leak_battery.py`), the seal of a fold (`evaluation/backtest.py`).

A seal lies apart from what it seals, in `seals/<area>/<day>.txt` of the warehouse, so that whoever
changes a forecast leaves it behind. Making a day again seals it again: that is a new forecast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas.predictions import MODEL_FORECASTS
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import write_text_whole


def seal_forecasts(workspace: Workspace, area: StudyArea, day: str) -> str:
    """Write down the digest of a day's stored forecasts, and return it."""
    digest = _digest(workspace, area, day)
    write_text_whole(_path(workspace, area, day), digest + "\n")
    return digest


def sealed_digests(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, str]:
    """Digests written down for those of `days` that have one."""
    paths = {day: _path(workspace, area, day) for day in days}
    return {day: path.read_text().strip() for day, path in paths.items() if path.is_file()}


def present_digests(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> dict[str, str]:
    """Digests of the forecasts of `days` as they are stored now."""
    return {day: _digest(workspace, area, day) for day in days}


def _digest(workspace: Workspace, area: StudyArea, day: str) -> str:
    path = workspace.tables(area.name).path(MODEL_FORECASTS, day)
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _path(workspace: Workspace, area: StudyArea, day: str) -> Path:
    return workspace.settings.warehouse / "seals" / area.name / f"{day}.txt"
