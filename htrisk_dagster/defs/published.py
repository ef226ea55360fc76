"""The published snapshot: tables that leave as they are, and what is made of those that may not.

Belongs here: the step behind `publishing/snapshot`, and the list of what readers get. Does not: the
file (`publishing/snapshot.py`), suppression (`publishing/public_counts.py`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from htrisk_dagster.defs.city_truth import city_truth
from htrisk_dagster.defs.evaluated import active_cells, evaluated_days, has_truth, read_forecasts
from htrisk_dagster.defs.featured import inputs_until
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.released import dossier_of, gate_of
from htrisk_dagster.defs.verified import readers_funnel, stages_by_incident
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError, ReleaseError
from htrisk_dagster.evaluation.champion import REFERENCE
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.evaluation.training_comparison import compared_curves
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.features.inputs import newest_report, read_grid, target_counts
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.hotspots.getis_ord import with_self
from htrisk_dagster.models.series.aggregation import TOTAL_AREA
from htrisk_dagster.publishing.public_counts import SeriesCounts, publish_series_counts
from htrisk_dagster.publishing.public_days import stages_of
from htrisk_dagster.publishing.public_mix import publish_offence_mix
from htrisk_dagster.publishing.public_spots import publish_week_spots
from htrisk_dagster.publishing.snapshot import SnapshotHeader, SnapshotTable, write_snapshot
from htrisk_dagster.schemas import (
    agencies,
    context,
    grid,
    hot_places,
    hotspots,
    nibrs,
    predictions,
    published,
    raw,
    series,
    staging,
    verified,
    zones,
)
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import fingerprint_of

AS_THEY_ARE: tuple[Table, ...] = (
    grid.CELLS,
    raw.BOROUGHS,
    raw.PRECINCTS,
    raw.HOLIDAYS,
    predictions.CELL_DAY_RISK,
    predictions.PRECINCT_DAY_RISK,
    predictions.FEATURE_IMPORTANCE,
    predictions.MODEL_COMPARISON,
    predictions.THRESHOLDS,
    predictions.DRIFT,
    staging.VERIFIED_CASE_COUNTS,
    *(t for t in verified.TABLES if t is not verified.FUNNEL),
    *hot_places.CLUSTER_TABLES,
    hot_places.DENSITY,
    *zones.TABLES,
    context.CONTEXT_RELATION,
    series.COMPOSITE_RISK,
)
"""Tables without small counts. A table that has not been made is left out, and its pages say so."""
OF_WHOLE_AREA: tuple[Table, ...] = (series.FORECASTS, series.DECOMPOSITION)
"""Tables whose rows of the whole study area leave; those of a precinct tell of small counts."""
OF_NEWEST_MONTH: tuple[Table, ...] = (series.FORECASTS, series.COMPOSITE_RISK)
"""Tables whose older partitions were made for months that are over."""
OF_AGENCIES: tuple[Table, ...] = (agencies.OFFICER_TRENDS, agencies.VOLUME_FORECASTS)
"""Tables of police agencies, where the study area declares them."""


def left_as_they_are(area: StudyArea) -> tuple[Table, ...]:
    """Stored tables of a study area that leave without a change but the choice of rows."""
    return (*AS_THEY_ARE, *OF_WHOLE_AREA, *(OF_AGENCIES if area.agencies else ()))


def read_tables(area: StudyArea) -> tuple[Table, ...]:
    """All that a snapshot of a study area is made from."""
    return (
        *left_as_they_are(area),
        verified.FUNNEL,
        predictions.MODEL_FORECASTS,
        hotspots.CELL_WEEK_GI_STAR,
        hotspots.EMERGING_HOT_SPOTS,
        grid.INCIDENT_CELLS,
        *((agencies.OFFENCE_MIX, nibrs.REPORTED_OFFENCES) if area.agencies else ()),
    )


def snapshot_made_from(workspace: Workspace, area: StudyArea, dossiers: Mapping[date, str]) -> str:
    """Fingerprint of a snapshot: every row it is made from, and which maps they are."""
    rows = MadeFrom(workspace, area).snapshot(read_tables(area))
    return fingerprint_of(rows, sorted(dossiers.items()))


def map_dossiers(workspace: Workspace, area: StudyArea) -> dict[date, str]:
    """Digest of the dossier of every day that has a risk table of the target in force."""
    made = MadeFrom(workspace, area)
    return {
        day: dossier_of(workspace, area, str(day), made).digest
        for day in risk_days_of(workspace, area)
    }


def snapshots_folder(workspace: Workspace, area: str) -> Path:
    """Folder of a study area's snapshots."""
    return workspace.settings.published / area


