"""The workspace of a run: settings turned into stores, folders of source files and study areas.

Belongs here: the one object that assets take to find their inputs and outputs. Does not: what is
done with them. It is the only place where settings meet the science's plain arguments.
"""

from __future__ import annotations

import calendar
import logging
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pydantic import SecretStr

from htrisk_dagster.errors import SourceError
from htrisk_dagster.scale.execution import Execution, execution_at
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.schemas import ALL_TABLES, context_sources, raw
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.settings import Settings
from htrisk_dagster.sources.canary_case import Canary, canary_of
from htrisk_dagster.sources.synthetic_city.presets import preset_named
from htrisk_dagster.study_areas.area import SeriesPart, StudyArea, area_names, load_area
from htrisk_dagster.warehouse import catalog as duckdb_catalog
from htrisk_dagster.warehouse.model_files import ModelFiles
from htrisk_dagster.warehouse.partitions import Partitions, files_fingerprint

_LOG = logging.getLogger(__name__)


def utc_today() -> date:
    """Day of now, UTC."""
    return datetime.now(UTC).date()


@dataclass(frozen=True)
class Workspace:
    """Stores and sources of one workspace.

    Parameters
    ----------
    settings : Settings
        Where things are kept and where data come from.
    today : callable
        Day of now, UTC, up to which sites are asked.
    """

    settings: Settings
    today: Callable[[], date] = utc_today

    def area(self, name: str) -> StudyArea:
        """Study area `name`, with the publication lag of the settings if one is set."""
        area = load_area(name, self.settings.study_areas)
        lag = self.settings.publication_lag_days
        if lag is None:
            return area
        changed = area.publication_lag.model_copy(update={"incidents_days": lag})
        return area.model_copy(update={"publication_lag": changed})

    def area_names(self) -> list[str]:
        """Names of all study areas: the program's own and the user's."""
        return area_names(self.settings.study_areas)

    def target(self, area: StudyArea) -> tuple[str, SeriesPart]:
        """Name and declaration of what is forecast."""
        return area.target(self.settings.target)

    def tables(self, area: str) -> Partitions:
        """Partitions of the warehouse."""
        return Partitions(self.settings.warehouse, area)

    @property
    def learns_since(self) -> date | None:
        """First day that models of cells learn from, by the settings or the synthetic city; None: all."""
        settings = self.settings
        if settings.history_start or settings.origin != "synthetic":
            return settings.history_start
        return preset_named(settings.preset).learns_since

    @property
    def storage(self) -> SharedStorage:
        """The warehouse as machines of a cluster see it."""
        return SharedStorage(str(self.settings.warehouse))

    @property
    def execution(self) -> Execution:
        """Where units of work are done: here, or on the cluster of the settings."""
        settings = self.settings
        return execution_at(settings.cluster_address, n_tiles=settings.cluster_tiles)

    def restricted(self, area: str) -> Partitions:
        """Partitions of the restricted store, a folder only the owner can enter."""
        self.settings.restricted.mkdir(parents=True, exist_ok=True)
        self.settings.restricted.chmod(0o700)
        return Partitions(self.settings.restricted, area)

    def models(self, area: StudyArea) -> ModelFiles:
        """Fitted models of the area's target."""
        return ModelFiles(self.settings.warehouse / "models", area.name, self.target(area)[0])

    def maps(self, area: str) -> Path:
        """Folder of the risk maps."""
        return self.settings.warehouse / "maps" / area

    def dbt_folder(self, area: str) -> Path:
        """Folder of dbt's profile, catalog and output; scratch."""
        return self.settings.workspace / "dbt" / area

    @property
    def city_folder(self) -> Path:
        """Folder of the synthetic city, its truth below it."""
        return self.settings.workspace / "city"

    def canary(self, area: StudyArea) -> Canary:
        """The case that is planted among the verified ones and looked for in what is published."""
        return canary_of(area.name, self.settings.seed, area.bounding_box)

    def build_catalog(self, path: Path | None = None) -> Path:
        """Replace `warehouse.duckdb`, or the file `path`, by one that sees all partitions of now."""
        public = [t for t in ALL_TABLES if t not in raw.RESTRICTED_TABLES]
        return duckdb_catalog.build_catalog(self.settings.warehouse, public, path)

    def source_folder(self, area: StudyArea, table: Table, months: list[str]) -> Path:
        """Folder of the publishers' files of `table`: given, written from the seed, or fetched.

        Parameters
        ----------
        months : list of str
            Months that the API is asked for, as partition keys; other origins hold what they hold.
        """
        # An invented city has no real places.
        asks_service = self.settings.places_api_key and self.settings.origin != "synthetic"
        if table is context_sources.PLACES_OF_INTEREST and asks_service:
            return self._places_of_service(area)
        if self.settings.origin == "files":
            restricted = table in raw.RESTRICTED_TABLES and self.settings.verified_cases_dir
            return restricted or _given(self.settings.data_dir)
        if self.settings.origin == "synthetic":
            return self._synthetic_city()
        from htrisk_dagster.sources import feature_services, live

        first = date.fromisoformat(months[0]) if months else area.first_day
        last = date.fromisoformat(months[-1]) if months else area.first_day
        end = last.replace(day=calendar.monthrange(last.year, last.month)[1])
        into = self.settings.workspace / "pulls" / area.name
        if area.incident_file:
            token = secret(self.settings.arcgis_token)
            return feature_services.fetch(
                area,
                table.name,
                first,
                end,
                into=into,
                token=token,
                say=_LOG.info,
                today=self.today(),
            )
        return live.fetch(
            table.name,
            first,
            end,
            into=into,
            app_token=secret(self.settings.socrata_app_token),
            say=_LOG.info,
            today=self.today(),
            base_url=self.settings.open_data_url,
        )

    def require_sources(self, area: StudyArea) -> None:
        """Check, before anything is written, for what would stop a run in the middle.

        Raises
        ------
        SettingError
            Where the target is none of the area's.
        SourceError
            Where the folder of files is absent, a file in it lacks a column, or it holds no
            boundaries or no file of the target.
        """
        from htrisk_dagster.sources.declared_layouts import files_in

        _, target = self.target(area)
        if self.settings.origin != "files":
            return
        folder = _given(self.settings.data_dir)
        # A study area that declares its boundary can do without files of it.
        boundaries = () if area.incident_file else ((raw.BOROUGHS.name,), (raw.PRECINCTS.name,))
        missing = [
            " or ".join(tables)
            for tables in (*boundaries, target.sources)
            if not any(files_in(folder, area, table) for table in tables)
        ]
        if missing:
            raise SourceError(
                f"{folder} holds no file of {', none of '.join(missing)}. Bring the publishers' "
                "files there, or name another folder with --data."
            )

    def source_fingerprint(self, area: StudyArea, table: Table, months: list[str]) -> str:
        """Digest of the files that `table` would be read from."""
        from htrisk_dagster.sources.declared_layouts import files_in

        folder = self.source_folder(area, table, months)
        return files_fingerprint([path for path, _ in files_in(folder, area, table.name)])

    def _places_of_service(self, area: StudyArea) -> Path:
        """Folder of the file of places that the service gives; kept answers are not asked for again."""
        from htrisk_dagster.sources.context.places_service import PlacesService, fetch_places

        key, part = self.settings.places_api_key, area.context.places
        folder = self.settings.workspace / "pulls" / area.name / "places"
        folder.mkdir(parents=True, exist_ok=True)
        if key is None or part is None:
            return folder
        limit = self.settings.places_request_limit
        with closing(PlacesService(key.get_secret_value(), request_limit=limit)) as service:
            box = area.bounding_box
            return fetch_places(service, part.categories, box, into=folder, say=_LOG.info)

    def _synthetic_city(self) -> Path:
        from htrisk_dagster.sources.synthetic_city.city import write_city
        from htrisk_dagster.sources.synthetic_city.presets import preset_named

        write_city(self.city_folder, preset_named(self.settings.preset), self.settings.seed)
        return self.city_folder


def secret(value: SecretStr | None) -> str | None:
    """Text of a secret setting; None where it is not set."""
    return value.get_secret_value() if value else None


def _given(folder: Path | None) -> Path:
    assert folder is not None, "settings refuse origin=files without data_dir"
    return folder
