"""Raw tables about places: residents, census areas, hotels, stations, news and adverts as aggregates.

Belongs here: what leaves `sources/context/` and the boundaries of neighbourhoods. Does not: values by
cell (`context`), rows that dbt stages (`raw`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.raw_incidents import LAYER, PROVENANCE
from htrisk_dagster.schemas.table import Column, Table

CENSUS_AREA_TYPES = ("neighbourhood", "precinct")
AREA_TYPES = ("borough", *CENSUS_AREA_TYPES)
PLACE_TYPES = (*AREA_TYPES, "point")


def _point(described: str = "of the point") -> tuple[Column, Column]:
    return (
        Column(
            "lon", pl.Float64, f"Longitude {described}.", unit="degree", source_name="longitude"
        ),
        Column("lat", pl.Float64, f"Latitude {described}.", unit="degree", source_name="latitude"),
    )


def area_columns(types: tuple[str, ...]) -> tuple[Column, Column]:
    """Kind and code of an area."""
    return (
        Column("area_type", pl.String, f"Kind of area: {', '.join(types)}.", allowed=types),
        Column(
            "area_id", pl.String, "Code of the neighbourhood, number of the precinct or borough."
        ),
    )


NEIGHBOURHOODS = Table(
    LAYER,
    "neighbourhoods",
    "one neighbourhood",
    "Neighbourhood tabulation areas of 2020 (Department of City Planning).",
    (
        Column("neighbourhood", pl.String, "Code, such as BK0101.", source_name="nta2020"),
        Column("borough", pl.String, "Borough, upper case.", source_name="borough"),
        Column("geometry", pl.Binary, "Boundary as WKB, WGS 84, longitude first."),
        *PROVENANCE,
    ),
    key=("neighbourhood",),
)
TAX_LOTS = Table(
    LAYER,
    "tax_lots",
    "one tax lot",
    "Residents by tax lot: census tracts of 2020 split over lots by residential units.",
    (
        *_point(),
        Column(
            "neighbourhood",
            pl.String,
            "Code of its neighbourhood.",
            nullable=True,
            source_name="nta",
        ),
        Column("precinct", pl.Int32, "Its precinct.", nullable=True, source_name="policeprct"),
        Column(
            "residents_count",
            pl.Float64,
            "Estimated residents.",
            unit="residents",
            source_name="bbl_population_estimate",
            lower=0,
        ),
        *PROVENANCE,
    ),
    warnings=(
        "An estimate: residents of a tract are split over its lots by units, not counted there.",
    ),
)
CENSUS_AREAS = Table(
    LAYER,
    "census_areas",
    "one area and variable",
    "American Community Survey, 5-year estimates by neighbourhood and precinct, one row a variable.",
    (
        *area_columns(CENSUS_AREA_TYPES),
        Column("variable", pl.String, "Name of the variable, its unit as a suffix."),
        Column("value", pl.Float64, "Estimate.", lower=0),
        Column(
            "margin_of_error",
            pl.Float64,
            "Half-width of the 90% interval, where the publisher gives one.",
            nullable=True,
            lower=0,
        ),
        *PROVENANCE,
    ),
    key=("area_type", "area_id", "variable"),
    warnings=("The file does not say its years: the study area's file does.",),
)
HOTELS = Table(
    LAYER,
    "hotels",
    "one tax year and hotel",
    "Hotel properties of the tax roll, units of one building (BBL) counted once a year.",
    (
        Column("tax_year", pl.Int32, "Year of the roll.", source_name="TAXYEAR", lower=2000),
        Column(
            "parcel",
            pl.String,
            "Building (BBL), or lot where that is missing.",
            source_name="BBL; PARID",
        ),
        *_point(),
        *PROVENANCE,
    ),
    key=("tax_year", "parcel"),
    warnings=("A building of 391 hotel units is one row; the owner's column is never loaded.",),
)
SUBWAY_STATIONS = Table(
    LAYER,
    "subway_stations",
    "one station",
    "MTA subway and Staten Island Railway stations (39hk-dx4f).",
    (
        Column("station", pl.String, "Stop number of the timetable.", source_name="GTFS Stop ID"),
        *_point(),
        *PROVENANCE,
    ),
    key=("station",),
    warnings=(
        "The file has no opening days: the study area's file says since when the network stands.",
    ),
)
PLACES_OF_INTEREST = Table(
    LAYER,
    "places_of_interest",
    "one place of interest",
    "Places of interest by category, from a file or a places service.",
    (
        Column("category", pl.String, "Category, lower case, words joined by underscores."),
        *_point(),
        *PROVENANCE,
    ),
    warnings=("Known from the day of the file: a place of today says nothing of years ago.",),
)
NEWS_SENTIMENT = Table(
    LAYER,
    "news_sentiment",
    "one area and day",
    "Sentiment of local news by area and day, from a file of texts that are scored and not kept.",
    (
        Column(
            "area_type",
            pl.String,
            "Kind of area; point where the file gives one.",
            allowed=PLACE_TYPES,
        ),
        Column("area_id", pl.String, "Code of the area, or the point rounded to about 1 km."),
        Column("lon", pl.Float64, "Longitude of a point, rounded.", unit="degree", nullable=True),
        Column("lat", pl.Float64, "Latitude of a point, rounded.", unit="degree", nullable=True),
        Column("published_on", pl.Date, "Day of the texts.", source_name="date"),
        Column("texts_count", pl.Int64, "Texts.", unit="texts", lower=1),
        Column(
            "sentiment_mean", pl.Float64, "Mean polarity, -1 to 1.", unit="1", lower=-1, upper=1
        ),
        Column(
            "negative_share", pl.Float64, "Share of texts below 0.", unit="share", lower=0, upper=1
        ),
    ),
    key=("area_type", "area_id", "published_on"),
    warnings=("English texts only: a lexicon gives other languages the value 0.",),
)
ADVERT_COUNTS = Table(
    LAYER,
    "advert_counts",
    "one area and day",
    "Adverts counted by area and day by whoever gives the file; this program reads no advert.",
    (
        *area_columns(AREA_TYPES),
        Column("counted_on", pl.Date, "Day.", source_name="day"),
        Column(
            "adverts_count",
            pl.Int64,
            "Adverts.",
            unit="adverts",
            source_name="advert_count",
            lower=0,
        ),
        *PROVENANCE,
    ),
    key=("area_type", "area_id", "counted_on"),
    warnings=("A day without a row is not known, which is not a day without adverts.",),
)
TABLES = (
    NEIGHBOURHOODS,
    TAX_LOTS,
    CENSUS_AREAS,
    HOTELS,
    SUBWAY_STATIONS,
    PLACES_OF_INTEREST,
    NEWS_SENTIMENT,
    ADVERT_COUNTS,
)
