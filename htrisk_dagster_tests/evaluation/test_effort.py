from __future__ import annotations

import pytest
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.models.count_model import make_model


@pytest.mark.parametrize("profile", EFFORTS)
def test_models_take_the_options_of_every_profile(profile):
    for name, options in EFFORTS[profile].options.items():
        model = make_model(name, **options)
        assert {option: getattr(model, option) for option in options} == options


def test_profiles_cost_less_the_quicker_they_are():
    order = ("smoke", "quick", "skill", "full")
    for name in ("lightgbm", "xgboost"):
        trees = [EFFORTS[profile].options[name]["n_estimators"] for profile in order]
        assert trees == sorted(trees)
