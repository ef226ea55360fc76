"""What a column is taken for, of layouts of real cities, and what is never looked at."""

from __future__ import annotations

import csv
import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.area_proposal.evidence import (
    CityFile,
    day_order,
    propose,
    read_city_file,
)

N = 40
LAST = date(2026, 11, 25)
# Header and a value, or a function of the row's number, as these cities publish them.
CHICAGO = {
    "ID": lambda i: str(11_000_000 + i), "Case Number": lambda i: f"JA{i:06d}",
    "Date": lambda i: f"01/{1 + i % 28:02d}/2024 02:30:00 PM", "Block": "001XX W MAIN ST",
    "Primary Type": lambda i: ("THEFT", "BATTERY")[i % 2], "Description": lambda i: f"D{i % 9}",
    "Arrest": "false", "Beat": lambda i: ("0111", "1232", "0424")[i % 3],
    "District": lambda i: ("001", "012")[i % 2], "X Coordinate": lambda i: str(1_176_000 + i),
    "Y Coordinate": lambda i: str(1_900_000 + i), "Year": "2024",
    "Updated On": "02/01/2024 03:40:52 PM", "Latitude": lambda i: f"{41.8 + i / 1000:.6f}",
    "Longitude": lambda i: f"{-87.6 - i / 1000:.6f}",
}  # fmt: skip
DETROIT = {
    "incident_entry_id": lambda i: f"e-{i}", "nearest_intersection": "A & B",
    "offense_category": lambda i: ("ROBBERY", "LARCENY")[i % 2],
    "incident_occurred_at": lambda i: f"2024/01/{1 + i % 28:02d} 05:00:00+00",
    "police_precinct": lambda i: ("'02", "'11")[i % 2],
    "longitude": lambda i: f"{-83.05 - i / 1000:.6f}", "latitude": lambda i: f"'{42.3 + i / 1000:.6f}",
    "case_status_updated_at": "2024/05/01 05:00:00+00", "suspect_age": lambda i: str(20 + i),
}  # fmt: skip
MONTEVIDEO = {
    "Nro. Expediente": lambda i: str(i), "Fecha Denuncia": lambda i: f"{1 + i % 28:02d}/02/2024",
    "Fecha Hecho": lambda i: f"{1 + i % 28:02d}/02/2024 10:30",
    "Delito": lambda i: ("HURTO", "RAPIÑA")[i % 2],
    "Seccional": lambda i: str(1 + i % 4), "Latitud": lambda i: f"{-34.9 + i / 1000:.5f}",
    "Longitud": lambda i: f"{-56.1 - i / 1000:.5f}",
}  # fmt: skip


def rows_of(layout: dict) -> list[dict[str, str]]:
    return [{k: v(i) if callable(v) else v for k, v in layout.items()} for i in range(N)]


def written(tmp_path: Path, layout: dict, form: str) -> CityFile:
    path = tmp_path / f"city.{form}"
    if form == "csv":
        with path.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.DictWriter(handle, list(layout))
            writer.writeheader()
            writer.writerows(rows_of(layout))
    elif form == "json":
        path.write_text(json.dumps(rows_of(layout)))
    else:
        pl.DataFrame(rows_of(layout)).write_parquet(path)
    return read_city_file(path, LAST)


@pytest.mark.parametrize("form", ["csv", "json", "parquet"])
@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        (CHICAGO, {"id": "ID", "occurred_at": "Date", "offence": "Primary Type", "area": "Beat",
                   "district": "District", "latitude": "Latitude", "longitude": "Longitude"}),
        (DETROIT, {"id": "incident_entry_id", "occurred_at": "incident_occurred_at",
                   "offence": "offense_category", "area": "police_precinct", "latitude": "latitude",
                   "longitude": "longitude"}),
        (MONTEVIDEO, {"id": "Nro. Expediente", "occurred_at": "Fecha Hecho",
                      "reported_at": "Fecha Denuncia", "offence": "Delito", "area": "Seccional",
                      "latitude": "Latitud", "longitude": "Longitud"}),
    ],
)  # fmt: skip
def test_columns_of_real_layouts_are_found(tmp_path, layout, expected, form):
    found = propose(written(tmp_path, layout, form), {})
    assert {role: e.column for role, e in found.items()} == expected
    assert all(e.parsed_share == 1.0 and e.confidence >= 0.8 for e in found.values())


def test_columns_about_persons_are_never_looked_at(tmp_path):
    layout = {**CHICAGO, "Victim Name": "SOMEBODY", "Offender Date of Birth": "01/01/1990"}
    file = written(tmp_path, layout, "csv")
    assert not [c for c in file.rows.columns if "Victim" in c or "Birth" in c]
    with pytest.raises(SourceError, match="no column 'Victim Name'"):
        propose(file, {"agency": "Victim Name"})


def test_evidence_counts_what_could_not_be_read(tmp_path):
    broken = {**MONTEVIDEO, "Fecha Hecho": lambda i: "soon" if i < 10 else f"{1 + i % 28}/02/2024"}
    found = propose(written(tmp_path, broken, "csv"), {"reported_at": ""})
    assert found["occurred_at"].parsed_share == pytest.approx(0.75)
    assert "75%" in found["occurred_at"].reason
    assert "reported_at" not in found


def test_what_the_user_says_is_taken_and_its_column_is_no_longer_free(tmp_path):
    file = written(tmp_path, CHICAGO, "csv")
    found = propose(file, {"area": "District", "id": "Case Number"})
    assert (found["area"].column, found["area"].reason) == ("District", "as you said")
    assert "district" not in found
    assert found["id"].column == "Case Number"
    with pytest.raises(SourceError, match="'when' is no part of a report"):
        propose(file, {"when": "Date"})


def test_feet_are_no_degrees(tmp_path):
    feet = {k: v for k, v in CHICAGO.items() if not k.startswith("L")}
    found = propose(written(tmp_path, feet, "csv"), {})
    assert not {"latitude", "longitude"} & {*found}


@pytest.mark.parametrize(
    ("texts", "order"),
    [
        (["01/02/2024", "25/02/2024"], True), (["01/02/2024", "02/25/2024"], False),
        (["01/02/2024"], None), (["25/02/2024", "02/25/2024"], None), (["2024-01-02"], False),
    ],
)  # fmt: skip
def test_the_order_of_day_and_month_is_told_by_days_over_12(texts, order):
    assert day_order(pl.Series(texts)) is order


@pytest.mark.parametrize(
    ("name", "text"), [("a.xlsx", "x"), ("a.csv", "A,B\n"), ("a.geojson", "{}")]
)
def test_a_file_that_is_none_is_told(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    with pytest.raises(SourceError, match=r"no file that incidents|has no row"):
        read_city_file(tmp_path / name, LAST)
