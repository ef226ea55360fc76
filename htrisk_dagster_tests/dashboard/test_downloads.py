"""What addresses answer: files of what is shown, hidden counts apart from none, and headers."""

from __future__ import annotations

import gzip
import io
import json

import geopandas as gpd
import polars as pl
import pytest
import shapely
from flask.testing import FlaskClient
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster_tests.dashboard.small_snapshot import SIZE_M, cells


@pytest.fixture(scope="module")
def client(folder) -> FlaskClient:
    return create_app(folder, with_drafts=True).server.test_client()


def test_risk_of_a_day_as_csv(client):
    answer = client.get("/download/risk/2024-12-01.csv")
    rows = pl.read_csv(io.BytesIO(answer.data))
    assert rows["rank"].to_list() == list(range(1, 401))
    assert rows["cell_id"][0] == 8
    assert set(rows["review_stage"]) == {"draft"}
    assert "DRAFT_risk_nyc_2024-12-01.csv" in answer.headers["Content-Disposition"]


@pytest.mark.parametrize("kind", ["geojson", "gpkg"])
def test_cells_leave_as_squares_of_their_size(client, kind):
    answer = client.get(f"/download/risk/2024-12-01.{kind}")
    found = gpd.read_file(io.BytesIO(answer.data))
    assert len(found) == 400
    assert found.crs.to_epsg() == 4326
    ground = found.to_crs("EPSG:32618")
    assert ground.area.to_numpy() == pytest.approx(SIZE_M**2, rel=1e-4)
    first = ground.iloc[0]
    centre = cells().filter(cell_id=int(first["cell_id"])).row(0, named=True)
    assert (first.geometry.centroid.x, first.geometry.centroid.y) == pytest.approx(
        (centre["x_m"], centre["y_m"]), abs=0.1
    )
    assert first["spread_ratio"] == pytest.approx(1 + 3 * 8 / 398)


def test_a_table_with_outlines(client):
    found = json.loads(client.get("/download/raw.boroughs.geojson").data)
    shapes = {
        f["properties"]["borough"]: shapely.geometry.shape(f["geometry"]) for f in found["features"]
    }
    assert sorted(shapes) == ["EAST", "WEST"]
    assert shapes["WEST"].centroid.x < shapes["EAST"].centroid.x
    csv = client.get("/download/raw.boroughs.csv").data.decode()
    assert "geometry" not in csv.splitlines()[0]


def test_an_address_may_name_the_rows_of_a_table(client):
    chosen = client.get("/download/raw.boroughs.geojson?borough=WEST")
    assert [f["properties"]["borough"] for f in json.loads(chosen.data)["features"]] == ["WEST"]
    csv = client.get("/download/grid.cells.csv?borough=WEST&cell_id=3").data
    assert pl.read_csv(io.BytesIO(csv))["cell_id"].to_list() == [3]


def test_hidden_cases_are_null_and_none_is_zero(client):
    found = client.get("/data/verified_cases").json
    december, november = "December 2024", "November 2024"
    assert found == {
        "west": {"2024-12": [14, december], "2024-11": [0, november]},
        "east": {"2024-12": [None, december], "2024-11": [0, november]},
    }


def test_answers_are_compressed_for_those_who_ask(client):
    plain = client.get("/data/risk/2024-12").data
    packed = client.get("/data/risk/2024-12", headers={"Accept-Encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain


@pytest.mark.parametrize(
    "address",
    [
        "/data/risk/2031-01",
        "/data/risk/december",
        "/download/risk/2024-12-01.exe",
        "/download/risk/2031-01-01.csv",
        "/download/restricted.verified_cases.csv",
        "/download/grid.cells;drop.csv",
        "/download/predictions.cell_day_risk.csv",
        "/download/grid.cells.csv?cell_id%20or%201=1",
        "/download/raw.boroughs.geojson?geometry=x",
        "/download/published.model_spread.geojson",
        "/download/staging.verified_case_counts.geojson",
    ],
)
def test_what_is_not_there_is_not_found(client, address):
    assert client.get(address).status_code == 404


def test_headers_forbid_what_is_from_elsewhere(client):
    headers = client.get("/").headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in policy["script-src"]
    assert policy["script-src"].count("'sha256-") >= 1
    assert "http" not in headers["Content-Security-Policy"]
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost:8050", 200), ("127.0.0.1", 200), ("[::1]:8050", 200), ("rebound.example", 421)],
)
def test_only_loopback_is_answered(client, host, status):
    assert client.get("/data/drawing", headers={"Host": host}).status_code == status


def test_a_proxy_may_ask_under_its_name(folder):
    client = create_app(folder, with_drafts=True, hosts=["risk.example.org"]).server.test_client()
    assert client.get("/data/drawing", headers={"Host": "risk.example.org"}).status_code == 200


def test_nothing_published_yet_is_said(tmp_path):
    client = create_app(tmp_path).server.test_client()
    assert client.get("/").status_code == 200
    answer = client.get("/data/drawing")
    assert answer.status_code == 404
    assert "Nothing has been published" in answer.text
