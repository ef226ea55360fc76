"""Each rule about the relation passes on what it should and fails on what it should not."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest
from htrisk_dagster.evaluation.relation_findings import (
    effects_stand_with_intervals,
    every_variable_is_related,
    sentences_are_careful,
)
from htrisk_dagster.schemas.context import CONTEXT_RELATION

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
