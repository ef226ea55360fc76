"""The shape of a study area's file, and how one is read.

Belongs here: the validated fields of `<name>.toml`. Does not: any particular place (the TOML
files beside this module), nor code that acts on a field.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from pydantic_core import ErrorDetails

from htrisk_dagster.errors import SettingError
from htrisk_dagster.schemas import raw

FOLDER = Path(__file__).parent


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class GridPart(_Part):
    """Projected CRS, cell size in metres, and the least share of land that makes a cell."""

    crs: str
    cell_size_m: int = Field(ge=100, le=5000)
    minimum_land_share: float = Field(gt=0, le=1)


class BoundingBox(_Part):
    """Box in degrees, WGS 84; a point outside it is an error of geocoding."""

    west: float
    south: float
    east: float
    north: float


class OffenceGroup(_Part):
    """Offences of one group, by key code, or by label where a file has no codes.

    Groups are tried in file order. `is_discovered` marks what the police find by being there.
    """

    codes: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    is_discovered: bool = False


class SeriesPart(_Part):
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


class PublicationLag(_Part):
    """Days from an event to the day it can be known here, by kind of source."""

    incidents_days: int = Field(ge=1)
    airport_days: int = Field(ge=0)
    transit_days: int = Field(ge=0)


class CensusPart(_Part):
    """Survey of residents: its last year, which its file does not say, and days to publication."""

    last_year: int = Field(ge=2000)
    lag_days: int = Field(ge=0)


class HotelsPart(_Part):
    """Hotels by tax year: days from the year's end to the day the roll can be used."""

    lag_days: int = Field(ge=0)


class StationsPart(_Part):
    """Stations: the day since which the network stands as in the file, which has no days."""

    known_from: date


class PlacesPart(_Part):
    """Places of interest: categories that are counted, and days from the file's own day."""

    lag_days: int = Field(ge=0)
    categories: tuple[str, ...] = Field(min_length=1)

    @field_validator("categories")
    @classmethod
    def _categories_are_words(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        wrong = [c for c in value if not re.fullmatch(r"[a-z][a-z0-9_]*", c)]
        if wrong or len({*value}) < len(value):
            raise ValueError(
                f"{list(value)} must be different words in lower case, such as bus_station"
            )
        return value


class DailyPart(_Part):
    """A series by area and day: days to publication, and days over which it is averaged."""

    lag_days: int = Field(ge=0)
    window_days: int = Field(ge=1, le=366)


class ContextPart(_Part):
    """What is known of places, each with its own lag. A part that is left out does not exist here."""

    census: CensusPart | None = None
    hotels: HotelsPart | None = None
    subway_stations: StationsPart | None = None
    places: PlacesPart | None = None
    news_sentiment: DailyPart | None = None
    advert_counts: DailyPart | None = None


class StudyArea(_Part):
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
    context: ContextPart = ContextPart()

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


def area_names() -> list[str]:
    """Names of the study areas that have a file."""
    return sorted(p.stem for p in FOLDER.glob("*.toml"))


@cache
def load_area(name: str) -> StudyArea:
    """Read and check the file of study area `name`.

    Raises
    ------
    SettingError
        Where there is no such file, it is not TOML, or a key or value in it is not legal.
    """
    path = FOLDER / f"{name}.toml"
    # Among the files, not at the path: a name such as `../x` must lead nowhere.
    if name not in area_names():
        raise SettingError(
            f"There is no study area '{name}'. There are: {', '.join(area_names())}."
        )
    return read_area(path)


def read_area(path: Path) -> StudyArea:
    """Read and check one study-area file; see `load_area`."""
    try:
        return StudyArea.model_validate(tomllib.loads(path.read_text()))
    except tomllib.TOMLDecodeError as error:
        raise SettingError(f"{path}: not legal TOML: {error}.") from error
    except ValidationError as error:
        raise SettingError(f"{path}: {'; '.join(map(_problem, error.errors()))}.") from error


def _problem(error: ErrorDetails) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return ": ".join([".".join(map(str, error["loc"])), message] if error["loc"] else [message])
