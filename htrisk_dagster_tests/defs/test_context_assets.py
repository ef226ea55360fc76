"""Context through Dagster: from files of an invented city to cells, areas, features and relation."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import polars as pl
import pytest
from htrisk_dagster.defs.featured import features_table
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.plan import Step
from htrisk_dagster.defs.runs import Runner, StepFailedError
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.features.inputs import read_context, read_grid
from htrisk_dagster.schemas import context, context_sources, grid, staging
from htrisk_dagster.settings import Settings
from htrisk_dagster.sources.context import places_service
from htrisk_dagster.sources.synthetic_city.boundary_files import borough_geojson, precinct_geojson
from htrisk_dagster.sources.synthetic_city.context_files import (
    RESIDENTS,
    context_tables,
    neighbourhood_geojson,
)
from htrisk_dagster.sources.synthetic_city.land import read_land
from htrisk_dagster.sources.synthetic_city.precincts import split_boroughs
from htrisk_dagster.sources.synthetic_city.presets import Preset
from htrisk_dagster_tests.defs.small_city import City

PRESET = Preset("context", date(2023, 9, 1), date(2024, 4, 30), complaints_per_day=1)
MONTHS = ("2024-01-01", "2024-02-01", "2024-03-01", "2024-04-01")
WHOLE = (
    "neighbourhoods",
    "tax_lots",
    "census_areas",
    "hotels",
    "subway_stations",
    "places_of_interest",
)
CONTEXT = tuple(f"context/{t.name}" for t in context.CONTEXT_TABLES)
PLACES = tuple(f"evaluation/{t.name}" for t in context.PLACE_TABLES)
FILE_DAY = datetime(2024, 5, 1, 12, tzinfo=UTC).timestamp()


def publish(folder: Path) -> None:
    """Boundaries and context of a city; its incidents are put in place by the fixture."""
    land, rng = read_land(), np.random.default_rng(11)
    busy = rng.lognormal(0, 0.7, len(land.col))
    precincts = split_boroughs(land, busy, rng)
    numbered = precinct_geojson(precincts)
    texts = {
        "geo/boroughs.geojson": borough_geojson(land),
        "geo/precincts.geojson": numbered,
        "geo/neighbourhoods.geojson": neighbourhood_geojson(numbered, precincts),
    }
    texts |= {
        p: t.write_csv() for p, t in context_tables(land, precincts, busy, PRESET, rng).items()
    }
    for path, text in texts.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
        os.utime(folder / path, (FILE_DAY, FILE_DAY))


def write_incidents(city: City) -> None:
    """Eight months of incidents, of the target and others, three times as many where hotels stand."""
    store = city.workspace.tables("nyc")
    cells = read_grid(store, city.area).cells
    hotels = store.read(context.CELLS).filter(pl.col("variable") == "hotels_count")
    hotels = hotels.filter(pl.col("period_on") == pl.col("period_on").max()).sort("cell_id")
    weight = np.where(hotels["value"].to_numpy() > 0, 3.0, 1.0)
    rng, n = np.random.default_rng(12), 20_000
    cell = rng.choice(cells.height, n, p=weight / weight.sum())
    day = np.datetime64(PRESET.first_day) + rng.integers(0, 240, n)
    rows = pl.DataFrame(
        {
            "incident_id": [f"complaints:{i}" for i in range(n)], "source": "complaints",
            "offence_group": rng.choice(["prostitution_related", "other"], n),
            "occurred_on": day, "reported_on": day, "cell_id": cell,
            "precinct": cells["precinct"].to_numpy()[cell], "location_quality": "exact",
            "lon": cells["lon"].to_numpy()[cell], "lat": cells["lat"].to_numpy()[cell],
        }
    )  # fmt: skip
    placed = grid.INCIDENT_CELLS.conform(rows)
    for (month,), of_month in placed.group_by(pl.col("reported_on").dt.strftime("%Y-%m-01")):
        store.write(grid.INCIDENT_CELLS, of_month, str(month))
    absent = {c.name: pl.lit(None, c.dtype) for c in staging.INCIDENTS.columns if c.nullable}
    needed = {
        c.name: pl.lit(_any_of(c)).cast(c.dtype)
        for c in staging.INCIDENTS.columns
        if not c.nullable
    }
    staged = rows.with_columns(
        v.alias(k) for k, v in (absent | needed).items() if k not in rows.columns
    )
    store.write(staging.INCIDENTS, staging.INCIDENTS.conform(staged))


def _any_of(column) -> object:
    if column.allowed:
        return column.allowed[0]
    return datetime(2024, 1, 1) if column.dtype == pl.Datetime("us") else 1


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> City:
    """The city's raw context, cells, context and relation; read it, never write to it."""
    city = City(tmp_path_factory.mktemp("context"))
    publish(city.published)
    with city.runner() as runner:
        runner.materialise(
            Step("raw", tuple(f"raw/{t}" for t in ("boroughs", "precincts", *WHOLE)))
        )
        runner.materialise(Step("daily", ("raw/news_sentiment", "raw/advert_counts"), MONTHS))
        runner.materialise(Step("grid", ("grid/cells",)))
        runner.materialise(Step("context", CONTEXT))
        write_incidents(city)
        runner.materialise(Step("relation", ("evaluation/context_relation",)))
        runner.materialise(Step("places", PLACES))
    return city


@pytest.fixture
def made_copy(made: City, tmp_path: Path) -> City:
    return made.copy_to(tmp_path / "city")


def metadata(runner: Runner, asset: str) -> dict[str, object]:
    event = runner.instance.get_latest_materialization_event(
        dg.AssetKey(["nyc", *asset.split("/")])
    )
    assert event is not None
    assert event.asset_materialization is not None
    return {k: v.value for k, v in event.asset_materialization.metadata.items()}


