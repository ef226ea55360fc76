"""Do the maps point to where verified cases are reported: hit rates, and the release with lead times.

Belongs here: how small a part of the city each day's ranks need to hold the cases, and the one
release of all tables on cases and maps. Does not: how long before the report a place was flagged
(`lead_time`), sums by month (`verified_overlay`), the cases' own counts and how they are hidden
(`verified_counts`), the way from report to verification (`detection_funnel`).

No model ever sees a verified case. A case counts on the map of the day of its report, in its cell;
rows whose point stands for an area count by borough only. All tables on cases and maps are one
release (`verified_counts.release`): the categories below part the cases, so that no difference of
two budgets tells a small count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.daily_ranks import DailyRanks
from htrisk_dagster.evaluation.lead_time import flags_before, lead_rows, lead_words
from htrisk_dagster.evaluation.measured_cases import (
    NO_CELL,
    REASONS,
    MeasuredCases,
    measured_cases,
)
from htrisk_dagster.evaluation.pairs import cells_in_budget
from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.evaluation.verified_counts import release
from htrisk_dagster.schemas.verified import HIT_RATE, LEAD_TIME
from htrisk_dagster.victim_population.published_tables import ALL, PublishedTable, TableSpec

BUDGETS_PCT = ((0.5, 1.0, 5.0, 10.0, 20.0), (1.0, 5.0, 20.0), (5.0, 20.0), (5.0,))
"""From fine to coarse; taken are the first of which every hit can be shown, else the last."""
_REST = "beyond"


@dataclass(frozen=True)
class Validation:
    """What leaves: the tables, and the release that they are read from.

    Parameters
    ----------
    hit_rate, lead_time : DataFrame
        `schemas.verified.HIT_RATE` and `LEAD_TIME`.
    published : list of PublishedTable
        For the attack on it.
    """

    hit_rate: pl.DataFrame
    lead_time: pl.DataFrame
    published: list[PublishedTable]


def validate(placed: pl.DataFrame, maps: DailyRanks, *, seed: int) -> Validation:
    """Measure maps by cases.

    Parameters
    ----------
    placed : DataFrame
        `verified_counts.place_cases` of the whole file.
    maps : DailyRanks
    seed : int
        Of the permutations.
    """
    cases = measured_cases(placed, maps)
    flags = {model: flags_before(cases, ranks) for model, ranks in maps.ranks.items()}
    leads = {f"lead {m}": lead_words(cases, flagged) for m, flagged in flags.items()}
    for budgets in BUDGETS_PCT:
        reach = {f"reach {m}": _reached(cases, r, budgets) for m, r in maps.ranks.items()}
        published = _released(reach | leads)
        cells = {t.spec.name: dict(t.cells.select(t.spec.name, "count").rows()) for t in published}
        hits = [
            row
            for model, ranks in maps.ranks.items()
            for row in _hit_rows(model, cells[f"reach {model}"], ranks.shape[1], budgets)
        ]
        if all(row["hits_count"] is not None for row in hits):
            break
    lead_time = [
        row
        for model, flagged in flags.items()
        for row in lead_rows(model, cells[f"lead {model}"], cases, flagged, maps, seed=seed)
    ]
    return Validation(
        HIT_RATE.conform(pl.DataFrame(hits, schema=HIT_RATE.polars_schema())),
        LEAD_TIME.conform(pl.DataFrame(lead_time, schema=LEAD_TIME.polars_schema())),
        published,
    )


def _released(columns: dict[str, pl.Series]) -> list[PublishedTable]:
    """Count each column of words by itself, all in one release."""
    names = list(columns)
    # All columns tell the same cases without a place: linked to the first, a reader's knowledge
    # of that is part of the proof.
    return release(
        pl.DataFrame(columns),
        [TableSpec(name, (name,)) for name in names],
        known_empty=[(names[0], other) for other in names[1:]],
    )


def _band(budget: float) -> str:
    return f"to {budget:g}%"


def _reached(
    cases: MeasuredCases, ranks: NDArray[np.integer], budgets: tuple[float, ...]
) -> pl.Series:
    """Smallest budget whose cells hold each case, or why there is none."""
    words = cases.reason.copy()
    if cases.is_measured.any():
        rank = ranks[cases.map_row[cases.is_measured], cases.cell[cases.is_measured]]
        taken = [cells_in_budget(ranks.shape[1], budget / 100) for budget in budgets]
        names = np.array([*map(_band, budgets), _REST], dtype=object)
        words[cases.is_measured] = names[np.searchsorted(taken, rank)]
    return pl.Series(words, dtype=pl.String)


def _hit_rows(
    model: str, cells: Mapping[str, int | None], n_cells: int, budgets: tuple[float, ...]
) -> list[dict[str, object]]:
    from scipy.stats import binomtest

    sums = shown_sums(cells, (*map(_band, budgets), _REST), REASONS)
    located, total, coarse = sums[-1], cells.get(ALL), cells.get(NO_CELL, 0)
    rows = []
    for budget, hits in zip(budgets, sums[:-1], strict=True):
        row: dict[str, object] = dict.fromkeys(HIT_RATE.column_names)
        row |= {"model": model, "budget_pct": budget, "located_count": located, "hits_count": hits}
        row["random_pct"] = 100 * cells_in_budget(n_cells, budget / 100) / n_cells
        if total and coarse is not None:
            row["coarse_pct"] = 100 * coarse / total
        if located and hits is not None:
            # Clopper and Pearson, Biometrika 26 (1934) 404-413.
            ends = binomtest(hits, located).proportion_ci(0.95, method="exact")
            row["hit_rate_pct"] = 100 * hits / located
            row |= {"lower_95_pct": 100 * ends.low, "upper_95_pct": 100 * ends.high}
        rows.append(row)
    return rows
