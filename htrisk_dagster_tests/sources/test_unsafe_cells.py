from __future__ import annotations

import polars as pl
import pytest
from htrisk_dagster.sources.unsafe_cells import LONGEST_CELL, LONGEST_TEXT, unsafe_cell_rules


def rules_of(text: str, *, free: bool = False) -> list[str]:
    rows = pl.DataFrame({"X": ["good", None, text, "-73.9", "+5", "-1,234.5"]})
    rules = unsafe_cell_rules(rows, ["X", "NOT_READ"], ["X"] if free else ())
    broken = {
        rule.name: rows.select(rule.broken.fill_null(value=False)).to_series() for rule in rules
    }
    found = {name: rows.filter(b)["X"].to_list() for name, b in broken.items() if b.any()}
    assert all(texts == [text] for texts in found.values())
    return sorted(found)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("=1+1", ["formula_cell"]),
        ("+1+1", ["formula_cell"]),
        ("-1-cmd", ["formula_cell"]),
        ("@SUM(A1)", ["formula_cell"]),
        ("＝1", ["formula_cell"]),
        ("-", []),
        ("a=b", []),
        ("caf\ufffd", ["undecodable_text"]),
        ("a\0b", ["unprintable_character"]),
        ("\ufeffa", ["unprintable_character"]),
        ("a\u202eb", ["unprintable_character"]),
        ("a\tb\nc", []),
        ('{"a": 1}', ["object_for_a_value"]),
        ('["a"]', ["object_for_a_value"]),
        ("[closed] {a}", []),
        ("x" * LONGEST_CELL, []),
        ("x" * (LONGEST_CELL + 1), ["cell_too_long"]),
    ],
)
def test_each_rule_and_the_good_neighbours(text: str, expected: list[str]):
    assert rules_of(text) == expected


def test_a_text_that_is_not_kept_may_be_long_and_begin_as_it_likes():
    assert rules_of("=1", free=True) == []
    assert rules_of("x" * (LONGEST_CELL + 1), free=True) == []
    assert rules_of("x" * (LONGEST_TEXT + 1), free=True) == ["cell_too_long"]
    assert rules_of("a\0b", free=True) == ["unprintable_character"]


def test_plain_numbers_are_asked_for_no_rule():
    rows = pl.DataFrame({"X": ["-73.9", None, "40"] * 700, "Y": ["1"] * 2099 + ["-1-cmd"]})
    rules = unsafe_cell_rules(rows, ["X", "Y"])
    assert {rule.column for rule in rules} == {"Y"}
    long = pl.DataFrame({"X": ["1", "2" * (LONGEST_CELL + 1)]})
    assert "cell_too_long" in {rule.name for rule in unsafe_cell_rules(long, ["X"])}
