"""No row lost, none repeated, whatever an ArcGIS server does; a token that nobody gets to see."""

from __future__ import annotations

import gzip
import json
import logging
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import feature_services, intake
from htrisk_dagster.sources.arcgis import FeatureLayer
from htrisk_dagster.sources.arcgis_answers import LayerChangedError
from htrisk_dagster.study_areas.area import StudyArea, load_area
from htrisk_dagster.study_areas.city_files import FeatureService
from htrisk_dagster_tests.sources.misbehaving_arcgis import (
    TOKEN,
    Layer,
    running_layer,
    says_fault,
    then,
)
from htrisk_dagster_tests.sources.misbehaving_socrata import (
    closes_before_headers,
    cuts_mid_body,
    refuses,
    says,
    sends_half_json_as_whole,
)

COLUMNS = ("incident_entry_id", "OFFENSE_CATEGORY", "incident_occurred_at", "latitude", "longitude")
QUARTER: dict[str, Any] = {
    "date_field": "incident_occurred_at",
    "time_zone": "America/Detroit",
    "start": date(2024, 3, 1),
    "stop": date(2024, 6, 1),
}


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def layer() -> Iterator[Layer]:
    """Ten rows in March and six in May 2024, Detroit's days, and one an hour before March begins."""
    with running_layer() as running:
        for number in range(2, 22, 2):
            running.insert(number, f"2024-03-{number:02d}T12:00")
        for number in range(22, 34, 2):
            running.insert(number, f"2024-05-{number - 10:02d}T12:00")
        # Midnight of 1 March in Detroit is 05:00 in UTC.
        running.insert(1, "2024-03-01T04:00")
        running.insert(40, "2024-03-01T05:00")
        yield running


def opened(layer: Layer, **options: Any) -> FeatureLayer:
    return FeatureLayer(layer.url, TOKEN, **{"attempts": 3, "max_wait_s": 0.01, **options})


def entries(pages: Any) -> list[str]:
    return [row["incident_entry_id"] for page in pages for row in page]


ALL = [f"E{n}" for n in (1, *range(2, 34, 2), 40)]


def test_pages_follow_the_number_of_rows_and_hold_only_what_was_asked_for(layer: Layer) -> None:
    with opened(layer) as client:
        pages = list(client.pages(COLUMNS))
    assert entries(pages) == ALL
    assert [len(page) for page in pages] == [4, 4, 4, 4, 2]  # the layer's own limit
    assert pages[0][0] == {
        "incident_entry_id": "E1", "offense_category": "ROBBERY",
        "incident_occurred_at": 1_709_265_600_000, "longitude": -83.05, "latitude": 42.33,
    }  # fmt: skip
    # What it is, a count, five pages and a count; the token in a header, never in an address.
    assert len(layer.requests) == 8
    assert {r.headers["X-Esri-Authorization"] for r in layer.requests} == {f"Bearer {TOKEN}"}
    assert not any(TOKEN in str(r.query) for r in layer.requests)


def test_a_server_that_never_says_that_more_rows_follow_loses_none(layer: Layer) -> None:
    layer.tells_limit = False
    with opened(layer) as client:
        assert entries(client.pages(COLUMNS)) == ALL


@pytest.mark.parametrize(
    "fault",
    [
        refuses(503), refuses(429, Retry_After="0"), says_fault(500), says_fault(504),
        says_fault(429), cuts_mid_body, closes_before_headers, sends_half_json_as_whole,
        says(200, {"error": "a server that forgot its own form"}),
    ],
)  # fmt: skip
def test_a_fault_that_passes_costs_nothing(layer: Layer, fault: Any) -> None:
    layer.script.extend([None, None, None, fault, fault])
    with opened(layer) as client:
        assert entries(client.pages(COLUMNS)) == ALL


def test_a_fault_that_stays_is_told_after_the_last_attempt(layer: Layer) -> None:
    layer.script.extend([None, None, *[says_fault(500)] * 3])
    with opened(layer) as client, pytest.raises(SourceError, match=r"in 3 attempts.*error 500"):
        list(client.pages(COLUMNS))


