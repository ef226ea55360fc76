from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.evaluation.ceiling_simulation import ceiling_rows
from htrisk_dagster.evaluation.comparison import METRICS, compare, point_values, to_markdown
from htrisk_dagster.evaluation.count_scores import information_gain
from htrisk_dagster.schemas.predictions import MODEL_COMPARISON


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(21)
    truth = np.tile(rng.lognormal(-2.5, 1.2, 120), (56, 1))
    counts = rng.poisson(truth)
    active = counts[:20].sum(axis=0) > 0
    forecasts = {
        "noisy": truth * rng.lognormal(0, 1, truth.shape),
        "historical_mean": np.tile(counts[:28].mean(axis=0) + 0.01, (56, 1)),
        "truth": truth,
    }
    forecasts["a_tenth_more"] = forecasts["historical_mean"] * 1.1
    return counts, forecasts, active


@pytest.fixture(scope="module")
def table(world):
    counts, forecasts, active = world
    return compare(counts, forecasts, active=active, n_resamples=200, seed=4)


def test_every_model_mask_and_metric_has_a_row(table):
    assert MODEL_COMPARISON.problems(table) == []
    assert table.height == 4 * 2 * (len(METRICS) + 1)


def test_values_are_those_of_the_metrics_on_the_masked_cells(table, world):
    counts, forecasts, active = world
    rows = table.filter(model="truth", mask="active")
    found = dict(zip(rows["metric"], rows["value"], strict=True))
    cut = counts[:, active], forecasts["truth"][:, active]
    base = forecasts["historical_mean"][:, active]
    wanted = point_values(*cut) | {"information_gain_bits": information_gain(*cut, reference=base)}
    assert found == pytest.approx(wanted, rel=1e-12)
    assert found["prevalence"] == (counts[:, active] > 0).mean()


def test_differences_are_paired(table):
    own = table.filter(model="historical_mean")
    assert own["difference"].to_list() == [0.0] * own.height
    assert own["difference_upper_95"].to_list() == [0.0] * own.height
    shared = table.filter(metric="prevalence")
    assert shared["difference_lower_95"].to_list() == [0.0] * shared.height
    noisy = table.filter(model="noisy", mask="land", metric="poisson_deviance").row(0, named=True)
    assert 0 < noisy["difference_lower_95"] < noisy["difference"] < noisy["difference_upper_95"]
    # A tenth more everywhere is a tenth more in every resample, and has the same ranks.
    more = table.filter(model="a_tenth_more", mask="land")
    ratio = more.filter(metric="expected_over_observed").row(0, named=True)
    assert ratio["difference_lower_95"] == pytest.approx(ratio["lower_95"] / 11)
    assert ratio["difference_upper_95"] == pytest.approx(ratio["upper_95"] / 11)
    ranks = more.filter(metric="auc").row(0, named=True)
    assert (ranks["difference_lower_95"], ranks["difference_upper_95"]) == (0.0, 0.0)


def test_same_seed_same_table(table, world):
    counts, forecasts, active = world
    assert compare(counts, forecasts, active=active, n_resamples=200, seed=4).equals(table)
    other = compare(counts, forecasts, active=active, n_resamples=200, seed=5)
    assert not other.equals(table)
    assert other["value"].equals(table["value"])


def test_undefined_values_are_missing_not_nan(world):
    counts, forecasts, active = world
    empty = compare(np.zeros_like(counts), forecasts, active=active, n_resamples=5, seed=0).filter(
        metric="auc"
    )
    assert empty["value"].null_count() == empty.height
    assert "not defined" in to_markdown(
        compare(np.zeros_like(counts), forecasts, active=active, n_resamples=5, seed=0),
        "land",
        n_days=56,
        n_cells=120,
        n_incidents=0,
    )


def test_a_missing_reference_or_mask_is_refused(world):
    counts, forecasts, active = world
    with pytest.raises(ValueError, match="'historical_mean' is not among the forecasts: truth"):
        compare(counts, {"truth": forecasts["truth"]}, active=active, n_resamples=5, seed=0)
    with pytest.raises(ValueError, match="has shape \\(120,\\) and 0 cells"):
        compare(counts, forecasts, active=np.zeros(120, dtype=bool), n_resamples=5, seed=0)


def test_markdown_has_the_baseline_first_then_the_best(table, world):
    counts, _, _ = world
    text = to_markdown(table, "land", n_days=56, n_cells=120, n_incidents=int(counts.sum()))
    lines = text.splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:6]]
    assert names[:2] == ["historical_mean", "truth"]
    assert sorted(names[2:]) == ["a_tenth_more", "noisy"]
    widths = {line.count("|") for line in lines[:6]}
    assert widths == {11}
    row = table.filter(model="truth", mask="land", metric="auc").row(0, named=True)
    assert f"{row['value']:.3f} [{row['lower_95']:.3f}, {row['upper_95']:.3f}]" in lines[3]
    share = 100 * (counts > 0).mean()
    assert f"120 cells x 56 days, {counts.sum():,} reported incidents" in lines[-1]
    assert f"prevalence {share:.3f}% of cell-days" in lines[-1]
    assert "**" not in text


def test_ceilings_come_last_in_the_printed_table_and_are_explained(table, world):
    counts, forecasts, active = world
    truth = forecasts["truth"]
    rows = ceiling_rows(
        truth,
        {"ceiling_omniscient": truth, "ceiling_filtering": truth * 0.9},
        reference=forecasts["historical_mean"],
        active=active,
        n_draws=20,
        seed=0,
    )
    both = pl.concat([table, rows])
    text = to_markdown(both, "land", n_days=56, n_cells=120, n_incidents=int(counts.sum()))
    lines = text.splitlines()
    names = [line.split("|")[1].strip() for line in lines[2:8]]
    assert names[-2:] == ["ceiling_filtering", "ceiling_omniscient"]
    # A calibration slope of the ceiling would be 1: the place stays empty.
    assert "|  |" in lines[7]
    assert "band of 95% of draws" in text
