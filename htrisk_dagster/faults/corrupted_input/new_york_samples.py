"""Good rows of New York's publishers and of the files of places: what `source_samples` gathers first.

Belongs here: rows as publishers write them, and what kind of value each column holds. Does not: other
cities and the FBI (`city_samples`, `nibrs_samples`), case records (`ctdc_samples`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

from htrisk_dagster.faults.corrupted_input.sample import N_ROWS, Row, Sample, samples_of
from htrisk_dagster.sources.layouts import LAYOUTS, normalise

# Tables without a number, in which two equal rows are two things.
_REPEATS_MEAN_MORE = frozenset(
    {"felonies", "permitted_events", "verified_cases", "review_decisions", "tax_lots",
     "places_of_interest", "news_sentiment"}
)  # fmt: skip


def _day(i: int) -> str:
    return f"2024-03-{i + 1:02d}"


def _us_day(i: int) -> str:
    return f"03/{i + 1:02d}/2024"


def _lat(i: int) -> str:
    return f"40.7{i}8848333"


def _lon(i: int) -> str:
    return f"-73.9{i}6661142"


_BOROUGHS = ("BRONX", "BROOKLYN", "MANHATTAN", "QUEENS", "STATEN ISLAND", "QUEENS")
_AREAS = ("BK0101", "QN0205", "44", "Bronx", "MN0603", "Staten Island")
_POINT = {"LATITUDE": "latitude", "LONGITUDE": "longitude"}
_KINDS: dict[str, dict[str, str]] = {
    "complaints": {
        "CMPLNT_NUM": "number", "CMPLNT_FR_DT": "day", "CMPLNT_FR_TM": "clock", "RPT_DT": "report_day",
        "KY_CD": "code", "PD_CD": "code", "OFNS_DESC": "label", "LAW_CAT_CD": "category",
        "BORO_NM": "borough", "ADDR_PCT_CD": "precinct", **_POINT,
    },
    "felonies": {"OCCURRENCE_DATE": "instant", "OFFENSE": "label", "SECTOR": "sector",
                 "PRECINCT": "precinct", **_POINT},
    "shootings": {"INCIDENT_KEY": "number", "OCCUR_DATE": "day", "OCCUR_TIME": "clock",
                  "BORO": "borough", "PRECINCT": "precinct", **_POINT},
    "permitted_events": {
        "EVENT_ID": "number", "START_DATE_TIME": "permit_start", "END_DATE_TIME": "permit_end",
        "EVENT_TYPE": "label", "EVENT_AGENCY": "label", "EVENT_BOROUGH": "borough",
        "POLICE_PRECINCT": "precincts",
    },
    "airport_passengers": {"ACTIVITY_PERIOD": "day", "REVENUE_PASSENGER_VOLUME": "count"},
    "transit_ridership": {
        "DATE": "day", **dict.fromkeys(LAYOUTS["transit_ridership"].nullable, "count"),
    },
    "boroughs": {"BOROUGH": "name"},
    "precincts": {"PRECINCT": "precinct"},
    "neighbourhoods": {"NTA2020": "area", "BOROUGH": "borough"},
    "verified_cases": {"INCIDENT_REPORTING_DATE": "day", "TYPE": "label", "SECTOR": "label",
                       "LOCATION_TYPE": "label", **_POINT},
    "review_decisions": {"MAP_DAY": "day", "CELL_ID": "count", "REVIEWER_ROLE": "label",
                         "DECISION": "label", "DECIDED_ON": "day"},
    "tax_lots": {"BBL_POPULATION_ESTIMATE": "estimate", "NTA": "area", "POLICEPRCT": "precinct",
                 **_POINT},
    "census_areas": {
        **{name: "share" if name.endswith("PE") else "estimate"
           for name in (*LAYOUTS["census_areas"].required, *LAYOUTS["census_areas"].nullable)},
        "NTA_CODE": "area", "POLICEPRCT": "area",
    },
    "hotels": {"PARID": "number", "TAXYEAR": "year", "BLDG_CLASS": "class", "BBL": "second_number", **_POINT},
    "subway_stations": {"GTFS_STOP_ID": "stop", **_POINT},
    "places_of_interest": {"CATEGORY": "label", **_POINT},
    "news_sentiment": {"DATE": "day", "TEXT": "text", "AREA": "area"},
    "advert_counts": {"DAY": "day", "AREA": "area", "ADVERT_COUNT": "count"},
}  # fmt: skip


def _complaint(i: int) -> Row:
    return {
        "CMPLNT_NUM": f"27000001{i}", "CMPLNT_FR_DT": _us_day(i), "CMPLNT_FR_TM": f"1{i}:45:00",
        "CMPLNT_TO_DT": "", "RPT_DT": _us_day(i + 2), "KY_CD": str(341 + i),
        "OFNS_DESC": "PETIT LARCENY", "PD_CD": str(729 + i), "PD_DESC": "FORGERY, ETC.",
        "LAW_CAT_CD": "MISDEMEANOR", "BORO_NM": _BOROUGHS[i], "ADDR_PCT_CD": str(40 + i),
        "SUSP_RACE": "UNKNOWN", "VIC_SEX": "F", "Latitude": _lat(i), "Longitude": _lon(i),
    }  # fmt: skip


def _complaint_of_24_columns(i: int) -> Row:
    row = {name: value for name, value in _complaint(i).items() if name[:4] not in ("SUSP", "VIC_")}
    return {**row, "Lat_Lon": f"({_lat(i)}, {_lon(i)})"}


def _felony(i: int) -> Row:
    return {
        "Occurrence Date": f"{_us_day(i)} 0{i + 1}:00:00 AM", "Day of Week": "Monday",
        "Offense": "BURGLARY", "Sector": "ABCDEF"[i], "Precinct": str(40 + i),
        "Latitude": _lat(i), "Longitude": _lon(i),
    }  # fmt: skip


def _shooting(i: int) -> Row:
    return {
        "INCIDENT_KEY": f"28100001{i}", "OCCUR_DATE": f"3/{i + 1}/2024", "OCCUR_TIME": f"2:1{i}:00",
        "BORO": _BOROUGHS[i], "PRECINCT": str(40 + i), "VIC_SEX": "M", "Latitude": _lat(i),
        "Longitude": _lon(i),
    }  # fmt: skip


def _event(i: int) -> Row:
    return {
        "Event ID": f"61181{i}", "Event Name": "Somebody's Birthday",
        "Start Date/Time": f"{_us_day(i)} 09:00:00 AM", "End Date/Time": f"{_us_day(i)} 04:00:00 PM",
        "Event Agency": "Parks Department", "Event Type": "Special Event",
        "Event Borough": _BOROUGHS[i].title(), "Event Location": "A park",
        "Police Precinct": f"{40 + i}, 9, ",
    }  # fmt: skip


def _riders(i: int) -> Row:
    services = LAYOUTS["transit_ridership"].nullable
    return {
        "Date": _us_day(i),
        **{name: str(10_000 + 100 * k + i) for k, name in enumerate(services)},
    }


def _square(i: int) -> str:
    west, south = -74.0 + 0.05 * i, 40.6
    ring = [[west, south], [west + 0.04, south], [west + 0.04, south + 0.04], [west, south]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


def _census(code: str, codes: Sequence[str]) -> Callable[[int], Row]:
    layout = LAYOUTS["census_areas"]
    names = (*layout.required, *layout.nullable)
    return lambda i: {
        code: codes[i],
        **{name: f"{20 + i}.{k % 10}" for k, name in enumerate(names)},
        "other": "1",
    }


def _api(row: Callable[[int], Row], **texts: str) -> Callable[[int], Row]:
    """Make the API's row of a printed one: names in lower case, days in ISO 8601."""

    def made(i: int) -> Row:
        spelt = {normalise(name).lower(): value for name, value in row(i).items()}
        return spelt | {
            name: value.format(day=_day(i), later=_day(i + 2)) for name, value in texts.items()
        }

    return made


