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
from htrisk_dagster.evaluation.pairs import cells_in_budget
from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.evaluation.verified_counts import (
    COARSE,
    NO_MAP,
    NO_PLACE,
    release,
    with_reasons,
)
from htrisk_dagster.schemas.verified import HIT_RATE, LEAD_TIME
from htrisk_dagster.victim_population.published_tables import ALL, PublishedTable, TableSpec

BUDGETS_PCT = (0.5, 1.0, 5.0, 10.0, 20.0)
_REST = "beyond"
_BANDS = tuple(f"to {budget:g}%" for budget in BUDGETS_PCT)


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
    columns = {
        f"reach {model}": _reached(placed, maps, ranks) for model, ranks in maps.ranks.items()
    }
    flags = {model: flags_before(placed, maps, ranks) for model, ranks in maps.ranks.items()}
    columns |= {
        f"lead {model}": lead_words(placed, maps, flagged) for model, flagged in flags.items()
    }
    names = list(columns)
    # All columns tell the same cases without a place: linked to the first, a reader's knowledge
    # of that is part of the proof.
    published = release(
        pl.DataFrame(columns),
        [TableSpec(name, (name,)) for name in names],
        known_empty=[(names[0], other) for other in names[1:]],
    )
    cells = {t.spec.name: dict(t.cells.select(t.spec.name, "count").rows()) for t in published}
    hits, leads = [], []
    for model, ranks in maps.ranks.items():
        hits += _hit_rows(model, cells[f"reach {model}"], ranks.shape[1])
        leads += lead_rows(model, cells[f"lead {model}"], placed, flags[model], maps, seed=seed)
    return Validation(
        HIT_RATE.conform(pl.DataFrame(hits, schema=HIT_RATE.polars_schema())),
        LEAD_TIME.conform(pl.DataFrame(leads, schema=LEAD_TIME.polars_schema())),
        published,
    )


def _reached(placed: pl.DataFrame, maps: DailyRanks, ranks: NDArray[np.integer]) -> pl.Series:
    """Smallest budget whose cells hold each case, or why there is none."""
    row = maps.row_of(placed["reported_on"].to_numpy().astype("datetime64[D]"))
    cell = placed["cell_id"].fill_null(0).to_numpy()
    taken = [cells_in_budget(ranks.shape[1], budget / 100) for budget in BUDGETS_PCT]
    rank = ranks[row, cell] if len(ranks) else np.zeros(len(row), dtype=np.int32)
    band = np.array([*_BANDS, _REST], dtype=object)[np.searchsorted(taken, rank)]
    return with_reasons(placed, np.where(row >= 0, band, NO_MAP))


def _hit_rows(model: str, cells: Mapping[str, int | None], n_cells: int) -> list[dict[str, object]]:
    from scipy.stats import binomtest

    reasons = (NO_MAP, COARSE, NO_PLACE)
    sums = shown_sums(cells, (*_BANDS, _REST), reasons)
    located, total, coarse = sums[-1], cells.get(ALL), cells.get(COARSE, 0)
    rows = []
    for budget, hits in zip(BUDGETS_PCT, sums[:-1], strict=True):
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
