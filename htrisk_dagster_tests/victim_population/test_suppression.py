from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.disclosure_attack import attack
from htrisk_dagster.victim_population.published_tables import ALL, TableSpec
from htrisk_dagster.victim_population.standard_tables import (
    KNOWN_EMPTY,
    STANDARD_TABLES,
    for_standard_tables,
)
from htrisk_dagster.victim_population.suppression import publish
from htrisk_dagster_tests.victim_population.real_release import clean_release, frame_of


def invented(seed: int, n_columns: int = 3) -> tuple[pl.DataFrame, list[TableSpec]]:
    """Skewed columns, and two to four tables that share some of them."""
    rng = np.random.default_rng(seed)
    n_rows = int(rng.integers(30, 600))
    columns = "abc"[:n_columns]
    records = pl.DataFrame(
        {
            c: rng.choice([f"{c}{j}" for j in range(size)], n_rows, p=rng.dirichlet(np.ones(size)))
            for c, size in zip(columns, rng.integers(2, 5, n_columns), strict=True)
        }
    )
    if n_columns == 1:
        return records, [TableSpec("one", ("a",)), TableSpec("again", ("a",), margins=False)]
    tables = [TableSpec("ab", ("a", "b")), TableSpec("b", ("b",), where=(("a", records["a"][0]),))]
    if n_columns == 3:
        tables += [TableSpec("bc", ("b", "c"), margins=bool(seed % 2)), TableSpec("ac", ("c", "a"))]
    return records, tables


def exact(records: pl.DataFrame, dimensions: tuple[str, ...]) -> dict[tuple[str, ...], int]:
    """Counts with margins record by record, each added to every margin it belongs to."""
    found: dict[tuple[str, ...], int] = {}
    for row in records.select(dimensions).rows():
        for mask in range(2 ** len(dimensions)):
            key = tuple(v if mask >> i & 1 else ALL for i, v in enumerate(row))
            found[key] = found.get(key, 0) + 1
    return found


@pytest.mark.parametrize("seed", range(24))
def test_nothing_is_recovered_from_random_cubes(seed):
    records, tables = invented(seed, n_columns=1 + seed % 3)
    published = publish(records, tables)
    assert attack(published) == []


@pytest.mark.parametrize("seed", range(6))
def test_shown_counts_are_true_and_no_small_one_is_shown(seed):
    records, tables = invented(seed)
    for table in publish(records, tables):
        inside = records.filter(*(pl.col(c) == v for c, v in table.spec.where))
        truth = exact(inside, table.spec.dimensions)
        for *labels, count in table.cells.rows():
            true = truth.get(tuple(labels), 0)
            assert count is None or count == true
            assert not (0 < true < 11 and count is not None)
            assert not (true == 0 and count is None), "zeros are shown"


def test_the_worked_example_hides_the_cheapest_partner():
    # One row of 3, 20 and 90 with its total: 3 goes, and 20 is the cheapest cell to hide with it.
    records = pl.DataFrame({"sex": ["x"] * 3 + ["y"] * 20 + ["z"] * 90})
    (table,) = publish(records, [TableSpec("sex", ("sex",))])
    assert table.cells.rows() == [("x", None), ("y", None), ("z", 90), (ALL, 113)]


def test_two_small_cells_with_room_need_no_complement():
    # 10 + 10 + 5 = 25 hidden together: each may be 1 to 23, so at least a + 11 is possible.
    records = pl.DataFrame({"sex": ["w"] * 5 + ["x"] * 10 + ["y"] * 10 + ["z"] * 90})
    (table,) = publish(records, [TableSpec("sex", ("sex",))])
    assert table.cells["count"].to_list() == [None, None, None, 90, 115]


def test_a_slice_may_not_leave_a_small_rest():
    # Alone, each table is harmless; their difference would tell of 4 hotline cases.
    records = pl.DataFrame(
        {"year": ["1"] * 34 + ["2"] * 50, "kind": ["m"] * 30 + ["h"] * 4 + ["m"] * 50}
    )
    whole = TableSpec("whole", ("year",))
    part = TableSpec("part", ("year",), where=(("kind", "m"),))
    assert publish(records, [whole])[0].cells["count"].null_count() == 0
    assert publish(records, [part])[0].cells["count"].null_count() == 0
    together = publish(records, [whole, part])
    assert sum(table.cells["count"].null_count() for table in together) > 0
    assert attack(together) == []


def test_a_table_that_cannot_be_shown_is_dropped_with_a_sentence():
    records = pl.DataFrame({"sex": ["x"] * 3 + ["y"] * 6})
    (table,) = publish(records, [TableSpec("sex", ("sex",))])
    assert table.cells.height == 0
    assert table.note.startswith("Not published:")


