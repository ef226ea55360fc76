from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.data_source_effect import compare_with_source
from htrisk_dagster.victim_population.extrapolation import FORCED_LABOUR_THOUSANDS, extrapolate
from htrisk_dagster.victim_population.logit import fit_logit
from htrisk_dagster.victim_population.logit_models import FIVE_MODELS

MODEL = FIVE_MODELS[0]


def counts_with(odds_of_man: float, odds_of_woman: float) -> pl.DataFrame:
    rows = [
        (0, 0, 0, 1000 * odds_of_woman, 1000.0, 0),
        (0, 1, 1, 800.0, 100.0, 0),
        (1, 0, 1, 9000 * odds_of_man, 9000.0, 0),
        (1, 1, 0, 180.0, 100.0, 0),
    ]
    names = ["male", "minor", "case_management", "yes_count", "no_count", "unknown_count"]
    return pl.DataFrame(rows, orient="row", schema=names)


def test_published_120_men_are_119_thousand():
    fit = fit_logit(counts_with(0.0111791, 1.2094431), MODEL, "seed")
    men = extrapolate(fit, "man", FORCED_LABOUR_THOUSANDS["man"])
    assert men.thousands == pytest.approx(10_656 * 0.0111791, rel=1e-9)
    assert round(men.thousands, 1) == 119.1
    assert men.sentence.startswith(
        "10,656 thousand (man) times odds of 0.011179 of sexual_exploitation gives 119.1 thousand, that "
        "is 119,12"
    )
    women = extrapolate(fit, "woman", FORCED_LABOUR_THOUSANDS["woman"])
    assert women.thousands == pytest.approx(6_483.8, abs=0.05)


def test_interval_is_that_of_the_odds_and_agrees_with_simulated_coefficients():
    fit = fit_logit(counts_with(0.0111791, 1.2094431), MODEL, "seed")
    men = extrapolate(fit, "man", 10_656)
    error = 1.959964 * math.sqrt(1 / (9000 * 0.0111791) + 1 / 9000)
    assert men.thousands_lower == pytest.approx(men.thousands * math.exp(-error), rel=1e-6)
    assert men.thousands_upper == pytest.approx(men.thousands * math.exp(error), rel=1e-6)
    coefficients = fit.coefficients["coefficient"].to_numpy()
    draws = np.random.default_rng(0).multivariate_normal(coefficients, fit.covariance, 200_000)
    simulated = 10_656 * np.exp(draws @ [1.0, 1.0, 0.0, 0.0])
    ends = np.quantile(simulated, [0.025, 0.975])
    assert [men.thousands_lower, men.thousands_upper] == pytest.approx(ends, rel=0.01)


def test_what_has_no_single_odds_is_refused():
    counts = counts_with(0.0111791, 1.2094431)
    fit = fit_logit(counts, MODEL, "seed")
    with pytest.raises(TableError, match="0 odds for 'child'"):
        extrapolate(fit, "child", 1.0)
    with_source = compare_with_source(counts, FIVE_MODELS[4], "seed").with_source
    with pytest.raises(TableError, match="2 odds for 'man'"):
        extrapolate(with_source, "man", 1.0)
    for total in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="is no total"):
            extrapolate(fit, "man", total)
