"""Pages over a snapshot that has little, and the numbers they work out by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import Any

import plotly.io.json
import polars as pl
import pytest
import shapely
from htrisk_dagster.dashboard import cells_in_words, hot_cell_charts
from htrisk_dagster.dashboard.application import create_app
from htrisk_dagster.dashboard.downloads import places_geojson
from htrisk_dagster.dashboard.mix_charts import mix_chart, mix_shares, mix_times, predicted_chart
from htrisk_dagster.dashboard.page import Servers, Visit
from htrisk_dagster.dashboard.pages import (
    PAGES,
    boroughs,
    cases,
    forecasts,
    funnel,
    hot_places,
    officers,
    patterns,
    risk_map,
)
from htrisk_dagster.dashboard.snapshots import SnapshotShelf
from htrisk_dagster.publishing.snapshot import SnapshotTable, write_snapshot
from htrisk_dagster.schemas import published, verified
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster_tests.dashboard.small_snapshot import DAYS, HEADER, tables
from plotly.graph_objects import Figure

Q = [date(2023, 1, 1), date(2023, 4, 1), date(2023, 7, 1), date(2023, 10, 1), date(2024, 1, 1)]


def quarters() -> pl.DataFrame:
    """Robberies of 100, 110, …, 140 a quarter, 60% in WEST; shootings too few to show by borough."""
    rows = []
    for i, quarter in enumerate(Q):
        robberies = 100 + 10 * i
        rows += [
            ("robbery", "(all)", quarter, robberies),
            ("robbery", "WEST", quarter, 6 * robberies // 10),
            ("robbery", "EAST", quarter, robberies - 6 * robberies // 10),
            ("shootings", "(all)", quarter, 20),
            ("shootings", "WEST", quarter, None),
            ("shootings", "EAST", quarter, None),
        ]
    rows += [
        ("robbery", "(all)", None, 600), ("robbery", "WEST", None, 360), ("robbery", "EAST", None, 240),
        ("shootings", "(all)", None, 100), ("shootings", "WEST", None, None),
        ("shootings", "EAST", None, None),
    ]  # fmt: skip
    schema = ["series", "borough", "quarter_on", "incidents_count"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def hours() -> pl.DataFrame:
    """Blocks of six hours; the evening has most, Monday's nights are hidden."""
    rows = []
    for day in (*published.WEEKDAYS, "(all)"):
        for hour in (0, 6, 12, 18, None):
            count = {0: 12, 6: 20, 12: 30, 18: 40, None: 102}[hour] * (7 if day == "(all)" else 1)
            rows.append(("robbery", day, hour, 6, None if (day, hour) == ("Monday", 0) else count))
    schema = ["series", "weekday", "hour", "block_hours", "incidents_count"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def mix() -> pl.DataFrame:
    """The past is the same at all hours; what is predicted is not."""
    times = [("night", True, 50.0), ("night", False, 55.0), ("evening", False, 60.0)]
    rows = [
        (part, weekend, category, predicted, past)
        for part, weekend, theft in times
        for category, predicted, past in (("Theft", theft, 30.0), ("Assault", 100 - theft, 70.0))
    ]
    schema = ["day_part", "is_weekend", "offence_category", "predicted_pct", "historical_pct"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def stages() -> pl.DataFrame:
    counts = (40, 38, None, None, 0)
    statuses = ("shown", "shown", "hidden", "not recorded", "shown")
    return pl.DataFrame(
        {
            "borough": "(all)",
            "period_on": pl.Series([None] * 5, dtype=pl.Date),
            "months_count": pl.Series([None] * 5, dtype=pl.Int32),
            "stage": verified.STAGES,
            "incidents_count": counts,
            "of_reported_pct": (100, 95, None, None, 0),
            "status": statuses,
        }
    )


@pytest.fixture(scope="module")
def fuller(tmp_path_factory):
    more = {
        published.QUARTER_COUNTS: quarters(),
        published.HOUR_COUNTS: hours(),
        verified.FUNNEL: stages(),
        published.OFFENCE_MIX: mix(),
    }
    folder = tmp_path_factory.mktemp("fuller") / "nyc"
    write_snapshot(
        folder,
        replace(HEADER, made_from="f1"),
        [SnapshotTable(t, f) for t, f in (tables() | more).items()],
    )
    (folder.parent / "ctdc").mkdir()
    counts = "gender,exploitation,count\nfemale,sexual,900\nfemale,labour,30\nmale,sexual,\nmale,labour,500\n"
    margins = "(all),(all),1435\n"
    (folder.parent / "ctdc" / "gender_by_exploitation.csv").write_text(counts + margins)
    return SnapshotShelf(folder, with_drafts=True).newest()


def text_of(component) -> str:
    """All words of a component, as the browser would get it."""
    # Plotly writes a slash as its number, so that no text can end a script.
    plain = json.loads(plotly.io.json.to_json_plotly(component))
    return json.dumps(plain, separators=(",", ":"), ensure_ascii=False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.path)
def test_a_page_without_its_tables_says_what_makes_them(snapshot, page):
    words = text_of(page.layout(Visit(snapshot)))
    assert json.loads(words)
    if page.path in (
        "/boroughs",
        "/forecasts",
        "/models",
        "/patterns",
        "/funnel",
        "/hot-places",
        "/officers",
    ):
        assert "aterialise nyc/" in words or "never made" in words
        assert "publishing/snapshot" in words or "never made" in words


def test_links_go_to_the_assets_of_what_is_shown(snapshot):
    with_servers = text_of(
        risk_map.layout(Visit(snapshot, Servers(dagster="http://127.0.0.1:3000")))
    )
    assert "http://127.0.0.1:3000/assets/nyc/predictions/cell_day_risk?view=lineage" in with_servers
    assert "http://127.0.0.1:3000/assets/nyc/publishing/snapshot?view=lineage" in with_servers
    without = text_of(risk_map.layout(Visit(snapshot)))
    assert "lineage" not in without
    assert "model stack, trained before 2024-11-01" in without


@pytest.mark.parametrize(
    ("wishes", "day", "cell"),
    [
        ({"date": "2024-12-01", "cell": "7"}, "2024-12-01", 7),
        ({"date": "2031-01-01", "cell": "400"}, "2024-12-02", None),
        ({"date": "<script>", "cell": "-1"}, "2024-12-02", None),
    ],
)
def test_a_permalink_is_taken_for_what_exists_alone(snapshot, wishes, day, cell):
    stores = {}
    for part in json.loads(text_of(risk_map.layout(Visit(snapshot, wishes=wishes))))[0]["props"][
        "children"
    ]:
        if part["props"].get("className") == "body":
            for child in part["props"]["children"]:
                if child["type"] == "Store":
                    stores[child["props"]["id"]] = child["props"].get("data")
    assert (stores["day"], stores["chosen-cell"]) == (day, cell)


def test_the_cell_panel_and_the_table_of_the_day(snapshot):
    words = text_of(cells_in_words.cell_panel(snapshot, 8, DAYS[1]))
    assert "rank 1 of 400: very high" in words
    assert "0.4 reported incidents" in words
    # Negative binomial of size 2 and mean 0.4: 1 - (2 / 2.4)^2 = 30.6%.
    assert "31%, the probability of at least one report" in words
    assert "higher by borough (x1.2)" in words
    assert "lower by precinct (x0.63)" in words
    assert "There is no forecast of cell 9999" in text_of(
        cells_in_words.cell_panel(snapshot, 9999, DAYS[1])
    )


def test_key_figures_by_hand(fuller):
    words = text_of(patterns.key_figures(fuller, "robbery", "WEST"))
    for expected in ('"360"', '"84"', '"+40%"', '"60%"', "18:00-00:00", "1. quarter 2023: 60"):
        assert expected in words, expected
    hidden = text_of(patterns.key_figures(fuller, "shootings", "WEST"))
    assert hidden.count('"hidden"') >= 3
    assert "no data" not in hidden


def test_the_mix_is_of_the_last_four_complete_quarters(fuller):
    shares = mix_shares(fuller)
    assert shares["series"].to_list() == ["robbery", "shootings"]
    assert shares["incidents_count"].to_list() == [110 + 120 + 130 + 140, 80]
    assert shares["historical_pct"].to_list() == pytest.approx([100 * 500 / 580, 100 * 80 / 580])


def test_the_predicted_mix_stands_beside_the_historical_in_bars_or_pies(fuller):
    assert mix_times(fuller) == ["night_on_a_weekday", "evening_on_a_weekday", "night_on_a_weekend"]
    bars = text_of(predicted_chart(fuller, "evening_on_a_weekday", "bars"))
    # The largest of the past first: assault 70 to 40 predicted, then theft.
    assert '"x":[40.0,60.0],"y":["Assault","Theft"]' in bars
    assert '"x":[70.0,30.0],"y":["Assault","Theft"]' in bars
    pies = text_of(predicted_chart(fuller, "evening_on_a_weekday", "pie"))
    assert pies.count('"type":"pie"') == 2
    assert '"text":"predicted"' in pies
    words = text_of(patterns.layout(Visit(fuller, wishes={"time": "night_on_a_weekend"})))
    assert '"value":"night_on_a_weekend"' in words


def test_hidden_hours_are_marked_and_counted(fuller):
    words = text_of(patterns.hours_chart(fuller, "robbery"))
    assert "1 of 28 counts are hidden (k = 11), marked h." in words
    assert '"0-6","6-12","12-18","18-24"' in words


def test_trends_leave_gaps_for_hidden_counts(fuller):
    words = text_of(boroughs.trends_chart(fuller, "shootings"))
    assert "10 of 15 counts are hidden (k = 11)." in words
    assert "[null,null,null,null,null]" in words


def test_the_funnel_tells_hidden_from_not_recorded_and_from_none(fuller):
    words = text_of(funnel.funnel_chart(fuller, "(all)", None))
    assert '["40","38","hidden (k = 11)","not recorded","0"]' in words


def test_case_clusters_are_of_shown_counts(fuller):
    frame = cases.case_tables(fuller)["gender_by_exploitation"]
    words = text_of(
        cases.plot(
            frame, ["gender", "exploitation"], columns=["gender"], k=2, scale=True, is_solid=False
        )
    )
    assert "3 of 4 cells are shown, 1 are hidden (k = 11), the rest are 0." in words
    assert "female, sexual: 900 records, cluster 1" in words
    assert "male, labour: 500 records, cluster 2" in words
    few = cases.plot(frame, ["gender"], columns=["gender"], k=5, scale=True, is_solid=False)
    assert "2 distinct cells, fewer than 5 clusters" in text_of(few)


def table_of(name: str, frame: pl.DataFrame) -> SnapshotTable:
    """A table of a colleague's schema by its columns alone: pages read it if a snapshot has it."""
    layer, _, short = name.partition(".")
    columns = tuple(Column(c, dtype, "x", nullable=True) for c, dtype in frame.schema.items())
    return SnapshotTable(Table(layer, short, "one row", "x", columns), frame)


@pytest.fixture(scope="module")
def with_series(tmp_path_factory):
    months = [date(2025, 1, 1), date(2025, 2, 1)]
    forecast = pl.DataFrame(
        {
            "place": ["(all)", "(all)", "1"],
            "period_on": [*months, months[0]],
            "expected_count": [100.0, 110.0, 3.0],
            "lower_95_count": [80.0, 85.0, 0.0],
            "upper_95_count": [120.0, 140.0, 7.0],
        }
    )
    parts = pl.DataFrame(
        {
            "place": "(all)", "method": "stl", "form": "additive", "period_on": months,
            "trend": [3.0, 3.1], "seasonal": [0.1, -0.1], "rest": [0.0, 0.2],
        }
    )  # fmt: skip
    score = {
        "place": ["1", "HARTFORD", "BRONX"], "precinct": [1, 2, None], "score": [90.0, 10.0, 50.0],
        "score_rank": [1, 2, 3],
    }  # fmt: skip
    officers = pl.DataFrame(
        {
            "agency_id": ["state", "state", "CT1"], "agency": ["Connecticut", "Connecticut", "Hartford"],
            "year": [2021, 2022, 2022], "female_officers_count": [30, 40, 20],
            "male_officers_count": [170, 160, 80], "officers_count": [200, 200, 100],
            "civilians_count": [50, 50, 25], "female_officers_pct": [15.0, 20.0, 20.0],
            "officers_per_1000": [None, None, 0.8],
        }
    )  # fmt: skip
    volume = pl.DataFrame(
        {
            "forecast_on": [date(2025, 12, 24), date(2025, 12, 25)], "agency_id": "state",
            "expected_count": [50.0, 30.0], "lower_95_count": [36, 19], "upper_95_count": [65, 42],
            "is_holiday": [False, True], "holiday": [None, "Christmas Day"],
        }
    )  # fmt: skip
    more = {
        "series.forecasts": forecast,
        "series.decomposition": parts,
        "series.composite_risk": pl.DataFrame(score),
        "agencies.officer_trends": officers,
        "agencies.volume_forecasts": volume,
    }
    folder = tmp_path_factory.mktemp("series") / "nyc"
    base = [SnapshotTable(t, f) for t, f in tables().items()]
    header = replace(HEADER, made_from="f2")
    write_snapshot(folder, header, base + [table_of(n, f) for n, f in more.items()])
    return SnapshotShelf(folder, with_drafts=True).newest()


def test_forecasts_of_the_whole_area_have_their_band_parts_and_holidays(with_series):
    words = text_of(forecasts.layout(Visit(with_series)))
    assert "[120.0,140.0,85.0,80.0]" in words, "the band goes up one end and back along the other"
    assert "By stl, additive" in words
    assert '"text":["Christmas Day"]' in words
    assert "Materialise" not in words


def test_the_composite_score_is_of_precincts(with_series):
    words = text_of(boroughs.composite_map(with_series))
    assert "composite score of 10 to 90" in words


def test_precincts_leave_with_their_outlines(with_series):
    found = json.loads(places_geojson(with_series, with_series.table("series.composite_risk")))
    centres = {
        f["properties"]["place"]: shapely.geometry.shape(f["geometry"]).centroid.x
        for f in found["features"]
    }
    assert sorted(centres) == ["1", "HARTFORD"], "a borough is no precinct"
    assert centres["1"] < centres["HARTFORD"]
    scores = {f["properties"]["place"]: f["properties"]["score"] for f in found["features"]}
    assert scores == {"1": 90.0, "HARTFORD": 10.0}


def spots() -> dict[Table, pl.DataFrame]:
    """Two weeks: in the newer WEST's cell 3 is hot and two spots are hidden; in the older nothing is."""
    weeks = [date(2024, 11, 18), date(2024, 11, 25)]
    shown = pl.DataFrame(
        {"series": "incidents", "week_on": weeks[1:], "cell_id": [3], "spot": ["hot"]}
    )
    counted = pl.DataFrame(
        {
            "series": "incidents", "week_on": weeks, "hot_cells_count": [0, 1],
            "cold_cells_count": [0, 0], "hidden_cells_count": [0, 2],
        }
    )  # fmt: skip
    return {published.WEEK_SPOTS: shown, published.HOT_SPOT_WEEKS: counted}


@pytest.fixture(scope="module")
def with_spots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spots") / "nyc"
    frames = {t: t.conform(f) for t, f in (tables() | spots()).items()}
    header = replace(HEADER, made_from="f3")
    write_snapshot(folder, header, [SnapshotTable(t, f) for t, f in frames.items()])
    return SnapshotShelf(folder, with_drafts=True).newest()


def test_a_week_shows_its_spots_and_says_how_many_are_hidden(with_spots):
    newer = text_of(hot_cell_charts.week_chart(with_spots, "incidents", date(2024, 11, 25)))
    assert "Week from 2024-11-25: 1 hot, 0 cold cells; 2 hidden." in newer
    assert "published.week_spots.geojson?series=incidents&week_on=2024-11-25" in newer
    assert "hot: cell 3, precinct 1" in newer
    older = text_of(hot_cell_charts.week_chart(with_spots, "incidents", date(2024, 11, 18)))
    assert "Week from 2024-11-18: 0 hot, 0 cold cells; 0 hidden." in older
    assert "cell 3" not in older
    page = text_of(hot_places.layout(Visit(with_spots, wishes={"week": "2024-11-18"})))
    assert '"data":["2024-11-25","2024-11-18"]' in page
    assert '"value":"2024-11-18"' in page
    found = json.loads(places_geojson(with_spots, with_spots.table("published.week_spots")))
    assert [f["properties"]["spot"] for f in found["features"]] == ["hot"]


def graphs(part: object) -> list[dict[str, Any]]:
    """Figures of all charts below a part of a page, as the browser is sent them."""
    if isinstance(part, list):
        return [figure for each in part for figure in graphs(each)]
    if not isinstance(part, dict):
        return []
    if part.get("type") == "Graph":
        return [part["props"]["figure"]]
    return [figure for each in part.values() for figure in graphs(each)]


def test_plotly_takes_every_figure_as_it_is(fuller, with_series, with_spots):
    """Its own figures refuse a property that does not exist and a value that is none of it."""
    table = cases.case_tables(fuller)["gender_by_exploitation"]
    axes = ["gender", "exploitation", "source"]
    of_three = table.with_columns(pl.lit("x").alias("source"))
    clustered = {"columns": ["gender"], "k": 2, "scale": True}
    parts = [
        *(page.layout(Visit(s)) for page in PAGES for s in (fuller, with_series)),
        cells_in_words.cell_panel(fuller, 8, DAYS[1]),
        patterns.hours_chart(fuller, "robbery"),
        boroughs.trends_chart(fuller, "robbery"),
        funnel.funnel_chart(fuller, "(all)", None),
        *(predicted_chart(fuller, "night_on_a_weekday", kind) for kind in ("bars", "pie")),
        *(mix_chart(fuller, kind) for kind in ("bars", "pie")),
        officers.years_chart(with_series, "state"),
        hot_cell_charts.week_chart(with_spots, "incidents", date(2024, 11, 25)),
        cases.plot(table, axes[:2], **clustered, is_solid=False),
        cases.plot(of_three, axes, **clustered, is_solid=True),
    ]
    found = graphs(json.loads(plotly.io.json.to_json_plotly(parts)))
    assert len(found) >= 18
    assert {trace["type"] for figure in found for trace in figure["data"]} == {
        "scatter", "bar", "pie", "heatmap", "scatter3d",
    }  # fmt: skip
    for figure in found:
        checked = json.loads(Figure(figure).to_json())
        # The template is its own default, which the browser is not sent.
        checked["layout"].pop("template", None)
        assert checked == figure


def test_an_area_that_is_no_precinct_is_called_by_its_own_name(with_series):
    words = text_of(boroughs.composite_map(with_series))
    assert '"precinct 1: 90.0"' in words
    assert '"HARTFORD: 10.0"' in words


def test_case_tables_leave_as_files(fuller):
    client = create_app(fuller.path.parent, with_drafts=True).server.test_client()
    answer = client.get("/download/cases/gender_by_exploitation.csv")
    rows = pl.read_csv(answer.data)
    assert rows.filter(gender="female", exploitation="sexual")["count"].to_list() == [900]
    assert rows["count"].null_count() == 1, "a hidden count stays hidden"
    assert "DRAFT" not in answer.headers["Content-Disposition"], "it is of no map"
    assert client.get("/download/cases/nothing.csv").status_code == 404


def test_officers_by_sex_of_the_state_and_of_agencies(with_series):
    words = text_of(officers.years_chart(with_series, "state"))
    assert '"x":["2021","2022"],"y":[30,40]' in words
    assert '"name":"Women"' in words
    assert "Hartford" in text_of(officers.newest_chart(with_series))
    assert "Connecticut" not in text_of(officers.newest_chart(with_series))
