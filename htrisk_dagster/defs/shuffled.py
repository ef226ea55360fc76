"""The way from reports to forecasts, run on cities whose reports are shuffled.

Belongs here: the step behind the label-shuffle checks of `models/champion`: which fold, which model.
Does not: the shuffling and its rules (`evaluation/label_shuffle.py`), the checks (`leak_checks.py`).

One short fold of one learner stands for all: features, labels, offset and folds are the same code
for every model, and that is where leaks are made.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from htrisk_dagster.defs.trained import labels_known
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.backtest import rolling_origin_folds
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.evaluation.fold_procedure import fold_procedure
from htrisk_dagster.evaluation.label_shuffle import (
    random_city_gives_no_skill,
    shuffled_days_give_no_more_than_place,
)
from htrisk_dagster.models.count_model import make_model
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.study_areas.area import StudyArea

# Enough to betray a leak, and made anew in seconds.
_TRAINING_DAYS, _TEST_DAYS, _LEARNER = 182, 28, "lightgbm"


def shuffled_findings(workspace: Workspace, area: StudyArea, month: str) -> tuple[Finding, Finding]:
    """Skill in a random city, and with days shuffled within cells, for the models of `month`."""
    known = labels_known(workspace, area, month)
    last = known.train_stop - timedelta(days=1)
    history = (last - known.inputs.history_start).days + 1
    test_days = min(_TEST_DAYS, (history - known.gap_days) // 2)
    (fold,) = rolling_origin_folds(
        max(known.inputs.history_start, last - timedelta(days=_TRAINING_DAYS + _TEST_DAYS)),
        last,
        n_folds=1,
        test_days=test_days,
        gap_days=known.gap_days,
    )
    seed = workspace.settings.seed
    procedure = fold_procedure(
        partial(make_model, _LEARNER, **EFFORTS["smoke"].options[_LEARNER]),
        fold,
        publication_lag_days=area.publication_lag.incidents_days,
        seed=seed,
    )
    return (
        random_city_gives_no_skill(procedure, known.inputs, seed=seed),
        shuffled_days_give_no_more_than_place(procedure, known.inputs, seed=seed),
    )
