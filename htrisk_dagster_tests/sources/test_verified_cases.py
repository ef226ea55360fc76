from __future__ import annotations

from datetime import date
from pathlib import Path

from htrisk_dagster_tests.sources.published_files import read, write_file

HEADER = (
    "Incident Reporting Date,Type,Sector,Methods,Sources,Country,Location Type,Latitude,Longitude"
)


def test_only_the_columns_of_the_dictionary_are_read(tmp_path: Path):
    rows = ["03/04/2023,Sex,Massage,CANARY-1,CANARY-2,CANARY-3,Hotel,40.728,-73.794",
            "03/05/2023,Labor,,m,s,c,,,"]  # fmt: skip
    write_file(tmp_path / "v.csv", HEADER, *rows)
    kept = read("verified_cases", tmp_path).kept
    columns = ("reported_on", "case_type", "sector", "location_type", "lon", "lat")
    assert kept.select(columns).rows() == [
        (date(2023, 3, 4), "Sex", "Massage", "Hotel", -73.794, 40.728),
        (date(2023, 3, 5), "Labor", None, None, None, None),
    ]
    assert "CANARY" not in kept.write_csv()


def test_a_refused_row_shows_its_rule_and_no_value(tmp_path: Path):
    rows = ["CANARY,Sex,Massage,m,s,c,Hotel,40.7,-73.9", "03/04/2023,CANARY,a,m,s,c,Hotel,47.7,1",
            "CANARY,short"]  # fmt: skip
    write_file(tmp_path / "v.csv", HEADER, *rows)
    refused = read("verified_cases", tmp_path).quarantined
    assert refused["rule"].to_list() == [
        "report_date_unreadable", "point_outside_city", "ragged_row",
    ]  # fmt: skip
    assert refused["value"].to_list() == [None] * 3
    assert "CANARY" not in refused.write_csv()
