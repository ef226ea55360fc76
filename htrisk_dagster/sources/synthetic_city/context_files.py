"""Context of the synthetic city in the publishers' layouts: residents, survey, hotels, stations, news.

Belongs here: the tables and their files' names. Does not: what context does to complaints, which is
nothing by itself: hotels and stations follow the same busyness as reports do, the rest is noise of its own.

A neighbourhood is a precinct under a code of the publisher's form, so that both kinds of area are there.
News are set phrases; advert counts are what a partner's aggregate would look like.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.context.census_areas import (
    COLUMNS,
    INCOME_BRACKETS_USD,
    bracket_variable,
)
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, CELL_M, CRS, Land, project
from htrisk_dagster.sources.synthetic_city.precincts import Precincts
from htrisk_dagster.sources.synthetic_city.presets import Preset, every_day

RESIDENTS = 8_500_000
_LOTS_A_CELL = 3
_HOTELS, _STATIONS, _PLACES = 600, 450, 300
_NEWS_A_DAY = 4
_CODES = ("MN", "BX", "BK", "QN", "SI")
_PHRASES = (
    "A wonderful new park opened", "Neighbors praise a great school", "The board met on Tuesday",
    "Traffic changes start next week", "Residents fear a dangerous corner", "A terrible fire hurt two",
)  # fmt: skip


def neighbourhood_codes(precincts: Precincts) -> list[str]:
    """Code of each precinct's neighbourhood, such as BK0075."""
    return [
        f"{_CODES[borough]}{number:04d}"
        for borough, number in zip(precincts.borough, precincts.number, strict=True)
    ]


def neighbourhood_geojson(precinct_geojson: str, precincts: Precincts) -> str:
    """The precincts' boundaries as those of neighbourhoods."""
    collection = json.loads(precinct_geojson)
    codes = neighbourhood_codes(precincts)
    for feature, code, borough in zip(
        collection["features"], codes, precincts.borough, strict=True
    ):
        feature["properties"] = {"nta2020": code, "borough": BOROUGHS[borough]}
    return json.dumps(collection) + "\n"


def context_tables(
    land: Land,
    precincts: Precincts,
    business: NDArray[np.float64],
    preset: Preset,
    rng: np.random.Generator,
) -> dict[str, pl.DataFrame]:
    """Tables by the path of their CSV file.

    Parameters
    ----------
    land : Land
        C cells.
    precincts : Precincts
        P of them.
    business : float64, shape (C,)
        How busy a cell is.
    preset : Preset
        Span of the news, the adverts and the tax years.
    rng : Generator
        A stream of its own.
    """
    codes = np.array(neighbourhood_codes(precincts))

    def points(n: int, weight: NDArray[np.float64], **columns: Any) -> pl.DataFrame:
        cell = rng.choice(len(weight), n, p=weight / weight.sum())
        return pl.DataFrame(columns | _degrees(land, cell, rng))

    cell = np.repeat(np.arange(len(land.col)), _LOTS_A_CELL)
    lots = _degrees(land, cell, rng)
    precinct = precincts.locate(land.x_m[cell], land.y_m[cell], land.borough[cell])
    weight = rng.gamma(0.8, 1.0, len(cell)) * np.sqrt(business[cell])
    residents = RESIDENTS * weight / weight.sum()
    by_precinct = np.bincount(precinct, residents, minlength=len(codes)).astype(np.float64)
    survey = _survey(by_precinct, rng)
    years = range(preset.first_day.year - 1, preset.last_day.year + 1)
    hotels = points(_HOTELS, business**1.5, PARID=range(1, _HOTELS + 1), BLDG_CLASS="H3")
    stations = [f"S{i:03d}" for i in range(_STATIONS)]
    return {
        "context/tax_lots.csv": pl.DataFrame(
            {
                "nta": codes[precinct],
                "policeprct": precincts.number[precinct],
                "bbl_population_estimate": residents,
                **lots,
            }
        ),
        "context/survey_by_neighbourhood.csv": pl.DataFrame(
            {"nta2020": codes, "nta_code": codes} | survey
        ),
        "context/survey_by_precinct.csv": pl.DataFrame(
            {"precinct": precincts.number, "policeprct": precincts.number} | survey
        ),
        "context/hotels.csv": pl.concat(
            hotels.with_columns(TAXYEAR=pl.lit(year), BBL=pl.col("PARID")) for year in years
        ),
        "context/subway_stations.csv": points(
            _STATIONS, business, **{"GTFS Stop ID": stations, "Complex ID": stations}
        ),
        "context/places_of_interest.csv": points(
            _PLACES, business, category=rng.choice(["bus_station", "motel", "night_club"], _PLACES)
        ),
        "context/news.csv": _news(preset, rng),
        "context/advert_counts.csv": _adverts(preset, rng),
    }


def _degrees(
    land: Land, cell: NDArray[np.int64], rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """A point in the middle half of each cell."""
    shift = rng.uniform(-CELL_M / 4, CELL_M / 4, (2, len(cell)))
    lon, lat = project(CRS, "EPSG:4326", land.x_m[cell] + shift[0], land.y_m[cell] + shift[1])
    return {"longitude": np.round(lon, 6), "latitude": np.round(lat, 6)}


def _survey(residents: NDArray[np.float64], rng: np.random.Generator) -> dict[str, Any]:
    """Estimates and margins of error of every column that is read."""
    n = len(residents)
    rate = {
        "poverty_pct": rng.beta(3, 14, n), "unemployment_pct": rng.beta(5, 60, n),
        "foreign_born_pct": rng.beta(5, 9, n), "limited_english_pct": rng.beta(3, 11, n),
        "other_language_pct": rng.beta(6, 7, n),
    }  # fmt: skip
    brackets = rng.dirichlet(np.full(len(INCOME_BRACKETS_USD), 6.0), n) * residents[:, None] / 2.6
    values = {name: 100 * share for name, share in rate.items()}
    values |= {"acs_residents_count": residents}
    values |= {bracket_variable(b): brackets[:, i] for i, b in enumerate(INCOME_BRACKETS_USD)}
    columns: dict[str, Any] = {}
    for name, (estimate, margin) in COLUMNS.items():
        columns[estimate] = np.round(values[name], 1)
        columns[margin] = np.round(values[name] / 10 + 0.1, 1)
    return columns


def _news(preset: Preset, rng: np.random.Generator) -> pl.DataFrame:
    days = np.repeat(every_day(preset.first_day, preset.last_day), _NEWS_A_DAY)
    phrase, borough = rng.choice(_PHRASES, len(days)), rng.choice(BOROUGHS, len(days))
    return pl.DataFrame({"date": days, "area": borough, "text": phrase})


def _adverts(preset: Preset, rng: np.random.Generator) -> pl.DataFrame:
    days = every_day(preset.first_day, preset.last_day)
    level = rng.uniform(5, 40, len(BOROUGHS))
    return pl.DataFrame(
        {
            "day": np.repeat(days, len(BOROUGHS)),
            "area": np.tile(BOROUGHS, len(days)),
            "advert_count": rng.poisson(np.tile(level, len(days))),
        }
    )
