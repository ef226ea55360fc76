"""Model card and data sheet: what they must say, and that they say the figures they are given."""

from __future__ import annotations

from datetime import date

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.fairness import Grouping, fairness_table
from htrisk_dagster.evaluation.feedback_loop import feedback_table
from htrisk_dagster.publishing import data_sheet as sheets
from htrisk_dagster.publishing import model_card as cards
from htrisk_dagster.publishing.document_text import sections_are_there, to_html, to_markdown
from htrisk_dagster.schemas.governance import DATA_SHEET, MODEL_CARD
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON
from htrisk_dagster.schemas.raw import INTAKE, QUARANTINE

MONTH, HOLDS_TO = date(2024, 4, 1), date(2024, 7, 1)
FACTS = cards.ModelFacts(
    area_title="New York City",
    target_title="robberies",
    target="robbery",
    month=MONTH,
    champion="stack",
    reason="It is better.",
    reference="historical_mean",
    known_before=date(2024, 3, 31),
    folds=((date(2024, 2, 1), date(2024, 2, 28)), (date(2024, 3, 1), date(2024, 3, 28))),
    n_incidents=1234,
    n_cells=3616,
    made_from="0d870581",
    data_origin="files",
    version="0.1.0",
)


def comparison():
    rows = [
        ("champion", "poisson_deviance", 0.008, 0.0072, 0.0089),
        ("historical_mean", "poisson_deviance", 0.0085, 0.008, 0.009),
        ("champion", "information_gain_bits", 0.664, 0.412, 0.926),
        ("champion", "auc", None, None, None),
    ]
    frame = pl.DataFrame(
        rows, schema=["model", "metric", "value", "lower_95", "upper_95"], orient="row"
    )
    nothing = [pl.lit(None).alias(c) for c in MODEL_COMPARISON.column_names if c.startswith("diff")]
    return MODEL_COMPARISON.conform(frame.with_columns(pl.lit("active").alias("mask"), *nothing))


@pytest.fixture(scope="module")
def measured():
    """Two boroughs of 20 cells; 30 incidents in one, 4 in the other, which must not be told."""
    counts = np.zeros((2, 40))
    counts[:, 0], counts[:, 30] = 15, 2
    expected = np.ones((2, 40))
    code = np.repeat([0, 1], 20)
    days = {"month": MONTH, "target": "robbery"}
    fairness = fairness_table(
        counts, expected, [Grouping("borough", ("EAST", "WEST"), code)],
        days=[date(2024, 3, 1)], **days,
    )  # fmt: skip
    return fairness, feedback_table(expected, seed=1, discovered_pct=74.4, **days)


@pytest.fixture(scope="module")
def card(measured):
    fairness, feedback = measured
    return cards.model_card(
        FACTS, comparison=comparison(), fairness=fairness, feedback=feedback,
        documents_hold_to=HOLDS_TO,
    )  # fmt: skip


def text_of(document, section):
    return document.filter(section=section)["text"].item()


def test_the_card_has_every_section_of_mitchell_and_more(card):
    assert tuple(card["section"]) == cards.SECTIONS
    assert set(cards.SHORT) <= set(cards.SECTIONS)
    assert sections_are_there(card, MODEL_CARD, cards.SECTIONS).holds


def test_the_card_says_its_figures_with_interval_and_baseline(card):
    figures = text_of(card, "Quantitative analyses")
    assert (
        "- Poisson deviance per 1,000 cell-days: 8 (7.2 to 8.9); historical_mean: 8.5." in figures
    )
    assert "bits an incident: 0.664 (0.412 to 0.926)." in figures
    assert "AUC" not in figures, "a figure that is not defined is left out"


def test_the_card_tells_no_small_count(card, measured):
    told = text_of(card, "Fairness")
    fairness, _ = measured
    assert fairness["incidents_count"].drop_nulls().to_list() == [34]
    assert "- East: 100% of flags on 50% of cells." in told
    assert "of reported incidents" not in told


def test_the_card_tells_the_feedback_loop_and_what_police_discover(card, measured):
    told = text_of(card, "Feedback loop")
    _, feedback = measured
    row = feedback.filter(rule="weighted", discovery_ratio=2.0).row(0, named=True)
    assert f"weighted, 2 discovered for each reported: {row['inflation']:.2f}" in told
    assert "74% are of offences that police discover" in told


