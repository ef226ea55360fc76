from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
from htrisk_dagster.sources.synthetic_city import PRESETS
from htrisk_dagster.sources.synthetic_city.mobility import passenger_scores

from .conftest import City


def test_passengers_have_no_gap_and_the_real_level(city: City) -> None:
    table = pl.read_csv(city.folder / "mobility/JFK_passengers.csv", try_parse_dates=True)
    months = pl.date_range(date(2022, 1, 1), date(2024, 4, 1), "1mo", eager=True)
    assert table["Activity Period"].equals(months.alias("Activity Period"), check_names=False)
    of_2023 = table.filter(pl.col("Activity Period").dt.year() == 2023)
    # JFK had 30.77 million in the published months of 2023.
    assert abs(of_2023["Revenue Passenger Volume"].sum() / 30.77e6 - 1) < 0.05
    august, february = (
        of_2023["Revenue Passenger Volume"][7],
        of_2023["Revenue Passenger Volume"][1],
    )
    assert 1.35 < august / february < 1.70


def test_scores_are_the_months_z_scores(city: City) -> None:
    table = pl.read_csv(city.folder / "mobility/JFK_passengers.csv", try_parse_dates=True)
    scores = passenger_scores(PRESETS["tiny"], table)
    volume = table["Revenue Passenger Volume"]
    september = volume[20]  # month 20 after January 2022 is September 2023, the city's first
    assert scores[0] == scores[29] != scores[30]
    np.testing.assert_allclose(
        scores[0], (september - volume.mean()) / volume.std(ddof=0), atol=1e-6
    )


def test_transit_is_whole_and_ordered_by_text(city: City) -> None:
    table = pl.read_csv(city.folder / "mobility/MTA_Daily_Ridership.csv")
    assert table["Date"].is_sorted()
    days = table["Date"].str.to_date("%m/%d/%Y")
    assert not days.is_sorted()
    assert days.n_unique() == table.height == (date(2024, 4, 30) - date(2022, 1, 1)).days + 1
    subways = table.filter(days.dt.year() == 2023)["Subways: Total Estimated Ridership"]
    assert abs(subways.mean() / 3.151e6 - 1) < 0.05  # the published mean of 2023
