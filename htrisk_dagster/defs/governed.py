"""The documents of a month's models, and the search for the planted case: read, one call, write.

Belongs here: the steps behind the `governance` assets. Does not: what documents say (`publishing`),
what they measure (`evaluation`), who may release a map (`released.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.defs.daily_reports import report_path
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.fold_results import REFERENCE, FoldResults, fold_results
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.hot_places import read_target
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.trained import read_fold_forecasts
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation.comparison import compare
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.fairness import borough_grouping, fairness_table, tercile_groupings
from htrisk_dagster.evaluation.feedback_loop import feedback_table
from htrisk_dagster.publishing import canary_search
from htrisk_dagster.publishing.data_sheet import DataFacts, data_sheet
from htrisk_dagster.publishing.document_text import to_markdown
from htrisk_dagster.publishing.dossier import last_day_of_documents
from htrisk_dagster.publishing.model_card import ModelFacts, model_card
from htrisk_dagster.schemas import context, governance, grid, predictions, raw, staging
from htrisk_dagster.schemas.verified import LAYER as EVALUATION
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE

_N_RESAMPLES = 100


def store_documents(workspace: Workspace, area: StudyArea, month: str) -> dict[str, dict[str, Any]]:
    """Write card, sheet, fairness table and monitor of a month's champion; return figures by table."""
    results = fold_results(workspace, area, month)
    counts, active = results.truth()
    forecasts = {
        CHAMPION: read_fold_forecasts(workspace, area, month, CHAMPION),
        REFERENCE: results.forecasts()[REFERENCE],
    }
    observed = np.concatenate(counts)
    expected = {name: np.concatenate(of_folds) for name, of_folds in forecasts.items()}
    made_from = MadeFrom(workspace, area).documents(month)
    target, _ = workspace.target(area)
    first, holds_to = date.fromisoformat(month), last_day_of_documents(date.fromisoformat(month))
    fairness = _fairness(workspace, area, results, observed, expected[CHAMPION])
    feedback = feedback_table(
        expected[CHAMPION],
        month=first,
        target=target,
        seed=workspace.settings.seed,
        discovered_pct=_discovered_pct(workspace, area, results.known_before),
    )
    comparison = compare(
        observed,
        expected,
        active=active,
        reference=REFERENCE,
        n_resamples=_N_RESAMPLES,
        seed=workspace.settings.seed,
    )
    card = model_card(
        _model_facts(workspace, area, results, observed),
        comparison=comparison,
        fairness=fairness,
        feedback=feedback,
        documents_hold_to=holds_to,
    )
    sheet = _data_sheet(workspace, area, results, holds_to)
    store = workspace.tables(area.name)
    made = {
        governance.MODEL_CARD: card,
        governance.DATA_SHEET: sheet,
        governance.FAIRNESS: fairness,
        governance.FEEDBACK_LOOP: feedback,
    }
    for table, frame in made.items():
        store.write(table, frame, month, made_from=made_from)
    workspace.build_catalog()
    text = {
        governance.MODEL_CARD: to_markdown("Model card", card),
        governance.DATA_SHEET: to_markdown("Data sheet", sheet),
    }
    figures = {"holds_to": str(holds_to), "made_from": made_from}
    return {
        table.name: {"rows": frame.height, **figures}
        | ({"document": dg.MetadataValue.md(text[table])} if table in text else {})
        for table, frame in made.items()
    }


def store_canary_searches(
    workspace: Workspace, area: StudyArea, days: Sequence[str]
) -> dict[str, dict[str, Any]]:
    """Search what is published of each day, and what has no day; return figures by day.

    Raises
    ------
    MissingPartitionError
        Where nothing of a day is published, so that a search would say nothing of it.
    """
    store = workspace.tables(area.name)
    control = workspace.restricted(area.name).path(raw.VERIFIED_CASES)
    canary = workspace.canary(area)
    made = MadeFrom(workspace, area)
    whole = _undated(workspace, area)
    undated = canary_search.search(whole, canary, control=control)
    figures = {}
    for day in days:
        outputs = dated_outputs(workspace, area, day)
        if not any(outputs.values()):
            raise MissingPartitionError(
                f"Nothing of {day} is published that could be searched for the planted case. "
                "Materialise the day's risk map first."
            )
        dated = canary_search.search(outputs, canary, control=control).filter(
            pl.col("place") != governance.CONTROL
        )
        found = canary_search.of_day(pl.concat([dated, undated]), date.fromisoformat(day))
        store.write(governance.CANARY_SEARCH, found, day, made_from=made.canary_search(day))
        public = found.filter(pl.col("place") != governance.CONTROL)
        figures[day] = {
            "files": sum(map(len, (*outputs.values(), *whole.values()))),
            "found": int(public["found_count"].sum()),
        }
    workspace.build_catalog()
    return figures