_HOTEL_BBL = 1_000_000_000
_RAW: tuple[tuple[str, str, str, Callable[[int], Row]], ...] = (
    ("complaints, historic", "complaints", "c.csv", _complaint_of_24_columns),
    ("complaints, year to date, quoted", "complaints", "q.csv.gz", _complaint),
    ("complaints, API", "complaints", "c.json.gz",
     _api(_complaint, cmplnt_fr_dt="{day}T00:00:00.000", rpt_dt="{later}T00:00:00.000")),
    ("felonies", "felonies", "f.csv.gz", _felony),
    ("shootings", "shootings", "s.csv", _shooting),
    ("shootings, API", "shootings", "s.json", _api(_shooting, occur_date="{day}T00:00:00.000")),
    ("permitted events", "permitted_events", "e.csv", _event),
    ("permitted events, API", "permitted_events", "e.json.gz",
     _api(_event, start_date_time="{day}T09:00:00.000", end_date_time="{day}T16:00:00.000")),
    ("airport passengers", "airport_passengers", "a.csv",
     lambda i: {"Activity Period": f"2023-0{i + 1}-01", "Revenue Passenger Volume": str(4_000_000 + i),
                "Total Flights": "1"}),
    ("transit ridership", "transit_ridership", "t.csv", _riders),
    ("transit ridership, API", "transit_ridership", "t.json",
     _api(_riders, date="{day}T00:00:00.000")),
    ("boroughs", "boroughs", "b.geojson",
     lambda i: {"BoroName": f"{_BOROUGHS[i]} {i}", "geometry": _square(i)}),
    ("precincts", "precincts", "p.geojson.gz",
     lambda i: {"Precinct": str(40 + i), "geometry": _square(i)}),
    ("neighbourhoods", "neighbourhoods", "n.geojson",
     lambda i: {"nta2020": f"BK010{i}", "borough": "Brooklyn", "geometry": _square(i)}),
    ("verified cases", "verified_cases", "v.csv",
     lambda i: {"Incident Reporting Date": _day(i), "Type": "Labour trafficking", "Sector": "Hospitality",
                "Location Type": "Hotel", "Latitude": _lat(i), "Longitude": _lon(i), "Source": "Hub"}),
    ("review decisions", "review_decisions", "r.csv",
     lambda i: {"Map Day": _day(i), "Cell Id": str(100 + i), "Reviewer Role": "Analyst",
                "Decision": "Confirmed", "Decided On": _day(i)}),
    ("tax lots", "tax_lots", "l.parquet",
     lambda i: {"BBL_POPULATION_ESTIMATE": f"12.{i}5", "NTA": "BK0101", "POLICEPRCT": str(40 + i),
                "LATITUDE": _lat(i), "LONGITUDE": _lon(i)}),
    ("tax lots, CSV", "tax_lots", "l.csv",
     lambda i: {"bbl_population_estimate": f"12.{i}5", "nta": "BK0101", "policeprct": str(40 + i),
                "latitude": _lat(i), "longitude": _lon(i)}),
    ("census, neighbourhoods", "census_areas", "cn.csv.gz",
     _census("nta_code", [f"BK010{i}" for i in range(N_ROWS)])),
    ("census, precincts", "census_areas", "cp.csv",
     _census("policeprct", [str(40 + i) for i in range(N_ROWS)])),
    ("hotels", "hotels", "h.csv",
     lambda i: {"PARID": str(_HOTEL_BBL + i), "TAXYEAR": "2023", "BLDG_CLASS": "H3", "OWNER": "X",
                "BBL": str(_HOTEL_BBL + 500 + i), "Latitude": _lat(i), "Longitude": _lon(i)}),
    ("subway stations", "subway_stations", "m.csv",
     lambda i: {"GTFS Stop ID": f"A0{i}", "Complex ID": str(600 + i), "Stop Name": "8 Av",
                "GTFS Latitude": _lat(i), "GTFS Longitude": _lon(i)}),
    ("places of interest", "places_of_interest", "poi.csv",
     lambda i: {"category": f"bus station {'abcdef'[i]}", "lon": _lon(i), "lat": _lat(i)}),
    ("places of interest, GeoJSON", "places_of_interest", "poi.geojson",
     lambda i: {"category": f"hotel {'abcdef'[i]}", "geometry": json.dumps(
         {"type": "Point", "coordinates": [float(_lon(i)), float(_lat(i))]})}),
    ("news", "news_sentiment", "news.csv",
     lambda i: {"date": _day(i), "area": _AREAS[i], "text": "A good and happy day for the whole city."}),
    ("advert counts", "advert_counts", "adverts.csv",
     lambda i: {"day": _day(i), "area": _AREAS[i], "advert_count": str(30 + i)}),
)  # fmt: skip


def new_york_samples() -> tuple[Sample, ...]:
    """One good file of every layout of New York, of verified cases, reviews and places."""
    return tuple(
        sample
        for given in _RAW
        for sample in samples_of(
            _KINDS[given[1]], (given,), repeats_mean_more=given[1] in _REPEATS_MEAN_MORE
        )
    )
