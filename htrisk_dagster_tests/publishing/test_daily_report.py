from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.publishing.daily_report import (
    DAYS_SHOWN,
    LARGEST_BYTES,
    days_shown,
    render_daily_report,
)
from htrisk_dagster.publishing.document_text import as_sections
from htrisk_dagster.publishing.map_words import MapHeader
from htrisk_dagster.publishing.risk_table import risk_table
from htrisk_dagster.schemas.governance import MODEL_CARD
from htrisk_dagster.schemas.grid import CELLS
from htrisk_dagster.schemas.raw import BOROUGHS

DAY = date(2015, 8, 1)
HEADER = MapHeader(
    area_title="New York City",
    target_title="shooting incidents",
    risk_on=DAY,
    model="empirical_bayes",
    trained_before=date(2015, 7, 1),
    data_origin="files",
    data_digest="9f86d081",
    status="DRAFT - not reviewed",
)
N = 62
LON_STEP, LAT_STEP = 0.0059, 0.0045
MISSING = DAY - timedelta(days=7)


@pytest.fixture(scope="module")
def cells():
    row, col = (i.ravel() for i in np.mgrid[:N, :N])
    return CELLS.conform(
        pl.DataFrame(
            {
                "cell_id": np.arange(N * N),
                "col": col,
                "row": row,
                "x_m": 580_250.0 + 500 * col,
                "y_m": 4_490_250.0 + 500 * row,
                "lon": -74.2 + LON_STEP * (col + 0.5),
                "lat": 40.5 + LAT_STEP * (row + 0.5),
                "land_share": np.ones(N * N),
                "precinct": 100 + col // 10,
                "borough": np.where(col < 30, "WEST", "EAST"),
            }
        )
    )


@pytest.fixture(scope="module")
def boroughs():
    west, north = -74.2, 40.5 + LAT_STEP * N
    shape = shapely.box(west, 40.5, west + LON_STEP * N, north)
    return BOROUGHS.conform(
        pl.DataFrame(
            {
                "borough": ["WEST"],
                "geometry": [shape.wkb],
                "source_file": ["drawn"],
                "source_row": [1],
                "pulled_on": [DAY],
            }
        )
    )


@pytest.fixture(scope="module")
def risk(cells):
    """A month without one of its days; every day is another draw, the worst that compression meets."""
    days = [d for d in days_shown(DAY) if d != MISSING]
    expected = np.random.default_rng(3).lognormal(-8, 1, (len(days), cells.height))
    return risk_table(
        expected,
        np.array(days, dtype="datetime64[D]"),
        intervals=CountIntervals.of_size(2.0),
        target="shootings",
        model=HEADER.model,
        trained_before=HEADER.trained_before,
        reasons=pl.Series(["+ events (x1.3), - weekday (x0.9), + paydays (x1.1)"]).extend_constant(
            "+ long-run rate of the cell (x13.0), + precinct (x2.8), + borough (x1.6)",
            expected.size - 1,
        ),
    )


@pytest.fixture(scope="module")
def card():
    lines = {"Model details": ["- It is <b>new</b>."], "Fairness": ["Said & shown."]}
    return as_sections(MODEL_CARD, lines, month=date(2015, 7, 1), target="shootings")


@pytest.fixture(scope="module")
def page(risk, cells, boroughs, card):
    return render_daily_report(risk, cells, boroughs=boroughs, card=card, header=HEADER)


