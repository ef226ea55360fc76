"""Do the maps point to where verified cases are reported later: hit rate, lead time, overlay.

Belongs here: cases against each day's ranks, as suppressed aggregates. Does not: the cases' own
counts and their release (`verified_counts`), the way from report to verification
(`detection_funnel`).

No model ever sees a verified case. A case counts on the map of the day of its report, in its cell;
rows whose point stands for an area count by borough only. All tables on cases and maps are one
release (`verified_counts.release`): the categories below part the cases, so that no difference of
two budgets tells a small count.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.pairs import cells_in_budget
from htrisk_dagster.evaluation.verified_counts import release
from htrisk_dagster.schemas.verified import HIT_RATE, LEAD_TIME, OVERLAY
from htrisk_dagster.victim_population.published_tables import (
    ALL,
    K,
    PublishedTable,
    TableSpec,
)

BUDGETS_PCT = (0.5, 1.0, 5.0, 10.0, 20.0)
LEAD_BUDGET_PCT = 5.0
WINDOW_DAYS = 28
_LEADS = {"1 to 7 days": 7, "8 to 14 days": 14, "15 to 28 days": WINDOW_DAYS}
_NOT_FLAGGED, _REST = "not flagged", "beyond"
_NO_MAP, _FEW_MAPS, _COARSE, _NO_PLACE = "no map", "few maps", "coarse place", "no place"
_BANDS = tuple(f"to {budget:g}%" for budget in BUDGETS_PCT)
N_PERMUTATIONS = 999


@dataclass(frozen=True)
class Maps:
    """Ranks of the cells on every day that has a map.

    Parameters
    ----------
    days : datetime64[D], shape (D,)
        In order, gaps allowed.
    ranks : mapping of str to int, shape (D, C)
        For each model, 1 for the highest expectation of the day; ties go to the lower cell.
    """

    days: NDArray[np.datetime64]
    ranks: Mapping[str, NDArray[np.integer]]

    def row_of(self, days: NDArray[np.datetime64]) -> NDArray[np.intp]:
        """Row of each day, -1 for a day without a map; any shape."""
        if not len(self.days):
            return np.full(days.shape, -1, dtype=np.intp)
        at = np.minimum(np.searchsorted(self.days, days), len(self.days) - 1)
        return np.where(self.days[at] == days, at, -1)


def ranks_of(expected: NDArray[np.float64]) -> NDArray[np.int32]:
    """Rank of each cell on its day, 1 the highest; ties go to the lower cell. Shape (D, C)."""
    order = np.argsort(-expected, axis=1, kind="stable")
    ranks = np.empty(expected.shape, dtype=np.int32)
    places = np.arange(1, expected.shape[1] + 1, dtype=np.int32)
    np.put_along_axis(ranks, order, np.broadcast_to(places, expected.shape), axis=1)
    return ranks


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


def validate(placed: pl.DataFrame, maps: Maps, *, seed: int) -> Validation:
    """Measure maps by cases.

    Parameters
    ----------
    placed : DataFrame
        `verified_counts.place_cases` of the whole file.
    maps : Maps
    seed : int
        Of the permutations.
    """
    reached = {model: _reached(placed, maps, ranks) for model, ranks in maps.ranks.items()}
    flags = {model: _flags(placed, maps, ranks) for model, ranks in maps.ranks.items()}
    columns = {f"reach {model}": words for model, words in reached.items()}
    measurable = _measurable(placed, maps)
    columns |= {
        f"lead {model}": _lead_words(placed, maps, measurable, flagged)
        for model, flagged in flags.items()
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
        leads += _lead_rows(model, cells[f"lead {model}"], placed, flags[model], maps, ranks, seed)
    return Validation(
        HIT_RATE.conform(pl.DataFrame(hits, schema=HIT_RATE.polars_schema())),
        LEAD_TIME.conform(pl.DataFrame(leads, schema=LEAD_TIME.polars_schema())),
        published,
    )


def overlay(risk: pl.DataFrame, cells: pl.DataFrame, counts: pl.DataFrame) -> pl.DataFrame:
    """Lay what the maps expected beside the cases, by month and borough.

    Parameters
    ----------
    risk : DataFrame
        risk_on, cell_id, expected_count and risk_prob of every map.
    cells : DataFrame
        `schemas.grid.CELLS`.
    counts : DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`; nothing else of the cases is used.

    Returns
    -------
    DataFrame
        `schemas.verified.OVERLAY`: months with a map or a case.
    """
    of_cell = risk.join(cells.select("cell_id", "borough"), on="cell_id", how="left").with_columns(
        pl.col("risk_on").dt.truncate("1mo").alias("month_on")
    )
    sums = (
        pl.col("risk_on").n_unique().alias("maps_count"),
        pl.col("expected_count").sum(),
        pl.col("risk_prob").mean().alias("mean_risk_prob"),
    )
    by_borough = of_cell.group_by("borough", "month_on").agg(sums)
    whole = of_cell.group_by("month_on").agg(sums).with_columns(pl.lit(ALL).alias("borough"))
    expected = pl.concat([by_borough, whole.select(by_borough.columns)])
    keys = ["borough", "month_on"]
    monthly = counts.filter(pl.col("month_on").is_not_null())
    both = expected.join(monthly, on=keys, how="full", coalesce=True)
    return OVERLAY.conform(
        both.with_columns(
            pl.col("maps_count").fill_null(0),
            days_count=pl.col("month_on").dt.month_end().dt.day(),
        )
    ).sort(keys)


def cumulative(
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


def binomial_interval(hits: int, n: int) -> tuple[float, float]:
    """95% interval of a share, after Clopper and Pearson, Biometrika 26 (1934) 404-413."""
    from scipy.stats import beta

    low = float(beta.ppf(0.025, hits, n - hits + 1)) if hits else 0.0
    high = float(beta.ppf(0.975, hits + 1, n - hits)) if hits < n else 1.0
    return low, high


def _sum(left: int | None, right: int | None) -> int | None:
    return None if left is None or right is None else left + right


def _reached(placed: pl.DataFrame, maps: Maps, ranks: NDArray[np.integer]) -> pl.Series:
    """Smallest budget whose cells hold each case, or why there is none."""
    row = maps.row_of(placed["reported_on"].to_numpy().astype("datetime64[D]"))
    cell = placed["cell_id"].fill_null(0).to_numpy()
    taken = [cells_in_budget(ranks.shape[1], budget / 100) for budget in BUDGETS_PCT]
    rank = ranks[row, cell] if len(ranks) else np.zeros(len(row), dtype=np.int32)
    band = np.array([*_BANDS, _REST], dtype=object)[np.searchsorted(taken, rank)]
    return _with_reasons(placed, np.where(row >= 0, band, _NO_MAP))


def _flags(
    placed: pl.DataFrame, maps: Maps, ranks: NDArray[np.integer]
) -> NDArray[np.bool_] | None:
    """Whether the place of each measurable case was flagged 1 to 28 days before, shape (n, 28)."""
    rows, cell = _windows(placed, maps)
    if not len(rows):
        return None
    return np.asarray(ranks[rows, cell[:, None]] <= _flagged_cells(ranks))


def _flagged_cells(ranks: NDArray[np.integer]) -> int:
    return cells_in_budget(ranks.shape[1], LEAD_BUDGET_PCT / 100)


def _windows(placed: pl.DataFrame, maps: Maps) -> tuple[NDArray[np.intp], NDArray[np.int32]]:
    """Rows of the 28 maps before each measurable case, shape (n, 28), and its cell, shape (n,)."""
    measurable = _measurable(placed, maps)
    of_case = placed.filter(pl.Series(measurable))
    return _window_rows(of_case, maps), of_case["cell_id"].to_numpy()


def _window_rows(placed: pl.DataFrame, maps: Maps) -> NDArray[np.intp]:
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    before = np.arange(1, WINDOW_DAYS + 1).astype("timedelta64[D]")
    return maps.row_of(np.asarray(day[:, None] - before, dtype="datetime64[D]"))


def _measurable(placed: pl.DataFrame, maps: Maps) -> NDArray[np.bool_]:
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    whole = (maps.row_of(day) >= 0) & (_window_rows(placed, maps) >= 0).all(axis=1)
    return np.asarray(whole & (placed["place"] == "exact").to_numpy())


def _lead_words(
    placed: pl.DataFrame,
    maps: Maps,
    measurable: NDArray[np.bool_],
    flagged: NDArray[np.bool_] | None,
) -> pl.Series:
    """How long before the report the place of each case was first flagged, in words."""
    day = placed["reported_on"].to_numpy().astype("datetime64[D]")
    # Cases with a map on the day and too few before have a word, and so a protected count, of their
    # own: it is the difference between the located cases of the two tables.
    words = np.where(maps.row_of(day) >= 0, _FEW_MAPS, _NO_MAP).astype(object)
    if flagged is not None:
        first = _first_flagged(flagged)
        names = np.array([_NOT_FLAGGED, *_LEADS], dtype=object)
        which = np.searchsorted([0, *_LEADS.values()], first)
        words[measurable] = names[which]
    return _with_reasons(placed, words)


def _first_flagged(flagged: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Days before the report of the earliest flag in the window, 0 where there is none."""
    earliest = WINDOW_DAYS - np.argmax(flagged[:, ::-1], axis=1)
    return np.where(flagged.any(axis=1), earliest, 0)


def _with_reasons(placed: pl.DataFrame, words: NDArray[np.object_]) -> pl.Series:
    place = placed["place"].to_numpy()
    told = np.select([place == "coarse", place == "none"], [_COARSE, _NO_PLACE], words)
    return pl.Series(told.astype(object), dtype=pl.String)


def _hit_rows(model: str, cells: Mapping[str, int | None], n_cells: int) -> list[dict[str, object]]:
    reasons = (_NO_MAP, _COARSE, _NO_PLACE)
    sums = cumulative(cells, (*_BANDS, _REST), reasons)
    located, total, coarse = sums[-1], cells.get(ALL), cells.get(_COARSE, 0)
    rows = []
    for budget, hits in zip(BUDGETS_PCT, sums[:-1], strict=True):
        row: dict[str, object] = dict.fromkeys(HIT_RATE.column_names)
        row |= {"model": model, "budget_pct": budget, "located_count": located, "hits_count": hits}
        row["random_pct"] = 100 * cells_in_budget(n_cells, budget / 100) / n_cells
        if total and coarse is not None:
            row["coarse_pct"] = 100 * coarse / total
        if located and hits is not None:
            low, high = binomial_interval(hits, located)
            row["hit_rate_pct"] = 100 * hits / located
            row |= {"lower_95_pct": 100 * low, "upper_95_pct": 100 * high}
        rows.append(row)
    return rows


def _lead_rows(
    model: str,
    cells: Mapping[str, int | None],
    placed: pl.DataFrame,
    flagged: NDArray[np.bool_] | None,
    maps: Maps,
    ranks: NDArray[np.integer],
    seed: int,
) -> list[dict[str, object]]:
    """Statistics of the leads; only where enough cases were flagged, and enough were not."""
    names = ("flagged_pct", "first_flagged_days", "last_flagged_days")
    found, located = cumulative(
        cells, (*_LEADS, _NOT_FLAGGED), (_NO_MAP, _FEW_MAPS, _COARSE, _NO_PLACE)
    )[-2:]
    blank: dict[str, object] = dict.fromkeys(LEAD_TIME.column_names)
    rows = [blank | {"model": model, "statistic": n, "located_count": located} for n in names]
    if flagged is None or found is None or located is None or found < K:
        return rows
    windows, cell = _windows(placed, maps)
    values = _lead_statistics(flagged)
    rng = np.random.default_rng(seed)
    limit = _flagged_cells(ranks)
    exchanged = np.array(
        [
            _lead_statistics(ranks[windows, rng.permutation(cell)[:, None]] <= limit)
            for _ in range(N_PERMUTATIONS)
        ]
    )
    days, times = np.unique(windows[:, 0], return_counts=True)
    anywhere = [
        (ranks[windows[windows[:, 0] == day][0]] <= limit).any(axis=0).mean() for day in days
    ]
    for i, row in enumerate(rows):
        null = exchanged[:, i][np.isfinite(exchanged[:, i])]
        low, high = np.quantile(null, [0.025, 0.975])
        as_great = int((null >= values[i] - 1e-12).sum())
        row |= {
            "value": values[i],
            "exchanged_mean": float(null.mean()),
            "exchanged_lower_95": float(low),
            "exchanged_upper_95": float(high),
            "p_value_prob": (1 + as_great) / (1 + len(null)),
        }
    rows[0]["random_place_value"] = 100 * float(np.average(anywhere, weights=times))
    return rows


def _lead_statistics(flagged: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Per cent flagged in the window; median days of the first and of the last flag, rounded."""
    any_ = flagged.any(axis=1)
    if not any_.any():
        return 0.0, np.nan, np.nan
    first = _first_flagged(flagged)[any_]
    last = np.argmax(flagged[any_], axis=1) + 1
    return (
        100 * float(any_.mean()),
        float(np.rint(np.median(first))),
        float(np.rint(np.median(last))),
    )
