"""Event permits of the synthetic city, in the layout of NYC Permitted Event Information.

Belongs here: the permits, their file (tvpp-9vvx, 12 columns), and how strongly they attract.
Does not: what attraction does to complaints (`intensity`).

As in the publisher's file a permit has one row an occurrence, lists of boards and precincts end
in a comma, some permits touch two precincts or last several days, and there are no coordinates.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.land import BOROUGHS
from htrisk_dagster.sources.synthetic_city.precincts import PRECINCT_COUNT, Precincts
from htrisk_dagster.sources.synthetic_city.presets import Preset

AHEAD_DAYS = 30  # The publisher lists permits about a month ahead.
_LONGEST_DAYS = 7
_MOST_ATTRACTION = 100

# Type, agency, name, closure, weight among permits, attraction in hundredths.
_KINDS = (
    ("Special Event", "Parks Department", "Celebration", "N/A", 420, 2),
    ("Sport - Youth", "Parks Department", "Soccer - Non Regulation", "N/A", 280, 1),
    ("Sport - Adult", "Parks Department", "Softball - Adult", "N/A", 150, 1),
    ("Farmers Market", "Street Activity Permit Office", "Greenmarket", "Curb Lane Only", 60, 4),
    ("Street Event", "Street Activity Permit Office", "Street Fair", "Full Street Closure", 50, 20),
    ("Plaza Event", "Street Activity Permit Office", "Plaza Day", "Pedestrian Plaza", 20, 10),
    ("Parade", "Police Department", "Parade", "Full Street Closure", 15, 100),
    ("Athletic - Charitable", "Police Department", "Charity Run", "Full Street Closure", 5, 100),
)


@dataclass(frozen=True)
class Permits:
    """One entry an occurrence; n of them. Days count from the preset's first."""

    permit: NDArray[np.int64]
    kind: NDArray[np.int64]
    first: NDArray[np.int64]
    last: NDArray[np.int64]
    start_hour: NDArray[np.int64]
    end_hour: NDArray[np.int64]
    precinct: NDArray[np.int64]
    second_precinct: NDArray[np.int64]


def draw_permits(preset: Preset, precincts: Precincts, rng: np.random.Generator) -> Permits:
    """Draw permits, three in ten of them repeated weekly up to eight times."""
    span = len(preset.days) + AHEAD_DAYS
    of_the_city = len(precincts.number) / PRECINCT_COUNT
    count = int(rng.poisson(preset.permits_per_day * of_the_city * span / 2.05))
    weight = np.array([kind[4] for kind in _KINDS])
    kind = np.searchsorted(np.cumsum(weight), rng.integers(0, weight.sum(), count), side="right")
    first = rng.integers(0, span, count)
    repeats = np.where(rng.integers(0, 10, count) < 3, rng.integers(2, 8, count), 1)
    length = np.where(rng.integers(0, 100, count) < 2, rng.integers(2, _LONGEST_DAYS + 1, count), 1)
    # One in five is moved to Manhattan, which then holds about two in five, as in the real file.
    drawn = rng.integers(0, len(precincts.number), count)
    precinct = np.where(
        rng.integers(0, 5, count) == 0, drawn % np.sum(precincts.borough == 0), drawn
    )
    neighbour = np.minimum(precinct + 1, len(precincts.number) - 1)
    spans_two = (rng.integers(0, 100, count) < 6) & (
        precincts.borough[neighbour] == precincts.borough[precinct]
    )
    start_hour = rng.integers(8, 19, count)
    row = np.repeat(np.arange(count), repeats)
    week = np.arange(len(row)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    begins = first[row] + 7 * week
    row, begins = row[begins < span], begins[begins < span]
    return Permits(
        permit=row,
        kind=kind[row],
        first=begins,
        last=begins + length[row] - 1,
        start_hour=start_hour[row],
        end_hour=np.minimum(start_hour + rng.integers(2, 9, count), 23)[row],
        precinct=precinct[row],
        second_precinct=np.where(spans_two, neighbour, -1)[row],
    )


def attraction(permits: Permits, days: int, precincts: int) -> NDArray[np.int64]:
    """Attraction of all permits in force, in hundredths, at most 1, shape (days, precincts)."""
    total = np.zeros((days, precincts), dtype=np.int64)
    weight = np.array([kind[5] for kind in _KINDS])[permits.kind]
    for offset in range(_LONGEST_DAYS):
        day = permits.first + offset
        in_force = (day <= permits.last) & (day < days)
        for precinct in (permits.precinct, permits.second_precinct):
            counted = in_force & (precinct >= 0)
            np.add.at(total, (day[counted], precinct[counted]), weight[counted])
    return np.minimum(total, _MOST_ATTRACTION)


def kind_names() -> NDArray[np.str_]:
    """Event types in the order of `Permits.kind`."""
    return np.array([kind[0] for kind in _KINDS])


def permit_table(permits: Permits, preset: Preset, precincts: Precincts) -> pl.DataFrame:
    """Write the permits as the publisher does: 12 columns, all text."""
    number = precincts.number[permits.precinct]
    # A precinct's community board, invented: its place within the borough.
    first_of_borough = np.searchsorted(precincts.borough, np.arange(len(BOROUGHS)))
    board = permits.precinct - first_of_borough[precincts.borough[permits.precinct]] + 1
    frame = pl.DataFrame(
        {
            "Event ID": 600_000 + permits.permit,
            "kind": permits.kind,
            "starts": _instants(preset, permits.first, permits.start_hour),
            "ends": _instants(preset, permits.last, permits.end_hour),
            "Event Borough": np.array([b.title() for b in BOROUGHS])[
                precincts.borough[permits.precinct]
            ],
            "board": board,
            "precinct": number,
            "second": precincts.number[permits.second_precinct],
            "spans_two": permits.second_precinct >= 0,
        }
    )
    kinds = pl.DataFrame(
        _KINDS,
        schema=["Event Type", "Event Agency", "Event Name", "Street Closure Type", "w", "a"],
        orient="row",
    ).with_row_index("kind")
    written = "%m/%d/%Y %I:%M:%S %p"
    has_street = pl.col("Street Closure Type") != "N/A"
    return frame.join(
        kinds.cast({"kind": pl.Int64}), on="kind", how="left", maintain_order="left"
    ).select(
        pl.col("Event ID").cast(pl.String),
        "Event Name",
        pl.col("starts").dt.strftime(written).alias("Start Date/Time"),
        pl.col("ends").dt.strftime(written).alias("End Date/Time"),
        "Event Agency",
        "Event Type",
        "Event Borough",
        pl.format("Park {}: Lawn ,Park {}: Field-01", "precinct", "precinct").alias(
            "Event Location"
        ),
        pl.when(has_street).then(pl.lit("North")).alias("Event Street Side"),
        "Street Closure Type",
        _listed("board", pl.col("board") + 1).alias("Community Board"),
        _listed("precinct", pl.col("second")).alias("Police Precinct"),
    )


def _listed(first: str, second: pl.Expr) -> pl.Expr:
    return (
        pl.when("spans_two")
        .then(pl.format("{}, {},", first, second))
        .otherwise(pl.format("{},", first))
    )


def _instants(
    preset: Preset, day: NDArray[np.int64], hour: NDArray[np.int64]
) -> NDArray[np.datetime64]:
    first = np.datetime64(preset.first_day, "us")
    instants: NDArray[np.datetime64] = (
        first + day.astype("timedelta64[D]") + hour.astype("timedelta64[h]")
    )
    return instants
