"""Rates of precincts as the table of one day: expectation, probability, interval.

Belongs here: `schemas.predictions.PRECINCT_DAY_RISK` from rates. Does not: the rates.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.models.count_distribution import central_interval, probability_of_any
from htrisk_dagster.models.precinct_day import PrecinctRates
from htrisk_dagster.schemas.predictions import PRECINCT_DAY_RISK


def precinct_table(
    rates: Mapping[str, PrecinctRates],
    precincts: NDArray[np.int32],
    risk_on: date,
    known_before: date,
) -> pl.DataFrame:
    """Give one row a precinct and offence group, in order.

    Parameters
    ----------
    rates : mapping of str to PrecinctRates
        By offence group.
    precincts : int32, shape (P,)
    risk_on, known_before : date
        The day, and the day from which no report was seen.

    Returns
    -------
    DataFrame
        `schemas.predictions.PRECINCT_DAY_RISK`, without rows where there is no group.
    """
    day = np.array([risk_on], dtype="datetime64[D]")
    parts = [PRECINCT_DAY_RISK.empty()]
    for group, fitted in sorted(rates.items()):
        expected = fitted.expected(day)[0]
        lower, upper = central_interval(expected, fitted.size, 0.95)
        part = pl.DataFrame(
            {
                "precinct": precincts,
                "expected_count": expected,
                "risk_prob": probability_of_any(expected, fitted.size),
                "lower_95_count": lower,
                "upper_95_count": upper,
            }
        ).with_columns(
            risk_on=pl.lit(risk_on), known_before=pl.lit(known_before), offence_group=pl.lit(group)
        )
        parts.append(PRECINCT_DAY_RISK.conform(part))
    return pl.concat(parts)
