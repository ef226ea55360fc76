"""Good rows of the FBI's files: merged beforehand, one by one, and a delivery as one ZIP archive.

Belongs here: that. Does not: how a delivery is read (`sample_reading`).

Row i of each file of the delivery belongs to row i of the others, so that an offence is lost with any of
its parts and its neighbours are not.
"""

from __future__ import annotations

from collections.abc import Callable

from htrisk_dagster.faults.corrupted_input.sample import N_ROWS, Row, Sample, samples_of
from htrisk_dagster.sources.layouts import LAYOUTS, normalise
from htrisk_dagster.study_areas.area import StudyArea, load_area

_CODES = ("09A", "100", "11A", "120", "13A", "23H")
_OFFENCES = (
    "Murder",
    "Kidnapping/Abduction",
    "Rape",
    "Robbery",
    "Aggravated Assault",
    "All Other Larceny",
)
_CATEGORIES = ("Homicide Offenses", "Kidnapping/Abduction", "Sex Offenses", "Robbery", "Assault Offenses",
               "Larceny/Theft Offenses")  # fmt: skip
_PLACES = (
    "Residence/Home",
    "Bar/Nightclub",
    "Hotel/Motel/Etc.",
    "Field/Woods",
    "Restaurant",
    "Other/Unknown",
)
_COUNTIES = ("TOLLAND", "HARTFORD", "NEW HAVEN", "FAIRFIELD", "WINDHAM", "NEW LONDON")
_TOWNS = ("Ansonia", "Avon", "Berlin", "Bethel", "Bloomfield", "Branford")
_KINDS = {
    "AGENCY_LOCATION": "figure_key", "INCIDENT_DATE": "day", "INCIDENT_HOUR": "hour",
    "OFFENSE_NAME": "needed_label", "OFFENSE_CATEGORY_NAME": "needed_label", "LOCATION_AREA": "label",
    "INCIDENT_ID": "figure_key", "AGENCY_ID": "figure_key", "OFFENSE_ID": "figure_key",
    "LOCATION_ID": "place_key", "OFFENSE_CODE": "nibrs_code", "OFFENSE_TYPE_ID": "place_key",
    "LOCATION_NAME": "needed_label", "DATA_YEAR": "year", "PUB_AGENCY_NAME": "needed_label",
    "AGENCY_TYPE_NAME": "needed_label", "STATE_ABBR": "state", "COUNTY_NAME": "label",
    "POPULATION": "count", "MALE_OFFICER": "count", "FEMALE_OFFICER": "count", "MALE_CIVILIAN": "count",
    "FEMALE_CIVILIAN": "count",
}  # fmt: skip


def _merged(i: int) -> Row:
    return {
        "year": "2024", "agency_location": str(2120 + i), "incident_date": f"2024-03-{i + 1:02d}",
        "incident_hour": str(10 + i), "agency_name": _TOWNS[i], "state": "Connecticut",
        "population": "18750", "male_officer": f"{20 + i}.0", "offense_name": _OFFENCES[i],
        "offense_category_name": _CATEGORIES[i], "criminal_act_name": "None/Unknown",
        "location_area": _PLACES[i],
    }  # fmt: skip


def _incident(i: int) -> Row:
    return {
        "data_year": "2024", "agency_id": str(2120 + i), "incident_id": str(170_000_001 + i),
        "nibrs_month_id": "9", "cargo_theft_flag": "f", "incident_date": f"2024-03-{i + 1:02d}",
        "report_date_flag": "", "incident_hour": str(10 + i), "incident_status": "ACCEPTED",
    }  # fmt: skip


def _incident_until_2020(i: int) -> Row:
    row = _incident(i) | {"incident_date": f"0{i + 1}-JAN-18"}
    return {name.upper(): value for name, value in row.items()}


def _offence(i: int) -> Row:
    return {
        "data_year": "2024", "offense_id": str(210_000_001 + i), "incident_id": str(170_000_001 + i),
        "offense_code": _CODES[i], "attempt_complete_flag": "C", "location_id": str(11 + i),
        "num_premises_entered": "",
    }  # fmt: skip


