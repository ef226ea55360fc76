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

from htrisk_dagster.evaluation.calibration import (
    calibration_slope,
    expected_over_observed,
    risk_groups,
)
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.predictive_distribution import pit_bounds, pit_mass
from htrisk_dagster.evaluation.skill.blind_run import REFERENCE, BlindRun, run_blind
from htrisk_dagster.evaluation.skill.city_ceilings import CityCeilings, city_ceilings
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
# Three quarters of a year of blind folds: at half an incident a day in the full city they hold 40
# incidents, and fewer could choose nothing.
EFFORT = replace(EFFORTS["skill"], n_folds=3, test_days=91)
SOURCE = "complaints"
TARGET_NAME = "trafficking_related"
_LEVEL = 0.95

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
        `rate`, `seed`, `cells`, `test_days`, incidents, `chosen`, `reason`,
        `models` with the figures of `score_against`, and the champion's `coverage`.
    """
    return score_world(replace(preset_named(preset), target_per_day=rate), seed)


def score_world(preset: Preset, seed: int) -> dict[str, Any]:
    """Score the city of a preset; see `score_city`."""
    world = simulate_world(preset, seed)
    inputs = world_inputs(world)
    n_test = round(TEST_SHARE * len(world.days))
    stop: date = world.days[-1].astype(object) + timedelta(days=1)
    run = run_blind(inputs, stop - timedelta(days=n_test), stop, seed=seed, effort=EFFORT)
    # All forecasts are sealed: from here on the truth of the world may be read.
    ceilings = city_ceilings(
        world, n_days=n_test, located_share=_located_share(inputs), lag_days=inputs.lag_days
    )
    return {
        "rate": preset.target_per_day,
        "seed": seed,
        "cells": run.counts.shape[1],
        "test_days": n_test,
        "training_incidents": int(run.training_counts.sum()),
        "test_incidents": int(run.counts.sum()),
        "expected_test_incidents": float(ceilings.omniscient.sum()),
        "chosen": run.chosen,
        "reason": run.reason,
        COST: dict(run.cpu_seconds),
        "sealed": dict(run.seals),
        "models": score_against(run, ceilings),
        "coverage": coverage(run),
    }


def _located_share(inputs: FeatureInputs) -> float:
    """Share of reported target incidents that come with a usable point, as is known beforehand."""
    cells = inputs.target.select(inputs.incidents)["cell_id"]
    return 1 - cells.null_count() / max(len(cells), 1)


def score_against(run: BlindRun, ceilings: CityCeilings) -> dict[str, dict[str, Any]]:
    """Figures of every model, and of the two ceilings, against the true intensity.

    Parameters
    ----------
    run : BlindRun
    ceilings : CityCeilings
        Of the test days.

    Returns
    -------
    dict
        By model: `auc`, `auc_efficiency` of the omniscient and `of_filtering` of the filtering
        ceiling, `information_efficiency` over the city's constant training rate,
        `information_efficiency_over_mean` over the historical mean, `slope` and
        `expected_over_observed`, all in expectation; `counts_auc` and `counts_slope` on the counts.
    """
    intensity, filtering = ceilings.omniscient, ceilings.filtering
    constant = np.full(intensity.shape, float(run.training_counts.mean()))
    mean = run.forecasts[REFERENCE]
    best, best_filtered = (expected_auc(intensity, c) for c in (intensity, filtering))
    most, most_over_mean = (
        expected_information(intensity, intensity, base) for base in (constant, mean)
    )
    rows = {**run.forecasts, "filtering ceiling": filtering, "omniscient ceiling": intensity}
    scores = {}
    for name, forecast in rows.items():
        auc = expected_auc(intensity, forecast)
        over_constant, over_mean = (
            expected_information(intensity, forecast, base) for base in (constant, mean)
        )
        scores[name] = {
            "auc": auc,
            "auc_efficiency": (auc - 0.5) / (best - 0.5),
            "of_filtering": (auc - 0.5) / (best_filtered - 0.5),
            "information_efficiency": over_constant / most,
            "information_efficiency_over_mean": over_mean / most_over_mean,
            "slope": expected_slope(intensity, forecast),
            "expected_over_observed": expected_over_observed(intensity, forecast),
            "counts_auc": roc_auc(run.counts, forecast),
            "counts_slope": calibration_slope(run.counts, forecast),
        }
    return scores


def coverage(run: BlindRun) -> dict[str, Any]:
    """How often the champion's 95% intervals hold the count: overall, by borough, by risk decile.

    Of the randomised interval, in expectation over the draw (see `predictive_distribution`): an
    interval of whole counts holds a rare count nearly always, whatever its level.
    """
    expected = run.forecasts[CHAMPION]
    observed = run.counts.astype(np.float64)
    below, upto = pit_bounds(observed, expected, run.intervals.size_at(expected))
    low, high = run.intervals.tails[_LEVEL]
    inside = pit_mass(below, upto, high) - pit_mass(below, upto, low)
    boroughs = np.broadcast_to(run.block.borough_index, inside.shape)
    return {
        "overall": inside.mean(),
        "boroughs": _mean_by(boroughs, inside),
        "deciles": _mean_by(risk_groups(expected, n_groups=10), inside),
    }


def _mean_by(group: NDArray[np.integer], values: Array) -> list[float]:
    code = np.unique(group, return_inverse=True)[1].ravel()
    means: list[float] = (np.bincount(code, values.ravel()) / np.bincount(code)).tolist()
    return means
