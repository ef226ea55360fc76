"""Units of the Connecticut suite: what is computed on the real files, each from its arguments alone.

Belongs here: blind volume on 2022, the offence mix of 2022, officers and rates. Does not: which units
there are (`suite`), what must be reached and what is printed (`findings`).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.evaluation.offence_mix_comparison import MixRows, score_priors, score_treatment
from htrisk_dagster.evaluation.volume_backtest import (
    HORIZON_DAYS,
    interval_scores,
    run_volume_fold,
    volume_folds,
    volume_scores,
)
from htrisk_dagster.features.agency_days import AgencyDays, count_agency_days, weekday
from htrisk_dagster.features.agency_rates import yearly_rates
from htrisk_dagster.features.offence_contexts import ContextCodes
from htrisk_dagster.features.staffing import officer_trends, staffing
from htrisk_dagster.models.offence_mix import Treatment
from htrisk_dagster.schemas.agencies import ALL_OFFENCES, STATE
from htrisk_dagster.sources.holiday_calendar import holidays_of_state
from htrisk_dagster.sources.reported_offences import read_agencies, read_offences
from htrisk_dagster.study_areas.area import BoundingBox

FOLDER = "connecticut"
STATE_CODE, STATE_TITLE = "CT", "Connecticut"
FIRST, ORIGIN, STOP = date(2021, 1, 1), date(2022, 1, 1), date(2023, 1, 1)
# Blocks of 2021 that only teach the intervals.
N_CALIBRATION = 3
_ZONE = "America/New_York"
_BOX = BoundingBox(west=-73.8, south=40.9, east=-71.7, north=42.1)


def delivery_folder(data: Path) -> Path:
    """Connecticut's folder below `data`, or `data` itself."""
    return data / FOLDER if (data / FOLDER).is_dir() else data


def read_state(data: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Offences and agencies of Connecticut."""
    folder = delivery_folder(Path(data))
    offences, agencies = (
        read(folder, state=STATE_CODE, time_zone=_ZONE, bounding_box=_BOX).kept
        for read in (read_offences, read_agencies)
    )
    return offences, agencies


def volume_of(offences: pl.DataFrame, agencies: pl.DataFrame) -> AgencyDays:
    """Incidents of 2021 and 2022 by the agencies of 2021: those that were known at the origin."""
    known = agencies.filter(year=FIRST.year).select("agency_id", "residents_count")
    return count_agency_days(offences, dict(known.iter_rows()), FIRST, STOP - timedelta(days=1))


def holidays() -> NDArray[np.datetime64]:
    """Holidays of the years and of the day after."""
    return np.array(list(holidays_of_state(STATE_CODE, FIRST, STOP)), dtype="datetime64[D]")


def blind_volume(data: str, horizon_days: int, seed: int) -> dict[str, Any]:
    """Forecast 2022 blind, origin after origin or from one, and score it as one block.

    Parameters
    ----------
    data : str
        Folder of the files.
    horizon_days : int
        Days from an origin to the next; 365 is one origin for the year.
    seed : int
    """
    agency_days, off = volume_of(*read_state(data)), holidays()
    test = volume_folds(FIRST, ORIGIN, STOP, horizon_days=horizon_days)
    taught: tuple[Any, ...] = ()
    if horizon_days == HORIZON_DAYS:
        start = ORIGIN - timedelta(days=HORIZON_DAYS * N_CALIBRATION)
        taught = volume_folds(FIRST, start, ORIGIN, horizon_days=horizon_days)
    blind = [run_volume_fold(agency_days, fold, off, seed=seed) for fold in (*taught, *test)]
    # Every forecast is sealed: from here on the truth may be read.
    counts = [agency_days.between(b.fold.test_start, b.fold.test_stop) for b in blind]
    of_test = slice(len(taught), None)
    days = np.concatenate([b.days for b in blind[of_test]])
    forecast = np.concatenate([b.forecast for b in blind[of_test]])
    scores = volume_scores(np.concatenate(counts[of_test]), forecast, weekday(days))
    if taught:
        forecasts = [b.forecast for b in blind]
        scores |= interval_scores(counts, forecasts, n_calibration=len(taught))
    return {
        "scores": scores,
        "agencies": len(agency_days.agency_ids),
        "incidents": int(sum(c.sum() for c in counts[of_test])),
        "folds": [
            {
                "test_start": str(b.fold.test_start), "digest": b.digest, **b.fit.params,
                "expected": float(b.forecast.sum()), "observed": float(c.sum()),
            }
            for b, c in zip(blind[of_test], counts[of_test], strict=True)
        ],
    }  # fmt: skip


def mix_rows(data: str) -> MixRows:
    """Offences of 2021 to learn from and of 2022 to judge on; officers are those of 2021."""
    offences, agencies = read_state(data)
    force = staffing(agencies.filter(year=FIRST.year), range(FIRST.year, ORIGIN.year))
    residents = _by_agency(force, "residents_count")
    officers = _by_agency(force, "officers_per_1000")
    past = offences.filter(pl.col("occurred_on") < ORIGIN)
    codes = ContextCodes.of(past, residents, officers)
    later = pl.col("occurred_on").is_between(ORIGIN, STOP, closed="left")
    return MixRows.of(codes, past, offences.filter(later))


def prior_mix(data: str) -> dict[str, Any]:
    """Shares of the categories by place, from 2021, judged on 2022."""
    rows = mix_rows(data)
    return {
        "classes": list(rows.codes.classes), "rows": len(rows.labels),
        "test_rows": len(rows.test_labels), "scores": score_priors(rows),
    }  # fmt: skip


def classified_mix(data: str, treatment: str, seed: int) -> dict[str, Any]:
    """Classifier of one treatment of rare categories, from 2021, judged on 2022."""
    return {"scores": score_treatment(mix_rows(data), cast("Treatment", treatment), seed=seed)[1]}


def force_and_rates(data: str) -> dict[str, Any]:
    """Officers from 2021 on, who is carried, and incidents to 1,000 residents."""
    offences, agencies = read_state(data)
    force = staffing(agencies, range(FIRST.year, ORIGIN.year + 1))
    trends = officer_trends(agencies, state=STATE_TITLE).filter(agency_id=STATE)
    rates = yearly_rates(offences, force, state=STATE_TITLE).filter(
        agency_id=STATE, offence_category=ALL_OFFENCES
    )
    return {
        "municipalities": force.filter("is_municipality")["agency_id"].n_unique(),
        "agencies": force["agency_id"].n_unique(),
        "carried": force.filter("is_carried").select("agency", "year", "counted_year").rows(),
        "trends": trends.drop("agency_id", "agency").to_dicts(),
        "rates": rates.select("year", "incidents_count", "residents_count", "rate_per_1000",
                              "rate_lower", "rate_upper", "officers_per_1000").to_dicts(),
    }  # fmt: skip


def _by_agency(force: pl.DataFrame, column: str) -> Mapping[str, float]:
    rows = force.select("agency_id", pl.col(column).cast(pl.Float64).fill_null(0.0))
    return dict(rows.iter_rows())
