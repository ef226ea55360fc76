from __future__ import annotations

from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.victim_population.published_tables import ALL


def test_sums_come_from_shown_parts_or_from_the_total():
    cells = {"a": None, "b": 20, "c": None, "rest": 30, ALL: 80}
    assert shown_sums(cells, ("a", "b", "c"), ("rest",)) == [None, None, 50]
    assert shown_sums({"a": 12, "b": None, "rest": None, ALL: 90}, ("a", "b"), ("rest",)) == [
        12,
        None,
    ]
    assert shown_sums({}, ("a",), ()) == [None]
