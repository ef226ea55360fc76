from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.differential_privacy import noisy_counts
from htrisk_dagster.victim_population.published_tables import ALL, TableSpec

CATEGORIES = {"cell": [f"{i:05d}" for i in range(20_000)], "sex": ["f", "m", "unknown"]}


def test_the_noise_has_the_stated_distribution():
    records = pl.DataFrame({"cell": np.repeat(CATEGORIES["cell"], 100)})
    release = noisy_counts(
        records, [TableSpec("t", ("cell",), margins=False)], CATEGORIES, 0.5, seed=3
    )
    noise = release.tables[0].cells["count"].to_numpy() - 100
    # P(n) = tanh(eps / 2) exp(-eps |n|), against the share of 20,000 draws; 4 standard errors.
    for n in range(-4, 5):
        p = np.tanh(0.25) * np.exp(-0.5 * abs(n))
        assert np.mean(noise == n) == pytest.approx(p, abs=4 * np.sqrt(p * (1 - p) / noise.size))
    assert noise.std() == pytest.approx(release.budget["standard_deviation"][0], rel=0.03)
    assert noise.std() == pytest.approx(np.sqrt(0.5 / np.sinh(0.25) ** 2), rel=0.03)


def test_the_budget_is_split_and_adds_up():
    records = pl.DataFrame({"sex": ["f", "m", None]})
    tables = [TableSpec(name, ("sex",)) for name in ("one", "two", "three", "four")]
    budget = noisy_counts(records, tables, CATEGORIES, 1.0, seed=1).budget
    assert budget["table"].to_list() == ["one", "two", "three", "four"]
    assert budget["epsilon"].to_list() == [0.25] * 4
    assert budget["spent"].to_list() == [0.25, 0.5, 0.75, 1.0]


def test_one_record_changes_the_likelihood_of_an_answer_by_at_most_the_budget():
    # The mechanism's own ratio, from the released frequencies of two neighbouring data sets.
    shown = []
    for extra in (0, 1):
        records = pl.DataFrame({"cell": np.repeat(CATEGORIES["cell"], 50 + extra)})
        release = noisy_counts(
            records, [TableSpec("t", ("cell",), margins=False)], CATEGORIES, 1.0, seed=extra
        )
        shown.append(np.bincount(release.tables[0].cells["count"].to_numpy(), minlength=80))
    ratio = shown[0][47:54] / shown[1][47:54]
    assert np.all(np.abs(np.log(ratio)) < 1.0 + 0.25)
    assert np.log(ratio[:4]).mean() == pytest.approx(1.0, abs=0.1)


def test_counts_are_never_negative_and_empty_cells_get_noise():
    records = pl.DataFrame({"cell": ["00000"]})
    cells = (
        noisy_counts(records, [TableSpec("t", ("cell",))], CATEGORIES, 0.5, seed=1).tables[0].cells
    )
    assert cells["count"].min() == 0
    assert (cells["count"] > 0).mean() > 0.2
    assert cells.height == 20_001
    assert cells["cell"][-1] == ALL


def test_without_a_seed_two_releases_differ():
    records = pl.DataFrame({"cell": ["00000"]})
    spec = [TableSpec("t", ("cell",))]
    first, second = (noisy_counts(records, spec, CATEGORIES, 0.1).tables[0].cells for _ in range(2))
    assert not first.equals(second)


def test_a_slice_counts_only_its_records():
    records = pl.DataFrame({"sex": ["f"] * 500 + ["m"] * 300, "cell": ["00001"] * 800})
    spec = TableSpec("t", ("sex",), where=(("cell", "00000"),))
    cells = noisy_counts(records, [spec], CATEGORIES, 5.0, seed=1).tables[0].cells
    assert cells["count"].max() < 20


@pytest.mark.parametrize("epsilon", [0.0, -1.0, float("inf"), float("nan")])
def test_a_budget_that_is_none_is_refused(epsilon):
    with pytest.raises(TableError, match="budget above 0"):
        noisy_counts(pl.DataFrame({"sex": ["f"]}), [TableSpec("t", ("sex",))], CATEGORIES, epsilon)


def test_a_category_that_was_not_declared_is_refused():
    with pytest.raises(TableError, match="'x'"):
        noisy_counts(pl.DataFrame({"sex": ["x"]}), [TableSpec("t", ("sex",))], CATEGORIES, 1.0)