@pytest.mark.parametrize(
    ("code", "advice"),
    [(400, "field names"), (498, "expired"), (499, "asks for a token"), (403, "not public")],
)
def test_a_refusal_is_told_at_once_without_the_token(
    layer: Layer, code: int, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    layer.script.extend([None, says_fault(code, f"Invalid token {TOKEN}.")])
    with (
        caplog.at_level(logging.DEBUG),
        opened(layer) as client,
        pytest.raises(SourceError, match=f"error {code}.*{advice}") as error,
    ):
        list(client.pages(COLUMNS))
    assert len(layer.requests) == 2
    assert TOKEN not in str(error.value) + caplog.text


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"features": [{"attributes": {"offense_category": "X"}}]}, "without its number"),
        ({"features": [{"row": 1}]}, "list of features"),
        (
            {"features": [{"attributes": {"ESRI_OID": 1}, "geometry": "POINT (1 1)"}]},
            "list of features",
        ),
        ({"features": [], "exceededTransferLimit": True}, "no row and said that more follow"),
        ([1, 2], "list of features"),
    ],
)
def test_an_answer_of_another_shape_is_told(layer: Layer, answer: Any, words: str) -> None:
    layer.script.extend([None, None, says(200, answer)])
    with opened(layer) as client, pytest.raises(SourceError, match=words):
        list(client.pages(COLUMNS))


def test_a_server_that_sends_rows_twice_is_not_trusted(layer: Layer) -> None:
    layer.is_honest = False
    with opened(layer) as client, pytest.raises(SourceError, match="row 1 twice, after 4 rows"):
        list(client.pages(COLUMNS))


def test_fields_that_the_layer_lacks_are_named_with_those_it_has(layer: Layer) -> None:
    with opened(layer) as client, pytest.raises(SourceError, match=r"no field beat.*ESRI_OID"):
        list(client.pages(["beat"]))


@pytest.mark.parametrize(
    "address", ["https://x.org/FeatureServer", "ftp://x.org/a/FeatureServer/0"]
)
def test_an_address_of_no_layer_is_refused(address: str) -> None:
    with pytest.raises(SourceError, match=r"no layer|https address"):
        FeatureLayer(address)


def test_months_are_those_of_the_city_and_finished_ones_are_not_asked_again(
    layer: Layer, tmp_path: Path
) -> None:
    with opened(layer) as client:
        paths = client.download_months(COLUMNS, into=tmp_path / "pulls", **QUARTER)
        asked = len(layer.requests)
        again = client.download_months(COLUMNS, into=tmp_path / "pulls", **QUARTER)
    assert paths == again
    assert len(layer.requests) == asked
    by_month = {p.parent.name: [] for p in paths}
    for path in paths:
        rows = json.loads(gzip.decompress(path.read_bytes()))
        by_month[path.parent.name] += [row["incident_entry_id"] for row in rows]
    name = "RMS_Crime_Incidents-0"
    # E1 is of 29 February in Detroit; E40 of the first minute of March.
    assert by_month == {
        f"{name}-2024-03": [*(f"E{n}" for n in range(2, 22, 2)), "E40"],
        f"{name}-2024-04": [],
        f"{name}-2024-05": [f"E{n}" for n in range(22, 34, 2)],
    }


def test_a_month_that_stops_in_the_middle_is_gone_on_with(layer: Layer, tmp_path: Path) -> None:
    layer.script.extend([*[None] * 5, *[says_fault(500)] * 3])  # March whole, April's count not
    with opened(layer, page_size=20) as client:
        layer.most_rows = 20
        with pytest.raises(SourceError, match="error 500"):
            client.download_months(COLUMNS, into=tmp_path / "pulls", **QUARTER)
        assert {p.name for p in (tmp_path / "pulls").iterdir()} == {"RMS_Crime_Incidents-0-2024-03"}
        paths = client.download_months(COLUMNS, into=tmp_path / "pulls", **QUARTER)
    assert len({p.parent for p in paths}) == 3


