from __future__ import annotations

from htrisk_dagster.models.grid_search import climb_pair

GRID = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)


def test_the_top_of_a_hill_is_found_and_no_pair_is_scored_twice():
    asked = []

    def score(x, y):
        asked.append((x, y))
        # Given one, the best other lies half way along: neither can be set alone.
        return -((x - 5) ** 2) - (y - 1 - 0.5 * x) ** 2

    best = max(((x, y) for x in GRID for y in GRID), key=lambda pair: score(*pair))
    asked.clear()
    assert climb_pair(GRID, GRID, (1.0, 1.0), score) == best
    assert len(asked) == len(set(asked)) < 36


def test_a_plain_is_not_walked_for_ever():
    assert climb_pair(GRID, GRID, (3.0, 2.0), lambda x, y: 0.0) == (3.0, 2.0)
