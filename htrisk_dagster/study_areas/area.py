"""The shape of a study area's file, and how one is read.

Belongs here: the validated fields of `<name>.toml`, and the folders it may lie in. Does not: any
particular place (the TOML files beside this module), a city's own files (`city_files`), nor code
that acts on a field.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from htrisk_dagster.errors import SettingError
from htrisk_dagster.schemas import raw
from htrisk_dagster.study_areas.city_files import (
    AreaPlace,
    BoundaryPart,
    FeatureService,
    HolidaysPart,
    IncidentFile,
    Part,
    PlaceFile,
    area_code,
)

FOLDER = Path(__file__).parent
LARGEST_CELL_M = 5_000
Covariate = Literal["permitted_events", "airport_passengers", "transit_ridership"]


class GridPart(Part):
    """Projected CRS, cell size in metres, and the least share of land that makes a cell.

    With `unit` area each declared area is a cell, drawn as a square of `cell_size_m`: for a city
    that publishes beats and no points.
    """

    crs: str
    cell_size_m: int = Field(ge=100, le=100_000)
    minimum_land_share: float = Field(gt=0, le=1)
    unit: Literal["cell", "area"] = "cell"

    @model_validator(mode="after")
    def _cells_are_small(self) -> GridPart:
        if self.unit == "cell" and self.cell_size_m > LARGEST_CELL_M:
            raise ValueError(
                f"cell_size_m must be at most {LARGEST_CELL_M} where cells are squares"
            )
        return self


class BoundingBox(Part):
    """Box in degrees, WGS 84; a point outside it is an error of geocoding."""

    west: float
    south: float
    east: float
    north: float

    @property
    def middle(self) -> tuple[float, float]:
        """Longitude and latitude of the middle."""
        return (self.west + self.east) / 2, (self.south + self.north) / 2


class OffenceGroup(Part):
    """Offences of one group, by key code, or by label where a file has no codes.

    Groups are tried in file order. `is_discovered` marks what the police find by being there.
    """

    codes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    is_discovered: bool = False


class SeriesPart(Part):
    """A series of incidents: sources in order of preference, groups (none means all)."""

    title: str
    sources: tuple[str, ...] = Field(min_length=1)
    offence_groups: tuple[str, ...] = ()

    @field_validator("sources")
    @classmethod
    def _sources_exist(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        known = [t.name for t in raw.INCIDENT_TABLES]
        unknown = [source for source in value if source not in known]
        if unknown:
            raise ValueError(f"{unknown} are no raw tables of incidents; there are {known}")
        return value


class PublicationLag(Part):
    """Days from an event to the day it can be known here, by kind of source."""

    incidents_days: int = Field(ge=1)
    airport_days: int = Field(ge=0)
    transit_days: int = Field(ge=0)


class CensusPart(Part):
    """Survey of residents: its last year, which its file does not say, and days to publication."""

    last_year: int = Field(ge=2000)
    lag_days: int = Field(ge=0)


class HotelsPart(Part):
    """Hotels by tax year: days from the year's end to the day the roll can be used."""

    lag_days: int = Field(ge=0)


class StationsPart(Part):
    """Stations: the day since which the network stands as in the file, which has no days."""

    known_from: date


class PlacesPart(Part):
    """Places of interest: categories that are counted, and days from the file's own day.

    `files` describes files that hold one category each and do not say so in a column.
    """

    lag_days: int = Field(ge=0)
    categories: tuple[str, ...] = Field(min_length=1)
    files: dict[str, PlaceFile] = Field({})

    @model_validator(mode="after")
    def _files_are_of_categories(self) -> PlacesPart:
        unknown = sorted({*self.files} - {*self.categories})
        if unknown:
            raise ValueError(f"files names {unknown}, which are none of categories")
        return self

    @field_validator("categories")
    @classmethod
    def _categories_are_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [c for c in value if not re.fullmatch(r"[a-z][a-z0-9_]*", c)]
        if wrong or len({*value}) < len(value):
            raise ValueError(
                f"{list(value)} must be different words in lower case, such as bus_station"
            )
        return value


class DailyPart(Part):
    """A series by area and day: days to publication, and days over which it is averaged."""

    lag_days: int = Field(ge=0)
    window_days: int = Field(ge=1, le=366)


class ContextPart(Part):
    """What is known of places, each with its own lag. A part that is left out does not exist here."""

    census: CensusPart | None = None
    hotels: HotelsPart | None = None
    subway_stations: StationsPart | None = None
    places: PlacesPart | None = None
    news_sentiment: DailyPart | None = None
    advert_counts: DailyPart | None = None


class AgenciesPart(Part):
    """Police agencies in the FBI's files: the state whose agencies and holidays count, two letters."""

    state: str = Field(pattern=r"^[A-Z]{2}$")


