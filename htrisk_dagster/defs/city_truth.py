"""What is true of a synthetic city on the days that are scored, where the workspace has one.

Belongs here: whether there is a truth, and its ceilings as rows of the comparison. Does not: the
reading (`evaluation/truth.py`), the ceilings (`evaluation/block_ceilings.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.evaluation.block_ceilings import ceilings_for
from htrisk_dagster.evaluation.truth import CityTruth, read_truth
from htrisk_dagster.features.feature_matrix import FeatureInputs
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON
from htrisk_dagster.study_areas.area import StudyArea


def city_truth(workspace: Workspace, area: StudyArea, inputs: FeatureInputs) -> CityTruth | None:
    """Read the truth of the target in force; None for real data or another target."""
    if workspace.settings.origin != "synthetic":
        return None
    truth = read_truth(workspace.city_folder, inputs.grid)
    groups = [area.offence_groups[name] for name in inputs.target.offence_groups]
    codes = {code for group in groups for code in group.codes}
    return truth if truth.offence_codes == codes else None


def ceiling_table(
    workspace: Workspace,
    area: StudyArea,
    inputs: FeatureInputs,
    days: Sequence[str],
    historical_mean: NDArray[np.float64],
    active: NDArray[np.bool_],
) -> pl.DataFrame:
    """Rows of the ceilings for the comparison; none where nothing is known to be true."""
    truth = city_truth(workspace, area, inputs)
    if truth is None:
        return MODEL_COMPARISON.empty()
    return ceilings_for(
        truth,
        inputs,
        days,
        historical_mean=historical_mean,
        active=active,
        seed=workspace.settings.seed,
    )
