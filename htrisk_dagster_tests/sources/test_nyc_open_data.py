"""The list of data sets against the raw tables and against recorded answers of the publishers."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import pytest
from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.nyc_open_data import BOUNDARIES, DATED, OpenDataSet

DATA = Path(__file__).parents[2].parent / "shared/data/nyc"
EVERY: list[OpenDataSet] = [
    *(item for items in DATED.values() for item in items),
    *BOUNDARIES.values(),
]


def test_every_data_set_feeds_a_raw_table_and_is_listed_once() -> None:
    assert DATED.keys() | BOUNDARIES.keys() <= {table.name for table in raw.TABLES}
    assert len({item.dataset_id for item in EVERY}) == len(EVERY) == 8


def test_the_raw_tables_name_the_same_data_sets() -> None:
    described = {table.name: table.description for table in raw.TABLES}
    for name in ("complaints", "shootings", "permitted_events", "transit_ridership"):
        for item in DATED[name]:
            assert item.dataset_id in described[name]
    assert BOUNDARIES["precincts"].dataset_id in described["precincts"]


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")
def test_the_date_columns_are_in_the_publishers_own_answers() -> None:
    def csv_names(pattern: str) -> list[str]:
        (path, *_) = sorted(DATA.glob(pattern))
        with path.open(newline="") as handle:
            return [name.lower() for name in next(csv.reader(handle))]

    answer = json.loads((DATA / "complaints/soda_qgea-i56i_1000rows.json").read_text())
    assert all(DATED["complaints"][0].date_column in row for row in answer)
    answer = json.loads((DATA / "complaints/soda_nypd_complaint_ytd_2026_1row.json").read_text())
    assert all(DATED["complaints"][1].date_column in row for row in answer)
    assert DATED["permitted_events"][0].date_column in csv_names("events/soda_*bkfu-528j*.csv")
    assert DATED["shootings"][0].date_column in csv_names("complaints/nypd_shooting_*.csv")
    assert DATED["transit_ridership"][0].date_column in csv_names("mobility/MTA_Daily_*.csv")


@pytest.mark.real_data
@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is absent")
def test_the_precincts_are_the_78_of_today() -> None:
    (path,) = (DATA / "geo").glob(f"*{BOUNDARIES['precincts'].dataset_id}*.geojson.gz")
    assert len(json.loads(gzip.decompress(path.read_bytes()))["features"]) == 78
