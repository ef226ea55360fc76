"""Synthetic cities: how much of what can be known each model knows, over seeds and rates.

Belongs here: a world as `FeatureInputs`, and one unit, a seed at a rate. Does not: the world
(`sources.synthetic_city`), the steps of a blind run (`blind_run`), what is to be reached
(`targets`).

The truth of the world is opened after every forecast is sealed, and only to score: the omniscient
ceiling is the intensity itself; the filtering ceiling is the best forecast of someone who knows
every parameter but only what was reported.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.evaluation.calibration import calibration_slope, expected_over_observed
from htrisk_dagster.evaluation.ceilings import auc_ceiling
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.evaluation.intervals import (
    randomised_coverage,
    randomised_coverage_by_group,
    randomised_coverage_by_risk,
)
from htrisk_dagster.evaluation.skill.blind_run import REFERENCE, BlindRun, run_blind
from htrisk_dagster.evaluation.skill.expected_scores import (
    expected_auc,
    expected_information,
    expected_slope,
)
from htrisk_dagster.evaluation.skill.units_of_work import COST
from htrisk_dagster.features.catalogue import ALL_INCIDENTS, TARGET
from htrisk_dagster.features.feature_matrix import FeatureInputs, Series
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.sources.synthetic_city.presets import Preset, preset_named
from htrisk_dagster.sources.synthetic_city.world import World, simulate_world
from htrisk_dagster.study_areas.area import load_area

PRESET = "skill"
RATES_PER_DAY = (50.0, 5.0, 0.5)
TEST_SHARE = 0.25
SOURCE = "complaints"
TARGET_NAME = "trafficking_related"

Array = NDArray[np.float64]


def world_inputs(world: World) -> FeatureInputs:
    """What features are made from, in memory; nothing of the truth is among it."""
    area = load_area("nyc")
    declared = {ALL_INCIDENTS: area.incidents, **area.series}
    return FeatureInputs(
        grid=Grid.from_cells(world.grid(), area.grid.crs, area.grid.cell_size_m),
        incidents=world.incident_cells(),
        target=Series(TARGET, (SOURCE,), area.targets[TARGET_NAME].offence_groups),
        series=tuple(Series(n, (SOURCE,), part.offence_groups) for n, part in declared.items()),
        events=world.events(),
        mobility=world.mobility(),
        holidays=world.holidays(),
        lag_days=area.publication_lag.incidents_days,
        mobility_lag_days={
            "airport": area.publication_lag.airport_days,
            "transit": area.publication_lag.transit_days,
        },
        history_start=world.days[0].astype(object),
    )


def score_city(rate: float, seed: int, preset: str = PRESET) -> dict[str, Any]:
    """Simulate one city, forecast its last quarter blind, and compare every model with the truth.

    Parameters
    ----------
    rate : float
        Target incidents a day in the full city, of which the preset holds a part.
    seed : int
        Of the world and of the fits.
    preset : str
        Size and span of the city.

    Returns
    -------
    dict
        `rate`, `seed`, `cells`, `test_days`, incidents, ceilings, `champion`, `reason`, and
        `models`: of each the figures of `score_against`.
    """
    return score_world(replace(preset_named(preset), target_per_day=rate), seed)


def score_world(preset: Preset, seed: int) -> dict[str, Any]:
    """Score the city of a preset; see `score_city`."""
    world = simulate_world(preset, seed)
    inputs = world_inputs(world)
    n_test = round(TEST_SHARE * len(world.days))
    stop: date = world.days[-1].astype(object) + timedelta(days=1)
    run = run_blind(inputs, stop - timedelta(days=n_test), stop, seed=seed)
    # All forecasts are sealed: from here on the truth of the world may be read.
    truth = world.target
    intensity = truth.intensity[-n_test:].astype(np.float64) * _located_share(world, run)
    city_rate = float(run.training_counts.mean())
    return {
        "rate": preset.target_per_day,
        "seed": seed,
        "cells": run.counts.shape[1],
        "test_days": n_test,
        "training_incidents": int(run.training_counts.sum()),
        "test_incidents": int(run.counts.sum()),
        "expected_test_incidents": float(intensity.sum()),
        "champion": run.champion,
        "reason": run.reason,
        COST: dict(run.cpu_seconds),
        "omniscient": {"auc": auc_ceiling(intensity)},
        "sealed": dict(run.seals),
        "models": score_against(run, intensity, city_rate),
    }


def _located_share(world: World, run: BlindRun) -> float:
    """Share of reported target incidents that come with a usable point, as is known beforehand."""
    placed = world.incident_cells()
    groups = load_area("nyc").targets[TARGET_NAME].offence_groups
    cells = placed.filter(placed["offence_group"].is_in(groups))["cell_id"]
    return 1 - cells.null_count() / max(len(cells), 1)


def score_against(run: BlindRun, intensity: Array, city_rate: float) -> dict[str, dict[str, Any]]:
    """Figures of every model against the true intensity of what is reported, shape (D, C).

    Returns
    -------
    dict
        By model: `auc`, `auc_efficiency`, `information_efficiency` over the constant `city_rate`,
        `information_efficiency_over_mean` over the historical mean, `slope`, all in expectation;
        `observed_auc` and `observed_slope` on the counts; and `coverage`, see `coverage`.
    """
    best = auc_ceiling(intensity)
    constant = np.full(intensity.shape, city_rate)
    mean = run.forecasts[REFERENCE]
    most = expected_information(intensity, intensity, constant)
    most_over_mean = expected_information(intensity, intensity, mean)
    scores: dict[str, dict[str, Any]] = {}
    for name, forecast in run.forecasts.items():
        auc = expected_auc(intensity, forecast)
        over_mean = expected_information(intensity, forecast, mean)
        scores[name] = {
            "auc": auc,
            "auc_efficiency": (auc - 0.5) / (best - 0.5),
            "information_efficiency": expected_information(intensity, forecast, constant) / most,
            "information_efficiency_over_mean": over_mean / most_over_mean,
            "slope": expected_slope(intensity, forecast),
            "observed_auc": roc_auc(run.counts, forecast),
            "observed_slope": calibration_slope(run.counts, forecast),
            "expected_over_observed": expected_over_observed(intensity, forecast),
            "coverage": coverage(run, name),
        }
    return scores


def coverage(run: BlindRun, name: str) -> dict[str, Any]:
    """Randomised coverage of a model's 95% intervals: overall, by borough and by risk decile."""
    expected, size = run.forecasts[name], run.dispersion[name]
    borough = run.block.borough_index
    by_borough = randomised_coverage_by_group(run.counts, expected, group=borough, size=size)
    by_risk = randomised_coverage_by_risk(run.counts, expected, size=size)
    return {
        "overall": randomised_coverage(run.counts, expected, size=size),
        "boroughs": by_borough["coverage"].to_list(),
        "deciles": by_risk["coverage"].to_list(),
    }
