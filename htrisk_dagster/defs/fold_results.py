"""What the models of one month did on their blind folds: folds, forecasts, and the truth of them.

Belongs here: reading it from where a training left it. Does not: training (`trained.py`), what is
compared or scored with it (`compared.py`, `exchanged.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.defs.evaluated import active_cells
from htrisk_dagster.defs.featured import inputs_until
from htrisk_dagster.defs.partitions import days_of
from htrisk_dagster.defs.trained import read_fold_forecasts
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation.backtest import Fold
from htrisk_dagster.evaluation.ensemble import CHAMPION
from htrisk_dagster.features.inputs import target_counts
from htrisk_dagster.study_areas.area import StudyArea

REFERENCE = "historical_mean"


@dataclass(frozen=True)
class FoldResults:
    """Models of one month, and where their folds lie.

    Parameters
    ----------
    workspace : Workspace
    area : StudyArea
    month : str
    cards : dict of str to dict
        What each model was stored with, the baseline first.
    """

    workspace: Workspace
    area: StudyArea
    month: str
    cards: Mapping[str, Mapping[str, Any]]

    @property
    def folds(self) -> tuple[Fold, ...]:
        """Folds that all of the models were tested on, in order of time."""
        return _folds(self.cards[REFERENCE])

    @property
    def known_before(self) -> date:
        """Day on or after which nothing reported was seen."""
        return date.fromisoformat(self.cards[REFERENCE]["known_before"])

    @property
    def choice(self) -> Mapping[str, Any]:
        """What the champion was stored with: the choice and its reason."""
        return self.workspace.models(self.area).card(self.month, CHAMPION)

    def forecasts(self) -> dict[str, list[NDArray[np.float64]]]:
        """Sealed forecasts of the folds by model, (D, C) each."""
        return {
            n: read_fold_forecasts(self.workspace, self.area, self.month, n) for n in self.cards
        }

    def truth(self) -> tuple[list[NDArray[np.float32]], NDArray[np.bool_]]:
        """Counts of each fold's test days, and the cells with an incident of any kind before."""
        inputs = inputs_until(self.workspace, self.area, self.known_before - timedelta(days=1))
        counts = [
            target_counts(
                inputs,
                days_of(fold.test_start, fold.test_stop - timedelta(days=1)),
                known_before=self.known_before,
            )
            for fold in self.folds
        ]
        return counts, active_cells(inputs, self.folds[0].test_start)


def fold_results(workspace: Workspace, area: StudyArea, month: str) -> FoldResults:
    """Results of the models of a month that were tested on the baseline's folds.

    Raises
    ------
    MissingPartitionError
        Where the baseline has not been trained for the month.
    """
    models = workspace.models(area)
    base = models.card(month, REFERENCE)
    if not base:
        raise MissingPartitionError(
            f"The models of {month} for area '{area.name}' have not been trained. Materialise "
            f"{area.name}/models/{REFERENCE} for it first."
        )
    others = (name for name in models.names(month) if name != REFERENCE)
    cards = {name: models.card(month, name) for name in (REFERENCE, *others)}
    tested = {n: card for n, card in cards.items() if _folds(card) == _folds(base)}
    return FoldResults(workspace, area, month, tested)


def trained_folds(workspace: Workspace, area: StudyArea, month: str) -> tuple[Fold, ...]:
    """Folds of a month's models; empty where it has none yet."""
    return _folds(workspace.models(area).card(month, REFERENCE))


def newest_trained_month(workspace: Workspace, area: StudyArea) -> str:
    """Newest month whose champion has been chosen.

    Raises
    ------
    MissingPartitionError
        Where there is none.
    """
    months = workspace.models(area).months(CHAMPION)
    if not months:
        target, _ = workspace.target(area)
        raise MissingPartitionError(
            f"No models for {target} in {area.name} have been trained in "
            f"{workspace.settings.workspace}. Run `htrisk run` for some days first."
        )
    return months[-1]


def _folds(card: Mapping[str, Any]) -> tuple[Fold, ...]:
    return tuple(
        Fold(**{k: date.fromisoformat(f[k]) for k in Fold.__dataclass_fields__})
        for f in card.get("folds", [])
    )
