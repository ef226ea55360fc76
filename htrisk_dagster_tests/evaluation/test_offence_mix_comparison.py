from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.offence_mix_comparison import MixRows, compare_treatments
from htrisk_dagster.features.offence_contexts import ContextCodes
from htrisk_dagster_tests.models.mixed_offences import draw, few_rounds, truth


@pytest.fixture(scope="module")
def rows() -> MixRows:
    return rows_of(2500, 3000)


def rows_of(n_train: int, n_test: int) -> MixRows:
    codes = ContextCodes((), (), ("a", "b", "c"), {}, {})
    return MixRows(codes, *draw(n_train, 1), *draw(n_test, 2))


def test_the_classifier_beats_the_prior_where_the_hour_tells(rows: MixRows):
    with few_rounds():
        model, found = compare_treatments(rows, seed=1, treatments=("none", "weights"))
    right = truth(rows.test_contexts)
    least = -np.log(right[np.arange(3000), rows.test_labels]).mean()
    losses = {name: scores["log_loss"] for name, scores in found.items()}
    assert losses["lightgbm_none"] < losses["prior_by_place_and_kind"] - 0.03
    assert losses["prior_by_place_and_kind"] < losses["prior_of_state"]
    assert losses["lightgbm_none"] == pytest.approx(least, abs=0.04)
    assert found["lightgbm_weights"]["uncalibrated_log_loss"] > losses["lightgbm_weights"] + 0.05
    best = min(("none", "weights"), key=lambda t: found[f"lightgbm_{t}"]["validation_log_loss"])
    assert model.treatment == best


def test_the_choice_does_not_see_the_test_rows(rows: MixRows):
    """With other test labels the scores change and the model does not."""
    shuffled = MixRows(
        rows.codes, rows.contexts, rows.labels, rows.test_contexts, rows.test_labels[::-1]
    )
    first, of_first = compare_treatments(rows, seed=1, treatments=("none",))
    second, of_second = compare_treatments(shuffled, seed=1, treatments=("none",))
    assert first.to_bytes() == second.to_bytes()
    assert of_first["lightgbm_none"]["log_loss"] != of_second["lightgbm_none"]["log_loss"]
