"""Each rule about the relation passes on what it should and fails on what it should not."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.evaluation.relation_findings import (
    curves_stand_with_envelopes,
    effects_stand_with_intervals,
    every_category_is_related,
    every_variable_is_related,
    place_effects_stand_with_intervals,
    sentences_are_careful,
)
from htrisk_dagster.schemas.context import CONTEXT_RELATION, PLACE_CROSS_K, PLACE_RELATION

CAREFUL = "1.4 times. This is association at the level of places, not cause."


@pytest.fixture
def relation() -> pl.DataFrame:
    return CONTEXT_RELATION.conform(
        pl.DataFrame(
            {
                "target": "robbery", "variable": ["hotels_count", "poverty_pct"],
                "scale": ["log1p", "linear"], "context_on": date(2022, 12, 31),
                "first_on": date(2022, 1, 1), "last_on": date(2023, 12, 31), "cells_count": 9,
                "incidents_count": [900, 3], "block_km": 10.0, "blocks_count": 16,
                "rate_ratio": [1.4, None], "rate_ratio_low": [1.2, None],
                "rate_ratio_high": [1.6, None], "deviance_gain_pct": [3.0, None],
                "blocks_improved_share": [0.8, None], "sentence": [CAREFUL, "Too little."],
            }
        )
    )  # fmt: skip


def test_effects_stand_with_intervals(relation):
    finding = effects_stand_with_intervals(relation)
    assert finding.holds
    assert finding.figures == {"clear": 1.0}
    outside = relation.with_columns(rate_ratio=pl.lit(1.7))
    assert (
        "hotels_count lies outside its own interval"
        in effects_stand_with_intervals(outside).sentence
    )
    half = relation.with_columns(rate_ratio_low=pl.lit(None, pl.Float64))
    assert not effects_stand_with_intervals(half).holds
    alone = relation.with_columns(deviance_gain_pct=pl.lit(None, pl.Float64))
    assert not effects_stand_with_intervals(alone).holds
    assert not effects_stand_with_intervals(pl.concat([relation, relation])).holds


def test_sentences_are_careful(relation):
    assert sentences_are_careful(relation).holds
    careless = relation.with_columns(sentence=pl.lit("Hotels cause it."))
    finding = sentences_are_careful(careless)
    assert not finding.holds
    assert "hotels_count" in finding.sentence


def test_every_variable_is_related(relation):
    assert every_variable_is_related(relation, ["hotels_count"]).holds
    finding = every_variable_is_related(relation, ["hotels_count", "income"])
    assert not finding.holds
    assert finding.sentence == "income of context.cells have no row."


@pytest.fixture
def of_places() -> pl.DataFrame:
    return PLACE_RELATION.conform(
        pl.DataFrame(
            {
                "target": "robbery", "category": ["liquor_store", "motel"],
                "places_on": [date(2024, 5, 1), None], "first_on": date(2022, 1, 1),
                "last_on": date(2023, 12, 31), "places_count": [90, 0], "incidents_count": 900,
                "box_km2": 12.5, "box_places_count": [40, 0], "box_incidents_count": 300,
                "cross_k_p_value_prob": [0.005, None], "block_km": 5.0, "blocks_count": 16,
                "rate_ratio": [1.4, None], "rate_ratio_low": [1.2, None],
                "rate_ratio_high": [1.6, None], "deviance_gain_pct": [3.0, None],
                "sentence": [CAREFUL, "Too few."],
            }
        )
    )  # fmt: skip


@pytest.fixture
def curves() -> pl.DataFrame:
    return PLACE_CROSS_K.conform(
        pl.DataFrame(
            {
                "target": "robbery", "category": "liquor_store", "radius_m": [100.0, 200.0],
                "k_ratio": [3.0, 2.0], "k_ratio_low": [0.5, 0.7], "k_ratio_high": [1.6, 1.4],
            }
        )
    )  # fmt: skip


def test_effects_of_places(of_places):
    assert place_effects_stand_with_intervals(of_places).figures == {"clear": 1.0}
    outside = of_places.with_columns(rate_ratio=pl.lit(1.7))
    assert "liquor_store lies outside" in place_effects_stand_with_intervals(outside).sentence
    careless = of_places.with_columns(sentence=pl.lit("Stores cause it."))
    assert "liquor_store" in sentences_are_careful(careless, name="category").sentence


def test_every_category_is_related(of_places):
    assert every_category_is_related(of_places, ["liquor_store", "motel"]).holds
    assert every_category_is_related(of_places.clear(), ["liquor_store"]).holds
    missing = every_category_is_related(of_places, ["night_club"])
    assert missing.sentence == "night_club of the study area's places have no row."


def test_curves(of_places, curves):
    assert curves_stand_with_envelopes(curves, of_places).holds
    turned = curves.with_columns(k_ratio_low=pl.lit(9.0))
    assert "upside down" in curves_stand_with_envelopes(turned, of_places).sentence
    alone = curves_stand_with_envelopes(curves.clear(), of_places)
    assert "liquor_store has a curve without" in alone.sentence
