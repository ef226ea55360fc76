"""What of a range of days is out of date, as steps in order.

Belongs here: the comparison of stored fingerprints with what they would be now. Does not: running
a step (`runs.py`), the fingerprints (`fingerprints.py`).

A step takes only partitions that are missing, made from something else, or refused by a blocking
check the last time: a second run does only what changed, an interrupted one goes on where it
stopped, and nothing gets past a check by being asked twice.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from htrisk_dagster.defs.area_series import DESCRIPTIONS
from htrisk_dagster.defs.assets.context import relates_places
from htrisk_dagster.defs.assets.models import DESCRIPTIONS as MODELS
from htrisk_dagster.defs.assets.verified import VALIDATION
from htrisk_dagster.defs.daily_reports import report_path
from htrisk_dagster.defs.evaluated import has_truth
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.hot_places import ZoneWish
from htrisk_dagster.defs.partitions import days_of, months_of, unbroken_runs
from htrisk_dagster.defs.published import map_dossiers, snapshot_made_from, snapshots_folder
from htrisk_dagster.defs.raw_tables import DECLARED, monthly_tables, whole_tables
from htrisk_dagster.defs.series_outlook import has_months, month_of
from htrisk_dagster.defs.staged import DBT_TABLES
from htrisk_dagster.defs.trained import months_for, training_days
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import UnreachableError
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.stacking import STACK
from htrisk_dagster.publishing.snapshot import LINK
from htrisk_dagster.schemas import (
    context,
    governance,
    grid,
    hot_places,
    hotspots,
    predictions,
    raw,
    series,
    staging,
    verified,
    zones,
)
from htrisk_dagster.schemas.hot_places import CLUSTER_TABLES
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.sources.synthetic_city.presets import preset_named
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import WHOLE as ALL
from htrisk_dagster.warehouse.partitions import Partitions

_LOG = logging.getLogger(__name__)
MONTHS_OF_AREAS = (series.AREA_PERIODS, *DESCRIPTIONS)
MONTHS_AHEAD = (*series.FORECAST_TABLES["month"], series.COMPOSITE_RISK)


@dataclass(frozen=True)
class Step:
    """Assets to materialise together in one Dagster run.

    Parameters
    ----------
    title : str
        For people.
    assets : tuple of str
        `<layer>/<name>` within the study area.
    keys : tuple of str
        Partitions, a range without gaps; empty for assets without time.
    """

    title: str
    assets: tuple[str, ...]
    keys: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """Steps from raw to comparison for a range of days.

    Parameters
    ----------
    workspace : Workspace
    area : StudyArea
    start, end : date
        First and last day to make a map for.
    refused : callable
        Partitions of the asset `<layer>/<name>` that do not count, though their files may be there.
    warn : callable
        Takes a sentence on what the plan goes on without.
    """

    workspace: Workspace
    area: StudyArea
    start: date
    end: date
    refused: Callable[[str], frozenset[str]]
    warn: Callable[[str], None] = _LOG.warning

    def steps(self) -> Iterator[Step]:
        """Steps that are out of date, each decided only when those before have been done."""
        yield from self.until_staged()
        yield from self._placed()
        yield from self._context()
        yield from self._concentrated()
        yield from self._features()
        yield from self._models()
        yield from self._scored()
        wanted = {ALL: self._made.comparison()}
        # A map of tomorrow has no truth yet: nothing to compare, and nothing wrong.
        if self._is_stale(predictions.MODEL_COMPARISON, wanted) and has_truth(
            self.workspace, self.area
        ):
            yield Step("Compare the models", _names(predictions.EVALUATION_TABLES))
        if self._is_stale(predictions.DRIFT, {ALL: self._made.drift()}):
            yield Step("Look for drift", _names([predictions.DRIFT]))
        yield from self._verified()
        yield from self.months_of_areas()
        yield from self._searched()
        yield from self._published()

    def until_staged(self) -> Iterator[Step]:
        """Steps that are out of date up to staging: what counts by area need, and maps do not wait for."""
        yield from self._raw()
        yield from self._staged()

    @property
    def _made(self) -> MadeFrom:
        # Always a new one: digests are of now, and steps in between have written.
        return MadeFrom(self.workspace, self.area)

    @property
    def _store(self) -> Partitions:
        return self.workspace.tables(self.area.name)

    @property
    def _month(self) -> str:
        return f"{self.start:%Y-%m}-01"

    def _raw(self) -> Iterator[Step]:
        made = self._made
        months = months_of(self._first_raw_month(), self.end)
        stale = [t for t in monthly_tables(self.area) if self._has_news(made, t, months, months)]
        if stale:
            yield Step("Read reports, events, riders and news", _names(stale), tuple(months))
        tables: list[Table] = [t for t in DECLARED if self._is_stale(t, {ALL: made.declared()})]
        tables += [t for t in whole_tables(self.area) if self._has_news(made, t, [ALL], months)]
        restricted = self.workspace.restricted(self.area.name)
        tables += [
            t
            for t in raw.RESTRICTED_TABLES
            if restricted.made_from(t).get(ALL) != made.raw(t, months) or self._is_refused(t, ())
        ]
        if tables:
            yield Step("Read boundaries, passengers, holidays, places and cases", _names(tables))

    def _has_news(
        self, made: MadeFrom, table: Table, keys: Sequence[str], months: Sequence[str]
    ) -> bool:
        """Whether the files of a raw table are others than its partitions `keys` were made from.

        Where a site cannot be reached, what was read of it before is gone on with, and this is said.
        """
        try:
            digest = made.raw(table, months)
        except UnreachableError as fault:
            if not self._store.keys(table):
                raise
            self.warn(f"{fault} Until then the maps are made from the {table.name} read before.")
            return False
        return self._is_stale(table, dict.fromkeys(keys, digest))

    def _first_raw_month(self) -> date:
        settings = self.workspace.settings
        if settings.history_start:
            return settings.history_start
        if settings.origin == "synthetic":
            return preset_named(settings.preset).first_day
        if settings.origin == "api":
            # Two full years before the first map: long windows and folds.
            return date(self.start.year - 2, self.start.month, 1)
        return self.area.first_day

    def _staged(self) -> Iterator[Step]:
        wanted = self._made.staging()
        if any(self._is_stale(t, {ALL: wanted}) for t in DBT_TABLES):
            yield Step("Stage and test with dbt", _names(DBT_TABLES))

    def _placed(self) -> Iterator[Step]:
        if self._is_stale(grid.CELLS, {ALL: self._made.cells()}):
            yield Step("Cut the city into cells", ("grid/cells",))
        months = self._store.keys(grid.INCIDENT_CELLS) or ["none yet"]
        if self._is_stale(grid.INCIDENT_CELLS, dict.fromkeys(months, self._made.incident_cells())):
            yield Step("Place incidents", ("grid/incident_cells",))
        if self._is_stale(staging.VERIFIED_CASE_COUNTS, {ALL: self._made.verified_counts()}):
            yield Step("Count verified cases", ("staging/verified_case_counts",))

    def _context(self) -> Iterator[Step]:
        wanted = {ALL: self._made.context()}
        if any(self._is_stale(t, wanted) for t in context.CONTEXT_TABLES):
            yield Step("Bring context to cells", _names(context.CONTEXT_TABLES))
        if self._is_stale(context.CONTEXT_RELATION, {ALL: self._made.context_relation()}):
            yield Step("Relate the target to context", _names([context.CONTEXT_RELATION]))
        wanted = {ALL: self._made.place_relation()}
        if relates_places(self.area) and any(
            self._is_stale(t, wanted) for t in context.PLACE_TABLES
        ):
            yield Step("Relate the target to places", _names(context.PLACE_TABLES))

    def _concentrated(self) -> Iterator[Step]:
        if self._is_stale(hotspots.CELL_WEEK_GI_STAR, {ALL: self._made.gi_star()}):
            yield Step("Find hot spots of each week", _names([hotspots.CELL_WEEK_GI_STAR]))
        made = self._made
        stale = [
            table
            for table, digest in (
                (hotspots.EMERGING_HOT_SPOTS, made.emerging_hot_spots()),
                (hotspots.PERIOD_CHANGE, made.period_change()),
            )
            if self._is_stale(table, {ALL: digest})
        ]
        if stale:
            yield Step("Follow hot spots over time", _names(stale))
        stale = [t for t in hot_places.TABLES if self._is_stale(t, {ALL: made.hot_places()})]
        if stale:
            # Clusters and their quality are made together.
            wanted = {*stale, *(CLUSTER_TABLES if {*stale} & {*CLUSTER_TABLES} else ())}
            names = _names(t for t in hot_places.TABLES if t in wanted)
            yield Step("Density, clusters and spikes of the target", names)
        wanted_zones = {ALL: self._made.zones(ZoneWish())}
        if any(self._is_stale(t, wanted_zones) for t in zones.TABLES):
            yield Step("Cut the city into zones of work", _names(zones.TABLES))

    def _features(self) -> Iterator[Step]:
        from htrisk_dagster.defs.featured import features_table

        first = date.fromisoformat(training_days(self.workspace, self.area, self._month)[0])
        made, past = self._made, days_of(first, self.start - timedelta(days=1))
        wanted = {day: made.features(day) for day in past}
        yield from self._ranges("Features", features_table(self.area), wanted)

    def _models(self) -> Iterator[Step]:
        wanted = self._made.models(self._month)
        stale = [m for m in MODELS if self._is_stale_model(m, wanted)]
        for model in stale:
            yield Step(f"Train {model}", (f"models/{model}",), (self._month,))
        for title, name in (("Weigh the models", STACK), ("Choose the champion", CHAMPION)):
            if stale or self._is_stale_model(name, wanted):
                yield Step(title, (f"models/{name}",), (self._month,))
        table = predictions.FEATURE_IMPORTANCE
        if self._is_stale(table, {self._month: wanted}):
            yield Step("Ask the models for their reasons", _names([table]), (self._month,))

    def _scored(self) -> Iterator[Step]:
        """From features to maps: each step makes what is out of date, and all that follows from it.

        A run of Dagster costs more than what it makes of one day.
        """
        from htrisk_dagster.defs.featured import features_table

        days = days_of(self.start, self.end)
        made_of: tuple[tuple[str, Table, Callable[[MadeFrom, str], str]], ...] = (
            ("Features", features_table(self.area), MadeFrom.features),
            ("Forecasts", predictions.MODEL_FORECASTS, self._forecasts),
            ("Risk", predictions.CELL_DAY_RISK, MadeFrom.risk),
            ("Risk by precinct", predictions.PRECINCT_DAY_RISK, MadeFrom.precinct_risk),
        )
        assets = (*_names(table for _, table, _ in made_of), "publishing/risk_map")
        for number, (title, table, fingerprint) in enumerate(made_of):
            made = self._made
            wanted = {day: fingerprint(made, day) for day in days}
            yield from self._ranges(title, table, wanted, assets[number:])
        made, refused = self._made, self.refused("publishing/risk_map")
        maps = [
            day
            for day in days
            if day in refused
            or not _shows(map_path(self.workspace, self.area, day), made.risk_map(day))
        ]
        for run in unbroken_runs(maps):
            yield Step(f"Maps of {_days(run)}", assets[-1:], run)
        yield from self._reported(days)

    def _forecasts(self, made: MadeFrom, day: str) -> str:
        months = months_for(self.workspace, self.area, date.fromisoformat(day))
        return made.forecasts(day, months)

    def _verified(self) -> Iterator[Step]:
        made = self._made
        wanted = {ALL: made.verified_validation()}
        if any(self._is_stale(t, wanted) for t in VALIDATION):
            yield Step("Measure the maps by verified cases", _names(VALIDATION))
        if self._is_stale(verified.FUNNEL, {ALL: made.detection_funnel()}):
            yield Step("Count the funnel of detection", _names([verified.FUNNEL]))

    def months_of_areas(self) -> Iterator[Step]:
        """Months of the areas, which readers are shown, where the history is long enough.

        Their weeks, days and hours of help are minutes of work that `htrisk series` is asked for.
        """
        month, made = month_of(self.end), self._made
        whole, ahead = {ALL: made.series()}, {month: made.series_of(month)}
        is_stale = any(self._is_stale(table, whole) for table in MONTHS_OF_AREAS) or any(
            self._is_stale(table, ahead) for table in MONTHS_AHEAD
        )
        if is_stale and has_months(self.workspace, self.area, month):
            names = _names((*MONTHS_OF_AREAS, *MONTHS_AHEAD))
            yield Step(f"Forecast the months of areas from {month}", names, (month,))

    def _reported(self, days: list[str]) -> Iterator[Step]:
        """Documents of every model in use on the days, then the days' reports."""
        models = self.workspace.models(self.area)
        months = {models.newest_month(CHAMPION, date.fromisoformat(day)) for day in days}
        for month in sorted(months):
            wanted = {month: self._made.documents(month)}
            if any(self._is_stale(t, wanted) for t in governance.MODEL_TABLES):
                names = _names(governance.MODEL_TABLES)
                yield Step(f"Documents of the models of {month}", names, (month,))
        made, refused = self._made, self.refused("publishing/daily_report")
        stale = [
            day
            for day in days
            if day in refused
            or not _shows(report_path(self.workspace, self.area, day), made.daily_report(day))
        ]
        for run in unbroken_runs(stale):
            yield Step(f"Reports of {_days(run)}", ("publishing/daily_report",), run)

    def _searched(self) -> Iterator[Step]:
        made, table = self._made, governance.CANARY_SEARCH
        wanted = {day: made.canary_search(day) for day in days_of(self.start, self.end)}
        yield from self._ranges("Search for the planted case", table, wanted)

    def _published(self) -> Iterator[Step]:
        dossiers = map_dossiers(self.workspace, self.area)
        wanted = snapshot_made_from(self.workspace, self.area, dossiers)
        link = snapshots_folder(self.workspace, self.area.name) / LINK
        if wanted not in link.resolve().name or self.refused("publishing/snapshot"):
            yield Step("Publish the snapshot", ("publishing/snapshot",))

    def _ranges(
        self,
        title: str,
        table: Table,
        wanted: Mapping[str, str],
        assets: tuple[str, ...] = (),
    ) -> Iterator[Step]:
        """Steps for the days of a table that are out of date; `assets` are made in them, or it alone."""
        asset = f"{table.layer}/{table.name}"
        stored = self._store.made_from(table)
        refused = self.refused(asset)
        stale = [
            day for day, digest in wanted.items() if day in refused or stored.get(day) != digest
        ]
        for run in unbroken_runs(stale):
            yield Step(f"{title} of {_days(run)}", assets or (asset,), run)

    def _is_stale_model(self, name: str, wanted: str) -> bool:
        card = self.workspace.models(self.area).card(self._month, name)
        return card.get("made_from") != wanted or self._month in self.refused(f"models/{name}")

    def _is_stale(self, table: Table, wanted: Mapping[str, str]) -> bool:
        stored = self._store.made_from(table)
        differs = any(stored.get(key) != digest for key, digest in wanted.items())
        return differs or self._is_refused(table, wanted)

    def _is_refused(self, table: Table, keys: Iterable[str]) -> bool:
        # What has no partitions for Dagster may have several files.
        return not self.refused(f"{table.layer}/{table.name}").isdisjoint((*keys, ALL))


def _shows(page: Path, digest: str) -> bool:
    return page.is_file() and digest in page.read_text(encoding="utf-8")


def _names(tables: Iterable[Table]) -> tuple[str, ...]:
    return tuple(f"{t.layer}/{t.name}" for t in tables)


def _days(run: tuple[str, ...]) -> str:
    return run[0] if len(run) == 1 else f"{len(run)} days"