@pytest.mark.slow
def test_cells_hold_the_citys_residents_and_say_what_is_absent(made: City):
    cells = made.workspace.tables("nyc").read(context.CELLS)
    assert cells.filter(pl.col("variable") == "residents_count")["value"].sum() == pytest.approx(
        RESIDENTS
    )
    with made.runner() as runner:
        told = metadata(runner, "context/cells")
    assert told["residents_count"] == pytest.approx(RESIDENTS)
    assert told["hotels_count"] == 600
    assert told["absent"] == "none"


@pytest.mark.slow
def test_the_relation_that_was_planted_is_told(made: City):
    relation = made.workspace.tables("nyc").read(context.CONTEXT_RELATION)
    rows = {r["variable"]: r for r in relation.iter_rows(named=True)}
    hotels = rows["hotels_count"]
    assert hotels["rate_ratio_low"] > 1.2
    assert hotels["target"] == "trafficking_related"
    assert set(made.workspace.tables("nyc").read(context.CELLS)["variable"]) < set(rows)
    assert {"news_polarity", "adverts_mean"} < set(rows)
    with made.runner() as runner:
        assert hotels["sentence"] in str(
            metadata(runner, "evaluation/context_relation")["relations"]
        )


@pytest.mark.slow
def test_every_category_of_places_is_related_with_numbers_and_a_sentence(made: City):
    tables = made.workspace.tables("nyc")
    relation = tables.read(context.PLACE_RELATION)
    assert relation["category"].to_list() == ["bus_station", "motel", "night_club"]
    assert relation["rate_ratio"].null_count() == 0
    assert set(tables.read(context.PLACE_CROSS_K)["category"]) == {
        *relation.drop_nulls("cross_k_p_value_prob")["category"]
    }
    with made.runner() as runner:
        told = metadata(runner, "evaluation/place_relation")
    assert told["motel_rate_ratio"] == pytest.approx(relation["rate_ratio"][1])
    assert told["motel_places_count"] == relation["places_count"][1]
    assert all(sentence in str(told["relations"]) for sentence in relation["sentence"])


@pytest.mark.slow
def test_a_file_of_single_adverts_stops_the_raw_asset(made_copy: City):
    path = made_copy.published / "context" / "advert_counts.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([f"{header},phone", *(f"{row},212" for row in rows)]))
    with (
        made_copy.runner() as runner,
        pytest.raises(StepFailedError, match=r"phone beside .* is refused"),
    ):
        runner.materialise(Step("daily", ("raw/advert_counts",), MONTHS))


@pytest.mark.slow
def test_features_depend_on_the_context_that_was_published_before_the_day(made_copy: City):
    """New news of April moves what features of April are made from, and not those of March."""
    store, area = made_copy.workspace.tables("nyc"), made_copy.area

    def wanted() -> dict[str, str]:
        made_from = MadeFrom(made_copy.workspace, area)
        return {day: made_from.features(day) for day in ("2024-03-15", "2024-04-20")}

    before = wanted()
    news = store.read(context_sources.NEWS_SENTIMENT, ["2024-04-01"])
    store.write(context_sources.NEWS_SENTIMENT, news.head(5), "2024-04-01")
    after = wanted()
    assert after["2024-03-15"] == before["2024-03-15"]
    assert after["2024-04-20"] != before["2024-04-20"]
    # Places are known from the day after their file, 1 May 2024: no day before it depends on them.
    cells = store.read(context.CELLS)
    assert cells.filter(pl.col("variable").str.starts_with("places_"))[
        "known_on"
    ].unique().to_list() == [date(2024, 5, 1) + timedelta(1)]
    store.write(context.CELLS, cells.filter(~pl.col("variable").str.starts_with("places_")))
    assert wanted() == after


def test_the_stored_table_of_features_has_the_contexts_columns(made: City):
    names = features_table(made.area).column_names
    assert names[-17:] == [
        "residents_count", "acs_residents_count", "median_income_usd", "poverty_pct",
        "unemployment_pct", "foreign_born_pct", "limited_english_pct", "other_language_pct",
        "hotels_count", "subway_stations_count", "places_bus_station_count", "places_motel_count",
        "places_night_club_count", "news_polarity_28", "news_negative_share_28",
        "news_texts_mean_28", "adverts_mean_28",
    ]  # fmt: skip
    inputs = read_context(made.workspace.tables("nyc"), made.area)
    assert inputs.news.height
    assert inputs.adverts.height


def test_a_key_asks_the_places_service_but_never_for_an_invented_city(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[object, ...]] = []

    def fetch(service, categories, box, *, into: Path, say) -> Path:
        asked.append((service.requests_left, categories, box.west))
        return into

    monkeypatch.setattr(places_service, "fetch_places", fetch)
    monkeypatch.setattr(Workspace, "_synthetic_city", lambda _: tmp_path / "invented")
    given = {"home": tmp_path, "data_dir": tmp_path, "places_request_limit": 7}
    table = context_sources.PLACES_OF_INTEREST

    def folder(**settings: object) -> Path:
        workspace = Workspace(Settings(**given, **settings))
        return workspace.source_folder(workspace.area("nyc"), table, [])

    assert folder(origin="files") == tmp_path
    assert folder(origin="synthetic", places_api_key="secret") == tmp_path / "invented"
    assert asked == []
    pulled = folder(origin="files", places_api_key="secret")
    assert pulled == (tmp_path / "files" / "pulls" / "nyc" / "places").absolute()
    assert asked == [(7, ("bus_station", "motel", "night_club"), -74.30)]
    assert "secret" not in repr(Settings(places_api_key="secret"))
