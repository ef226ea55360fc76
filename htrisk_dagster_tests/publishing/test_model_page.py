"""The comparison page: what it says, that it is whole without anything else, and its size."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.comparison import compare
from htrisk_dagster.evaluation.training_comparison import compared_curves, fold_scores
from htrisk_dagster.publishing.model_charts import draw_curve, standalone
from htrisk_dagster.publishing.model_page import TrainingHeader, render_model_page

HEADER = TrainingHeader(
    area_title="New York City",
    target_title="shooting incidents",
    month="2015-07-01",
    known_before=date(2015, 6, 30),
    folds=((date(2015, 5, 1), date(2015, 5, 14)), (date(2015, 5, 15), date(2015, 5, 28))),
    n_cells=300,
    n_incidents=1234,
    champion="lightgbm",
    reason="lightgbm is champion: it <differs>.",
    reference="historical_mean",
    ceiling="an estimate, what lightgbm would reach if it were right",
    data_origin="files",
    data_digest="9f86d081",
)
PARAMS = {
    "historical_mean": {"days": 500, "seed": 7},
    "lightgbm": {"trees": 100, "rate": 0.05, "seed": 7},
    "xgboost": {"trees": 80, "rate": 0.05, "seed": 7},
}


def made(names, n_cells=300, n_folds=2):
    rng = np.random.default_rng(9)
    truth = np.tile(rng.lognormal(-3, 1, n_cells), (14, 1))
    counts = [rng.poisson(truth) for _ in range(n_folds)]
    forecasts = {
        name: [truth * rng.lognormal(0, 0.1 + 0.2 * i, truth.shape) for _ in counts]
        for i, name in enumerate(names)
    }
    active = np.ones(n_cells, dtype=bool)
    joined = {n: np.concatenate(v) for n, v in forecasts.items()}
    return {
        "comparison": compare(
            np.concatenate(counts), joined, active=active, n_resamples=40, seed=1
        ),
        "by_fold": fold_scores(counts, forecasts, active=active),
        "curves": compared_curves(counts, forecasts, active=active, intensity=forecasts[names[-1]]),
    }


@pytest.fixture(scope="module")
def tables():
    return made(list(PARAMS))


def rendered(tables, header=HEADER, **given):
    arguments = {
        "params": PARAMS,
        "learning": {"lightgbm": {"train_loss": [3.0, 0.2, 0.1], "validation_loss": [3, 1, 2]}},
        **tables,
        **given,
    }
    return render_model_page(header, **arguments)


@pytest.fixture(scope="module")
def page(tables):
    return rendered(tables)


def words(page):
    body = re.sub(r"<style>.*?</style>", " ", page, flags=re.S)
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", body))


def section(page, title):
    return next(s for s in page.split("<section>") if f"<h2>{title}" in s)


def test_nothing_is_fetched_and_no_script_is_there(page):
    assert set(re.findall(r"[a-z]+://[^\"'\s<>)]*", page)) == {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"<(script|link|img|iframe|object|embed|base)\b|@import|url\(|\bsrc=|\bon[a-z]+=", page
    )


def test_the_page_is_well_formed(page):
    class Balance(HTMLParser):
        def __init__(self):
            super().__init__()
            self.open, self.wrong = [], []

        def handle_starttag(self, tag, attrs):
            if tag not in ("meta",):
                self.open.append(tag)

        def handle_startendtag(self, tag, attrs):
            pass

        def handle_endtag(self, tag):
            if not self.open or self.open.pop() != tag:
                self.wrong.append(tag)

    parser = Balance()
    parser.feed(page.replace("<!doctype html>", ""))
    assert (parser.open, parser.wrong) == ([], [])


def test_twelve_models_of_three_folds_stay_below_300_kb():
    names = ["historical_mean", *(f"prospective_hotspot_{i}" for i in range(11))]
    curve = np.linspace(1, 0.01, 500).tolist()
    page = rendered(
        made(names, n_cells=400, n_folds=3),
        params={n: {"a": i} for i, n in enumerate(names)},
        learning={n: {"train_loss": curve, "validation_loss": curve} for n in names[:3]},
    )
    assert 100_000 < len(page.encode()) < 300_000


def test_it_says_what_it_is_of(page):
    text = words(page)
    assert "Models for shooting incidents, 2015-07-01" in text
    assert "nothing reported on or after 2015-06-30 was seen" in text
    assert "2015-05-15 to 2015-05-28: 1,234 reported incidents in 300 cells" in text
    assert "lightgbm is champion: it &lt;differs&gt;." in page
    assert "The ceiling is an estimate, what lightgbm would reach" in text
    assert "digest 9f86d081" in text
    assert "nothing of any person" in text
    assert "INVENTED" not in text
    assert "INVENTED CITY" in words(rendered({}, replace(HEADER, data_origin="synthetic"), **made(
        list(PARAMS), n_cells=60
    )))  # fmt: skip


def test_the_table_has_values_and_intervals_the_baseline_first(page, tables):
    table = section(page, "All folds together")
    rows = re.findall(r'<tr[^>]*><th scope="row">(\w+)</th>(.*?)</tr>', table)
    assert rows[0][0] == "historical_mean"
    shown = tables["comparison"].filter(mask="active", metric="poisson_deviance")
    others = shown.filter(pl.col("model") != "historical_mean").sort("value")["model"].to_list()
    assert [name for name, _ in rows[1:]] == others
    row = shown.filter(model="xgboost").row(0, named=True)
    wanted = (
        f"{1000 * row['value']:.4g}<small>{1000 * row['lower_95']:.3g} to "
        f"{1000 * row['upper_95']:.3g}</small>"
    )
    assert wanted in dict(rows)["xgboost"]
    assert table.count('class="best"') == 1


def test_parameters_are_differences_only(page):
    found = section(page, "Parameters that differ")
    assert re.findall(r'<tr><th scope="row">(\w+)</th>', found) == ["trees"]
    assert "Left out: 2 on which all that have them agree" in found  # seed and rate
    assert "<dt>historical_mean</dt><dd>days <b>500</b></dd>" in found


def test_changes_since_the_training_before(tables, page):
    assert "Changed since" not in page
    earlier = {**PARAMS, "lightgbm": {**PARAMS["lightgbm"], "trees": 60}}
    found = section(rendered(tables, before=("2015-06-01", earlier)), "Changed since")
    assert "Changed since the training for 2015-06-01" in found
    cells = "<td>trees</td><td>60</td><td>100</td>"
    assert f'<tr><th scope="row">lightgbm</th>{cells}</tr>' in found
    assert found.count("<tr>") == 2
    same = section(rendered(tables, before=("2015-06-01", PARAMS)), "Changed since")
    assert "None differs." in same


def test_learning_curves_have_lowest_highest_and_last_and_a_log_axis(page):
    found = section(page, "Learning curves")
    numbers = re.findall(r"<td>([^<]*)</td>", found)
    assert numbers[:6] == ["train_loss", "3", "0.1", "2", "3.0", "0.1"]
    assert numbers[6:] == ["validation_loss", "3", "1.0", "1", "3.0", "2.0"]
    assert "loss, log scale" in found


def test_every_curve_has_every_model_the_baseline_and_the_ceiling(page):
    found = section(page, "Curves")
    drawings = re.findall(r"<svg[^>]*class=\"chart\".*?</svg>", found, flags=re.S)
    assert len(drawings) == 4
    for drawing in drawings:
        lines = re.findall(r'<path class="line ([^"]*)"[^>]*><title>([^<]*)', drawing)
        assert {name for _, name in lines} == {*PARAMS, "ceiling"}
        styles = {name: style for style, name in lines}
        assert (styles["historical_mean"], styles["ceiling"]) == ("baseline", "ceiling")
        assert lines[-1][1] == "historical_mean", "drawn last, on top"
    legend = re.findall(r"</svg>(\w+)</li>", found)
    assert set(legend) == {*PARAMS, "ceiling"}
    assert set(legend[:2]) == {"historical_mean", "ceiling"}


def test_box_plots_have_a_dot_a_fold(page):
    found = section(page, "By fold")
    assert found.count("<figure>") == 7
    assert found.count('class="newest"') == 7 * 3
    assert found.count('class="fold"') == 7 * 3


def test_a_metric_that_is_not_defined_is_said(tables):
    comparison = tables["comparison"].with_columns(
        pl.when(pl.col("metric") != "auc").then(c).alias(c)
        for c in ("value", "lower_95", "difference")
    )
    page = rendered({**tables, "comparison": comparison})
    assert page.count("not defined") == 3


def test_a_figure_stands_alone_in_light_and_dark(tables):
    drawn = standalone(draw_curve("roc", tables["curves"]["roc"], reference="historical_mean"))
    root = ET.fromstring(drawn)
    style = root.find("{http://www.w3.org/2000/svg}style").text
    assert "prefers-color-scheme: dark" in style
    assert ".baseline" in style
    assert "ROC of" in root.get("aria-label")


def test_the_same_tables_give_the_same_page(tables, page):
    assert rendered(tables) == page
