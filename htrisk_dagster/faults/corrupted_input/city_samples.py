"""Good rows of cities that a study area declares: Detroit's files and service, and invented ones.

Belongs here: rows and kinds of columns of `[incident_file]`, `[boundary]` and `[context.places.files]`.
Does not: how a feature service is asked (`sample_reading`).
"""

from __future__ import annotations

import json

from htrisk_dagster.faults.corrupted_input.sample import GEOMETRY, N_ROWS, Row, Sample, samples_of
from htrisk_dagster.study_areas.area import StudyArea, load_area
from htrisk_dagster.study_areas.city_files import AreaPlace, BoundaryPart, IncidentFile

_MARCH_2024_MS = 1_709_294_400_000  # noon of the first in UTC
_DAY_MS = 86_400_000
_OFFENCES = ("ROBBERY", "BURGLARY", "LARCENY", "ARSON", "FRAUD", "KIDNAPPING")
_LICENCE = ("SDM", "SDD", "CLASS C", "TAVERN", "HOTEL", "CLUB")
_DETROIT = {
    "INCIDENT_ENTRY_ID": "id", "OFFENSE_CATEGORY": "label", "INCIDENT_OCCURRED_AT": "moment",
    "POLICE_PRECINCT": "area_code", "LATITUDE": "latitude", "LONGITUDE": "longitude",
}  # fmt: skip
_SERVICE = _DETROIT | {"INCIDENT_OCCURRED_AT": "unix_ms"}
_LICENCES = {"LATITUDE": "latitude", "LONGITUDE": "longitude", "Y": "latitude", "X": "longitude",
             "TYPE": "words", "STATUS": "words"}  # fmt: skip


def _lat(i: int) -> str:
    return f"42.3{i}128"


def _lon(i: int) -> str:
    return f"-83.0{i}417"


def _detroit(i: int) -> Row:
    return {
        "incident_entry_id": f"24-0301-{i}7", "nearest_intersection": "A St & B St",
        "offense_category": _OFFENCES[i], "incident_occurred_at": f"2024/03/0{i + 1} 14:3{i}:00+00",
        "police_precinct": f"'0{i + 2}", "longitude": _lon(i), "latitude": _lat(i), "victim_age": "33",
    }  # fmt: skip


def _detroit_sent(i: int) -> Row:
    shown = ("incident_entry_id", "offense_category", "longitude", "latitude")
    return {name: _detroit(i)[name] for name in shown} | {
        "incident_occurred_at": str(_MARCH_2024_MS + i * _DAY_MS),
        "police_precinct": f"0{i + 2}",
    }


def _licence(i: int) -> Row:
    return {"type": _LICENCE[i], "status": "Active", "latitude": _lat(i), "longitude": _lon(i)}


def _licence_sent(i: int) -> Row:
    return {"type": _LICENCE[i], "status": "Active", "x": _lon(i), "y": _lat(i)}


