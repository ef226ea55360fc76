from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
import shapely
from htrisk_dagster.evaluation.count_intervals import CountIntervals
from htrisk_dagster.publishing.map_drawing import HOVER_BANDS, place_on_sheet
from htrisk_dagster.publishing.map_words import MapHeader, day_in_words
from htrisk_dagster.publishing.risk_map import render_risk_map
from htrisk_dagster.publishing.risk_table import risk_table
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
N_COLS, N_ROWS, SIZE_M = 60, 60, 500
# Degrees of one cell near 40.7 north, as a plain stretched plane.
LON_STEP, LAT_STEP = 0.0059, 0.0045


@pytest.fixture(scope="module")
def cells():
    """60 x 60 cells without the north-east corner square of 10 x 10."""
    row, col = (i.ravel() for i in np.mgrid[:N_ROWS, :N_COLS])
    kept = ~((row >= 50) & (col >= 50))
    row, col = row[kept], col[kept]
    return CELLS.conform(
        pl.DataFrame(
            {
                "cell_id": np.arange(len(row)),
                "col": col,
                "row": row,
                "x_m": 580_250.0 + SIZE_M * col,
                "y_m": 4_490_250.0 + SIZE_M * row,
                "lon": -74.2 + LON_STEP * (col + 0.5),
                "lat": 40.5 + LAT_STEP * (row + 0.5),
                "land_share": np.ones(len(row)),
                "precinct": 100 + col // 10,
                "borough": np.where(col < 30, "WEST", "EAST"),
            }
        )
    )


@pytest.fixture(scope="module")
def boroughs():
    def half(first, last):
        west, east = -74.2 + LON_STEP * first, -74.2 + LON_STEP * last
        # A shore line with a vertex every few metres, as publishers draw it.
        lat = 40.5 + np.linspace(0, LAT_STEP * N_ROWS, 4000)
        ragged = west + 1e-5 * np.sin(np.arange(4000))
        ring = [*zip(ragged, lat, strict=True), (east, lat[-1]), (east, lat[0])]
        return shapely.Polygon(ring).wkb

    return BOROUGHS.conform(
        pl.DataFrame(
            {
                "borough": ["WEST", "EAST"],
                "geometry": [half(0, 30), half(30, 60)],
                "source_file": ["drawn"] * 2,
                "source_row": [1, 2],
                "pulled_on": [DAY] * 2,
            }
        )
    )


@pytest.fixture(scope="module")
def risk(cells):
    expected = np.random.default_rng(3).lognormal(-8, 1, (1, cells.height))
    return risk_table(
        expected,
        np.array([DAY], dtype="datetime64[D]"),
        intervals=CountIntervals.of_size(2.0),
        target="shootings",
        model=HEADER.model,
        trained_before=HEADER.trained_before,
    )


@pytest.fixture(scope="module")
def page(risk, cells, boroughs):
    return render_risk_map(risk, cells, boroughs=boroughs, header=HEADER)


def words(page):
    """Text of the page as it is read, without markup, style and script."""
    body = re.sub(r"<(style|script)>.*?</\1>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", "", body))


def squares(page, band):
    """Upper left corners of the squares of a band."""
    drawn = re.search(rf'<path class="cell {band.replace(" ", "-")}" d="([^"]*)"/>', page).group(1)
    return [(int(x), int(y)) for x, y in re.findall(r"M(\d+) (\d+)h10v10h-10z", drawn)]


def test_nothing_is_fetched_from_anywhere(page):
    addresses = set(re.findall(r"[a-z]+://[^\"'\s<>)]*", page))
    assert addresses == {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"<(link|img|iframe|object|embed|base)\b|@import|url\(|\bsrc=|fetch\(", page
    )


def test_the_page_is_well_formed(page):
    class Balance(HTMLParser):
        open_tags: tuple[str, ...] = ()

        def handle_starttag(self, tag, attrs):
            if tag not in {"meta"}:
                self.open_tags += (tag,)

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            assert self.open_tags[-1] == tag
            self.open_tags = self.open_tags[:-1]

    parser = Balance()
    parser.feed(page)
    assert parser.open_tags == ()
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)


