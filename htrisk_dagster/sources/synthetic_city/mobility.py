"""Mobility of the synthetic city: airport passengers by month and transit riders by day.

Belongs here: both series and their files' layouts. Does not: what passengers do to complaints
(`intensity`).

Levels and seasons are rounded from the Port Authority's figures for JFK and the MTA's for 2023.
The transit file is ordered by its date as text, month first, as the public copies are.
"""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.presets import Preset, every_day

_PASSENGERS = 2_600_000
_MONTH_FACTOR = (0.88, 0.78, 0.99, 1.01, 1.06, 1.06, 1.17, 1.19, 1.03, 1.03, 0.92, 0.97)

# Name in the program's tables, title, what is counted, level on a weekday, share of it on Saturday
# and Sunday, level before 2020.
_SERVICES = (
    ("subway", "Subways", "Total Estimated Ridership", 3_600_000, 0.62, 5_400_000),
    ("bus", "Buses", "Total Estimated Ridership", 1_350_000, 0.60, 2_150_000),
    ("lirr", "LIRR", "Total Estimated Ridership", 205_000, 0.42, 310_000),
    ("metro_north", "Metro-North", "Total Estimated Ridership", 185_000, 0.45, 265_000),
    ("access_a_ride", "Access-A-Ride", "Total Scheduled Trips", 27_000, 0.65, 29_000),
    ("bridges_and_tunnels", "Bridges and Tunnels", "Total Traffic", 935_000, 0.93, 920_000),
    (
        "staten_island_railway",
        "Staten Island Railway",
        "Total Estimated Ridership",
        7_200,
        0.30,
        15_800,
    ),
)
# Column of a service's riders by its name in the program's tables.
SERVICE_COLUMNS = {name: f"{title}: {counted}" for name, title, counted, *_ in _SERVICES}


def passenger_table(preset: Preset, rng: np.random.Generator) -> pl.DataFrame:
    """JFK passengers, freight, mail and flights by month, from the year before the city's first."""
    months = np.arange(
        np.datetime64(_series_start(preset), "M"), np.datetime64(preset.last_day, "M") + 1
    )
    factor = np.array(_MONTH_FACTOR)[months.astype(np.int64) % 12]
    noise = rng.integers(970, 1031, (4, len(months))) / 1000
    return pl.DataFrame(
        {
            "Activity Period": months.astype("datetime64[D]"),
            "Revenue Passenger Volume": np.round(_PASSENGERS * factor * noise[0]).astype(np.int64),
            "Freight Volume": np.round(90_000 * noise[1], 4),
            "Mail Volume": np.round(2_400 * noise[2], 4),
            "Total Flights": np.round(19_800 * np.sqrt(factor) * noise[3]).astype(np.int64),
        }
    )


def passenger_scores(preset: Preset, passengers: pl.DataFrame) -> NDArray[np.float64]:
    """Z-score of the month's passengers for every day of the city, shape (D,)."""
    volume = passengers["Revenue Passenger Volume"].to_numpy()
    score = np.round((volume - volume.mean()) / volume.std(), 6)
    first = np.datetime64(_series_start(preset), "M")
    month = (preset.days.astype("datetime64[M]") - first).astype(np.int64)
    of_day: NDArray[np.float64] = score[month]
    return of_day


def transit_table(preset: Preset, rng: np.random.Generator) -> pl.DataFrame:
    """Riders of seven services by day, and their share of a comparable day before the pandemic."""
    days = every_day(_series_start(preset), preset.last_day)
    is_weekend = (days.astype(np.int64) + 3) % 7 >= 5
    month = days.astype("datetime64[M]").astype(np.int64) % 12
    season = np.array(_MONTH_FACTOR)[month] * 0.3 + 0.7
    columns: dict[str, pl.Series] = {"Date": pl.Series(days).dt.strftime("%m/%d/%Y")}
    for _, name, counted, level, weekend, before in _SERVICES:
        usual = np.where(is_weekend, weekend, 1.0)
        riders = np.round(level * usual * season * rng.integers(940, 1061, len(days)) / 1000)
        columns[f"{name}: {counted}"] = pl.Series(riders.astype(np.int64))
        columns[f"{name}: % of Comparable Pre-Pandemic Day"] = pl.Series(
            np.round(riders / (before * usual), 2)
        )
    return pl.DataFrame(columns).sort("Date")


def _series_start(preset: Preset) -> date:
    return date(preset.first_day.year - 1, 1, 1)