def test_combinations_that_a_reader_knows_to_be_empty_are_not_counted_on():
    # The 11 minors are the young (3) and the middle (8): a reader who knows bounds both by 10.
    records = pl.DataFrame(
        {
            "age": ["young"] * 3 + ["middle"] * 8 + ["old"] * 40,
            "majority": ["minor"] * 11 + ["adult"] * 40,
        }
    )
    tables = [TableSpec("age", ("age",)), TableSpec("majority", ("majority",))]
    empty = pl.DataFrame(
        {"age": ["young", "middle", "old"], "majority": ["adult", "adult", "minor"]}
    )
    assert attack(publish(records, tables), empty) != []
    assert attack(publish(records, tables, known_empty=[("age", "majority")]), empty) == []


def test_shares_of_hidden_counts_are_hidden():
    records = pl.DataFrame({"sex": ["x"] * 3 + ["y"] * 20 + ["z"] * 90})
    (table,) = publish(records, [TableSpec("sex", ("sex",))])
    assert table.shares("sex")["share"].to_list() == [None, None, pytest.approx(90 / 113)]


def test_unknown_is_a_category_of_a_boolean():
    records = pl.DataFrame({"is_so": [True] * 20 + [False] * 30 + [None] * 40})
    (table,) = publish(records, [TableSpec("t", ("is_so",))])
    assert table.cells.rows() == [("no", 30), ("yes", 20), ("unknown", 40), (ALL, 90)]


def test_same_input_same_tables():
    records, tables = invented(5)
    first, second = (
        publish(records, tables),
        publish(records.sample(fraction=1, shuffle=True, seed=1), tables),
    )
    assert all(a.cells.equals(b.cells) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("tables", "says"),
    [
        ([TableSpec("t", ("nothing",))], "nothing"),
        ([TableSpec("t", ("a",)), TableSpec("t", ("b",))], "share a name"),
        ([TableSpec("t", ("a",), where=(("a", "a0"),))], "each column once"),
        ([TableSpec("t", ("a",), where=(("b", "no such"),))], "no record"),
    ],
)
def test_tables_that_make_no_sense_are_refused_in_a_sentence(tables, says):
    records, _ = invented(0)
    with pytest.raises(TableError, match=says):
        publish(records, tables)


@pytest.mark.real_data
def test_the_standard_tables_of_the_real_file_give_nothing_away():
    records = for_standard_tables(clean_release().records)
    published = publish(records, STANDARD_TABLES, known_empty=KNOWN_EMPTY)
    pairs = records.select(pl.col(KNOWN_EMPTY[0]).fill_null("unknown"))
    columns = [pairs.select(pl.col(c).unique()) for c in pairs.columns]
    empty = columns[0].join(columns[1], how="cross").join(pairs, on=pairs.columns, how="anti")
    assert empty.height > 0
    assert attack(published, empty) == []
    by_name = {table.spec.name: table for table in published}
    assert by_name["year"].cells.rows()[-1] == (ALL, 47_102)
    hidden = sum(table.cells["count"].null_count() for table in published)
    assert 0 < hidden < 0.2 * sum(table.cells.height for table in published)
    assert all(
        table.cells.filter(pl.col("count").is_between(1, 10)).is_empty() for table in published
    )


def test_no_record_is_refused_in_a_sentence():
    with pytest.raises(TableError, match="no record to count"):
        publish(pl.DataFrame(schema={"a": pl.String}), [TableSpec("t", ("a",))])


def test_standard_columns_hold_one_kind_per_case():
    records = for_standard_tables(
        frame_of(
            {
                "is_sexual_exploit": [True, True, None, False, False, None],
                "is_forced_labour": [None, True, True, False, False, None],
                "is_other_exploit": [True, None, None, True, False, None],
                "recruiter_relation_friend": [True, True, False, None, False, False],
                "recruiter_relation_family": [True, None, True, None, False, False],
                "citizenship": ["PH", "PH", None, "UA", "UA", "UA"],
            }
        )
    )
    assert records["exploitation"].to_list() == [
        "sexual", "sexual_and_labour", "labour", "other", "none_recorded", "unknown"
    ]  # fmt: skip
    assert records["recruiter_relation"].to_list() == [
        "several", "friend", "family", "unknown", "unknown", "unknown"
    ]  # fmt: skip
    assert records["citizenship_group"].to_list() == ["PH", "PH", "unknown", "UA", "UA", "UA"]