def store_snapshot(workspace: Workspace, area: StudyArea) -> dict[str, Any]:
    """Write a snapshot of what the stores hold now; return figures for the UI.

    Raises
    ------
    MissingPartitionError
        Where no day has a risk table.
    """
    store = workspace.tables(area.name)
    target, declared = workspace.target(area)
    dossiers = map_dossiers(workspace, area)
    days = sorted(dossiers)
    if not days:
        raise MissingPartitionError(
            f"There is no risk to publish for area '{area.name}'. Materialise "
            f"{area.name}/predictions/cell_day_risk for some days first."
        )
    header = SnapshotHeader(
        area=area.name,
        area_title=area.title,
        target=target,
        target_title=declared.title,
        data_origin=workspace.settings.origin,
        made_from=snapshot_made_from(workspace, area, dossiers),
        crs=area.grid.crs,
        cell_size_m=area.grid.cell_size_m,
        first_on=days[0],
        last_on=days[-1],
        cells_are_areas=area.grid.unit == "area",
        area_codes=json.dumps({place.number: code for code, place in area.areas.items()}),
    )
    tables = [
        _stored(workspace, area, table) for table in left_as_they_are(area) if store.keys(table)
    ]
    tables += [SnapshotTable(t, f) for t, f in _made_for_readers(workspace, area).items()]
    rows = pl.DataFrame({"risk_on": days, "dossier": [dossiers[day] for day in days]})
    tables.append(SnapshotTable(published.MAP_DOSSIERS, rows))
    path = write_snapshot(snapshots_folder(workspace, area.name), header, tables)
    return {
        "snapshot": str(path),
        "maps": len(days),
        "published_maps": _n_published(workspace, area, dossiers),
        "tables": len(tables),
        "bytes": path.stat().st_size,
        "made_from": header.made_from,
    }


def _n_published(workspace: Workspace, area: StudyArea, dossiers: Mapping[date, str]) -> int | str:
    """Maps of the snapshot that are out now; why nobody can tell, where the log cannot be trusted."""
    gate, now = gate_of(workspace, area), datetime.now(UTC)
    target, _ = workspace.target(area)
    try:
        records = gate.read().records
    except ReleaseError as error:
        return str(error)
    people = gate.reviewers
    stages = stages_of(records, dossiers, area=area.name, target=target, reviewers=people, at=now)
    return sum(stage.is_out for stage in stages.values())


def risk_days_of(workspace: Workspace, area: StudyArea) -> list[date]:
    """Days that have a risk table of the target in force, in order."""
    target, _ = workspace.target(area)
    risk = workspace.tables(area.name).read(predictions.CELL_DAY_RISK)
    return risk.filter(pl.col("target") == target)["risk_on"].unique().sort().to_list()


def _stored(workspace: Workspace, area: StudyArea, table: Table) -> SnapshotTable:
    store = workspace.tables(area.name)
    frame = store.read(table, store.keys(table)[-1:] if table in OF_NEWEST_MONTH else None)
    if table in (predictions.CELL_DAY_RISK, predictions.FEATURE_IMPORTANCE):
        frame = frame.filter(pl.col("target") == workspace.target(area)[0])
    if table in OF_WHOLE_AREA:
        frame = frame.filter(pl.col("place") == TOTAL_AREA)
    made_from = store.made_from(table)
    return SnapshotTable(table, frame, made_from[max(made_from)])


def _made_for_readers(workspace: Workspace, area: StudyArea) -> dict[Table, pl.DataFrame]:
    store = workspace.tables(area.name)
    frames = {published.MODEL_SPREAD: _model_spread(workspace, area)}
    if store.keys(hotspots.EMERGING_HOT_SPOTS):
        classes = store.read(hotspots.EMERGING_HOT_SPOTS)
        frames[published.HOT_SPOT_CLASSES] = classes.filter(
            pl.col("pattern") != hotspots.NO_PATTERN
        )
    if store.keys(hotspots.CELL_WEEK_GI_STAR):
        weights = with_self(queen_contiguity(read_grid(store, area)))
        weekly = store.read(hotspots.CELL_WEEK_GI_STAR)
        spots, weeks = publish_week_spots(weekly, weights)
        frames |= {published.WEEK_SPOTS: spots, published.HOT_SPOT_WEEKS: weeks}
    inputs = inputs_until(workspace, area, risk_days_of(workspace, area)[-1])
    staged = stages_by_incident(workspace, area) if store.keys(verified.FUNNEL) else None
    counts = _series_counts(workspace, area, inputs, staged[0] if staged else None)
    frames |= {published.QUARTER_COUNTS: counts.quarters, published.HOUR_COUNTS: counts.hours}
    if staged:
        frames[verified.FUNNEL] = readers_funnel(workspace, area, counts.stages, staged[1])
    if area.agencies and store.keys(agencies.OFFENCE_MIX):
        frames[published.OFFENCE_MIX] = _offence_mix(workspace, area)
    if has_truth(workspace, area):
        frames[published.CURVES] = _curves(workspace, area)
    return frames


