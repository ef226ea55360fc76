"""New York's shootings: a real rare event, about three a day, precisely located.

Belongs here: the one unit of this part. Does not: the steps of a blind run (`blind_run`).

Felonies serve as covariates and say which cells are active; the test is July to December 2015,
which no choice has seen.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.skill.blind_run import (
    REFERENCE,
    deviance_difference,
    run_blind,
    score_models,
)
from htrisk_dagster.evaluation.skill.felonies import FILE as FELONIES_FILE
from htrisk_dagster.evaluation.skill.real_city import (
    FELONIES,
    city_inputs,
    read_incidents,
    target_series,
)
from htrisk_dagster.evaluation.skill.units_of_work import COST

SHOOTINGS = "shootings"
FILES = (FELONIES_FILE, "nyc/complaints/nypd_shooting_incident_2014_2015.csv")
TEST_START, TEST_STOP = date(2015, 7, 1), date(2016, 1, 1)
CELL_SIZE_M = 500
RIVALS = (REFERENCE, "empirical_bayes")


def forecast_shootings(data: str, seed: int) -> dict[str, Any]:
    """Forecast shootings by day and 500 m cell, blind, and score every model.

    Returns
    -------
    dict
        As `felonies.forecast_felonies`; `champion_less` names the historical mean and empirical
        Bayes, and `models_less` holds the same differences for every model.
    """
    folder = Path(data) / "nyc" / "complaints"
    inputs = city_inputs(
        {table: read_incidents(folder, table) for table in (FELONIES, SHOOTINGS)},
        target_series(SHOOTINGS),
        cell_size_m=CELL_SIZE_M,
        active_before=TEST_START,
    )
    run = run_blind(inputs, TEST_START, TEST_STOP, seed=seed)

    def differences(model: str) -> dict[str, dict[str, float]]:
        return {rival: deviance_difference(run, model, rival, seed=seed) for rival in RIVALS}

    return {
        "cells": run.counts.shape[1],
        "days": run.counts.shape[0],
        "incidents": int(run.counts.sum()),
        "models": score_models(run),
        "chosen": run.chosen,
        "reason": run.reason,
        COST: dict(run.cpu_seconds),
        "champion_less": differences(CHAMPION),
        "models_less": {name: differences(name) for name in run.forecasts},
    }
