from __future__ import annotations

from datetime import date

import polars as pl
from htrisk_dagster.evaluation.calibration_drift import BAND, RISE
from htrisk_dagster.evaluation.drift_findings import calibration_holds, inputs_hold
from htrisk_dagster.evaluation.input_drift import ALL_INPUTS
from htrisk_dagster.schemas.predictions import DRIFT


def drift_of(*rows: tuple[str, str, float, float | None, bool]) -> pl.DataFrame:
    return DRIFT.conform(
        pl.DataFrame(
            [
                {
                    "as_of_on": date(2015, 7, 28), "champion_month_on": date(2015, 7, 1),
                    "watched": watched, "measure": name, "statistic": statistic,
                    "lower": 0.5 if watched == "calibration" else None, "upper": upper,
                    "is_alarm": alarm,
                }
                for watched, name, statistic, upper, alarm in rows
            ],
            schema=DRIFT.polars_schema(),
        )
    )  # fmt: skip


def test_inputs_within_and_outside():
    within = drift_of(
        ("inputs", "target_lag_1", 1.1, 3.0, False), ("inputs", ALL_INPUTS, 1.1, 3.0, False)
    )
    assert inputs_hold(within).holds
    outside = drift_of(
        ("inputs", "target_lag_1", 1.1, 3.0, False),
        ("inputs", "events_lag_1", 7.25, 3.0, True),
        ("inputs", ALL_INPUTS, 7.25, 3.0, True),
    )
    finding = inputs_hold(outside)
    assert not finding.holds
    assert "four weeks to 2015-07-28" in finding.sentence
    assert "(7.25, to 3 is chance), most of all events_lag_1, target_lag_1." in finding.sentence
    assert finding.figures == {"statistic": 7.25, "upper": 3.0}


def test_what_is_not_seen_yet_holds_and_says_so():
    nothing = drift_of()
    assert "not seen yet" in inputs_hold(nothing).sentence
    assert "not seen yet" in calibration_holds(nothing).sentence
    short = drift_of(("inputs", ALL_INPUTS, 9.0, None, False))
    assert inputs_hold(short).holds
    assert "too few weeks" in inputs_hold(short).sentence


def test_calibration_within_and_outside():
    within = drift_of(
        ("calibration", BAND, 1.2, 1.5, False), ("calibration", RISE, 3.0, 9.0, False)
    )
    assert calibration_holds(within).holds
    assert calibration_holds(within).figures == {"observed_over_expected": 1.2}
    lasting = drift_of(
        ("calibration", BAND, 1.2, 1.5, False), ("calibration", RISE, 9.5, 9.0, True)
    )
    finding = calibration_holds(lasting)
    assert not finding.holds
    assert "1.20 times as much" in finding.sentence
    assert "(0.50 to 1.50 is chance); alarms: cumulative rise." in finding.sentence