def _model_spread(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    """Quartile ratio of the single models, a day at a time: years of forecasts need little memory."""
    store, expected = workspace.tables(area.name), pl.col("expected_count")
    target, _ = workspace.target(area)
    single = (pl.col("target") == target) & ~pl.col("model").is_in([STACK, CHAMPION])
    ratio = expected.quantile(0.75, "linear") / expected.quantile(0.25, "linear")
    return pl.concat(
        store.read(predictions.MODEL_FORECASTS, [day])
        .filter(single)
        .group_by("risk_on", "cell_id")
        .agg(ratio.alias("spread_ratio"))
        .sort("cell_id")
        for day in store.keys(predictions.MODEL_FORECASTS)
    )


def _series_counts(
    workspace: Workspace, area: StudyArea, inputs: FeatureInputs, stages: pl.DataFrame | None
) -> SeriesCounts:
    """Counts of all series; `stages` of the target's incidents, where there is a funnel."""
    store = workspace.tables(area.name)
    target, _ = workspace.target(area)
    newest = newest_report(inputs)
    if newest is None:
        return publish_series_counts(inputs.incidents.clear(), date.min, date.min)
    at = store.read(staging.INCIDENTS).select("incident_id", "occurred_at")
    boroughs = store.read(grid.CELLS).group_by("precinct").agg(pl.col("borough").mode().min())
    hour = (
        pl.col("occurred_at")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone(area.time_zone)
        .dt.hour()
    )
    chosen = pl.concat(
        series.select(inputs.incidents).with_columns(pl.lit(name).alias("series"))
        for name, series in disjoint_series(target, inputs).items()
    )
    rows = chosen.join(at, on="incident_id").join(boroughs, on="precinct", how="left")
    reached = [pl.lit(None, pl.String).alias(c) for c in ("period", "reached")]
    if stages is not None:
        rows = rows.join(stages, on="incident_id", how="left")
        # Stages are of the target alone; another series has none.
        reached = [pl.when(pl.col("series") == target).then(c) for c in ("period", "reached")]
    rows = rows.select(
        "series",
        pl.col("borough").fill_null("unknown"),
        "occurred_on",
        hour.alias("hour"),
        *reached,
    )
    return publish_series_counts(rows, inputs.history_start, newest)


def disjoint_series(target: str, inputs: FeatureInputs) -> dict[str, Series]:
    """The target, then each series that shares no offence with those before it.

    Two series that share incidents would tell of small counts by their difference. All incidents
    together are none of them for the same reason.
    """
    chosen, taken = {target: inputs.target}, set(inputs.target.offence_groups)
    for part in inputs.series:
        groups = set(part.offence_groups)
        if groups and part.sources and taken and not groups & taken:
            chosen[part.name] = part
            taken |= groups
    return chosen


def _offence_mix(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    from htrisk_dagster.features.offence_contexts import unique_offences

    store = workspace.tables(area.name)
    offences = unique_offences(store.read(nibrs.REPORTED_OFFENCES))
    counted = offences.group_by("agency_id").len("count")
    return publish_offence_mix(store.read(agencies.OFFENCE_MIX), counted)


def _curves(workspace: Workspace, area: StudyArea) -> pl.DataFrame:
    """Curves on the scored days; the ceiling is the truth of a synthetic city, else the champion's."""
    days, inputs = evaluated_days(workspace, area)
    first, last = date.fromisoformat(days[0]), date.fromisoformat(days[-1])
    forecasts = read_forecasts(workspace, area, days, inputs.grid.n_cells)
    truth = city_truth(workspace, area, inputs)
    intensity = truth.between(first, last).intensity if truth else forecasts[CHAMPION]
    shown = {name: [forecasts[name]] for name in (REFERENCE, *forecasts)}
    curves = compared_curves(
        [target_counts(inputs, days)],
        shown,
        active=active_cells(inputs, first),
        intensity=[intensity],
    )
    return pl.concat(
        pl.DataFrame({"x": curve.x, "y": curve.y})
        .with_row_index("point")
        .with_columns(
            pl.lit(name).alias("curve"),
            pl.lit(model).alias("model"),
            pl.lit(curve.x_title).alias("x_title"),
            pl.lit(curve.y_title).alias("y_title"),
        )
        for name, of_models in curves.items()
        for model, curve in of_models.items()
    )