def _square(i: int) -> str:
    west, south = -83.25 + 0.05 * i, 42.30
    ring = [[west, south], [west + 0.04, south], [west + 0.04, south + 0.04], [west, south]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


def _precinct(i: int) -> Row:
    return {"name": f"0{i + 2}", GEOMETRY: _square(i)}


def _spanish(i: int) -> Row:
    """A download with days first, a day of the report, and numbered areas."""
    return {
        "Nro. Expediente": str(900_000 + i), "Fecha Hecho": f"2{i + 1}/03/2024 1{i}:45",
        "Fecha Denuncia": f"2{i + 3}/03/2024", "Delito": _OFFENCES[i], "Seccional": f"0{i + 1}",
        "Latitud": _lat(i), "Longitud": _lon(i), "Sexo Victima": "F",
    }  # fmt: skip


_SPANISH = {
    "NRO_EXPEDIENTE": "id", "FECHA_HECHO": "moment", "FECHA_DENUNCIA": "told_day", "DELITO": "label",
    "SECCIONAL": "number_code", "LATITUD": "latitude", "LONGITUD": "longitude",
}  # fmt: skip


def _beat(i: int) -> Row:
    """A row of beats without a point, its instants with an offset."""
    return {
        "CaseNumber": f"PF-00000{i}", "OffenseStart": f"2024-03-0{i + 1}T1{i}:20:00-06:00",
        "OffenseType": _OFFENCES[i].title(), "Beat": f"A{i + 1}", "Agency": "Prairie Falls PD",
    }  # fmt: skip


_BEATS = {"CASENUMBER": "word_id", "OFFENSESTART": "moment", "OFFENSETYPE": "label", "BEAT": "area_code",
          "AGENCY": "words"}  # fmt: skip


def _unnumbered(i: int) -> Row:
    """A row without a number, a column for the time of day, and codes of offences."""
    return {
        "Date": f"03/1{i}/2024", "Time": f"{10 + i}:05", "Code": str(310 + i), "lat": _lat(i),
        "lon": _lon(i),
    }  # fmt: skip


_UNNUMBERED = {"DATE": "reported_day", "TIME": "clock", "CODE": "number_code", "LATITUDE": "latitude",
               "LONGITUDE": "longitude"}  # fmt: skip


def _city(file: IncidentFile, areas: dict[str, AreaPlace] | None = None) -> StudyArea:
    """Detroit's ground under a file of another city."""
    return load_area("detroit").model_copy(update={"incident_file": file, "areas": areas or {}})


def city_samples() -> tuple[Sample, ...]:
    """One good file of every layout that a study area's file declares, and the answers of a service."""
    detroit = load_area("detroit")
    outlined = detroit.model_copy(update={"boundary": BoundaryPart(outline="district")})
    spanish = _city(
        IncidentFile(
            id="Nro. Expediente", occurred_at="Fecha Hecho", reported_at="Fecha Denuncia", offence="Delito",
            area="Seccional", latitude="Latitud", longitude="Longitud", day_first=True,
        )
    )  # fmt: skip
    beats = _city(
        IncidentFile(id="CaseNumber", occurred_at="OffenseStart", offence="OffenseType", area="Beat",
                     agency="Agency"),
        {f"A{i + 1}": AreaPlace(number=i + 1, lon=None, lat=None) for i in range(N_ROWS)},
    )  # fmt: skip
    unnumbered = _city(
        IncidentFile(occurred_at="Date", occurred_time="Time", offence_code="Code", latitude="lat",
                     longitude="lon")
    )  # fmt: skip
    reports, places = "incident_reports", "places_of_interest"
    return (
        *samples_of(
            _DETROIT, (("Detroit's download", reports, "r.csv", _detroit),), area=detroit,
            needed="incident_occurred_at",
        ),
        *samples_of(
            _SERVICE, (("Detroit's pages as kept", reports, "r.json.gz", _detroit_sent),), area=detroit,
            sends_numbers=True,
        ),
        *samples_of(
            _SERVICE, (("Detroit's feature service", reports, "r.answer", _detroit_sent),), area=detroit,
            way="service",
        ),
        *samples_of(
            _LICENCES, (("licences, declared", places, "s.csv", _licence),), area=detroit,
            needed="latitude", repeats_mean_more=True,
        ),
        *samples_of(
            _LICENCES, (("licences, feature service", places, "s.answer", _licence_sent),), area=detroit,
            way="service", repeats_mean_more=True,
        ),
        *samples_of(
            {"NAME": "area_code"}, (("areas of a declared city", "precincts", "a.geojson", _precinct),),
            area=detroit,
        ),
        *samples_of(
            {"NAME": "area_code"},
            (("areas, feature service", "precincts", "b.geojson", _precinct),), area=detroit, way="service",
        ),
        *samples_of(
            {"DISTRICT": "name"},
            (("outline of a declared city", "boroughs", "o.geojson.gz",
              lambda i: {"district": f"DISTRICT {i}", GEOMETRY: _square(i)}),),
            area=outlined,
        ),
        *samples_of(
            _SPANISH, (("a city's CSV, days first", reports, "d.csv.gz", _spanish),), area=spanish,
            needed="Fecha Hecho",
        ),
        *samples_of(_BEATS, (("a city's JSON, beats", reports, "c.json", _beat),), area=beats),
        *samples_of(
            _UNNUMBERED, (("a city's CSV, without numbers", reports, "u.csv", _unnumbered),),
            area=unnumbered, needed="Date", repeats_mean_more=True,
        ),
        *samples_of(
            _UNNUMBERED, (("a city's Parquet", reports, "u.parquet", _unnumbered),), area=unnumbered,
            repeats_mean_more=True,
        ),
    )  # fmt: skip