def test_the_card_says_until_when_it_holds_and_what_it_is_not_for(card):
    assert "up to 2024-07-01" in text_of(card, "Model details")
    assert "stop, search, question, arrest or deport" in text_of(card, "Uses that are out of scope")
    assert "1,234 incidents in 3,616 cells" in text_of(card, "Training and evaluation data")


def test_a_card_without_figures_says_so(measured):
    fairness, feedback = measured
    card = cards.model_card(
        FACTS, comparison=comparison().clear(), fairness=fairness, feedback=feedback,
        documents_hold_to=HOLDS_TO,
    )  # fmt: skip
    assert "No figure is defined" in text_of(card, "Quantitative analyses")


@pytest.fixture(scope="module")
def sheet():
    intake = pl.DataFrame(
        [
            ("complaints", "a.csv", 100, 98, 2, date(2024, 1, 1), date(2024, 1, 31)),
            ("complaints", "b.csv", 50, 50, 0, date(2024, 2, 1), date(2024, 2, 29)),
            ("hotels", "h.csv", 7, 7, 0, None, None),
        ],
        schema=["source", "source_file", "rows_read_count", "rows_kept_count",
                "rows_quarantined_count", "first_on", "last_on"],
        orient="row",
    ).with_columns(
        layout=pl.lit("CSV"), sha256=pl.lit("0"), columns=pl.lit(None, pl.List(pl.String))
    )  # fmt: skip
    refused = pl.DataFrame(
        {
            "source": ["complaints"] * 2, "source_file": ["a.csv"] * 2, "source_row": [3, 4],
            "rule": ["point_outside_city"] * 2, "column": ["Latitude"] * 2, "value": ["0"] * 2,
            "reason": ["It is."] * 2, "pulled_on": [date(2024, 3, 1)] * 2,
        }
    )  # fmt: skip
    return sheets.data_sheet(
        sheets.DataFacts(
            area_title="New York City", target_title="robberies", target="robbery", month=MONTH,
            known_before=date(2024, 3, 31), publication_lag_days=1,
            offence_groups=("prostitution_related", "kidnapping"), data_origin="files",
        ),
        intake=INTAKE.conform(intake),
        quarantine=QUARANTINE.conform(refused),
        qualities=pl.DataFrame({"location_quality": ["station_house", "exact"], "share_pct": [12.0, 88.0]}),
        documents_hold_to=HOLDS_TO,
    )  # fmt: skip


def test_the_sheet_answers_the_seven_groups_of_questions_of_gebru(sheet):
    assert tuple(sheet["section"]) == sheets.SECTIONS
    assert len(sheets.SECTIONS) == 7
    assert sections_are_there(sheet, DATA_SHEET, sheets.SECTIONS).holds


def test_the_sheet_adds_up_files_and_refusals(sheet):
    told = text_of(sheet, "Composition")
    assert "- complaints: 148 of 150 rows kept, 2 files, 2024-01-01 to 2024-02-29." in told
    assert "- hotels: 7 of 7 rows kept, 1 file." in told
    assert "prostitution related, kidnapping" in told
    assert "exact 88%, station house 12%" in told
    refused = text_of(sheet, "Preprocessing, cleaning and labelling")
    assert "- complaints, point_outside_city: 2." in refused
    assert "1 day after it was made" in text_of(sheet, "Collection process")


@pytest.mark.parametrize(
    "spoil",
    [
        lambda d: d.head(-1),
        lambda d: d.with_columns(text=pl.lit("  ")),
        lambda d: d.drop("text"),
        lambda d: pl.concat([d, d]),
    ],
)
def test_a_document_with_a_hole_is_caught(card, spoil):
    assert not sections_are_there(spoil(card), MODEL_CARD, cards.SECTIONS).holds


def test_documents_as_markdown_and_html():
    rows = {"position": [2, 1], "section": ["B & C", "A"], "text": ["- one\n- <two>\nend", "x\ny"]}
    document = pl.DataFrame(rows)
    assert to_markdown("T", document) == (
        "# T\n\n## A\n\nx\n\ny\n\n## B & C\n\n- one\n- <two>\n\nend\n"
    )
    assert to_html(document) == (
        "<h3>A</h3>\n<p>x</p>\n<p>y</p>\n<h3>B &amp; C</h3>\n"
        "<ul><li>one</li><li>&lt;two&gt;</li></ul>\n<p>end</p>"
    )
    assert to_html(document, ["A"]) == "<h3>A</h3>\n<p>x</p>\n<p>y</p>"
