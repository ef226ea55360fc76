"""From publishers' files to raw partitions: read once, split by month, keep the ledger.

Belongs here: the steps that every raw asset shares. Does not: parsing (`sources/`), the assets
themselves (`assets/raw.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.schemas import raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE, by_month

if TYPE_CHECKING:
    from htrisk_dagster.sources.intake import Intake


def store_source(
    workspace: Workspace,
    area: StudyArea,
    table: Table,
    months: list[str],
    day_column: str | None,
    say: Callable[[str], None],
) -> dict[str, Any]:
    """Read the source of `table` and replace its partitions; return figures for the UI.

    Parameters
    ----------
    months : list of str
        Months to write, by `day_column`; empty for a table that is replaced as a whole.
    say : callable
        Takes one line of progress.

    Notes
    -----
    The ledger (`raw.intake`) and the refused rows (`raw.quarantine`) are written before the rows:
    a row that is missing can always be asked after. Those of a restricted table stay with it.
    """
    from htrisk_dagster.sources import intake
    from htrisk_dagster.sources.canary_case import planted

    is_restricted = table.layer != raw.LAYER
    store = workspace.restricted(area.name) if is_restricted else workspace.tables(area.name)
    made_from = MadeFrom(workspace, area).raw(table, months)
    folder = workspace.source_folder(area, table, months)
    say(f"Reading {table.full_name} from {folder}.")
    read = intake.read(
        table.name, folder, time_zone=area.time_zone, bounding_box=area.bounding_box, area=area
    )
    store.write(raw.QUARANTINE, read.quarantined, table.name, made_from=made_from)
    store.write(raw.INTAKE, read.files, table.name, made_from=made_from)
    if table is raw.VERIFIED_CASES:
        store.write(table, planted(read.kept, workspace.canary(area)), WHOLE, made_from=made_from)
    elif day_column is None:
        store.write(table, read.kept, WHOLE, made_from=made_from)
    else:
        found = by_month(read.kept, day_column)
        for month in months:
            store.write(table, found.get(month, table.empty()), month, made_from=made_from)
    say(f"{table.full_name}: {read.kept.height} rows kept, {read.quarantined.height} refused.")
    return {
        "files": read.files.height,
        "rows_read": int(read.files["rows_read_count"].sum()),
        "rows_kept": int(read.files["rows_kept_count"].sum()),
        "rows_quarantined": read.quarantined.height,
        "status": _status(read, table, folder),
        "made_from": made_from,
    }


def _status(read: Intake, table: Table, folder: Path) -> str:
    """Whether a table has rows, and which unread file of the folder comes near to being its own."""
    from htrisk_dagster.sources.unread_files import unread_files

    if read.kept.height and read.files.is_empty():
        return "drawn from the study area's file, since no file holds it"
    if read.kept.height:
        return "present"
    near = [file.sentence for file in unread_files(folder) if file.nearest == table.name]
    return " ".join([f"absent: no file of {table.name} in {folder}.", *near])


def store_area_table(
    workspace: Workspace, area: StudyArea, table: Table, made_from: str
) -> dict[str, Any]:
    """Write a raw table that the study area's file or a library declares."""
    rows = _holidays(area) if table is raw.HOLIDAYS else offence_group_rows(area)
    workspace.tables(area.name).write(table, rows, WHOLE, made_from=made_from)
    return {"rows_kept": rows.height, "made_from": made_from}


def _holidays(area: StudyArea) -> pl.DataFrame:
    from htrisk_dagster.sources.holiday_calendar import holidays_between

    # To the last year that the calendar library knows by rule: far enough for any forecast.
    end = area.first_day.replace(year=area.first_day.year + 25)
    declared = area.holidays
    return holidays_between(
        area.first_day, end, country=declared.country, subdivision=declared.subdivision
    )


def offence_group_rows(area: StudyArea) -> pl.DataFrame:
    """Rules of the area's offence groups as rows of `raw.offence_groups`."""
    rows = [
        {
            "offence_group": name,
            "priority": priority,
            "offence_code": code,
            "offence": label,
            "is_discovered": group.is_discovered,
        }
        for priority, (name, group) in enumerate(area.offence_groups.items())
        for code, label in (
            *((code, None) for code in group.codes),
            *((None, label) for label in group.labels),
        )
    ]
    return pl.DataFrame(rows, schema=raw.OFFENCE_GROUPS.polars_schema())
