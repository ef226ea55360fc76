"""From report to verification: how many incidents get how far, by period and borough.

Belongs here: which stage each reported incident reached, and the suppressed counts. Does not: the
figure (`publishing/funnel_drawing.py`), verified cases' own counts (`verified_counts`).

Stages: *reported*, an incident of the target on a day with a map; *geocoded*, its point can be
trusted to a cell; *flagged*, the cell was in a band above the baseline, the day's top 5% (35% of
fewer than 200 cells); *reviewed*, somebody decided on that cell of that day's map; *verified*, cases
by period of report. The first four are nested. The last comes from another file, in which no case
names its report: its share says how many cases stand beside a hundred reports, not which reports
were verified.

Where somewhere 1 to 10 incidents have no place, that category is joined with the geocoded ones, so
that the stage *geocoded* is hidden and the flagged can be told: the small count would else take one of
the flagged with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from htrisk_dagster.evaluation.release_periods import LENGTHS, finest, length_of, starts
from htrisk_dagster.evaluation.shown_sums import shown_sums
from htrisk_dagster.evaluation.verified_counts import DAY, UNKNOWN_BOROUGH, release
from htrisk_dagster.schemas.verified import FUNNEL, STAGES
from htrisk_dagster.victim_population.published_tables import ALL, K, PublishedTable, TableSpec

FLAGGED_BANDS = ("very high", "high", "elevated")
_NESTED = STAGES[:4]
SPEC = TableSpec("detection_funnel", ("borough", "period", "reached"))
# A period and borough divides into those that were flagged and those that were not.
_LEAST = 2 * K


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
        borough, occurred_on and reached, one row an incident on a day with a map, in the order of
        `incidents`.
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
            "occurred_on",
            reached.alias("reached"),
        )
    )


@dataclass(frozen=True)
class FunnelRecords:
    """Incidents as they are counted.

    Parameters
    ----------
    frame : DataFrame
        borough, period (its first day) and reached, in the order of the incidents.
    months : int
        Length of a period.
    has_joined : bool
        Whether incidents without a place are counted with the geocoded.
    """

    frame: pl.DataFrame
    months: int
    has_joined: bool


def records_of(reached: pl.DataFrame, counts: pl.DataFrame) -> FunnelRecords:
    """Put incidents into periods, no shorter than those of the cases.

    Parameters
    ----------
    reached : DataFrame
        Of `stages_reached`.
    counts : DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`.
    """
    of_cases = length_of(counts) or LENGTHS[0]
    months = finest(
        reached["occurred_on"], reached["borough"].n_unique(), least=_LEAST, from_months=of_cases
    )
    period = starts(pl.col("occurred_on"), months).dt.strftime(DAY)
    frame, has_joined = _joined(reached.select("borough", period=period, reached="reached"))
    return FunnelRecords(frame, months, has_joined)


def funnel(
    reached: pl.DataFrame,
    counts: pl.DataFrame,
    map_days: pl.Series,
    *,
    has_reviews: bool,
    has_cases: bool,
) -> tuple[pl.DataFrame, PublishedTable]:
    """Count the stages, in a release of their own.

    Parameters
    ----------
    reached : DataFrame
        Of `stages_reached`.
    counts, map_days, has_reviews, has_cases
        See `funnel_of`.

    Returns
    -------
    DataFrame, PublishedTable
        `schemas.verified.FUNNEL`, and the release that it is read from, for the attack on it.
    """
    records = records_of(reached, counts)
    published = release(records.frame, [SPEC])[0]
    frame = funnel_of(
        published.cells, records, counts, map_days, has_reviews=has_reviews, has_cases=has_cases
    )
    return frame, published


def funnel_of(
    cells: pl.DataFrame,
    records: FunnelRecords,
    counts: pl.DataFrame,
    map_days: pl.Series,
    *,
    has_reviews: bool,
    has_cases: bool,
) -> pl.DataFrame:
    """Read the funnel off released counts of incidents.

    Parameters
    ----------
    cells : DataFrame
        borough, period, reached and count with the margins of `SPEC`, missing where hidden.
    records : FunnelRecords
        What was released.
    counts : DataFrame
        `schemas.staging.VERIFIED_CASE_COUNTS`; nothing else of the cases is used.
    map_days : Series of Date
        Days that have a map.
    has_reviews, has_cases : bool
        Whether there is a file at all: a stage that nobody records is not zero.

    Returns
    -------
    DataFrame
        `schemas.verified.FUNNEL`.
    """
    by_place: dict[tuple[str, str], dict[str, int | None]] = {}
    for borough, on, name, count in cells.select(*SPEC.dimensions, "count").rows():
        by_place.setdefault((borough, on), {})[name] = count
    verified = _verified_in(counts, records.months)
    covered = _covered(map_days, records.months)
    told: list[tuple[object, ...]] = []
    for (borough, on), of_place in by_place.items():
        nested = _at_least(of_place, has_joined=records.has_joined)
        within = sorted({p for _, p in by_place} - {ALL}) if on == ALL else [on]
        found: Mapping[str, int | str | None] = {
            **nested,
            **({} if has_reviews else {"reviewed": "not recorded"}),
            "verified": _verified(verified, borough, within, covered)
            if has_cases
            else "not recorded",
        }
        start = None if on == ALL else date.fromisoformat(on)
        length = None if on == ALL else records.months
        told += [_row(borough, start, length, s, found[s], nested["reported"]) for s in STAGES]
    frame = pl.DataFrame(told, schema=FUNNEL.polars_schema(), orient="row")
    in_order = pl.col("stage").cast(pl.Enum(STAGES))
    return FUNNEL.conform(frame.sort("borough", "period_on", in_order, nulls_last=True))


def _joined(records: pl.DataFrame) -> tuple[pl.DataFrame, bool]:
    """Count incidents without a place with the geocoded, where anywhere they are too few to tell."""
    without = records.filter(pl.col("reached") == "reported")
    counts = [without.height, *without.group_by("borough", "period").len()["len"]]
    if not any(0 < n < K for n in counts):
        return records, False
    return records.with_columns(pl.col("reached").replace("reported", "geocoded")), True


def _at_least(cells: Mapping[str, int | None], *, has_joined: bool) -> dict[str, int | None]:
    """Incidents that reached each of the nested stages, where shown counts tell."""
    from_the_top = tuple(reversed(_NESTED))
    sums = dict(zip(from_the_top, shown_sums(cells, from_the_top, ()), strict=True))
    # The first stage holds all, so its sum is the total.
    return sums | {"reported": cells[ALL]} | ({"geocoded": None} if has_joined else {})


def _covered(map_days: pl.Series, months: int) -> set[str]:
    """Periods of which every day has a map."""
    days = map_days.unique().to_frame("day").group_by(starts(pl.col("day"), months).alias("on"))
    length = pl.col("on").dt.offset_by(f"{months}mo") - pl.col("on")
    whole = days.agg(pl.len().alias("n")).filter(pl.col("n") == length.dt.total_days())
    return {on.strftime(DAY) for on in whole["on"]}


def _verified_in(counts: pl.DataFrame, months: int) -> dict[tuple[str, str | None], int | None]:
    """Cases by borough and period of this length; None where one of its parts is hidden."""
    on = starts(pl.col("period_on"), months).dt.strftime(DAY)
    summed = counts.group_by("borough", on.alias("on")).agg(
        pl.when(pl.col("cases_count").is_not_null().all()).then(pl.col("cases_count").sum())
    )
    return {(borough, on): n for borough, on, n in summed.rows()}


def _verified(
    cases: Mapping[tuple[str, str | None], int | None],
    borough: str,
    periods: list[str],
    covered: set[str],
) -> int | str | None:
    """Cases of periods of maps: where each is covered, and shown or without a case."""
    if not covered.issuperset(periods):
        return "period not complete"
    if (ALL, None) not in cases:
        return None
    # A place or period of which the file has no case has no row.
    counts = [cases.get((borough, on), 0) for on in periods]
    shown = [n for n in counts if n is not None]
    return sum(shown) if len(shown) == len(counts) else None


def _row(
    borough: str,
    on: date | None,
    months: int | None,
    stage: str,
    found: int | str | None,
    reported: int | None,
) -> tuple[object, ...]:
    if isinstance(found, str):
        return borough, on, months, stage, None, None, found
    if found is None:
        return borough, on, months, stage, None, None, "hidden"
    share = 100 * found / reported if reported else None
    return borough, on, months, stage, found, share, "shown"
