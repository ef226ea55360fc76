"""The offence mix: three treatments of rare categories and the priors by place, on later days.

Belongs here: fitting on one period and judging on the next. Does not: the models (`models`), a score
(`class_scores`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.class_scores import class_scores
from htrisk_dagster.features.offence_contexts import CONTEXT, ContextCodes, unique_offences
from htrisk_dagster.models.offence_mix import TREATMENTS, OffenceMix, Treatment
from htrisk_dagster.models.place_prior import PlacePrior

_AGENCY, _LOCATION = (CONTEXT.index(name) for name in ("agency", "location"))
PRIORS: dict[str, tuple[int, ...]] = {
    "prior_of_state": (),
    "prior_by_place": (_AGENCY,),
    "prior_by_place_and_kind": (_LOCATION, _AGENCY),
}
"""Shares of the categories by columns of the context, the coarser first."""
LIGHTGBM = "lightgbm"


@dataclass(frozen=True)
class MixRows:
    """Encoded rows of two periods.

    Parameters
    ----------
    codes : ContextCodes
        Of the first.
    contexts, test_contexts : arrays, shape (n, F)
    labels, test_labels : int arrays, shape (n,)
    """

    codes: ContextCodes
    contexts: NDArray[np.float64]
    labels: NDArray[np.int64]
    test_contexts: NDArray[np.float64]
    test_labels: NDArray[np.int64]

    @classmethod
    def of(cls, codes: ContextCodes, train: pl.DataFrame, test: pl.DataFrame) -> MixRows:
        """Rows of `nibrs.reported_offences`; test rows of a category without a class are left out."""
        rows, later = unique_offences(train), unique_offences(test)
        labels = codes.labels(later)
        return cls(
            codes, codes.encode(rows), codes.labels(rows),
            codes.encode(later)[labels >= 0], labels[labels >= 0],
        )  # fmt: skip


def score_priors(rows: MixRows) -> dict[str, dict[str, float]]:
    """Scores of each of `PRIORS` on the test rows."""
    return {
        name: class_scores(
            rows.test_labels,
            PlacePrior(columns, len(rows.codes.classes))
            .fit(rows.contexts, rows.labels)
            .predict(rows.test_contexts),
        )
        for name, columns in PRIORS.items()
    }


def score_treatment(
    rows: MixRows, treatment: Treatment, *, seed: int
) -> tuple[OffenceMix, dict[str, float]]:
    """Fit one treatment; scores calibrated, and before calibration under `uncalibrated_…`."""
    model = OffenceMix(len(rows.codes.classes), treatment)
    fit = model.fit(rows.contexts, rows.labels, seed=seed)
    calibrated = class_scores(rows.test_labels, model.predict(rows.test_contexts))
    before = class_scores(rows.test_labels, model.predict_uncalibrated(rows.test_contexts))
    return model, {
        **calibrated,
        **{f"uncalibrated_{name}": value for name, value in before.items()},
        "validation_log_loss": min(fit.curves["validation_loss"]),
        "rounds": float(fit.params["rounds"]),
    }


def compare_treatments(
    rows: MixRows, *, seed: int, treatments: Sequence[Treatment] = TREATMENTS
) -> tuple[OffenceMix, dict[str, dict[str, float]]]:
    """Every prior and treatment; the model returned is the best on its own blocks, not on the test."""
    found = score_priors(rows)
    models = {}
    for treatment in treatments:
        models[treatment], found[f"{LIGHTGBM}_{treatment}"] = score_treatment(
            rows, treatment, seed=seed
        )
    best = min(models, key=lambda t: found[f"{LIGHTGBM}_{t}"]["validation_log_loss"])
    return models[best], found
