"""What a study area's file says of a city's own files: columns, areas, boundary, services.

Belongs here: the parts by which a city without code of its own is read. Does not: the study area as
a whole (`area`), reading (`sources/`), nor how such parts are proposed (`sources/area_proposal/`).
"""

from __future__ import annotations

import re
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

Ring = tuple[tuple[float, float], ...]


class Part(BaseModel):
    """A table of a study area's file: frozen, an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class IncidentFile(Part):
    """Columns of the city's own file of incidents, in the city's spelling.

    A column that is left out does not exist there. Instants that say their own offset, and Unix
    time in seconds or milliseconds, are read as such; `times_are` and `day_first` tell of others.
    """

    occurred_at: str
    occurred_time: str | None = None
    reported_at: str | None = None
    id: str | None = None
    offence: str | None = None
    offence_code: str | None = None
    latitude: str | None = None
    longitude: str | None = None
    area: str | None = None
    district: str | None = None
    agency: str | None = None
    times_are: Literal["local", "utc"] = "local"
    day_first: bool = False

    @model_validator(mode="after")
    def _places_are_whole(self) -> IncidentFile:
        if (self.latitude is None) != (self.longitude is None):
            raise ValueError("latitude and longitude come together; one of them is left out")
        if self.latitude is None and self.area is None:
            raise ValueError("neither coordinates nor an area: nothing says where it happened")
        return self

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column that is read, each once, the time of occurrence first."""
        named = (
            self.occurred_at, self.occurred_time, self.reported_at, self.id, self.offence,
            self.offence_code, self.latitude, self.longitude, self.area, self.district, self.agency,
        )  # fmt: skip
        return tuple(dict.fromkeys(name for name in named if name))


class AreaPlace(Part):
    """One area that incidents are published by: its number here, its district, its middle."""

    number: int = Field(ge=1)
    district: str | None = None
    lon: float | None = Field(None, ge=-180, le=180)
    lat: float | None = Field(None, ge=-90, le=90)


class BoundaryPart(Part):
    """Where the outline comes from: properties of GeoJSON files, or a ring where there is none.

    `outline` is the property that names the city or its districts, `areas` the one that holds the
    code of an area. `hull` is a ring of longitude and latitude, closed or not, that stands in for an
    outline that no file holds.
    """

    outline: str | None = None
    areas: str | None = None
    hull: Ring = ()

    @model_validator(mode="after")
    def _says_something(self) -> BoundaryPart:
        if not (self.outline or self.areas or self.hull):
            raise ValueError("give outline, areas or hull; an empty boundary bounds nothing")
        return self

    @field_validator("hull")
    @classmethod
    def _hull_is_a_ring(cls, value: Ring) -> Ring:
        if value and len({*value}) < 3:
            raise ValueError("a ring needs three different points")
        return value


class HolidaysPart(Part):
    """Calendar of holidays: ISO 3166 country, and a part of it where it has days of its own."""

    country: str = Field(pattern=r"^[A-Z]{2}$")
    subdivision: str | None = None


class FeatureService(Part):
    """A layer of an ArcGIS server that publishes a raw table.

    `where` limits it to a part of the layer; `date_field` is what months are asked by, and a layer
    without it is fetched whole.
    """

    url: str
    date_field: str | None = None
    where: str = "1=1"

    @field_validator("url")
    @classmethod
    def _is_a_layer(cls, value: str) -> str:
        if not re.search(r"/(Feature|Map)Server/\d+$", value):
            raise ValueError(
                f"'{value}' is no layer; its address ends with FeatureServer/0 or such"
            )
        return value


class PlaceFile(Part):
    """A file of which every row is one place of one category, such as a register of licences."""

    latitude: str
    longitude: str
    recognised_by: tuple[str, ...] = Field(min_length=1)


def area_code(code: str) -> str:
    """Spell a code of an area the one way used here: upper case, no leading zeros, blanks or quote.

    Publishers write `02`, `2` and `'02` (against spreadsheets) for one precinct.
    """
    plain = code.strip().lstrip("'").strip().upper()
    return re.sub(r"^0+(?=\d)", "", plain) if plain.isdigit() else plain
