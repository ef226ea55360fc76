"""A group of means of control by what its parts say.

Belongs here: the groups in our names, and the answer to a group in a release that tells its parts.
Does not: a group's own column in later releases (`recode`), which of both is ranked (`trends`).
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from htrisk_dagster.schemas.victim_population import GROUPED, snake_case

GROUPED_MEANS = {
    snake_case(group): tuple(snake_case(part) for part in parts) for group, parts in GROUPED.items()
}
"""Column of `RECORDS` that is a group to the columns that are its parts."""

ANY_YES = "a part is yes"
ALL_NO = "all parts are no"
NOT_TOLD = "no part is yes, not all are no"
ANSWER_OF_PARTS = {ANY_YES: True, ALL_NO: False, NOT_TOLD: None}
"""What the parts say, in words, to the answer for their group."""


def said_by_parts(columns: Mapping[str, pl.Series], group: str) -> pl.Series:
    """What the parts of a group say together: a key of `ANSWER_OF_PARTS` for each record.

    Parameters
    ----------
    columns : mapping of str to Series of N Booleans
        Cleaned columns of `RECORDS` by name, the parts among them, null where unknown. A part that
        the release lacks is unknown throughout, so that without it a group is never a no.
    group : str
        A key of `GROUPED_MEANS`.

    Returns
    -------
    Series of N strings
    """
    any_yes = pl.any_horizontal(pl.all().fill_null(False))
    all_no = pl.all_horizontal(pl.all().not_().fill_null(False))
    said = pl.when(any_yes).then(pl.lit(ANY_YES)).when(all_no).then(pl.lit(ALL_NO))
    parts = pl.DataFrame({name: columns[name] for name in GROUPED_MEANS[group]})
    return parts.select(said.otherwise(pl.lit(NOT_TOLD))).to_series()