def test_every_cell_is_drawn_once_in_its_band(page, risk, cells):
    top = N_ROWS - 1
    for band, group in risk.join(cells, on="cell_id").group_by("band"):
        wanted = {(10 * c, 10 * (top - r)) for c, r in group.select("col", "row").iter_rows()}
        drawn = squares(page, band[0])
        assert len(drawn) == len(wanted)
        assert set(drawn) == wanted


def test_only_the_top_five_percent_can_be_pointed_at(page, risk):
    pointed = [int(i) for i in re.findall(r'<rect id="c(\d+)"', page)]
    top = risk.filter(pl.col("band").is_in(list(HOVER_BANDS))).sort("rank")
    assert len(pointed) == 175  # 5% of 3,500
    assert pointed == top["cell_id"].to_list()
    assert page.count("</title></rect>") == 175


def test_the_table_has_the_twenty_highest(page, risk, cells):
    body = re.search(r"<tbody>(.*)</tbody>", page).group(1)
    rows = [re.sub(r"<[^>]*>", "|", r) for r in body.split("</tr>")[:-1]]
    assert len(rows) == 20
    best = risk.filter(rank=1).join(cells, on="cell_id").row(0, named=True)
    found = [part for part in rows[0].split("|") if part]
    assert found == [
        "1",
        chr(ord("A") + best["col"] // 5) + str((N_ROWS - 1 - best["row"]) // 5 + 1),
        str(best["precinct"]),
        best["borough"].title(),
        f"{best['lat']:.4f}, {best['lon']:.4f}",
        f"{best['expected_count']:#.3g}",
        f"{100 * best['risk_prob']:.2g}%",
        f"{best['lower_95_count']} to {best['upper_95_count']}",
    ]
    assert [r.split("|")[3] for r in rows] == [str(i) for i in range(1, 21)]


def test_the_area_budget_adds_up(page, risk):
    total, held = (
        risk["expected_count"].sum(),
        risk.filter(pl.col("rank") <= 35)["expected_count"].sum(),
    )
    assert (
        f"the top 1% of cells (35 of 3,500) are expected to hold {held:.2f} of {total:.2f} incidents "
        f"({100 * held / total:.0f}%); {total - held:.2f} are expected elsewhere." in words(page)
    )


@pytest.mark.parametrize(
    "sentence",
    [
        "Reported incidents expected on Saturday 1 August 2015",
        "Target: shooting incidents, as reported to the police.",
        "empirical_bayes, which saw nothing reported on or after Wednesday 1 July 2015.",
        "valid for Saturday 1 August 2015 only.",
        "DRAFT - not reviewed",
        "forecast of reported incidents at places",
        "It says nothing of any person",
        "It must not be used to stop, search, question, arrest or deport anyone",
        "or as evidence",
        "A pale cell is not a safe cell.",
        "very high: the top 0.5% of cells (18 cells)",
        "high: from there to the top 1% (17 cells)",
        "elevated: from there to the top 5% (140 cells)",
        "baseline: all other cells",
        "Data: files. Made from data with digest 9f86d081.",
    ],
)
def test_every_required_sentence_is_said(page, sentence):
    assert sentence in words(page)


def test_an_invented_city_says_so_on_both_sheets(risk, cells, boroughs, page):
    invented = replace(HEADER, data_origin="synthetic")
    text = render_risk_map(risk, cells, boroughs=boroughs, header=invented)
    assert "<strong>INVENTED CITY</strong> Every incident behind this map was made up" in text
    assert "INVENTED CITY. DRAFT - not reviewed. New York City, valid for Saturday" in words(text)
    assert "INVENTED" not in page


def test_a_map_of_reports_that_stopped_coming_says_so(risk, cells, boroughs, page):
    silence = "complaints: the newest report is of 2015-07-24, 6 days behind. <fetch it>"
    stale = render_risk_map(risk, cells, boroughs=boroughs, header=replace(HEADER, silence=silence))
    assert "STALE DATA Made from what was known. complaints: the newest report" in words(stale)
    assert "<fetch it>" not in stale
    assert "STALE" not in page


def test_what_comes_from_outside_is_escaped(risk, cells, boroughs):
    nasty = '<script>alert("x")</script>&'
    names = (
        "area_title",
        "target_title",
        "model",
        "data_origin",
        "data_digest",
        "status",
    )
    header = replace(HEADER, **dict.fromkeys(names, nasty))
    named = boroughs.with_columns(borough=pl.lit("<B>&"))
    text = render_risk_map(
        risk, cells.with_columns(borough=pl.lit("<B>&")), boroughs=named, header=header
    )
    assert "alert(&quot;x&quot;)" in text
    assert "<script>alert" not in text
    assert "<B>" not in text
    assert "&lt;B&gt;&amp;" in text


def test_the_page_stays_small(page):
    assert len(page.encode()) < 400_000
    # 8,000 vertices of shore line leave fewer than a hundred points.
    outline = re.search(r'<path class="borough" d="([^"]*)"/>', page).group(1)
    assert len(outline.split()) < 200


def test_outlines_lie_on_the_cells(page):
    outline = re.search(r'<path class="borough" d="([^"]*)"/>', page).group(1)
    numbers = np.array(re.findall(r"-?\d+(?:\.\d+)?", outline), dtype=float).reshape(-1, 2)
    corners = {(0, 0), (0, 600), (300, 0), (300, 600), (600, 0), (600, 600)}
    for corner in corners:
        assert np.abs(numbers - corner).max(axis=1).min() < 0.5, corner


def test_map_squares_are_lettered_east_and_numbered_south(cells):
    placed = place_on_sheet(cells)
    at = {(c, r): s for c, r, s in placed.select("col", "row", "sheet").iter_rows()}
    assert (at[0, 59], at[4, 55], at[5, 54], at[59, 0]) == ("A1", "A1", "B2", "L12")


def test_a_sheet_wider_than_the_alphabet_has_larger_squares(cells):
    wide = cells.with_columns(col=pl.col("col") * 5)
    assert place_on_sheet(wide)["sheet"].str.slice(0, 1).max() <= "Z"


def test_the_same_input_gives_the_same_page(page, risk, cells, boroughs):
    again = render_risk_map(risk.reverse(), cells.reverse(), boroughs=boroughs, header=HEADER)
    assert again == page


def test_risk_of_another_day_or_grid_is_refused(risk, cells, boroughs):
    with pytest.raises(ValueError, match=r"map of 2015-08-02 was given risk of \[.*2015, 8, 1"):
        render_risk_map(
            risk, cells, boroughs=boroughs, header=replace(HEADER, risk_on=date(2015, 8, 2))
        )
    with pytest.raises(ValueError, match="has 3499 rows of risk for 3500 cells"):
        render_risk_map(risk.head(3499), cells, boroughs=boroughs, header=HEADER)


def test_a_likely_cell_is_not_called_unlikely(risk, cells, boroughs):
    likely = risk.with_columns(risk_prob=pl.lit(0.8))
    text = render_risk_map(likely, cells, boroughs=boroughs, header=HEADER)
    assert "even the first cell has a risk of 80%, no more." in words(text)
    assert "nothing is reported there" not in text


def test_day_in_words():
    assert day_in_words(date(2024, 2, 29)) == "Thursday 29 February 2024"


def test_a_cell_says_why_where_the_champion_can_tell(risk, cells, boroughs, page):
    assert "Against the city's mean" not in page
    told = risk.with_columns(
        pl.when(pl.col("rank") == 1)
        .then(pl.lit("+ events (x1.3), - weekday (x0.9)"))
        .alias("reasons")
    )
    found = render_risk_map(told, cells, boroughs=boroughs, header=HEADER)
    assert found.count("Against the city&#x27;s mean: + events (x1.3), - weekday (x0.9).") == 1


def test_areas_without_a_place_are_drawn_by_their_code_without_scale_or_degrees(
    cells, boroughs, risk
):
    codes = {100 + i: f"B{i}<" for i in range(6)}
    header = replace(HEADER, area_codes=codes, is_schematic=True)
    page = render_risk_map(risk, cells, boroughs=boroughs, header=header)
    plain = render_risk_map(risk, cells, boroughs=boroughs, header=HEADER)
    assert re.search(r"<td>B\d&lt;</td>", page)
    assert re.search(r"area B\d&lt;, ", page)
    assert '<th scope="col">Area</th><th scope="col">Agency</th>' in page
    assert "its size and its distance from others mean nothing" in page
    for words in ("north is up", ">West</text>"):
        assert words in plain
        assert words not in page
    first = cells.filter(cell_id=risk.sort("rank")["cell_id"][0])
    degrees = f"<td>{first['lat'][0]:.4f}, {first['lon'][0]:.4f}</td>"
    assert degrees in plain
    assert degrees not in page


def test_areas_with_shapes_are_drawn_as_they_lie_and_tell_no_square_of_the_sheet(
    cells, boroughs, risk
):
    cells = cells.with_columns(precinct=(100 + pl.col("cell_id") % 6).cast(pl.Int32))
    cells = (
        cells.unique("precinct")
        .sort("precinct")
        .with_columns(cell_id=pl.int_range(6, dtype=pl.Int32))
    )
    risk = risk.sort("cell_id").head(6)
    risk = risk.with_columns(
        rank=pl.int_range(1, 7, dtype=risk.schema["rank"]),
        band=pl.Series(["very high", "high", "elevated", "baseline", "baseline", "baseline"]),
    )
    header = replace(HEADER, area_codes={100: "A<1"}, is_schematic=True)
    # Six squares of a hundredth of a degree in one row, the first with an islet and a hole.
    boxes = [shapely.box(-74 + i / 100, 40.7, -73.99 + i / 100, 40.71) for i in range(6)]
    hole = shapely.box(-73.997, 40.703, -73.993, 40.707)
    boxes[0] = shapely.union_all([boxes[0] - hole, shapely.box(-74.01, 40.7, -74.0099, 40.7001)])
    shapes = pl.DataFrame({"precinct": range(100, 106), "geometry": shapely.to_wkb(boxes)}).cast(
        {"precinct": pl.Int32}
    )
    page = render_risk_map(risk, cells, boroughs=boroughs, header=header, shapes=shapes)
    pointers = re.findall(r'<path id="c(\d)" d="([^"]+)" role="img"><title>([^<]+)</title>', page)
    assert [int(cell) for cell, *_ in pointers] == [0, 1, 2, 3, 4, 5]
    first, second = (d for _, d, _ in pointers[:2])
    assert first.count("Z") == 2, "an outline and a hole; the islet is too small to see"
    assert "area A&lt;1, " in pointers[0][2]
    assert "map square" not in page.lower()
    # A square of degrees is narrower than high by the cosine of the latitude.
    corners = np.array(re.findall(r"([\d.]+) ([\d.]+)", second), dtype=float)
    width, height = np.ptp(corners, axis=0)
    assert width / height == pytest.approx(np.cos(np.radians(40.705)), rel=0.02)
    assert "no riskier than a small one" in page
    # One area without a shape, and all are squares again.
    squares = render_risk_map(risk, cells, boroughs=boroughs, header=header, shapes=shapes.head(5))
    assert "its size and its distance from others mean nothing" in squares
    corners = re.search(r'<path id="c0" d="M([^"]+)Z"', squares)
    x, y = np.array([p.split(" ") for p in corners[1].split("L")], dtype=float).T
    assert np.ptp(x) == pytest.approx(np.ptp(y), abs=0.2)
