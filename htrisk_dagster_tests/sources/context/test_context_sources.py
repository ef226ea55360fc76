"""Publishers' files of context: what is kept, counted once, refused, and never loaded."""

from __future__ import annotations

import json
import math
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas import context_sources
from htrisk_dagster.sources import layouts
from htrisk_dagster.sources.context.census_areas import COLUMNS
from htrisk_dagster.sources.context.news_sentiment import polarity
from htrisk_dagster_tests.sources.published_files import (
    FILE_DAY,
    REAL_FILES,
    broken_rules,
    needs_real_files,
    read,
    set_day,
    write_file,
)

HOTELS = (
    "PARID,BOROCODE,BLOCK,LOT,TAXYEAR,STREET NUMBER,STREET NAME,Postcode,BLDG_CLASS,TAXCLASS,OWNER_NAME,"
    "Borough,Latitude,Longitude,BBL"
)
POINT = "40.75,-73.98"


def hotel(parid: str, year: str, bbl: str, point: str = POINT) -> str:
    return f"{parid},1,8,39,{year},32,PEARL STREET,10004,H3,4,CANARY LLC,MANHATTAN,{point},{bbl}"


def test_a_building_is_one_hotel_a_year_however_many_units(tmp_path: Path):
    write_file(
        tmp_path / "hotels.csv", HOTELS,
        hotel("1001", "2021", "77"), hotel("1002", "2021", "77"), hotel("1003", "2021", "78"),
        hotel("1001", "2022", "77"), hotel("1004", "2022", "0"), hotel("1005", "2022", ""),
        hotel("1006", "2022", "79", ","), hotel("1007", "year", "80"),
    )  # fmt: skip
    result = read("hotels", tmp_path)
    assert result.kept.select("tax_year", "parcel").rows() == [
        (2021, "77"), (2021, "78"), (2022, "1004"), (2022, "1005"), (2022, "77"),
    ]  # fmt: skip
    assert [rule for _, rule, *_ in broken_rules(result)] == [
        "point_missing",
        "tax_year_unreadable",
    ]
    assert result.files["rows_read_count"].item() == 8
    assert result.files["rows_kept_count"].item() == 6
    assert "CANARY" not in str(result)


def test_a_station_is_one_stop_of_the_timetable(tmp_path: Path):
    header = "GTFS Stop ID,Station ID,Complex ID,Stop Name,GTFS Latitude,GTFS Longitude"
    write_file(
        tmp_path / "stations.csv", header,
        f"A01,1,9,Some Av,{POINT}", f"B01,1,9,Some Av,{POINT}", "C01,2,8,Far St,0,0",
    )  # fmt: skip
    result = read("subway_stations", tmp_path)
    assert result.kept["station"].to_list() == ["A01", "B01"]
    assert broken_rules(result)[0][:2] == (3, "point_missing")


def census_row(code: str, **given: str) -> dict[str, str]:
    columns = {c: "10.0" for pair in COLUMNS.values() for c in pair}
    return {"nta2020": "Somewhere", "nta_code": code, **columns, **given}


def write_census(path: Path, *rows: dict[str, str]) -> None:
    write_file(path, ",".join(rows[0]), *(",".join(row.values()) for row in rows))


def test_census_is_one_row_an_area_and_variable(tmp_path: Path):
    write_census(
        tmp_path / "nta.csv",
        census_row("bk0101", C16001_002PE="70.0", C16001_002PM="2.5", B01001_001E="39227"),
        census_row("BK0102", B06012_002PE="-666666666", DP03_0009PE="", DP03_0009PM=""),
    )
    result = read("census_areas", tmp_path)
    found = {(a, v): (x, m) for a, v, x, m in result.kept.select(
        "area_id", "variable", "value", "margin_of_error").rows()}  # fmt: skip
    assert set(result.kept["area_type"]) == {"neighbourhood"}
    assert found["BK0101", "other_language_pct"] == (30.0, 2.5)
    assert found["BK0101", "acs_residents_count"] == (39227.0, 10.0)
    # A code below zero and an empty cell are no values.
    assert not {("BK0102", "poverty_pct"), ("BK0102", "unemployment_pct")} & set(found)
    assert len(found) == 2 * len(COLUMNS) - 2


def test_census_of_precincts_is_told_by_its_column(tmp_path: Path):
    row = census_row("1")
    row = {"precinct": "1", "policeprct": "1"} | {k: v for k, v in row.items() if k[:3] != "nta"}
    write_census(tmp_path / "precincts.csv", row)
    assert read("census_areas", tmp_path).kept.select("area_type", "area_id").unique().rows() == [
        ("precinct", "1")
    ]


