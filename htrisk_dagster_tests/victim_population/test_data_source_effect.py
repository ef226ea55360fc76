from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.ctdc_files import read_file
from htrisk_dagster.victim_population.data_source_effect import compare_with_source
from htrisk_dagster.victim_population.logit import fit_logit
from htrisk_dagster.victim_population.logit_models import FIVE_MODELS, count_outcomes
from htrisk_dagster.victim_population.recode import clean

CTDC = Path(__file__).parents[2].parent / "shared/data/ctdc/ctdc_kanon_global_2018_47k.csv.gz"
MODEL = FIVE_MODELS[0]
CELLS = [(male, minor, source) for male in (0, 1) for minor in (0, 1) for source in (0, 1)]


def counts_of(yes: list[float], no: list[float]) -> pl.DataFrame:
    cells = pl.DataFrame(CELLS, orient="row", schema=["male", "minor", "case_management"])
    return cells.cast(pl.Int8).with_columns(
        pl.Series("yes_count", yes), pl.Series("no_count", no), pl.lit(0).alias("unknown_count")
    )


def expected_counts(sizes: list[int], source_effect: float) -> pl.DataFrame:
    """Expected counts of an additive source: log odds 1 - 2 male + 0.5 minor + 0.3 both + source."""
    male, minor, source = np.array(CELLS).T
    log_odds = 1 - 2 * male + 0.5 * minor + 0.3 * male * minor + source_effect * source
    probability = 1 / (1 + np.exp(-log_odds))
    return counts_of(list(sizes * probability), list(sizes * (1 - probability)))


def test_additive_source_is_found_and_the_confounded_model_is_not_it():
    # Hotline records are of girls, case management's of women and men, as in the release.
    effect = compare_with_source(
        expected_counts([800, 1600, 2400, 200, 300, 2000, 150, 400], -3.0), MODEL, "seed"
    )
    assert effect.with_source.coefficients["coefficient"].to_list() == pytest.approx(
        [1.0, -2.0, 0.5, 0.3, -3.0], abs=1e-6
    )
    # Left out, the source goes to majority: minors look three times the odds ratio they are.
    assert effect.without_source.coefficients["coefficient"][2] > 0.5 + math.log(3)
    change = dict(effect.comparison.select("fit", "aic_change").iter_rows())
    assert change["without_source"] == 0.0
    assert change["with_source"] < -1000
    # Nothing more to explain: three more coefficients cost 2 each.
    assert change["within_source"] == pytest.approx(change["with_source"] + 6, abs=1e-6)
    row = effect.moved.row(2, named=True)
    error = effect.without_source.coefficients["standard_error"][2]
    assert row["change"] == pytest.approx(row["with_source"] - row["without_source"])
    assert row["change_in_standard_errors"] == pytest.approx(row["change"] / error)


def test_within_source_is_the_fit_of_each_source():
    counts = counts_of([30, 20, 50, 15, 12, 40, 25, 18], [70, 30, 60, 45, 90, 25, 35, 80])
    effect = compare_with_source(counts, MODEL, "seed")
    coefficients = dict(effect.within_source.coefficients.select("term", "coefficient").iter_rows())
    for source in (0, 1):
        alone = fit_logit(counts.filter(case_management=source), MODEL, "seed")
        extra = [
            coefficients["case_management" if t == "intercept" else f"{t}_x_case_management"]
            for t in MODEL.term_names
        ]
        together = [
            coefficients[t] + source * e for t, e in zip(MODEL.term_names, extra, strict=True)
        ]
        assert together == pytest.approx(alone.coefficients["coefficient"].to_list(), abs=1e-9)


def test_separated_within_a_source_gives_exact_interval_and_no_coefficient():
    counts = counts_of([30, 20, 50, 15, 12, 0, 25, 18], [70, 30, 60, 45, 90, 338, 35, 80])
    fit = compare_with_source(counts, MODEL, "seed").within_source
    assert fit.separation.kind == "quasi"
    missing = fit.coefficients.filter(pl.col("coefficient").is_null())["term"].to_list()
    assert missing == ["male_x_case_management", "male_x_minor_x_case_management"]
    man = fit.victim_types.filter(victim_type="man", case_management=1).row(0, named=True)
    assert (man["probability"], man["probability_lower"], man["interval"]) == (0, 0, "exact")
    # Clopper-Pearson of 0 in n: 1 - 0.025^(1/n).
    assert man["probability_upper"] == pytest.approx(1 - 0.025 ** (1 / 338), rel=1e-9)
    # The rest keeps the odds of its counts.
    boy = fit.victim_types.filter(victim_type="boy", case_management=1).row(0, named=True)
    assert boy["odds"] == pytest.approx(18 / 80)


def test_one_source_is_no_comparison():
    counts = counts_of([30, 20, 50, 15, 12, 40, 25, 18], [70, 30, 60, 45, 90, 25, 35, 80])
    unnamed = counts.with_columns(pl.lit(None, dtype=pl.Int8).alias("case_management"))
    for few in (counts.filter(case_management=0), unnamed):
        with pytest.raises(TableError, match="fewer than two data sources"):
            compare_with_source(few, MODEL, "seed")


@pytest.mark.real_data
def test_2018_file_with_its_source():
    if not CTDC.exists():
        pytest.skip(f"{CTDC} is absent")
    counts = count_outcomes(clean(read_file(CTDC)).records, MODEL.outcome)
    women = counts.filter(male=0, minor=0).with_columns(
        total=pl.sum_horizontal("yes_count", "no_count", "unknown_count")
    )
    rate = women["yes_count"] / women["total"]
    assert rate.to_list() == pytest.approx([0.94, 0.08], abs=0.005)
    effect = compare_with_source(counts, MODEL, "seed")
    assert effect.with_source.coefficients["coefficient"].to_list() == pytest.approx(
        [2.794, -5.521, 0.368, 2.731, -5.257], abs=0.001
    )
    aic = effect.comparison["aic"].to_list()
    assert aic == pytest.approx([3864.78, 2010.67, 2015.61], abs=0.01)
    assert "minor moves most, from 1.861 to 0.368" in effect.sentence