class Reader(HTMLParser):
    """Start tags with their attributes, and whether tags close in the order they were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        assert len(attrs) == len(dict(attrs)), f"an attribute twice in {tag}"
        if tag not in {"meta", "input"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def all(self, tag):
        return [attrs for name, attrs in self.tags if name == tag]


def test_it_is_an_attachment(page):
    """A worst case of 3,844 cells and 30 different days."""
    assert len(page.encode()) < LARGEST_BYTES


def test_nothing_runs_and_nothing_is_fetched(page):
    reader = Reader(page)
    policy = [m for m in reader.all("meta") if "http-equiv" in m]
    assert "default-src 'none'" in policy[0]["content"]
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & {
        tag for tag, _ in reader.tags
    }
    assert not [a for _, attrs in reader.tags for a in attrs if a.startswith("on") or a == "src"]
    assert set(re.findall(r"[a-z]+://[^\"'\s<>)]*", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(r"@import|url\(", page)


def test_it_is_well_formed_and_every_reference_is_there(page):
    reader = Reader(page)
    assert reader.open == []
    ids = [a["id"] for _, a in reader.tags if "id" in a]
    assert len(ids) == len(set(ids))
    assert {a["href"] for a in reader.all("a")} <= {f"#{i}" for i in ids}
    assert {label["for"] for label in reader.all("label")} <= set(ids)


def test_the_slider_has_a_button_a_day_and_style_alone_shows_the_chosen_one(page):
    buttons = [a for a in Reader(page).all("input") if a["type"] == "radio"]
    assert len(buttons) == DAYS_SHOWN == 31
    assert [i for i, b in enumerate(buttons) if "checked" in b] == [30]
    assert [i for i, b in enumerate(buttons) if "disabled" in b] == [23], "a week before"
    for i in range(31):
        assert f"#d{i}:checked~figure .d{i}" in page
    # In print it is the report's own day, whatever was chosen.
    assert ".days .day{display:none!important}.days .d30{display:block!important}" in page


def squares(page, layer, band):
    """Cells of a band of a day's layer, worked out from the path as a browser would."""
    group = re.search(rf'<g class="day {layer}">(.*?)</g>', page).group(1)
    found = re.search(rf'<path class="{band}" d="([^"]*)"', group)
    cells, x, y = set(), 0, 0
    for dx, dy, n in re.findall(r"m(-?\d+)\s?(-?\d+)h(\d+)", found.group(1)):
        x, y = x + int(dx), y + int(dy)
        cells |= {(x + i, y) for i in range(int(n))}
        x += int(n)
    return cells


@pytest.mark.parametrize(("layer", "back"), [("d30", 0), ("d0", 30), ("d12", 18)])
@pytest.mark.parametrize("band", ["very high", "high", "elevated"])
def test_each_layer_has_the_cells_of_its_day(page, risk, cells, layer, back, band):
    own = risk.filter(risk_on=DAY - timedelta(days=back), band=band).join(cells, on="cell_id")
    wanted = {(c, N - 1 - r) for c, r in own.select("col", "row").iter_rows()}
    assert squares(page, layer, band.replace(" ", "-")) == wanted


def test_all_land_is_drawn_once(page):
    drawn = re.search(r'<path class="baseline" d="([^"]*)"', page).group(1)
    assert sum(map(int, re.findall(r"h(\d+)", drawn))) == N * N


def test_the_table_has_the_top_cells_with_lines_and_reasons(page, risk):
    body = page.split("<tbody>")[1].split("</tbody>")[0]
    rows = body.split("</tr>")[:-1]
    assert len(rows) == 20
    best = risk.filter(risk_on=DAY).sort("rank").row(0, named=True)
    assert f"{best['expected_count']:#.3g}" in rows[0]
    assert best["reasons"] in rows[0]
    # A day is missing: the line has two parts.
    path = re.search(r'<svg class="spark".*?<path d="([^"]*)"', rows[0]).group(1)
    assert path.count("M") == 2
    assert len(re.findall(r"[ML]", path)) == 30


@pytest.mark.parametrize(
    "sentence",
    [
        "DRAFT - not reviewed",
        "valid for Saturday 1 August 2015 only",
        "It must not be used to stop, search, question, arrest or deport anyone",
        "A pale cell is not a safe cell.",
        "It is &lt;b&gt;new&lt;/b&gt;.",
        "Said &amp; shown.",
        "Made from data with digest 9f86d081",
        "what the model went by, not what causes incidents",
    ],
)
def test_what_must_be_said_is_said(page, sentence):
    assert sentence in page