def test_lots_come_from_parquet_without_their_number(tmp_path: Path):
    path = tmp_path / "lots.parquet"
    pl.DataFrame(
        {
            "borough": ["BK", "BK", "BK"], "lot": [1, 2, 3], "nta": ["BK0101", None, "BK0101"],
            "latitude": [40.7, 40.8, None], "longitude": [-73.9, -73.8, None],
            "policeprct": [94, 94, 94], "bbl_population_estimate": [1 / 3, 0.0, 5.0],
        }
    ).write_parquet(path)  # fmt: skip
    set_day(path, FILE_DAY)
    result = read("tax_lots", tmp_path)
    assert result.kept.select("neighbourhood", "precinct", "residents_count").rows() == [
        ("BK0101", 94, 1 / 3),
        (None, 94, 0.0),
    ]
    assert result.files["layout"].item() == "Parquet"
    assert broken_rules(result) == [(3, "point_missing", "latitude", None)]
    assert not {"lot", "bbl"} & set(result.kept.columns)


def test_a_file_that_is_not_whole_parquet_is_named(tmp_path: Path):
    (tmp_path / "lots.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(SourceError, match=r"lots\.parquet cannot be read"):
        read("tax_lots", tmp_path)


def test_places_of_a_csv_and_of_a_geojson_are_the_same(tmp_path: Path):
    write_file(
        tmp_path / "csv/a.csv", "category,lon,lat", "Bus Station,-73.98,40.75", "motel,-73.9,41.9",
        ",-73.9,40.7", "motel,,",
    )  # fmt: skip
    features = [
        {"type": "Feature", "properties": {"category": category, "name": "CANARY"}, "geometry": g}
        for category, g in (
            ("Bus Station", {"type": "Point", "coordinates": [-73.98, 40.75]}),
            ("motel", {"type": "Point", "coordinates": [-73.9, 41.9]}),
            (None, {"type": "Point", "coordinates": [-73.9, 40.7]}),
            ("motel", None),
        )
    ]
    content = json.dumps({"type": "FeatureCollection", "features": features})
    write_file(tmp_path / "json/a.geojson", content)
    results = [read("places_of_interest", tmp_path / name) for name in ("csv", "json")]
    for result in results:
        assert result.kept.select("category", "lon", "lat").rows() == [
            ("bus_station", -73.98, 40.75)
        ]
        assert [rule for _, rule, *_ in broken_rules(result)] == [
            "point_outside_city", "category_missing", "point_missing",
        ]  # fmt: skip
        assert "CANARY" not in str(result)


def test_a_file_with_a_point_but_no_category_is_something_else(tmp_path: Path):
    write_file(tmp_path / "a.csv", "lon,lat,kind", "-73.98,40.75,x")
    assert layouts.find_files(tmp_path, "places_of_interest") == []


NEWS = (
    "2024-03-01,BRONX,,,A wonderful day for the new park",
    "2024-03-01,Bronx,,,A terrible and horrible crime",
    '2024-03-01,bronx,,,"An awful, awful night"',
    "2024-03-01,44,,,The council met",
    "2024-03-02,,-73.9812,40.7488,Good news for the station",
    "2024-03-02,,-73.9844,40.7514,Bad news for the station",
    "2024-03-02,,,,Nowhere at all CANARY",
    "no day,BRONX,,,A day is needed CANARY",
    "2024-03-02,BRONX,,,",
)


def test_news_leave_as_means_by_area_and_day(tmp_path: Path):
    write_file(tmp_path / "news.csv", "date,area,lon,lat,text", *NEWS)
    result = read("news_sentiment", tmp_path)
    rows = {(r["area_id"], r["published_on"]): r for r in result.kept.iter_rows(named=True)}
    assert set(rows) == {
        ("BRONX", date(2024, 3, 1)), ("44", date(2024, 3, 1)), ("-73.98,40.75", date(2024, 3, 2)),
    }  # fmt: skip
    bronx = rows["BRONX", date(2024, 3, 1)]
    # pattern's lexicon, by hand: wonderful 1.0 and new 0.13636 give a mean of 0.5682; terrible and
    # horrible are -1.0 each; awful is -1.0.
    assert polarity("A wonderful day for the new park") == pytest.approx(
        (1.0 + 0.13636) / 2, abs=1e-4
    )
    assert bronx["texts_count"] == 3
    assert bronx["sentiment_mean"] == pytest.approx((0.56818 - 1.0 - 1.0) / 3, abs=1e-4)
    assert bronx["negative_share"] == pytest.approx(2 / 3)
    assert rows["44", date(2024, 3, 1)]["sentiment_mean"] == 0.0
    point = rows["-73.98,40.75", date(2024, 3, 2)]
    assert (point["texts_count"], point["lon"], point["lat"]) == (2, -73.98, 40.75)
    assert point["sentiment_mean"] == pytest.approx((0.7 - 0.7) / 2, abs=1e-6)
    assert [rule for _, rule, *_ in broken_rules(result)] == [
        "area_unknown", "text_date_unreadable", "text_missing",
    ]  # fmt: skip


def test_no_text_of_the_news_is_kept_anywhere(tmp_path: Path):
    write_file(tmp_path / "news.csv", "date,area,lon,lat,text", *NEWS, "ragged,CANARY")
    result = read("news_sentiment", tmp_path)
    for frame in (result.kept, result.quarantined, result.files):
        texts = frame.select(pl.col(pl.String)).to_dict(as_series=False)
        assert "CANARY" not in json.dumps(texts)
        assert "park" not in json.dumps(texts)
    assert result.files["rows_read_count"].item() == len(NEWS) + 1


def test_news_need_no_columns_of_points(tmp_path: Path):
    write_file(tmp_path / "news.csv", "date,area,text", "2024-03-01,BRONX,A good day")
    assert read("news_sentiment", tmp_path).kept["texts_count"].to_list() == [1]


def test_the_order_of_texts_moves_no_bit(tmp_path: Path):
    write_file(tmp_path / "a/news.csv", "date,area,lon,lat,text", *NEWS[:6])
    write_file(tmp_path / "b/news.csv", "date,area,lon,lat,text", *NEWS[5::-1])
    a, b = (read("news_sentiment", tmp_path / name).kept for name in "ab")
    assert a.sort(a.columns[:5]).equals(b.sort(b.columns[:5]))


def test_sentiment_needs_no_network_and_no_corpus(monkeypatch: pytest.MonkeyPatch):
    import socket

    def refuse(*_: object) -> None:
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setenv("NLTK_DATA", "/nonexistent")
    assert polarity("This is excellent") == 1.0
    assert polarity("This is not excellent") == pytest.approx(-0.5)
    assert polarity("Esto es terrible para todos") <= 0.0


ADVERTS = "day,area,advert_count"


def test_adverts_are_counts_by_area_and_day(tmp_path: Path):
    write_file(
        tmp_path / "adverts.csv", ADVERTS, "2024-03-01,QUEENS,12", "3/1/2024,044,0",
        "2024-03-02,BK0101,3", "2024-03-02,212-555-0123,4", "2024-03-02,QUEENS,-1",
        "2024-03-01,queens,13",
    )  # fmt: skip
    result = read("advert_counts", tmp_path)
    columns = ["counted_on", "area_type", "area_id", "adverts_count"]
    assert result.kept.select(columns).rows() == [
        (date(2024, 3, 1), "precinct", "44", 0),
        (date(2024, 3, 2), "neighbourhood", "BK0101", 3),
        (date(2024, 3, 1), "borough", "QUEENS", 13),
    ]
    refused = broken_rules(result)
    assert sorted(rule for _, rule, *_ in refused) == [
        "area_unknown", "count_unreadable", "repeated_key",
    ]  # fmt: skip
    assert {value for *_, value in refused} == {None}, "a number in the wrong column is not shown"


@pytest.mark.parametrize("column", ["phone", "Advert URL", "title", "poster_name", "age", "ad_id"])
def test_a_file_with_anything_of_single_adverts_is_refused(tmp_path: Path, column: str):
    write_file(tmp_path / "adverts.csv", f"{ADVERTS},{column}", "2024-03-01,QUEENS,12,x")
    with pytest.raises(SourceError, match=rf"adverts\.csv holds {column} beside.*is refused"):
        read("advert_counts", tmp_path)


def test_no_layout_of_context_reads_an_owner_a_name_or_an_address():
    read_columns = {
        column for table in context_sources.TABLES for column in layouts.LAYOUTS[table.name].columns
    }
    assert len(read_columns) > 40
    assert not [c for c in read_columns if "NAME" in c or "OWNER" in c or "STREET" in c]


@pytest.mark.slow
@pytest.mark.real_data
@needs_real_files
def test_the_real_files_of_context():
    lots = read("tax_lots", REAL_FILES)
    assert lots.kept.height == 855_552
    assert lots.quarantined.is_empty()
    assert math.isclose(lots.kept["residents_count"].sum(), 8_804_190, abs_tol=1e-3)

    census = read("census_areas", REAL_FILES).kept
    areas = census.group_by("area_type").agg(pl.col("area_id").n_unique()).sort("area_type")
    assert areas.rows() == [("neighbourhood", 262), ("precinct", 77)]
    greenpoint = census.filter(
        (pl.col("area_id") == "BK0101") & (pl.col("variable") == "poverty_pct")
    )
    assert greenpoint.select("value", "margin_of_error").row(0) == (9.08, 1.42)

    hotels = read("hotels", REAL_FILES)
    assert hotels.files.select("rows_read_count", "rows_kept_count").row(0) == (5_519, 5_502)
    # 5,519 rows are units of two years; buildings are fewer than half.
    assert hotels.kept.group_by("tax_year").len().sort("tax_year").rows() == [
        (2021, 1_168), (2022, 1_202),
    ]  # fmt: skip

    assert read("subway_stations", REAL_FILES).kept.height == 496
    neighbourhoods = read("neighbourhoods", REAL_FILES).kept
    assert neighbourhoods.height == 262
    assert neighbourhoods["borough"].n_unique() == 5
