"""New York's felonies by day: the anchors of the field reproduced, and what the champion adds.

Belongs here: the series, cells and days of reference/field.md 1.1, and one unit of that part.
Does not: the figures to be reached (`targets`), the steps of a blind run (`blind_run`).
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from htrisk_dagster.evaluation.comparison import point_values
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.evaluation.plug_in import plug_in_bracket
from htrisk_dagster.evaluation.skill.blind_run import (
    REFERENCE,
    BlindRun,
    deviance_difference,
    run_blind,
    score_models,
)
from htrisk_dagster.evaluation.skill.real_city import (
    FELONIES,
    city_inputs,
    read_incidents,
    target_series,
)
from htrisk_dagster.evaluation.skill.units_of_work import COST
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.features.inputs import target_counts

FILE = "nyc/complaints/nypd_felonies_2014_2015_STHSL.csv.gz"
# Training has 638 days, 2014-01-01 to 2015-09-30, of which the last is not yet known.
TEST_START, TEST_STOP = date(2015, 10, 1), date(2016, 1, 1)
GROUPS = {"all four": (), "robbery": ("robbery",), "burglary": ("burglary",)}
CELL_SIZES_M = (500, 1000)
SIMPLE_RIVAL = "kde_ewma"


def forecast_felonies(data: str, series: str, cell_size_m: int, seed: int) -> dict[str, Any]:
    """Forecast one series on one size of cell, blind, and score every model.

    Parameters
    ----------
    data : str
        Folder of the real data.
    series : str
        A key of `GROUPS`.
    cell_size_m : int
        Side of a cell.
    seed : int
        Of fits and bootstrap.

    Returns
    -------
    dict
        `series`, `cell_size_m`, `cells`, `days`, `incidents`; `models` with `score_models`;
        `chosen`, `reason`; `champion_less`, its difference in deviance to the historical mean and
        to KDE+EWMA; and `plug_in`, the bracket of the ceiling.
    """
    felonies = read_incidents(Path(data) / "nyc" / "complaints", FELONIES)
    inputs = city_inputs(
        {FELONIES: felonies},
        target_series(FELONIES, GROUPS[series]),
        cell_size_m=cell_size_m,
        active_before=TEST_START,
    )
    run = run_blind(inputs, TEST_START, TEST_STOP, seed=seed)
    rivals = [name for name in (REFERENCE, SIMPLE_RIVAL) if name in run.forecasts]
    return {
        "series": series,
        "cell_size_m": cell_size_m,
        "cells": run.counts.shape[1],
        "days": run.counts.shape[0],
        "incidents": int(run.counts.sum()),
        "models": score_models(run),
        "chosen": run.chosen,
        "reason": run.reason,
        "plug_in": _plug_in(inputs, run),
        COST: dict(run.cpu_seconds),
        "champion_less": {
            rival: deviance_difference(run, CHAMPION, rival, seed=seed) for rival in rivals
        },
    }


def _plug_in(inputs: FeatureInputs, run: BlindRun) -> dict[str, dict[str, float]]:
    """Both ends of the plug-in bracket of the ceiling, an estimate, by metric of the table."""
    n_days = (TEST_STOP - inputs.history_start).days
    days = [str(inputs.history_start + timedelta(days=n)) for n in range(n_days)]
    bracket = plug_in_bracket(target_counts(inputs, days), scored_days=len(run.counts))
    ends = {
        "lower": point_values(run.counts, bracket.cross_fitted),
        "upper": point_values(run.counts, bracket.in_sample),
    }
    metrics = ("auc", "average_precision", "poisson_deviance", "pai_1pct", "pai_5pct")
    return {m: {end: values[m] for end, values in ends.items()} for m in metrics}
