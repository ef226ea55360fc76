"""From report to verification: how many incidents get how far, by month and borough.

Belongs here: which stage each reported incident reached, and the suppressed counts. Does not: the
figure (`publishing/funnel_drawing.py`), verified cases' own counts (`verified_counts`).

Stages: *reported*, an incident of the target on a day with a map; *geocoded*, its point can be
trusted to a cell; *flagged*, the cell was among the day's top 5%; *reviewed*, somebody decided on
that cell of that day's map; *verified*, cases by month of report. The first four are nested. The
last comes from another file, in which no case names its report: its share says how many cases
stand beside a hundred reports, not which reports were verified.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import polars as pl

from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.evaluation.verified_counts import UNKNOWN_BOROUGH, release
from htrisk_dagster.schemas.verified import FUNNEL, STAGES
from htrisk_dagster.victim_population.published_tables import ALL, PublishedTable, TableSpec

FLAGGED_BANDS = ("very high", "high", "elevated")
_NESTED = STAGES[:4]
SPEC = TableSpec("detection_funnel", ("borough", "month", "reached"))


def stages_reached(
    incidents: pl.DataFrame, risk: pl.DataFrame, reviews: pl.DataFrame, cells: pl.DataFrame
) -> pl.DataFrame:
    """Tell how far each incident got.

    Parameters
    ----------
    incidents : DataFrame
        Of the target, `schemas.grid.INCIDENT_CELLS`.
    risk : DataFrame
        risk_on, cell_id and band of every map.
    reviews : DataFrame
        `schemas.raw.REVIEW_DECISIONS`; without rows nothing counts as reviewed.
    cells : DataFrame
        `schemas.grid.CELLS`: a place without a cell has the borough of its precinct.

    Returns
    -------
    DataFrame
        borough, month and reached, one row an incident on a day with a map, in the order of `incidents`.
    """
    by_precinct = cells.group_by("precinct").agg(pl.col("borough").mode().sort().first())
    flagged = risk.filter(pl.col("band").is_in(FLAGGED_BANDS)).select(
        pl.col("risk_on").alias("occurred_on"), "cell_id", is_flagged=pl.lit(True)
    )
    reviewed = reviews.select(
        pl.col("risk_on").alias("occurred_on"), "cell_id", is_reviewed=pl.lit(True)
    ).unique()
    keys = ["occurred_on", "cell_id"]
    reached = (
        pl.when(pl.col("is_flagged") & pl.col("is_reviewed"))
        .then(pl.lit("reviewed"))
        .when(pl.col("is_flagged"))
        .then(pl.lit("flagged"))
        .when(pl.col("cell_id").is_not_null())
        .then(pl.lit("geocoded"))
        .otherwise(pl.lit("reported"))
    )
    return (
        incidents.filter(pl.col("occurred_on").is_in(risk["risk_on"].unique().implode()))
        .join(by_precinct, on="precinct", how="left", maintain_order="left")
        .join(flagged, on=keys, how="left", maintain_order="left")
        .join(reviewed, on=keys, how="left", maintain_order="left")
        .select(
            pl.col("borough").fill_null(UNKNOWN_BOROUGH),
            pl.col("occurred_on").dt.strftime("%Y-%m-01").alias("month"),
            reached.alias("reached"),
        )
    )


def funnel(
    reached: pl.DataFrame,
    counts: pl.DataFrame,
    map_days: pl.Series,
    *,
    has_reviews: bool,
    has_cases: bool,
) -> tuple[pl.DataFrame, PublishedTable]:
    """Count the stages.

    Parameters
    ----------
    reached : DataFrame
        Of `stages_reached`.
    counts : DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`; nothing else of the cases is used.
    map_days : Series of Date
        Days that have a map.
    has_reviews, has_cases : bool
        Whether there is a file at all: a stage that nobody records is not zero.

    Returns
    -------
    DataFrame, PublishedTable
        `schemas.verified.FUNNEL`, and the release that it is read from, for the attack on it.
    """
    published = release(reached, [SPEC])[0]
    frame = funnel_of(
        published.cells, counts, map_days, has_reviews=has_reviews, has_cases=has_cases
    )
    return frame, published


def funnel_of(
    cells: pl.DataFrame,
    counts: pl.DataFrame,
    map_days: pl.Series,
    *,
    has_reviews: bool,
    has_cases: bool,
) -> pl.DataFrame:
    """The funnel from released counts of incidents; parameters of `funnel`.

    Parameters
    ----------
    cells : DataFrame
        borough, month, reached and count with the margins of `SPEC`, missing where hidden.

    Returns
    -------
    DataFrame
        `schemas.verified.FUNNEL`.
    """
    by_place: dict[tuple[str, str], dict[str, int | None]] = {}
    for borough, month, name, count in cells.select(*SPEC.dimensions, "count").rows():
        by_place.setdefault((borough, month), {})[name] = count
    whole = _whole_months(map_days)
    cases = {(b, None if m is None else f"{m:%Y-%m-01}"): n for b, m, n in counts.rows()}
    rows = []
    for (borough, month), of_place in by_place.items():
        nested = _at_least(of_place)
        months = sorted({m for _, m in by_place} - {ALL}) if month == ALL else [month]
        verified = _verified(cases, borough, months, whole) if has_cases else "not recorded"
        found: Mapping[str, int | str | None] = {
            **nested,
            **({} if has_reviews else {"reviewed": "not recorded"}),
            "verified": verified,
        }
        on = None if month == ALL else date.fromisoformat(month)
        rows += [_row(borough, on, stage, found[stage], nested["reported"]) for stage in STAGES]
    frame = pl.DataFrame(rows, schema=FUNNEL.polars_schema(), orient="row")
    in_order = pl.col("stage").cast(pl.Enum(STAGES))
    return FUNNEL.conform(frame.sort("borough", "month_on", in_order, nulls_last=True))


def _at_least(cells: Mapping[str, int | None]) -> dict[str, int | None]:
    """Incidents that reached each of the nested stages, where shown counts tell."""
    from_the_top = tuple(reversed(_NESTED))
    sums = shown_sums(cells, from_the_top, ())
    # The first stage holds all, so its sum is the total.
    return dict(zip(from_the_top, sums, strict=True)) | {"reported": cells[ALL]}


def _whole_months(map_days: pl.Series) -> set[str]:
    """Months of which every day has a map."""
    days = map_days.unique().to_frame("day").group_by(pl.col("day").dt.month_start().alias("on"))
    counted = days.agg(pl.len().alias("n")).filter(
        pl.col("n") == pl.col("on").dt.month_end().dt.day().cast(pl.UInt32)
    )
    return {f"{on:%Y-%m-01}" for on in counted["on"]}


def _verified(
    cases: Mapping[tuple[str, str | None], int | None],
    borough: str,
    months: list[str],
    whole: set[str],
) -> int | str | None:
    """Cases of months of maps: where each month is whole, and shown or without a case."""
    if not whole.issuperset(months):
        return "month not complete"
    if (ALL, None) not in cases:
        return None
    # A place or month of which the file has no case has no row.
    counts = [cases.get((borough, month), 0) for month in months]
    shown = [n for n in counts if n is not None]
    return sum(shown) if len(shown) == len(counts) else None


def _row(
    borough: str, on: date | None, stage: str, found: int | str | None, reported: int | None
) -> tuple[object, ...]:
    if isinstance(found, str):
        return borough, on, stage, None, None, found
    if found is None:
        return borough, on, stage, None, None, "hidden"
    share = 100 * found / reported if reported else None
    return borough, on, stage, found, share, "shown"