def _offence_until_2020(i: int) -> Row:
    row = {n: v for n, v in _offence(i).items() if n != "offense_code"} | {
        "offense_type_id": str(31 + i)
    }
    return {name.upper(): value for name, value in row.items()}


def _type(i: int) -> Row:
    return {
        "offense_code": _CODES[i], "offense_name": _OFFENCES[i], "crime_against": "Person",
        "ct_flag": "f", "offense_category_name": _CATEGORIES[i],
    }  # fmt: skip


def _type_until_2020(i: int) -> Row:
    return {n.upper(): v for n, v in ({"offense_type_id": str(31 + i)} | _type(i)).items()}


def _location(i: int) -> Row:
    return {
        "location_id": str(11 + i),
        "location_code": f"{i + 1:02d}",
        "location_name": _PLACES[i],
    }


def _agency(i: int) -> Row:
    return {
        "yearly_agency_id": f"{2120 + i}2024", "agency_id": str(2120 + i), "data_year": "2023",
        "ori": f"CT000{i}00", "pub_agency_name": _TOWNS[i], "state_abbr": "CT",
        "agency_type_name": "City", "population": str(18_750 + i), "male_officer": str(29 + i),
        "male_civilian": "1", "male_officer+male_civilian": str(30 + i), "female_officer": "5",
        "female_civilian": "9", "county_name": _COUNTIES[i],
    }  # fmt: skip


_FILES: tuple[tuple[str, str, str, Callable[[int], Row]], ...] = (
    ("NIBRS, merged beforehand", "nibrs_merged", "m.csv.gz", _merged),
    ("NIBRS incidents", "nibrs_incidents", "i.csv", _incident),
    ("NIBRS incidents, until 2020", "nibrs_incidents", "i20.csv", _incident_until_2020),
    ("NIBRS offences", "nibrs_offences", "o.csv", _offence),
    ("NIBRS offences, until 2020", "nibrs_offences", "o20.csv", _offence_until_2020),
    ("NIBRS offence codes", "nibrs_offence_types", "t.csv", _type),
    ("NIBRS offence codes, until 2020", "nibrs_offence_types", "t20.csv", _type_until_2020),
    ("NIBRS kinds of place", "nibrs_locations", "l.csv", _location),
    ("police agencies", "police_agencies", "a.csv", _agency),
)
_DELIVERY = {
    "NIBRS_incident.csv": ("nibrs_incidents", _incident),
    "NIBRS_OFFENSE.csv": ("nibrs_offences", _offence),
    "NIBRS_OFFENSE_TYPE.csv": ("nibrs_offence_types", _type),
    "NIBRS_LOCATION_TYPE.csv": ("nibrs_locations", _location),
    "agencies.csv": ("police_agencies", _agency),
}


def _kinds(table: str, row: Row) -> dict[str, str]:
    """Kinds of the columns that the table is read from."""
    read = LAYOUTS[table].columns
    return {
        column: _KINDS[normalise(column)]
        for column in row
        if normalise(column) in read and normalise(column) in _KINDS
    }


def _delivery(area: StudyArea) -> Sample:
    rows = tuple(
        {f"{name}/{c}": v for name, (_, row) in _DELIVERY.items() for c, v in row(i).items()}
        for i in range(N_ROWS)
    )
    kinds = {
        f"{name}/{column}": kind
        for name, (table, row) in _DELIVERY.items()
        for column, kind in _kinds(table, row(0)).items()
    }
    return Sample(
        "NIBRS delivery, ZIP", "reported_offences", "d.zip", kinds, rows, "delivery", area
    )


def nibrs_samples() -> tuple[Sample, ...]:
    """One good file of every layout of the FBI's, and one whole delivery."""
    connecticut = load_area("connecticut")
    files = [
        sample
        for given in _FILES
        for sample in samples_of(
            {normalise(c): kind for c, kind in _kinds(given[1], given[3](0)).items()},
            (given,),
            area=connecticut,
            # A file merged beforehand has no number.
            repeats_mean_more=given[1] == "nibrs_merged",
        )
    ]
    return (*files, _delivery(connecticut))
