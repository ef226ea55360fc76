"""From NIBRS deliveries to tables by police agency: the steps behind the `agencies` assets.

Belongs here: what is read and written, which days teach and which judge, what is logged. Does not:
the methods (`sources/`, `features/`, `models/`, `evaluation/`).

The data are those of the folder of files: there are no invented agencies and no API of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from htrisk_dagster.defs.mlflow_tracking import MlflowTracking
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError, SettingError
from htrisk_dagster.schemas import agencies, nibrs, raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import AgenciesPart, StudyArea
from htrisk_dagster.warehouse.model_files import ModelFiles
from htrisk_dagster.warehouse.partitions import WHOLE, files_fingerprint

Figures = dict[Table, dict[str, Any]]
VOLUME, MIX = "volume", "offence_mix"
# Of the days, those that only judge the classifier.
_JUDGING_SHARE = 0.25


@dataclass(frozen=True)
class _Effort:
    """Blind folds of the volume forecast, and treatments of rare categories that are compared."""

    n_folds: int
    treatments: tuple[Any, ...]


_EFFORTS = {
    "smoke": _Effort(1, ("none",)),
    "quick": _Effort(4, ("none", "weights")),
    "full": _Effort(12, ("none", "weights", "smote")),
}


def store_deliveries(workspace: Workspace, area: StudyArea) -> Figures:
    """Read offences and agencies; write them, the refused rows and the account of each file.

    Raises
    ------
    SettingError
        Where no folder of files is set.
    """
    from htrisk_dagster.sources.reported_offences import (
        delivery_files,
        read_agencies,
        read_offences,
    )

    folder, part, store = _folder(workspace), _part(area), workspace.tables(area.name)
    made_from = files_fingerprint(delivery_files(folder))
    figures: Figures = {}
    for table, read_table in (
        (nibrs.REPORTED_OFFENCES, read_offences),
        (nibrs.POLICE_AGENCIES, read_agencies),
    ):
        read = read_table(
            folder,
            state=part.state,
            time_zone=area.time_zone,
            bounding_box=area.bounding_box,
        )
        store.write(raw.QUARANTINE, read.quarantined, table.name, made_from=made_from)
        store.write(raw.INTAKE, read.files, table.name, made_from=made_from)
        store.write(table, read.kept, made_from=made_from)
        figures[table] = {
            "files": read.files.height,
            "rows_read": int(read.files["rows_read_count"].sum()),
            "rows_kept": read.kept.height,
            "rows_quarantined": read.quarantined.height,
            "made_from": made_from,
        }
    workspace.build_catalog()
    return figures


def store_force(workspace: Workspace, area: StudyArea) -> Figures:
    """Write staffing, rates and trends; carried counts are marked."""
    from htrisk_dagster.features.agency_rates import yearly_rates
    from htrisk_dagster.features.staffing import officer_trends, staffing

    offences, police, made_from = _read(workspace, area)
    title = area.title
    first, last = _span(offences)
    force = staffing(police, range(first.year, last.year + 1))
    rates = yearly_rates(offences, force, state=title)
    trends = officer_trends(police, state=title)
    figures: Figures = {
        agencies.STAFFING: {
            "municipalities": force.filter("is_municipality")["agency_id"].n_unique(),
            "carried_rows": int(force["is_carried"].sum()),
        },
        agencies.YEARLY_RATES: {"rows": rates.height},
        agencies.OFFICER_TRENDS: {"rows": trends.height},
    }
    return _stored(
        workspace, area, dict(zip(figures, (force, rates, trends), strict=True)), figures, made_from
    )


def store_volume(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, run_id: str
) -> Figures:
    """Forecast the thirty days after the last offence, with the blind folds before them."""
    from htrisk_dagster.evaluation.agency_tables import backtest_table, volume_table
    from htrisk_dagster.evaluation.volume_backtest import HORIZON_DAYS, volume_outlook
    from htrisk_dagster.features.agency_days import count_agency_days
    from htrisk_dagster.sources.holiday_calendar import holidays_of_state

    offences, police, made_from = _read(workspace, area)
    first, last = _span(offences)
    effort, seed = _EFFORTS[workspace.settings.profile], workspace.settings.seed
    force = _force_known(police, last - timedelta(days=HORIZON_DAYS * effort.n_folds))
    residents = dict.fromkeys(police["agency_id"].unique(), 0) | _of_agency(
        force, "residents_count"
    )
    counts = count_agency_days(offences, residents, first, last)
    stop = last + timedelta(days=HORIZON_DAYS + 1)
    holidays = holidays_of_state(_part(area).state, first, stop)
    outlook = volume_outlook(
        counts, np.array(list(holidays), "datetime64[D]"), seed=seed, n_folds=effort.n_folds
    )
    labels = _labels(police) | {agencies.STATE: area.title}
    frames = {
        agencies.VOLUME_FORECASTS: volume_table(outlook, counts.agency_ids, labels, holidays),
        agencies.VOLUME_BACKTEST: backtest_table(outlook.folds),
    }
    about = {
        "study_area": area.name,
        "target": VOLUME,
        "made_from": made_from,
        "dagster_run_id": run_id,
    }
    month = f"{counts.next_day:%Y-%m}-01"
    _model_files(workspace, area, VOLUME).write(
        month, "lightgbm", outlook.model.to_bytes(), {**about, **outlook.fit.params, "seed": seed}
    )
    tracking.log_blind_folds(
        f"{area.name}/{VOLUME}", "lightgbm", outlook.fit, outlook.folds, {**about, "month": month}
    )
    newest = outlook.folds[-1].metrics
    figures: Figures = {
        agencies.VOLUME_FORECASTS: {
            "origin": str(counts.next_day),
            "expected_incidents": float(outlook.forecast.sum()),
            "agencies": len(counts.agency_ids),
        },
        agencies.VOLUME_BACKTEST: {
            "folds": len(outlook.folds),
            **{name: newest[name] for name in newest if name.startswith(("wape", "volume"))},
        },
    }
    return _stored(workspace, area, frames, figures, made_from)


def store_mix(
    workspace: Workspace, area: StudyArea, tracking: MlflowTracking, run_id: str
) -> Figures:
    """Compare treatments and priors on the newest quarter of days, then fit the best on all days."""
    from htrisk_dagster.evaluation.agency_tables import comparison_table, mix_table
    from htrisk_dagster.evaluation.offence_mix_comparison import MixRows, compare_treatments
    from htrisk_dagster.features.offence_contexts import ContextCodes, unique_offences
    from htrisk_dagster.models.offence_mix import OffenceMix

    offences, police, made_from = _read(workspace, area)
    first, last = _span(offences)
    split = last - timedelta(days=round(_JUDGING_SHARE * (last - first).days))
    force = _force_known(police, split)
    of_agency = [_of_agency(force, c) for c in ("residents_count", "officers_per_1000")]
    past = offences.filter(pl.col("occurred_on") < split)
    later = offences.filter(pl.col("occurred_on") >= split)
    effort, seed = _EFFORTS[workspace.settings.profile], workspace.settings.seed
    chosen, scores = compare_treatments(
        MixRows.of(ContextCodes.of(past, *of_agency), past, later),
        seed=seed, treatments=effort.treatments,
    )  # fmt: skip
    codes, rows = ContextCodes.of(offences, *of_agency), unique_offences(offences)
    model = OffenceMix(len(codes.classes), chosen.treatment)
    fit = model.fit(codes.encode(rows), codes.labels(rows), seed=seed)
    frames = {
        agencies.OFFENCE_MIX: mix_table(model, codes, offences, _labels(police)),
        agencies.OFFENCE_MIX_COMPARISON: comparison_table(scores),
    }
    month = f"{last + timedelta(days=1):%Y-%m}-01"
    card = {"made_from": made_from, "classes": codes.classes, "seed": seed, "tested_from": split}
    _model_files(workspace, area, MIX).write(
        month, "lightgbm", model.to_bytes(), {**card, **fit.params, "dagster_run_id": run_id}
    )
    for name, found in scores.items():
        params = {"model": name, "made_from": made_from, "test_start": str(split), "month": month}
        tracking.log_values(f"{area.name}/{MIX}", name, found, params, run_id)
    figures: Figures = {
        agencies.OFFENCE_MIX: {"treatment": chosen.treatment, "categories": len(codes.classes)},
        agencies.OFFENCE_MIX_COMPARISON: {
            "tested_from": str(split), **{f"log_loss_{n}": s["log_loss"] for n, s in scores.items()}
        },
    }  # fmt: skip
    return _stored(workspace, area, frames, figures, made_from)


def _stored(
    workspace: Workspace, area: StudyArea, frames: Mapping[Table, pl.DataFrame], figures: Figures,
    made_from: str,
) -> Figures:  # fmt: skip
    store = workspace.tables(area.name)
    for table, frame in frames.items():
        store.write(table, frame, made_from=made_from)
    workspace.build_catalog()
    return {table: {**found, "made_from": made_from} for table, found in figures.items()}


def _folder(workspace: Workspace) -> Path:
    folder = workspace.settings.data_dir
    if folder is None:
        raise SettingError(
            "NIBRS deliveries come from a folder of your own: set HTRISK_DATA_DIR and HTRISK_ORIGIN=files."
        )
    return folder


def _part(area: StudyArea) -> AgenciesPart:
    assert area.agencies is not None, "an area without agencies has no assets of them"
    return area.agencies


def _read(workspace: Workspace, area: StudyArea) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """Offences and agencies as stored, and what they were made from.

    Raises
    ------
    MissingPartitionError
        Where they have not been read, or there is none.
    """
    store = workspace.tables(area.name)
    offences, police = (store.read(table, [WHOLE]) for table in nibrs.TABLES)
    if offences.is_empty() or police.is_empty():
        raise MissingPartitionError(
            f"{_folder(workspace)} holds no NIBRS offences of {area.title}. Bring a delivery there and "
            f"materialise {area.name}/nibrs/reported_offences."
        )
    return offences, police, store.made_from(nibrs.REPORTED_OFFENCES)[WHOLE]


def _force_known(police: pl.DataFrame, before: date) -> pl.DataFrame:
    """Staffing of each agency in the newest year before that of a day; of the first year if none is.

    A blind fold may know neither residents nor officers of a later year.
    """
    from htrisk_dagster.features.staffing import staffing

    year = pl.col("year")
    known = police.filter(year < before.year)
    if known.is_empty():
        known = police.filter(year == year.min())
    return staffing(known, range(0)).sort("year").group_by("agency_id").last()


def _of_agency(force: pl.DataFrame, column: str) -> dict[str, Any]:
    return dict(force.select("agency_id", pl.col(column).fill_null(0)).iter_rows())


def _labels(police: pl.DataFrame) -> dict[str, str]:
    latest = police.sort("year").group_by("agency_id").last()
    return dict(latest.select("agency_id", "agency").iter_rows())


def _span(offences: pl.DataFrame) -> tuple[date, date]:
    first, last = offences.select(
        first=pl.col("occurred_on").min(), last=pl.col("occurred_on").max()
    ).row(0)
    return first, last


def _model_files(workspace: Workspace, area: StudyArea, target: str) -> ModelFiles:
    return ModelFiles(workspace.settings.warehouse / "models", area.name, target)