def test_an_invented_city_says_so_twice(risk, cells, boroughs, card, page):
    header = replace(HEADER, data_origin="synthetic")
    text = render_daily_report(risk, cells, boroughs=boroughs, card=card, header=header)
    assert text.count("INVENTED CITY") == 2
    assert "INVENTED" not in page


def test_one_day_alone_is_a_report_too(risk, cells, boroughs, card):
    alone = risk.filter(risk_on=DAY)
    text = render_daily_report(alone, cells, boroughs=boroughs, card=card, header=HEADER)
    assert text.count(" disabled>") == 30


def test_the_same_input_gives_the_same_report(risk, cells, boroughs, card, page):
    again = render_daily_report(
        risk.reverse(), cells.reverse(), boroughs=boroughs, card=card, header=HEADER
    )
    assert again == page


def test_risk_of_other_cells_is_refused(risk, cells, boroughs, card):
    with pytest.raises(ValueError, match="has 3843 rows of risk for 3844 cells"):
        render_daily_report(
            risk.filter(pl.col("cell_id") > 0), cells, boroughs=boroughs, card=card, header=HEADER
        )


def test_a_report_of_reports_that_stopped_coming_says_so(risk, cells, boroughs, card, page):
    header = replace(HEADER, silence="complaints: 6 days behind.")
    stale = render_daily_report(risk, cells, boroughs=boroughs, card=card, header=header)
    assert "<strong>STALE DATA</strong> Made from what was known. complaints: 6 days" in stale
    assert "STALE" not in page


def test_areas_are_drawn_as_they_lie_a_layer_a_day_under_their_own_codes(cells, boroughs, card):
    areas = cells.head(8).with_columns(precinct=pl.int_range(101, 109, dtype=pl.Int32))
    # Eight areas in one row, an hour's drive each, the riskiest in the east.
    boxes = [shapely.box(-74 + i / 10, 40, -73.9 + i / 10, 40.1) for i in range(8)]
    shapes = pl.DataFrame({"precinct": range(101, 109), "geometry": shapely.to_wkb(boxes)}).cast(
        {"precinct": pl.Int32}
    )
    days = days_shown(DAY)
    rising = np.tile(np.arange(1, 9) / 10.0, (DAYS_SHOWN, 1))
    risk = risk_table(
        np.vstack([rising[:-1], rising[:1, ::-1]]),
        np.array(days, dtype="datetime64[D]"),
        intervals=CountIntervals.of_size(2.0),
        target="shootings",
        model=HEADER.model,
        trained_before=HEADER.trained_before,
    )
    codes = {101 + i: f"B{i}<" for i in range(8)}
    header = replace(HEADER, area_codes=codes, is_schematic=True)
    page = render_daily_report(
        risk, areas, boroughs=boroughs, card=card, header=header, shapes=shapes
    )
    assert len(page.encode()) < LARGEST_BYTES
    layers = dict(re.findall(r'<g class="areas day (d\d+)">(.*?)</g>', page))
    coloured = {
        name: {c: int(a) for c, a in re.findall(r'<use class="([^"]+)" href="#a(\d)"/>', uses)}
        for name, uses in layers.items()
    }
    # Of eight areas 5% are one, 15% are two, 35% are three; on the last day the west is the riskiest.
    assert coloured["d0"] == {"very-high": 7, "high": 6, "elevated": 5}
    assert coloured[f"d{DAYS_SHOWN - 1}"] == {"very-high": 0, "high": 1, "elevated": 2}
    assert len(layers) == DAYS_SHOWN
    # The number stands inside its area: a tenth of the drawing from the west, and its middle.
    left = float(re.search(r'href="#a0"/><text x="(\d+)"', page)[1])
    assert left == pytest.approx(10 + 600 / 16, abs=1)
    assert re.search(
        r'<tr><th scope="row" class="number"><a href="#n1">1</a></th><td>B0&lt;</td>', page
    )
    assert "Rank 1, very high: area B0&lt;, WEST. Expected" in page
    for words in ("Map square", "map square", "Precinct", "precinct"):
        assert words not in page
    assert "no riskier than a small one" in page
