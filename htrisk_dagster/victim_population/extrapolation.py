"""Odds of a victim type applied to a survey's total.

Belongs here: the product, its interval and the sentence that states the arithmetic. Does not: the
odds (`logit`), or a judgement that identified victims resemble all victims: they do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from htrisk_dagster.errors import TableError
from htrisk_dagster.victim_population.intervals import LEVEL
from htrisk_dagster.victim_population.logit import LogitFit

# International Labour Organization, Walk Free and IOM (2022): adults in forced labour exploitation.
FORCED_LABOUR_THOUSANDS = {"man": 10_656, "woman": 5_361}


@dataclass(frozen=True)
class Extrapolation:
    """A survey total times odds.

    Parameters
    ----------
    victim_type : str
    survey_total_thousands, odds : float
        The two factors.
    thousands, thousands_lower, thousands_upper : float
        Their product in thousands of persons and its interval, which is the odds' (`LogitFit`:
        delta method on the log odds, or exact) times the total.
    sentence : str
        The arithmetic in words.
    """

    victim_type: str
    survey_total_thousands: float
    odds: float
    thousands: float
    thousands_lower: float
    thousands_upper: float
    sentence: str


def extrapolate(fit: LogitFit, victim_type: str, survey_total_thousands: float) -> Extrapolation:
    """Multiply a survey total by the odds of a victim type.

    Parameters
    ----------
    fit : LogitFit
        A model without the data source: with it there is no single odds per victim type.
    victim_type : str
        `girl`, `woman`, `boy` or `man`.
    survey_total_thousands : float
        Thousands of persons, such as `FORCED_LABOUR_THOUSANDS`; taken as exact.

    Raises
    ------
    TableError
        Where the fit has no odds, or more than one, for this victim type.
    ValueError
        Where the total is negative or no number.
    """
    if not 0 <= survey_total_thousands < float("inf"):
        raise ValueError(f"A survey total of {survey_total_thousands} thousand is no total.")
    row = fit.victim_types.filter(
        (pl.col("victim_type") == victim_type) & pl.col("odds").is_not_null()
    )
    if row.height != 1:
        raise TableError(
            f"The fit of {fit.model.name} has {row.height} odds for {victim_type!r}; give one of its "
            "victim types and a model without the data source."
        )
    odds, low, high = row.select("odds", "odds_lower", "odds_upper").row(0)
    middle, lower, upper = (survey_total_thousands * o for o in (odds, low, high))
    sentence = (
        f"{survey_total_thousands:,.0f} thousand ({victim_type}) times odds of {odds:.6f} of "
        f"{fit.model.name} gives {middle:,.1f} thousand, that is {1000 * middle:,.0f} persons "
        f"({LEVEL:.0%} interval {lower:,.1f} to {upper:,.1f} thousand). The interval holds the survey "
        "total for exact and knows nothing of who is never identified; the odds set records with the "
        "outcome against those without it, which are not all records of the surveyed kind."
    )
    return Extrapolation(victim_type, survey_total_thousands, odds, middle, lower, upper, sentence)
