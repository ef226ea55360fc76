"""What each partition is made from, as a fingerprint: code, declarations and the rows it depends on.

Belongs here: one function a layer, called when a partition is written and again when a run asks
whether it is out of date. Does not: the decision what to run (`runs.py`).

A fingerprint covers only what the partition can depend on. Features of a day see the months of
reports up to their cutoff, so a new month leaves the features of older days up to date.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, cached_property
from pathlib import Path

from htrisk_dagster.defs import dbt_project
from htrisk_dagster.defs.raw_tables import monthly_tables
from htrisk_dagster.defs.selection import EVERYTHING, Selection
from htrisk_dagster.defs.stored_contents import DAILY_CONTEXT, StoredContents
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.schemas import (
    context,
    context_sources,
    grid,
    hot_places,
    hotspots,
    predictions,
    raw,
    staging,
)
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.partitions import fingerprint_of

_PACKAGE = Path(__file__).parents[1]


@cache
def code_of(*folders: str) -> str:
    """Fingerprint of the Python and TOML files of packages of the science."""
    files = sorted(
        p for f in folders for p in (_PACKAGE / f).rglob("*") if p.suffix in (".py", ".toml")
    )
    return fingerprint_of(*((str(p.relative_to(_PACKAGE)), p.read_bytes()) for p in files))


@dataclass(frozen=True)
class MadeFrom:
    """Fingerprints of one study area in one workspace, as things stand now.

    Make a new one after anything has been written: digests read once are kept.
    """

    workspace: Workspace
    area: StudyArea

    def raw(self, table: Table, months: Sequence[str]) -> str:
        """Of a raw table: the parser and the publishers' files."""
        files = self.workspace.source_fingerprint(self.area, table, list(months))
        return fingerprint_of(
            code_of("sources", "schemas"), self.area.bounding_box, self._own_files(), files
        )

    def _own_files(self) -> tuple[object, ...]:
        """What the study area says of the city's own files."""
        area = self.area
        declared = (area.incident_file, area.areas, area.boundary, area.context.places)
        return (area.time_zone, area.title, area.grid.unit, *declared)

    def declared(self) -> str:
        """Of raw tables made from the study area's file."""
        return fingerprint_of(code_of("sources", "schemas"), self.area)

    def staging(self) -> str:
        """Of all that dbt makes: its SQL and every raw row."""
        tables = [t for t in raw.TABLES if t.layer == raw.LAYER]
        return fingerprint_of(dbt_project.sources_fingerprint(), *map(self._contents, tables))

    def verified_counts(self) -> str:
        """Of the counts of verified cases."""
        restricted = self.workspace.restricted(self.area.name).contents(raw.VERIFIED_CASES)
        parts = map(self._contents, (grid.CELLS, raw.BOROUGHS, raw.PRECINCTS))
        return fingerprint_of(
            code_of("grid", "evaluation", "victim_population"), restricted, *parts
        )

    def verified_validation(self) -> str:
        """Of the maps against verified cases: both, and the seed of the permutations."""
        tables = (predictions.CELL_DAY_RISK, predictions.MODEL_FORECASTS)
        return fingerprint_of(
            self.verified_counts(),
            self.workspace.target(self.area),
            self.workspace.settings.seed,
            *map(self._contents, tables),
        )

    def detection_funnel(self) -> str:
        """Of the funnel: incidents, maps, reviews and cases."""
        reviews = self.workspace.restricted(self.area.name).contents(raw.REVIEW_DECISIONS)
        tables = (predictions.CELL_DAY_RISK, grid.INCIDENT_CELLS)
        return fingerprint_of(
            self.verified_counts(),
            code_of("features", "publishing"),
            self.workspace.target(self.area),
            self.workspace.settings.history_start,
            reviews,
            *map(self._contents, tables),
        )

    def cells(self) -> str:
        """Of the grid: boundaries and its declaration."""
        boundaries = map(self._contents, (raw.BOROUGHS, raw.PRECINCTS))
        return fingerprint_of(code_of("grid"), self.area.grid, self.area.areas, *boundaries)

    def incident_cells(self) -> str:
        """Of incidents on the grid."""
        parts = map(self._contents, (staging.INCIDENTS, grid.CELLS))
        return fingerprint_of(code_of("grid"), *parts)

    def context(self) -> str:
        """Of context by cell and area: what is declared, and every row it is made from."""
        tables = (t for t in context_sources.TABLES if t not in DAILY_CONTEXT)
        parts = map(self._contents, (grid.CELLS, raw.PRECINCTS, *tables))
        return fingerprint_of(code_of("grid", "sources/context"), self.area.context, *parts)

    def context_relation(self) -> str:
        """Of the relation with the target: context, and every incident on the grid."""
        tables = (*context.CONTEXT_TABLES, *DAILY_CONTEXT, grid.CELLS, grid.INCIDENT_CELLS)
        return fingerprint_of(
            code_of("evaluation", "hotspots", "features", "grid"),
            self.area.context,
            self.workspace.target(self.area),
            self.workspace.settings.history_start,
            *map(self._contents, tables),
        )

    def place_relation(self) -> str:
        """Of the relation with places of interest: their rows, and every incident on the grid."""
        tables = (context_sources.PLACES_OF_INTEREST, grid.CELLS, grid.INCIDENT_CELLS)
        return fingerprint_of(
            code_of("evaluation", "hotspots", "grid"),
            self.area.context.places,
            self.workspace.target(self.area),
            self.workspace.settings.history_start,
            self.workspace.settings.seed,
            *map(self._contents, tables),
        )

    def gi_star(self, selection: Selection = EVERYTHING) -> str:
        """Of Gi* by week: every incident on the grid, and which of them are meant."""
        declared = (self.area.incidents, self.workspace.target(self.area))
        parts = map(self._contents, (grid.CELLS, grid.INCIDENT_CELLS))
        return fingerprint_of(
            code_of("hotspots", "features", "grid"),
            declared,
            selection,
            self.workspace.settings.history_start,
            *parts,
        )

    def emerging_hot_spots(self) -> str:
        """Of the classes of cells: Gi* by week."""
        parts = map(self._contents, (grid.CELLS, hotspots.CELL_WEEK_GI_STAR))
        return fingerprint_of(code_of("hotspots"), *parts)

    def period_change(self) -> str:
        """Of the comparison of two periods: counts by week, and the seed of the samples."""
        weekly = self._contents(hotspots.CELL_WEEK_GI_STAR)
        return fingerprint_of(code_of("hotspots"), self.workspace.settings.seed, weekly)

    def hot_places(self, selection: Selection = EVERYTHING) -> str:
        """Of density, clusters and spikes: every incident and its point, what is meant, the seed."""
        settings = self.workspace.settings
        parts = map(self._contents, (grid.CELLS, grid.INCIDENT_CELLS, staging.INCIDENTS))
        return fingerprint_of(
            code_of("hotspots", "features", "grid"),
            self.workspace.target(self.area),
            selection,
            (settings.seed, settings.history_start),
            *parts,
        )

    def series(self) -> str:
        """Of counts and descriptions of areas: every staged incident, and how places are named."""
        return fingerprint_of(self._series_base, self._contents(staging.INCIDENTS))

    def series_of(self, month: str) -> str:
        """Of the forecasts of one month, score and plan: what was read up to it, effort, seed.

        Of raw rows, since areas of which no point is placed have series too.
        """
        settings = self.workspace.settings
        known = [
            (key, digest)
            for table in monthly_tables(self.area)
            for key, digest in self._contents(table).items()
            if key <= month
        ]
        return fingerprint_of(
            self._series_base,
            (settings.profile, settings.seed, self.area.publication_lag),
            dbt_project.sources_fingerprint(),
            known,
        )

    @cached_property
    def _series_base(self) -> str:
        area = self.area
        return fingerprint_of(
            code_of("models/series", "schemas", "evaluation"),
            (area.incidents, area.time_zone, area.areas),
        )

    def zones(self, wish: object) -> str:
        """Of zones: what was asked for, the density, the hot spots that they are compared with."""
        tables = (grid.CELLS, hot_places.DENSITY, hotspots.EMERGING_HOT_SPOTS)
        return fingerprint_of(
            code_of("hotspots", "grid"),
            self.workspace.target(self.area)[0],
            self.workspace.settings.seed,
            wish,
            *map(self._contents, tables),
        )

    @cached_property
    def _features_base(self) -> str:
        tables = (grid.CELLS, staging.EVENTS, staging.MOBILITY, raw.HOLIDAYS)
        area = self.area
        declared = (area.incidents, area.series, area.publication_lag, area.context)
        return fingerprint_of(
            code_of("features", "grid", "scale"),
            declared,
            self.workspace.target(self.area),
            *map(self._contents, tables),
        )

    def features(self, day: str) -> str:
        """Of one day's features: the months of reports up to the day's cutoff, and the context known."""
        on = date.fromisoformat(day)
        lag = timedelta(days=self.area.publication_lag.incidents_days)
        return fingerprint_of(
            self._features_base,
            self._stored.reports_before(on - lag),
            self._stored.context_before(on),
        )

    def models(self, month: str) -> str:
        """Of the models of one month: features, effort, seed, and what was known before the month."""
        settings = self.workspace.settings
        return fingerprint_of(
            self._features_base,
            code_of("models", "evaluation"),
            (settings.profile, settings.seed, settings.history_start),
            self._stored.reports_before(date.fromisoformat(month)),
            self._stored.context_before(date.fromisoformat(month)),
        )

    def forecasts(self, day: str, months: dict[str, str]) -> str:
        """Of one day's forecasts by the models of `months`, model to month."""
        models = self.workspace.models(self.area)
        made = {name: models.card(month, name).get("made_from") for name, month in months.items()}
        return fingerprint_of(self.features(day), sorted(made.items()))

    def risk(self, day: str) -> str:
        """Of one day's risk: its forecasts, and the champion that gives the intervals."""
        models = self.workspace.models(self.area)
        month = models.newest_month(CHAMPION, date.fromisoformat(day))
        content = self._contents(predictions.MODEL_FORECASTS).get(day)
        champion = models.card(month, CHAMPION).get("made_from")
        return fingerprint_of(code_of("publishing", "models"), content, champion)

    def precinct_risk(self, day: str) -> str:
        """Of one day's forecast by precinct: the months of reports up to its cutoff, and the grid."""
        lag = timedelta(days=self.area.publication_lag.incidents_days)
        return fingerprint_of(
            code_of("models", "publishing", "features", "grid"),
            (self.area.incidents, lag, self.workspace.settings.history_start),
            self._contents(grid.CELLS),
            self._stored.reports_before(date.fromisoformat(day) - lag),
        )

    def risk_map(self, day: str) -> str:
        """Of one day's map: its risk, and the sources that it says are silent."""
        return fingerprint_of(
            code_of("publishing"),
            self._contents(predictions.CELL_DAY_RISK).get(day),
            self.silence(day),
        )

    def silence(self, day: str) -> str:
        """Which sources have stopped before the cutoff of a day, as a sentence; empty where none has."""
        from htrisk_dagster.defs.staleness import silence_before

        return silence_before(
            self.workspace.tables(self.area.name), self.area, date.fromisoformat(day)
        )

    def documents(self, month: str) -> str:
        """Of the documents on a month's champion: what it was made from, and the groups of places."""
        champion = self.workspace.models(self.area).card(month, CHAMPION).get("made_from")
        return fingerprint_of(
            code_of("evaluation", "publishing", "schemas"),
            (self.area.title, self.workspace.target(self.area), self.workspace.settings.origin),
            champion,
            *map(self._contents, (grid.CELLS, context.CELLS)),
        )

    def daily_report(self, day: str) -> str:
        """Of one day's report: its own risk, and the documents of its model.

        The days before it are shown as they were when it was written; one that comes later does not
        make a report out of date that people have reviewed.
        """
        month = self.workspace.models(self.area).newest_month(CHAMPION, date.fromisoformat(day))
        risk = self._contents(predictions.CELL_DAY_RISK).get(day)
        return fingerprint_of(
            code_of("publishing"), self.documents(month), day, risk, self.silence(day)
        )

    def canary_search(self, day: str) -> str:
        """Of one day's search: the planted case, and the day's report with all that it is made from."""
        cases = self.workspace.restricted(self.area.name).contents(raw.VERIFIED_CASES)
        canary = self.workspace.canary(self.area)
        return fingerprint_of(code_of("publishing"), canary, cases, self.daily_report(day))

    def snapshot(self, tables: Sequence[Table]) -> str:
        """Of the published snapshot: every row it is made from."""
        return fingerprint_of(
            code_of("publishing", "schemas", "evaluation", "victim_population"),
            self.area.title,
            self.workspace.target(self.area),
            self.workspace.settings.history_start,
            *map(self._contents, tables),
        )

    def comparison(self) -> str:
        """Of the comparison: every forecast, and every report that may be truth."""
        parts = map(self._contents, (predictions.MODEL_FORECASTS, grid.INCIDENT_CELLS))
        target, _ = self.workspace.target(self.area)
        return fingerprint_of(code_of("evaluation"), target, self.workspace.settings.seed, *parts)

    def drift(self) -> str:
        """Of drift: the comparison's rows, and the champion of the newest forecast day."""
        models, days = self.workspace.models(self.area), self._contents(predictions.MODEL_FORECASTS)
        month = models.newest_month(CHAMPION, date.fromisoformat(max(days))) if days else ""
        return fingerprint_of(self.comparison(), models.card(month, CHAMPION).get("made_from"))

    @cached_property
    def _stored(self) -> StoredContents:
        return StoredContents(self.workspace.tables(self.area.name))

    def _contents(self, table: Table) -> dict[str, str]:
        return self._stored.of(table)
