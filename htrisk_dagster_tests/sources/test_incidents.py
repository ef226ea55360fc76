from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.sources.incidents import place_rules, with_absent_columns, with_place
from htrisk_dagster.sources.quarantine import FileFacts
from htrisk_dagster.study_areas.area import BoundingBox

FACTS = FileFacts(
    "America/New_York", BoundingBox(west=-74.30, south=40.47, east=-73.65, north=40.95),
    date(2026, 1, 1),
)  # fmt: skip


@pytest.mark.parametrize(
    ("lon", "lat", "kept_point", "broken"),
    [
        ("-73.9", "40.7", (-73.9, 40.7), []),
        ("-74.30", "40.95", (-74.30, 40.95), []),
        ("0", "0.0", (None, None), []),
        (None, "40.7", (None, None), []),
        (None, None, (None, None), []),
        ("0", "40.7", (0.0, 40.7), ["LONGITUDE"]),
        ("-76.78", "40.7", (-76.78, 40.7), ["LONGITUDE"]),
        ("-73.9", "41.0", (-73.9, 41.0), ["LATITUDE"]),
        ("west", "40.7", (None, None), ["LONGITUDE"]),
        ("-73.9", "inf", (None, None), ["LATITUDE"]),
    ],
)
def test_a_row_without_a_point_is_good_and_one_outside_is_not(lon, lat, kept_point, broken):
    schema = {"LONGITUDE": pl.String, "LATITUDE": pl.String}
    placed = with_place(pl.DataFrame([(lon, lat)], schema=schema, orient="row"))
    assert placed.select("lon", "lat").row(0) == kept_point
    found = [
        rule.column for rule in place_rules(FACTS)
        if placed.select(rule.broken.fill_null(value=False)).item()
    ]  # fmt: skip
    assert found == broken


def test_another_city_passes_its_own_box():
    detroit = FileFacts(
        "America/Detroit", BoundingBox(west=-83.3, south=42.2, east=-82.9, north=42.5),
        date(2026, 1, 1),
    )  # fmt: skip
    placed = with_place(pl.DataFrame({"LONGITUDE": ["-83.05"], "LATITUDE": ["42.33"]}))
    for facts, n_broken in ((detroit, 0), (FACTS, 2)):
        broken = placed.select(
            pl.sum_horizontal(rule.broken.fill_null(value=False) for rule in place_rules(facts))
        ).item()
        assert broken == n_broken


def test_columns_the_publisher_lacks_are_typed_and_missing():
    frame = with_absent_columns(pl.DataFrame({"borough": ["BRONX"]}))
    assert frame["borough"].to_list() == ["BRONX"]
    assert frame.schema["offence_code"] == pl.Int32
    assert frame["precinct"].to_list() == [None]
