"""What must hold of drift: each rule as a function from the table of drift to a finding.

Belongs here: rules about `evaluation.drift`. Does not: the statistics (`input_drift`,
`calibration_drift`), who runs the rules and who is told (`defs`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.evaluation.calibration_drift import BAND
from htrisk_dagster.evaluation.input_drift import ALL_INPUTS
from htrisk_dagster.schemas.finding import Finding

_MOST_NAMED = 3


def inputs_hold(drift: pl.DataFrame) -> Finding:
    """The features of the last four weeks are as those of training."""
    inputs = drift.filter(pl.col("watched") == "inputs")
    whole = inputs.filter(pl.col("measure") == ALL_INPUTS)
    if whole.is_empty():
        return Finding(
            True, "Fewer than four weeks have been scored; drift of inputs is not seen yet."
        )
    row = whole.row(0, named=True)
    if row["upper"] is None:
        return Finding(True, "Training has too few weeks to tell drift of inputs from chance.")
    figures = {"statistic": row["statistic"], "upper": row["upper"]}
    if not row["is_alarm"]:
        return Finding(
            True, "The features of the last four weeks are as those of training.", figures
        )
    worst = inputs.filter(pl.col("measure") != ALL_INPUTS).sort("statistic", descending=True)
    names = ", ".join(worst.head(_MOST_NAMED)["measure"])
    return Finding(
        False,
        f"Features of the four weeks to {row['as_of_on']} are not those the models were trained on "
        f"({row['statistic']:.3g}, to {row['upper']:.3g} is chance), most of all {names}. Look at "
        "their sources, then train again.",
        figures,
    )


def calibration_holds(drift: pl.DataFrame) -> Finding:
    """As much is reported as the champion expects."""
    rows = drift.filter(pl.col("watched") == "calibration")
    if rows.is_empty():
        return Finding(
            True, "No scored day has its reports in; drift of calibration is not seen yet."
        )
    band = rows.filter(pl.col("measure") == BAND).row(0, named=True)
    figures = {"observed_over_expected": band["statistic"]}
    alarms = rows.filter("is_alarm")
    if alarms.is_empty():
        return Finding(True, "As much is reported as the champion expects.", figures)
    return Finding(
        False,
        f"In the four weeks to {band['as_of_on']}, {band['statistic']:.2f} times as much was "
        f"reported as expected ({band['lower']:.2f} to {band['upper']:.2f} is chance); alarms: "
        f"{', '.join(alarms['measure'])}. Look at the reports, then train again.",
        figures,
    )