class StudyArea(Part):
    """One place, declared: everything about it that is not code."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$")
    title: str
    time_zone: str
    first_day: date
    bounding_box: BoundingBox
    grid: GridPart
    publication_lag: PublicationLag
    offence_groups: dict[str, OffenceGroup]
    incidents: SeriesPart
    series: dict[str, SeriesPart]
    targets: dict[str, SeriesPart]
    holidays: HolidaysPart
    context: ContextPart = ContextPart()
    agencies: AgenciesPart | None = None
    covariates: tuple[Covariate, ...] = ()
    incident_file: IncidentFile | None = None
    areas: dict[str, AreaPlace] = Field({})
    boundary: BoundaryPart | None = None
    services: dict[str, FeatureService] = Field({})

    @field_validator("time_zone")
    @classmethod
    def _zone_exists(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        # Pydantic makes a sentence of a ValueError alone; "America" is a folder.
        except (KeyError, OSError, ValueError):
            message = f"'{value}' is no time zone; give a name such as America/New_York"
            raise ValueError(message) from None
        return value

    @model_validator(mode="after")
    def _groups_are_known(self) -> StudyArea:
        known = {*self.offence_groups, "other"}
        parts = {"incidents": self.incidents}
        parts |= {f"series.{name}": part for name, part in self.series.items()}
        parts |= {f"targets.{name}": part for name, part in self.targets.items()}
        for place, part in parts.items():
            unknown = sorted(set(part.offence_groups) - known)
            if unknown:
                raise ValueError(f"{place} names offence groups {unknown} that are not declared")
        if not self.targets:
            raise ValueError("at least one target must be declared")
        return self

    @field_validator("targets", "series", "offence_groups")
    @classmethod
    def _names_can_be_those_of_files(cls, value: dict[str, object]) -> dict[str, object]:
        # A target names the folder of its models: `../x` must lead nowhere.
        if wrong := [name for name in value if not re.fullmatch(r"[a-z][a-z0-9_]*", name)]:
            raise ValueError(
                f"{wrong[0]!r} is no name: small letters, digits and underscores, a letter first"
            )
        return value

    @field_validator("areas")
    @classmethod
    def _areas_are_different(cls, value: dict[str, AreaPlace]) -> dict[str, AreaPlace]:
        spelt = {area_code(code): place for code, place in value.items()}
        if len(spelt) < len(value) or len({p.number for p in value.values()}) < len(value):
            raise ValueError("two areas have one code, leading zeros apart, or one number")
        return spelt

    @model_validator(mode="after")
    def _own_files_are_described(self) -> StudyArea:
        reads_own = raw.INCIDENT_REPORTS.name in self.incident_sources
        if reads_own and self.incident_file is None:
            raise ValueError(
                f"sources name {raw.INCIDENT_REPORTS.name}, but there is no [incident_file]"
            )
        if self.grid.unit == "area" and not (
            self.areas and self.incident_file and self.incident_file.area
        ):
            raise ValueError("grid.unit is area, which needs [areas] and incident_file.area")
        if reads_own and self.grid.unit == "cell" and self.boundary is None:
            raise ValueError("cells need a [boundary]: outline, areas or hull")
        known = {t.name for t in raw.TABLES} | {"places_of_interest"}
        if unknown := sorted({*self.services} - known):
            raise ValueError(f"services names {unknown}, which are no raw tables")
        return self

    @property
    def incident_sources(self) -> tuple[str, ...]:
        """Raw tables of incidents that any series is taken from, in order of the dictionary."""
        parts = (self.incidents, *self.series.values(), *self.targets.values())
        named = {source for part in parts for source in part.sources}
        return tuple(t.name for t in raw.INCIDENT_TABLES if t.name in named)

    def target(self, name: str | None) -> tuple[str, SeriesPart]:
        """Name and declaration of the target, the first of the file if `name` is None.

        Raises
        ------
        SettingError
            Where the area has no such target; the message lists those it has.
        """
        chosen = name or next(iter(self.targets))
        if chosen not in self.targets:
            raise SettingError(
                f"Study area '{self.name}' has no target '{chosen}'. It has: {', '.join(self.targets)}."
            )
        return chosen, self.targets[chosen]


def area_names(folder: Path | None = None) -> list[str]:
    """Names of the study areas that have a file, here or in `folder`."""
    folders = [FOLDER, *([folder] if folder else [])]
    return sorted({p.stem for f in folders for p in f.glob("*.toml")})


@cache
def load_area(name: str, folder: Path | None = None) -> StudyArea:
    """Read and check the file of study area `name`.

    Parameters
    ----------
    name : str
    folder : Path, optional
        A user's own study areas; where both folders hold the name, the user's is taken.

    Raises
    ------
    SettingError
        Where there is no such file, it is not TOML, a key or value in it is not legal, or it is of
        another name.
    """
    # Among the files, not at the path: a name such as `../x` must lead nowhere.
    if name not in area_names(folder):
        raise SettingError(
            f"There is no study area '{name}'. There are: {', '.join(area_names(folder))}."
        )
    own = folder / f"{name}.toml" if folder else None
    path = own if own and own.is_file() else FOLDER / f"{name}.toml"
    area = read_area(path)
    if area.name != name:
        raise SettingError(
            f"{path}: name is '{area.name}'. Asset keys and tables go by it: give the file and the "
            "area one name."
        )
    return area


def read_area(path: Path) -> StudyArea:
    """Read and check one study-area file; see `load_area`."""
    try:
        return StudyArea.model_validate(tomllib.loads(path.read_text(encoding="utf-8")))
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: not legal TOML: {error}.") from error
    except ValidationError as error:
        raise SettingError(f"{path}: {'; '.join(map(_problem, error.errors()))}.") from error


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return ": ".join([".".join(map(str, error["loc"])), message] if error["loc"] else [message])