def test_a_month_asked_for_by_a_clock_that_was_set_back_is_not_cut_short(
    layer: Layer, tmp_path: Path
) -> None:
    march = {**QUARTER, "stop": date(2024, 4, 1)}
    sooner = {**QUARTER, "stop": date(2024, 3, 5)}
    layer.most_rows = 20
    with opened(layer) as client:
        (before,) = client.download_months(COLUMNS, into=tmp_path / "a", **march)
        rows = before.read_bytes()
        (after,) = client.download_months(
            COLUMNS, into=tmp_path / "a", refresh=lambda month: True, **sooner
        )
    assert (after.name, after.read_bytes()) == (before.name, rows)


def test_a_month_that_changes_is_read_again_and_given_up_after_three(
    layer: Layer, tmp_path: Path
) -> None:
    march = {**QUARTER, "stop": date(2024, 4, 1)}
    layer.most_rows = 20
    layer.script.extend([None, None, then(lambda: layer.delete(2))])
    with opened(layer) as client:
        (path,) = client.download_months(COLUMNS, into=tmp_path / "a", **march)
        assert len(json.loads(gzip.decompress(path.read_bytes()))) == 10
        fresh = iter(range(100, 200))
        layer.script.extend([
            step
            for _ in range(3)
            for step in (None, then(lambda: layer.insert(next(fresh), "2024-03-09T12:00")), None)
        ])  # fmt: skip
        with pytest.raises(LayerChangedError, match="changed while it was read"):
            client.download_months(COLUMNS, into=tmp_path / "b", **march)
    assert not list((tmp_path / "b").rglob("*.gz"))


def detroit_at(layer: Layer) -> StudyArea:
    """Detroit, with its service on loopback; this layer has no columns of latitude of its own."""
    service = FeatureService(url=layer.url, date_field="incident_occurred_at")
    return load_area("detroit").model_copy(update={"services": {"incident_reports": service}})


def test_what_detroit_fetches_is_read_as_its_own_reports(layer: Layer, tmp_path: Path) -> None:
    layer.insert(
        50, "2024-03-10T07:30", police_precinct="'11"
    )  # 02:30, an hour that does not exist
    area = detroit_at(layer)
    said: list[str] = []
    folder = feature_services.fetch(
        area, "incident_reports", date(2024, 3, 1), date(2024, 3, 31), into=tmp_path,
        token=TOKEN, say=said.append, today=date(2024, 6, 1),
    )  # fmt: skip
    read = intake.read(
        "incident_reports", folder, time_zone=area.time_zone, bounding_box=area.bounding_box,
        area=area,
    )  # fmt: skip
    assert read.quarantined.is_empty()
    rows = {row["report_id"]: row for row in read.kept.iter_rows(named=True)}
    assert len(rows) == 12
    assert (rows["E50"]["precinct"], rows["E2"]["precinct"]) == (11, 2)
    assert str(rows["E50"]["occurred_at"]) == "2024-03-10 07:30:00"
    assert rows["E40"]["occurred_on"] == date(2024, 3, 1)
    assert (rows["E2"]["lon"], rows["E2"]["lat"]) == (-83.05, 42.33)
    assert said[-1] == "RMS_Crime_Incidents-0: 12 rows"


def test_licences_are_fetched_whole_and_kept_for_a_month(layer: Layer, tmp_path: Path) -> None:
    area = detroit_at(layer)
    part = area.context.places
    assert part is not None
    file = part.files["liquor_store"].model_copy(update={"recognised_by": ("offense_category",)})
    places = part.model_copy(update={"files": {"liquor_store": file}})
    area = area.model_copy(
        update={
            "services": {"places_of_interest": FeatureService(url=layer.url)},
            "context": area.context.model_copy(update={"places": places}),
        }
    )
    days = (date(2024, 3, 1), date(2024, 3, 31))
    for _ in range(2):
        folder = feature_services.fetch(
            area, "places_of_interest", *days, into=tmp_path, token=None, say=print
        )
    assert len(layer.requests) == 8
    read = intake.read(
        "places_of_interest", folder, time_zone=area.time_zone, bounding_box=area.bounding_box,
        area=area,
    )  # fmt: skip
    assert read.kept["category"].to_list() == ["liquor_store"] * len(ALL)
    assert not [c for c in read.kept.columns if "offense" in c]
