"""Sums of published categories, as far as a reader can work them out.

Belongs here: adding shown counts up. Does not: which counts are hidden
(`victim_population/published_tables.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from itertools import accumulate

from htrisk_dagster.victim_population.published_tables import ALL


def shown_sums(
    cells: Mapping[str, int | None], order: tuple[str, ...], rest: tuple[str, ...]
) -> list[int | None]:
    """Add published categories up, where shown ones tell the sum; None where they do not.

    A sum that is not shown part by part may follow from the total and the categories after it: what
    a reader can work out from what is shown is no further disclosure.

    Parameters
    ----------
    cells : mapping of str to int or None
        Published counts; a category that no case has is absent and counts 0. `ALL` is the total.
    order : tuple of str
        Categories to add up.
    rest : tuple of str
        All other categories.
    """
    if ALL not in cells:
        return [None] * len(order)
    shown: list[int | None] = [cells.get(name, 0) for name in order]
    after = [*shown, *(cells.get(name, 0) for name in rest)]
    upwards = list(accumulate(shown, _sum))
    sums: list[int | None] = []
    nothing: int | None = 0
    for i, direct in enumerate(upwards):
        others = reduce(_sum, after[i + 1 :], nothing)
        total = cells[ALL]
        told = None if total is None or others is None else total - others
        sums.append(told if direct is None else direct)
    return sums


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right