def dated_outputs(workspace: Workspace, area: StudyArea, day: str) -> dict[str, list[Path]]:
    """What people are given of one day, by what it is."""
    store = workspace.tables(area.name)
    tables = (predictions.CELL_DAY_RISK, predictions.PRECINCT_DAY_RISK, predictions.MODEL_FORECASTS)
    found = {
        "risk map": [map_path(workspace, area, day)],
        "daily report": [report_path(workspace, area, day)],
        "predictions": [store.path(table, day) for table in tables],
    }
    return {place: [p for p in paths if p.is_file()] for place, paths in found.items()}


def _undated(workspace: Workspace, area: StudyArea) -> dict[str, list[Path]]:
    """What people are given beside the maps: tables, reports, snapshots, released maps."""
    settings, name = workspace.settings, area.name
    layers = (EVALUATION, governance.LAYER, "hotspots", "marts")
    found = {
        layer: list((settings.warehouse / layer).glob(f"*/area={name}/*.parquet"))
        for layer in layers
    }
    counts = workspace.tables(name).path(staging.VERIFIED_CASE_COUNTS)
    found["verified case counts"] = [counts] if counts.is_file() else []
    for place, folder in {
        "reports": settings.warehouse / "reports" / name,
        "snapshots": settings.workspace / "published",
        "released maps": settings.releases,
    }.items():
        daily = report_path(workspace, area, "any").parent
        found[place] = [p for p in folder.rglob("*") if p.is_file() and p.parent != daily]
    return found


def _fairness(
    workspace: Workspace,
    area: StudyArea,
    results: FoldResults,
    observed: NDArray[np.floating[Any]],
    expected: NDArray[np.float64],
) -> pl.DataFrame:
    store = workspace.tables(area.name)
    cells = store.read(grid.CELLS, [WHOLE])
    terciles = tercile_groupings(store.read(context.CELLS), cells.height)
    days = [
        date.fromisoformat(day)
        for fold in results.folds
        for day in days_of(fold.test_start, fold.test_stop - timedelta(days=1))
    ]
    return fairness_table(
        observed,
        expected,
        [borough_grouping(cells), *terciles],
        days=days,
        month=date.fromisoformat(results.month),
        target=workspace.target(area)[0],
    )


def _target_reports(workspace: Workspace, area: StudyArea, known_before: date) -> pl.DataFrame:
    incidents = read_target(workspace, area).incidents
    return incidents.filter(pl.col("reported_on") < known_before)


def _discovered_pct(workspace: Workspace, area: StudyArea, known_before: date) -> float | None:
    reports = _target_reports(workspace, area, known_before).select("incident_id")
    origins = workspace.tables(area.name).read(staging.INCIDENTS).select("incident_id", "origin")
    known = reports.join(origins, on="incident_id")["origin"]
    return 100 * int((known == "discovered").sum()) / known.len() if known.len() else None


def _model_facts(
    workspace: Workspace,
    area: StudyArea,
    results: FoldResults,
    observed: NDArray[np.floating[Any]],
) -> ModelFacts:
    target, declared = workspace.target(area)
    choice = results.choice
    return ModelFacts(
        area_title=area.title,
        target_title=declared.title,
        target=target,
        month=date.fromisoformat(results.month),
        champion=str(choice["champion"]),
        reason=str(choice["reason"]),
        reference=REFERENCE,
        known_before=results.known_before,
        folds=tuple((f.test_start, f.test_stop - timedelta(days=1)) for f in results.folds),
        n_incidents=int(observed.sum()),
        n_cells=observed.shape[1],
        made_from=str(choice["made_from"]),
        data_origin=workspace.settings.origin,
        version=version("htrisk-dagster"),
    )


def _data_sheet(
    workspace: Workspace, area: StudyArea, results: FoldResults, holds_to: date
) -> pl.DataFrame:
    store = workspace.tables(area.name)
    target, declared = workspace.target(area)
    reports = _target_reports(workspace, area, results.known_before)
    qualities = reports.group_by("location_quality").agg(
        (100 * pl.len() / max(reports.height, 1)).alias("share_pct")
    )
    return data_sheet(
        DataFacts(
            area_title=area.title,
            target_title=declared.title,
            target=target,
            month=date.fromisoformat(results.month),
            known_before=results.known_before,
            publication_lag_days=area.publication_lag.incidents_days,
            offence_groups=declared.offence_groups,
            data_origin=workspace.settings.origin,
        ),
        intake=store.read(raw.INTAKE),
        quarantine=store.read(raw.QUARANTINE),
        qualities=qualities,
        documents_hold_to=holds_to,
    )
