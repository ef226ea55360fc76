"""Context features: the newest published, by hand; nothing published later moves one; absent is NaN."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.features.catalogue import feature_catalogue
from htrisk_dagster.features.context import ContextInputs, cell_variables, context_columns
from htrisk_dagster.features.feature_matrix import build_block
from htrisk_dagster.schemas import context as tables
from htrisk_dagster.schemas import context_sources
from htrisk_dagster.study_areas.area import ContextPart, load_area
from pyproj import Transformer

PART = ContextPart.model_validate(
    {
        "hotels": {"lag_days": 10},
        "places": {"lag_days": 1, "categories": ["motel"]},
        "news_sentiment": {"lag_days": 1, "window_days": 7},
        "advert_counts": {"lag_days": 3, "window_days": 4},
    }
)
DAY = date(2014, 6, 1)
PROVENANCE = {"source_file": "a.csv", "source_row": 1, "pulled_on": date(2015, 1, 1)}


def cell_rows(variable: str, period: date, known: date, values: dict[int, float]) -> pl.DataFrame:
    return tables.CELLS.conform(
        pl.DataFrame(
            {
                "cell_id": list(values), "variable": variable, "period_on": period,
                "known_on": known, "value": list(values.values()), "margin_of_error": None,
                "is_approximate": False,
            }
        )
    )  # fmt: skip


def news_rows(*rows: tuple[str, str, date, int, float, float]) -> pl.DataFrame:
    names = [
        "area_type",
        "area_id",
        "published_on",
        "texts_count",
        "sentiment_mean",
        "negative_share",
    ]
    frame = pl.DataFrame(list(rows), schema=names, orient="row")
    is_point = pl.col("area_type") == "point"
    lon, lat = (
        pl.when(is_point).then(pl.col("area_id").str.split(",").list.get(i, null_on_oob=True))
        for i in (0, 1)
    )
    return context_sources.NEWS_SENTIMENT.conform(frame.with_columns(lon=lon, lat=lat))


def advert_rows(*rows: tuple[str, str, date, int]) -> pl.DataFrame:
    names = ["area_type", "area_id", "counted_on", "adverts_count"]
    frame = pl.DataFrame(list(rows), schema=names, orient="row")
    return context_sources.ADVERT_COUNTS.conform(
        frame.with_columns(pl.lit(v).alias(k) for k, v in PROVENANCE.items())
    )


NEIGHBOURHOODS = tables.CELL_NEIGHBOURHOODS.conform(
    pl.DataFrame(
        {
            "cell_id": [0, 0, 1], "neighbourhood": ["AA0001", "BB0001", "AA0001"],
            "residents_count": [10.0, 5.0, 1.0], "lots_count": [1, 1, 1],
        }
    )
)  # fmt: skip


def inputs_of(**given: pl.DataFrame) -> ContextInputs:
    usual = {
        "cells": tables.CELLS.empty(),
        "cell_neighbourhoods": NEIGHBOURHOODS,
        "news": context_sources.NEWS_SENTIMENT.empty(),
        "adverts": context_sources.ADVERT_COUNTS.empty(),
    }
    return ContextInputs(PART, **{**usual, **given})


def columns(inputs: ContextInputs, grid, first: date, n_days: int) -> dict[str, np.ndarray]:
    days = np.datetime64(first) + np.arange(n_days)
    return dict(context_columns(inputs, grid, days))


def test_a_value_counts_from_the_day_after_it_was_published(grid):
    old = cell_rows("hotels_count", date(2012, 12, 31), date(2013, 1, 10), {0: 1.0, 1: 2.0})
    new = cell_rows("hotels_count", date(2013, 12, 31), date(2014, 6, 2), {0: 5.0})
    hotels = columns(inputs_of(cells=pl.concat([new, old])), grid, DAY, 4)["hotels_count"]
    # 1 and 2 June see the old roll; from the 3rd on the new one, which has no row for cell 1.
    assert hotels[:, 0].tolist() == [1.0, 1.0, 5.0, 5.0]
    assert hotels[:2, 1].tolist() == [2.0, 2.0]
    assert np.isnan(hotels[2:, 1]).all()
    assert np.isnan(hotels[:, 2]).all()
    early = columns(inputs_of(cells=pl.concat([new, old])), grid, date(2013, 1, 10), 2)
    assert np.isnan(early["hotels_count"][0]).all()
    assert early["hotels_count"][1, 0] == 1.0


def test_news_of_the_smallest_area_as_worked_by_hand(grid):
    news = news_rows(
        ("borough", "B", date(2014, 5, 24), 4, 0.5, 0.25),  # the oldest day that 1 June sees
        ("borough", "B", date(2014, 5, 23), 9, -1.0, 1.0),  # too old
        ("borough", "B", date(2014, 5, 30), 1, -0.5, 1.0),  # the newest
        ("borough", "B", date(2014, 5, 31), 9, -1.0, 1.0),  # published on the day itself
        ("neighbourhood", "AA0001", date(2014, 5, 28), 2, 0.1, 0.5),
    )
    found = columns(inputs_of(news=news), grid, DAY, 1)
    borough = grid.cells["borough"].to_numpy()
    assert borough[:2].tolist() == ["B", "B"]
    # Cells 0 and 1 lie in AA0001, which has news of its own.
    assert found["news_polarity_7"][0, :2].tolist() == pytest.approx([0.1, 0.1])
    others = np.flatnonzero(borough == "B")[2:]
    assert found["news_polarity_7"][0, others] == pytest.approx((4 * 0.5 - 0.5) / 5)
    assert found["news_negative_share_7"][0, others] == pytest.approx((4 * 0.25 + 1) / 5)
    assert found["news_texts_mean_7"][0, others] == pytest.approx(5 / 7)
    # Borough A is quiet: no mean, and no text a day.
    quiet = borough == "A"
    assert np.isnan(found["news_polarity_7"][0, quiet]).all()
    assert (found["news_texts_mean_7"][0, quiet] == 0).all()


def test_a_point_of_the_news_is_its_precinct(grid):
    to_degrees = Transformer.from_crs(grid.crs, "EPSG:4326", always_xy=True)
    lon, lat = to_degrees.transform(grid.cells["x_m"][5], grid.cells["y_m"][5])
    precinct = grid.cells["precinct"].to_numpy()
    news = news_rows(("point", f"{lon},{lat}", date(2014, 5, 30), 3, -0.4, 1.0),
                     ("point", "10.0,10.0", date(2014, 5, 30), 3, 0.9, 0.0))  # fmt: skip
    mean = columns(inputs_of(news=news), grid, DAY, 1)["news_polarity_7"][0]
    here = precinct == precinct[5]
    assert mean[here] == pytest.approx(-0.4)
    assert np.isnan(mean[~here]).all()


def test_adverts_are_a_mean_over_days_counted_per_cell(grid):
    adverts = advert_rows(
        ("precinct", "7", date(2014, 5, 25), 8),  # the oldest day of four that 1 June sees
        ("precinct", "7", date(2014, 5, 28), 4),  # the newest: three days of lag
        ("precinct", "7", date(2014, 5, 29), 90),
        ("precinct", "7", date(2014, 5, 24), 90),
        ("precinct", "40", date(2014, 5, 26), 0),
    )
    found = columns(inputs_of(adverts=adverts), grid, DAY, 1)["adverts_mean_4"][0]
    precinct = grid.cells["precinct"].to_numpy()
    assert found[precinct == 7] == pytest.approx((8 + 4) / 2 / (precinct == 7).sum())
    assert (found[precinct == 40] == 0).all()
    assert np.isnan(found[precinct == 5]).all(), "a precinct without a row is not known"


def test_without_sources_everything_is_missing(grid):
    found = columns(inputs_of(), grid, DAY, 3)
    assert len(found) == 2 + 3 + 1
    for values in found.values():
        assert values.shape == (3, grid.n_cells)
        assert np.isnan(values).all()


@pytest.fixture
def busy(grid) -> ContextInputs:
    """Rows of every source on many days, published before and after any day asked."""
    rng = np.random.default_rng(2)
    every = range(grid.n_cells)
    cells = []
    for i in range(40):
        period = date(2014, 4, 1) + timedelta(3 * i)
        for variable, lag in (("hotels_count", 10), ("places_motel_count", 1)):
            values = {c: float(rng.integers(0, 9)) for c in every}
            cells.append(cell_rows(variable, period, period + timedelta(lag), values))
    days = [date(2014, 4, 1) + timedelta(int(d)) for d in range(120)]
    areas = [("borough", "A"), ("precinct", "7"), ("neighbourhood", "AA0001")]
    news = news_rows(*(
        (*areas[i % 3], day, int(rng.integers(1, 5)), float(rng.uniform(-1, 1)), float(rng.random()))
        for i, day in enumerate(days)
    ))  # fmt: skip
    adverts = advert_rows(*((*areas[i % 3], day, int(rng.integers(0, 50)))
                            for i, day in enumerate(days)))  # fmt: skip
    return inputs_of(cells=pl.concat(cells), news=news, adverts=adverts)


def published_after(inputs: ContextInputs, day: date) -> ContextInputs:
    """All that is published on or after `day` altered, half of it deleted."""

    def altered(frame: pl.DataFrame, is_late: pl.Expr, **values: pl.Expr) -> pl.DataFrame:
        late = frame.filter(is_late)
        assert late.height > 10
        return pl.concat([frame.filter(~is_late), late.gather_every(2).with_columns(**values)])

    return replace(
        inputs,
        cells=altered(inputs.cells, pl.col("known_on") >= day, value=pl.lit(99.0)),
        news=altered(
            inputs.news,
            pl.col("published_on") + timedelta(1) >= day,
            texts_count=pl.lit(500, pl.Int64),
            sentiment_mean=pl.lit(-1.0),
        ),
        adverts=altered(
            inputs.adverts,
            pl.col("counted_on") + timedelta(3) >= day,
            adverts_count=pl.lit(9_999, pl.Int64),
        ),
    )


@pytest.mark.parametrize("day", [date(2014, 5, 9), DAY, date(2014, 6, 20)])
def test_nothing_published_on_or_after_the_day_moves_a_feature(inputs_with, busy, day):
    before = build_block(inputs_with(context=busy), day, day + timedelta(1), with_counts=False)
    late = published_after(busy, day)
    after = build_block(inputs_with(context=late), day, day + timedelta(1), with_counts=False)
    assert before.features.tobytes() == after.features.tobytes()
    # The test could not fail if features were not made from these rows: a day later they move.
    later = day + timedelta(4)
    moved = [
        build_block(inputs_with(context=c), later, later + timedelta(1), with_counts=False)
        for c in (busy, late)
    ]
    names = [n for n in before.names if n.startswith(("hotels", "places", "news", "adverts"))]
    assert len(names) == 6
    for name in names:
        a, b = (block.column(name) for block in moved)
        assert not np.array_equal(a, b, equal_nan=True), name


def test_a_day_has_the_same_bytes_alone_and_in_a_range(inputs_with, busy):
    inputs = inputs_with(context=busy)
    whole = build_block(inputs, date(2014, 5, 1), date(2014, 6, 1), with_counts=False)
    for i in (0, 13, 30):
        day = date(2014, 5, 1) + timedelta(i)
        alone = build_block(inputs, day, day + timedelta(1), with_counts=False)
        assert alone.features.tobytes() == whole.features[i : i + 1].tobytes()


def test_context_comes_last_and_moves_no_other_column(inputs_with, busy):
    days = (date(2014, 5, 1), date(2014, 5, 4))
    without = build_block(inputs_with(), *days, with_counts=False)
    with_context = build_block(inputs_with(context=busy), *days, with_counts=False)
    n = len(without.names)
    assert with_context.names[:n] == without.names
    assert with_context.features[:, :, :n].tobytes() == without.features.tobytes()


def test_the_catalogue_names_what_is_made_in_order(grid):
    nyc = load_area("nyc").context
    specs = feature_catalogue(("incidents",), nyc)[len(feature_catalogue(("incidents",))) :]
    inputs = replace(inputs_of(), declared=nyc)
    days = np.datetime64(DAY) + np.arange(1)
    assert [s.name for s in specs] == [name for name, _ in context_columns(inputs, grid, days)]
    assert [s.name for s in specs][: len(cell_variables(nyc))] == list(cell_variables(nyc))
    assert len({s.name for s in specs}) == len(specs) == 17
    for spec in specs:
        assert spec.unit
        assert "published before the day" in spec.lag
        assert spec.source in ("context.cells", "raw.news_sentiment", "raw.advert_counts")


def test_what_models_take_for_a_count_is_never_below_zero(inputs_with, busy):
    """The LSTM takes the logarithm of columns so named; the polarity of news is below zero at times."""
    block = build_block(
        inputs_with(context=busy), date(2014, 5, 1), date(2014, 6, 1), with_counts=False
    )
    counts = [n for n in block.names if re.search(r"_(mean|ewm)_\d+$|_lag_\d+$|_count$", n)]
    assert {"hotels_count", "news_texts_mean_7", "adverts_mean_4"} < set(counts)
    assert "news_polarity_7" not in counts
    for name in counts:
        assert np.nanmin(block.column(name)) >= 0, name
    assert np.nanmin(block.column("news_polarity_7")) < 0
