"""The attacker must win where hiding is naive; else its silence elsewhere means nothing."""

from __future__ import annotations

from itertools import product

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import ALL, PublishedTable, TableSpec


def table(
    name: str, dimensions: tuple[str, ...], counts: dict[tuple[str, ...], int | None], **more
):
    rows = [(*labels, n) for labels, n in counts.items()]
    schema = {**dict.fromkeys(dimensions, pl.String), "count": pl.Int64}
    cells = pl.DataFrame(rows, schema=schema, orient="row")
    return PublishedTable(TableSpec(name, dimensions, **more), 11, cells, "")


def naive(records: pl.DataFrame, dimensions: tuple[str, ...]) -> PublishedTable:
    """Only counts of 1 to 10 hidden: what must not be published."""
    values = [[*sorted(records[d].unique()), ALL] for d in dimensions]
    counts: dict[tuple[str, ...], int | None] = {}
    for labels in product(*values):
        n = records.filter(
            *(pl.col(d) == v for d, v in zip(dimensions, labels, strict=True) if v != ALL)
        ).height
        counts[labels] = None if 0 < n < 11 else n
    return table("_".join(dimensions), dimensions, counts)


def test_differencing_a_total():
    one = table("one", ("sex",), {("f",): 40, ("m",): None, (ALL,): 47})
    (found, *_rest) = attack([one])
    assert (found.cell, found.least, found.greatest) == (frozenset({("sex", "m")}), 7, 7)
    assert found.attack == "differencing"


def test_differencing_across_tables():
    # The second table has the total that the first one holds back.
    one = table("one", ("sex",), {("f",): 40, ("m",): None}, margins=False)
    two = table("two", ("age",), {("young",): 20, ("old",): 27}, margins=False)
    total = table("three", ("age",), {("young",): 20, ("old",): 27, (ALL,): 47})
    assert attack([one]) == []
    assert {(r.least, r.greatest) for r in attack([one, two, total])} == {(7, 7)}


def test_bounds_find_what_differencing_cannot():
    # Two blanks that add up to 9: neither is solved, both are below 11.
    one = table("one", ("sex",), {("f",): None, ("m",): None, ("x",): 40, (ALL,): 49})
    bounds = {(r.least, r.greatest) for r in attack([one]) if r.attack == "bounds"}
    assert bounds == {(1, 8)}


def test_bounds_across_a_loop_of_tables():
    # The joint table has no margins; two others tell them.
    sex_age = table("sa", ("sex", "age"), {("f", "young"): None, ("f", "old"): None,
        ("m", "young"): None, ("m", "old"): None}, margins=False)  # fmt: skip
    sex = table("s", ("sex",), {("f",): 12, ("m",): 60, (ALL,): 72})
    age = table("a", ("age",), {("young",): 62, ("old",): 10, (ALL,): 72})
    found = {(tuple(sorted(r.cell)), r.least, r.greatest) for r in attack([sex_age, sex, age])}
    # By hand: f young = 12 - f old, f old in 1 .. 9 (m old at least 1), so f young in 3 .. 11.
    assert ((("age", "old"), ("sex", "f")), 1, 9) in found
    assert ((("age", "old"), ("sex", "m")), 1, 9) in found
    assert not any(cell == (("age", "young"), ("sex", "f")) for cell, *_ in found)


def test_a_slice_and_the_whole_leave_a_small_rest():
    whole = table("whole", ("year",), {("1",): 34, ("2",): 50, (ALL,): 84})
    part = table("part", ("year",), {("1",): 30, ("2",): 50, (ALL,): 80}, where=(("kind", "m"),))
    rests = {(tuple(sorted(r.cell)), r.least) for r in attack([whole, part])}
    assert ((("kind", "not m"), ("year", "1")), 4) in rests


def test_known_empty_combinations_sharpen_the_bounds():
    # 54 adults and minors, no more is told; once all young are minors and no one else is, 12 are.
    age = table("a", ("age",), {("old",): 72, ("young",): 12, (ALL,): 84})
    counts = {("adult",): None, ("minor",): None, ("unknown",): 30, (ALL,): 84}
    majority = table("m", ("majority",), counts)
    empty = pl.DataFrame(
        {"age": ["old", "young", "young"], "majority": ["minor", "adult", "unknown"]}
    )
    assert attack([age, majority]) == []
    found = {(tuple(sorted(r.cell)), r.least, r.greatest) for r in attack([age, majority], empty)}
    assert found == {((("majority", "minor"),), 12, 12), ((("majority", "adult"),), 42, 42)}


@pytest.mark.parametrize("seed", range(8))
def test_naive_hiding_is_broken_and_what_is_recovered_is_true(seed):
    rng = np.random.default_rng(seed)
    sizes = {"a": 3, "b": 4, "c": 2}
    records = pl.DataFrame(
        {
            c: rng.choice([f"{c}{j}" for j in range(n)], 160, p=rng.dirichlet(np.ones(n)))
            for c, n in sizes.items()
        }
    )
    found = attack([naive(records, ("a", "b")), naive(records, ("b", "c"))])
    assert found
    for recovered in found:
        conditions = [
            pl.col(c) != v.removeprefix("not ") if v.startswith("not ") else pl.col(c) == v
            for c, v in recovered.cell
        ]
        assert recovered.least <= records.filter(*conditions).height <= recovered.greatest


def test_tables_of_different_records_are_refused_in_a_sentence():
    one = table("one", ("sex",), {("f",): 40, ("m",): None, ("x",): None, (ALL,): 90})
    two = table("two", ("age",), {("old",): 40, ("young",): 20}, margins=False)
    with pytest.raises(TableError, match="No counts agree"):
        attack([one, two])
