"""Results by police agency as tables: the volume outlook, its blind folds, the offence mix.

Belongs here: `agencies.volume_forecasts`, `volume_backtest`, `offence_mix` and
`offence_mix_comparison` from what the models gave. Does not: the models, how they are judged.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import polars as pl

from htrisk_dagster.evaluation.backtest import FoldResult
from htrisk_dagster.evaluation.volume_backtest import VolumeOutlook
from htrisk_dagster.features.offence_contexts import ContextCodes, unique_offences
from htrisk_dagster.models.offence_mix import OffenceMix
from htrisk_dagster.schemas.agencies import (
    OFFENCE_MIX,
    OFFENCE_MIX_COMPARISON,
    STATE,
    VOLUME_BACKTEST,
    VOLUME_FORECASTS,
)

# Quarter of the day to the hour in its middle.
DAY_PARTS = {"night": 3, "morning": 9, "afternoon": 15, "evening": 21}
# A weekday and a day of the weekend that stand for the others: Wednesday, Saturday.
_DAYS = {False: 2, True: 5}


def volume_table(
    outlook: VolumeOutlook, agency_ids: Sequence[str], labels: Mapping[str, str],
    holidays: Mapping[date, str],
) -> pl.DataFrame:  # fmt: skip
    """Rows of `agencies.volume_forecasts`, the state's after those of the agencies of a day.

    Parameters
    ----------
    outlook : VolumeOutlook
    agency_ids : sequence of str
        In the order of the forecast's columns.
    labels : mapping of str to str
        What each agency, and `state`, is called.
    holidays : mapping of date to str
    """
    parts = (
        (tuple(agency_ids), outlook.forecast, outlook.intervals.of_agencies),
        ((STATE,), outlook.forecast.sum(axis=1, keepdims=True), outlook.intervals.of_state),
    )
    frames = []
    for ids, expected, intervals in parts:
        ends = {
            f"{end}_{round(level * 100)}_count": side.ravel()
            for level in (0.5, 0.95)
            for end, side in zip(
                ("lower", "upper"), intervals.interval(expected, level), strict=True
            )
        }
        frames.append(
            pl.DataFrame(
                {
                    "forecast_on": np.repeat(outlook.days, len(ids)),
                    "agency_id": list(ids) * len(outlook.days),
                    "horizon_days": np.repeat(np.arange(1, len(outlook.days) + 1), len(ids)),
                    "expected_count": expected.ravel(),
                    **ends,
                }
            )
        )
    day = pl.col("forecast_on")
    rows = pl.concat(frames).with_columns(
        pl.col("agency_id").replace_strict(dict(labels)).alias("agency"),
        pl.lit(outlook.days[0].astype(object)).alias("origin_on"),
        day.is_in(list(holidays)).alias("is_holiday"),
        day.replace_strict(dict(holidays), default=None, return_dtype=pl.String).alias("holiday"),
    )
    return VOLUME_FORECASTS.conform(rows.sort("forecast_on", maintain_order=True))


def backtest_table(folds: Sequence[FoldResult]) -> pl.DataFrame:
    """Rows of `agencies.volume_backtest`: every metric of every fold, with the forecast's seal."""
    rows = [
        (f.fold.test_start, f.fold.test_stop, metric, value, f.digest)
        for f in folds
        for metric, value in sorted(f.metrics.items())
    ]
    schema = VOLUME_BACKTEST.polars_schema()
    frame = pl.DataFrame(rows, schema=schema, orient="row")
    return VOLUME_BACKTEST.conform(frame.with_columns(pl.col("value").fill_nan(None)))


def comparison_table(scores: Mapping[str, Mapping[str, float]]) -> pl.DataFrame:
    """Rows of `agencies.offence_mix_comparison`: every metric of every model."""
    rows = [(m, name, value) for m, found in scores.items() for name, value in found.items()]
    frame = pl.DataFrame(rows, schema=OFFENCE_MIX_COMPARISON.polars_schema(), orient="row")
    return OFFENCE_MIX_COMPARISON.conform(frame)


def mix_table(
    model: OffenceMix, codes: ContextCodes, offences: pl.DataFrame, labels: Mapping[str, str]
) -> pl.DataFrame:
    """Rows of `agencies.offence_mix`: for each agency the mix by part of the day and of the week.

    Averaged over the kinds of place where the agency's own offences were in that part of the day, and
    over the seasons.

    Parameters
    ----------
    model : OffenceMix
    codes : ContextCodes
        With which it was fitted.
    offences : DataFrame
        `nibrs.reported_offences` that it was fitted on.
    labels : mapping of str to str
        What each agency is called.
    """
    rows = unique_offences(offences)
    times = pl.DataFrame(
        [(part, hour, weekend, day) for part, hour in DAY_PARTS.items() for weekend, day in _DAYS.items()],
        schema={"day_part": pl.String, "hour": pl.Int32, "is_weekend": pl.Boolean, "weekday": pl.Int32},
        orient="row",
    )  # fmt: skip
    # Four months, one a season, stand for the year: the mix changes little within one.
    months = pl.DataFrame({"month": pl.Series([1, 4, 7, 10], dtype=pl.Int32)})
    contexts = (
        _places(rows)
        .join(times, on="day_part", maintain_order="left")
        .join(months, how="cross", maintain_order="left")
    )
    found = model.predict(codes.encode(contexts))
    keys = ["agency_id", "day_part", "is_weekend"]
    mixed = (
        pl.concat([contexts, pl.DataFrame(found, schema=list(codes.classes))], how="horizontal")
        .group_by(keys, maintain_order=True)
        .agg((pl.col(c) * pl.col("weight")).sum() / pl.col("weight").sum() for c in codes.classes)
        .unpivot(index=keys, variable_name="offence_category", value_name="offence_prob")
    )
    named = rows.with_columns(
        pl.Series("offence_category", [codes.classes[i] for i in codes.labels(rows).tolist()])
    )
    past = named.group_by("agency_id", "offence_category").len("n")
    shares = past.with_columns(
        (pl.col("n") / pl.col("n").sum().over("agency_id")).alias("past_share")
    )
    return OFFENCE_MIX.conform(
        mixed.join(shares, on=["agency_id", "offence_category"], how="left", maintain_order="left")
        .with_columns(
            pl.col("past_share").fill_null(0.0),
            pl.col("agency_id").replace_strict(dict(labels)).alias("agency"),
        )
        .sort(*keys, "offence_category")
    )


def _places(rows: pl.DataFrame) -> pl.DataFrame:
    """Kinds of place of each agency by part of the day, with a `weight` that is above 0.

    Its offences there in that part, and one more that is spread as all of the agency's are: a part of
    the day without an offence has the places of the whole day.
    """
    place = ["agency_id", "location"]
    parts = pl.DataFrame({"day_part": list(DAY_PARTS)})
    middle = {hour // 6: part for part, hour in DAY_PARTS.items()}
    part = (pl.col("hour") // 6).replace_strict(middle, default=None, return_dtype=pl.String)
    in_part = rows.with_columns(part.alias("day_part")).group_by(*place, "day_part").len("n_part")
    whole = rows.group_by(place, maintain_order=True).len("n")
    share = pl.col("n") / pl.col("n").sum().over("agency_id")
    return (
        whole.with_columns(share.alias("share"))
        .join(parts, how="cross", maintain_order="left")
        .join(in_part, on=[*place, "day_part"], how="left", nulls_equal=True, maintain_order="left")
        .with_columns((pl.col("n_part").fill_null(0) + pl.col("share")).alias("weight"))
    )
