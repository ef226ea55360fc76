"""Tables of the `agencies` layer: what is worked out by police agency.

Belongs here: staffing, rates by residents, trends, the volume forecast and the offence mix. Does not:
the files they come from (`nibrs`). "State" stands for all agencies together.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "agencies"
STATE = "state"
"""Agency of rows that are of all agencies together."""
ALL_OFFENCES = "all"

_AGENCY_ID = Column("agency_id", pl.String, "The FBI's number of the agency, or `state`.")
_AGENCY = Column("agency", pl.String, "Agency as published, or the state.")
_YEAR = Column("year", pl.Int32, "Year.", lower=1960, upper=2100)
_RESIDENTS = Column(
    "residents_count", pl.Int64, "Residents of the year; 0 where an agency has none of its own.",
    unit="residents", lower=0,
)  # fmt: skip
_IS_CARRIED = Column(
    "is_carried", pl.Boolean, "Whether employees are those of another year, the year having none."
)
_EMPLOYEES = tuple(
    Column(f"{who}_count", pl.Int64, f"{words}; missing where no year has any.", unit="employees", nullable=True, lower=0)
    for who, words in (
        ("male_officers", "Male sworn officers"), ("female_officers", "Female sworn officers"),
        ("officers", "Sworn officers"), ("civilians", "Civilian employees"),
    )
)  # fmt: skip
_FEMALE_PCT = Column(
    "female_officers_pct", pl.Float64, "Women among sworn officers; missing without an officer.",
    unit="percent", nullable=True, lower=0, upper=100,
)  # fmt: skip
_PER_1000 = Column(
    "officers_per_1000", pl.Float64, "Sworn officers to 1,000 residents; missing without residents.",
    unit="officers per 1,000 residents", nullable=True, lower=0,
)  # fmt: skip

STAFFING = Table(
    LAYER,
    "staffing",
    "one police agency and year",
    "Officers by sex, civilians and residents of every agency and year of offences or of counts.",
    (
        _AGENCY_ID, _YEAR, _AGENCY,
        Column("agency_type", pl.String, "City, State Police, Tribal, …."),
        Column("is_municipality", pl.Boolean, "Whether it is a city's or town's own force."),
        _RESIDENTS,
        Column("residents_year", pl.Int32, "Year of the residents, the nearest that has any.", lower=1960, upper=2100),
        *_EMPLOYEES,
        Column("counted_year", pl.Int32, "Year of the employees.", nullable=True, lower=1960, upper=2100),
        _IS_CARRIED, _FEMALE_PCT, _PER_1000,
        Column(
            "latest_officers_count", pl.Int64, "Sworn officers of the agency's latest count, over all years.",
            unit="employees", nullable=True, lower=0,
        ),
        Column("latest_counted_year", pl.Int32, "Year of the latest count.", nullable=True, lower=1960, upper=2100),
        Column(
            "latest_officers_per_1000", pl.Float64, "Officers of the latest count to 1,000 residents of the year.",
            unit="officers per 1,000 residents", nullable=True, lower=0,
        ),
    ),
    key=("agency_id", "year"),
    warnings=(
        "Carried counts are no counts: a trend over them is flat by construction.",
        "`latest_officers_count` is of the latest year in every row, so that years can be compared at one strength.",
    ),
)  # fmt: skip
YEARLY_RATES = Table(
    LAYER,
    "yearly_rates",
    "one police agency, year and offence category",
    "Reported incidents to 1,000 residents, with the interval of a Poisson count.",
    (
        _AGENCY_ID, _AGENCY, _YEAR,
        Column("offence_category", pl.String, "The FBI's category, or `all`."),
        Column("incidents_count", pl.Int64, "Incidents with an offence of the category.", unit="incidents", lower=0),
        _RESIDENTS,
        Column(
            "rate_per_1000", pl.Float64, "Incidents to 1,000 residents; missing without residents.",
            unit="incidents per 1,000 residents", nullable=True, lower=0,
        ),
        *(
            Column(
                f"rate_{end}", pl.Float64, f"{word} end of the exact 95% interval (Garwood 1936).",
                unit="incidents per 1,000 residents", nullable=True, lower=0,
            )
            for end, word in (("lower", "Lower"), ("upper", "Upper"))
        ),
        _PER_1000,
        Column("is_staffing_carried", pl.Boolean, "Whether the officers are those of another year."),
    ),
    key=("agency_id", "year", "offence_category"),
    warnings=(
        "Of reports: a low rate may be a safe town, or one that reports little.",
        "A file of offences with a criminal-act code alone has no thefts or burglaries: compare like with like.",
    ),
)  # fmt: skip
OFFICER_TRENDS = Table(
    LAYER,
    "officer_trends",
    "one police agency, or the state, and year of counts",
    "Officers by sex from year to year, counted years only.",
    (
        _AGENCY_ID, _AGENCY, _YEAR,
        Column("agencies_counted_count", pl.Int64, "Agencies with a count that year.", unit="agencies", lower=0),
        *_EMPLOYEES, _FEMALE_PCT,
        Column("officers_change_count", pl.Int64, "Officers less those of the count before.", unit="employees", nullable=True),
        Column(
            "officers_change_pct", pl.Float64, "Officers less those of the first count, in percent of these.",
            unit="percent", nullable=True,
        ),
        _PER_1000,
    ),
    key=("agency_id", "year"),
    warnings=(
        "The state is the sum of agencies that were counted in every year, so that a new or silent one is no trend.",
    ),
)  # fmt: skip
VOLUME_FORECASTS = Table(
    LAYER,
    "volume_forecasts",
    "one day and police agency, or the state",
    "Incidents expected on each of the thirty days after the last that is known, with intervals.",
    (
        Column("forecast_on", pl.Date, "Day that is forecast."),
        _AGENCY_ID, _AGENCY,
        Column("origin_on", pl.Date, "First day that was not known."),
        Column("horizon_days", pl.Int32, "Days from the last known one, 1 the next.", unit="days", lower=1),
        Column("expected_count", pl.Float64, "Expected incidents.", unit="incidents", lower=0),
        *(
            Column(f"{end}_{level}_count", pl.Int32, f"{word} end of the {level}% interval, included.", unit="incidents", lower=0)
            for level in (50, 95) for end, word in (("lower", "Lower"), ("upper", "Upper"))
        ),
        Column("is_holiday", pl.Boolean, "Whether the day is a holiday of the country or the state."),
        Column("holiday", pl.String, "The holiday, if it is one.", nullable=True),
    ),
    key=("forecast_on", "agency_id"),
    warnings=(
        "Reported incidents. The forecast of a later day is made from the expectations of earlier ones.",
        "The state has an interval of its own: towns are high or low together.",
    ),
)  # fmt: skip
OFFENCE_MIX = Table(
    LAYER,
    "offence_mix",
    "one police agency, part of the day, kind of day and offence category",
    "Which category is reported, given that one is: calibrated probability beside the share in the past.",
    (
        _AGENCY_ID, _AGENCY,
        Column("day_part", pl.String, "Quarter of the day.", allowed=("night", "morning", "afternoon", "evening")),
        Column("is_weekend", pl.Boolean, "Saturday or Sunday."),
        Column("offence_category", pl.String, "The FBI's category; rare ones together."),
        Column("offence_prob", pl.Float64, "Calibrated probability, by the agency's own kinds of place.", lower=0, upper=1),
        Column("past_share", pl.Float64, "Share among the agency's offences, all hours together.", lower=0, upper=1),
    ),
    key=("agency_id", "day_part", "is_weekend", "offence_category"),
    warnings=("Shares of reports, no risk: nothing is said of how many there are.",),
)  # fmt: skip
_SCORE = Column("value", pl.Float64, "Value; missing where undefined.", nullable=True)
VOLUME_BACKTEST = Table(
    LAYER,
    "volume_backtest",
    "one blind fold and metric",
    "Scores of the volume forecast on blind folds, WAPE beside the floor of counting noise.",
    (
        Column("test_start_on", pl.Date, "First day of the block."),
        Column("test_stop_on", pl.Date, "Day after its last."),
        Column("metric", pl.String, "Metric."), _SCORE,
        Column("digest", pl.String, "SHA-256 of the forecast, taken before the block was read."),
    ),
    key=("test_start_on", "metric"),
)  # fmt: skip
OFFENCE_MIX_COMPARISON = Table(
    LAYER,
    "offence_mix_comparison",
    "one model and metric",
    "Classifiers of the offence mix by treatment of rare categories, and priors by place, on later days.",
    (Column("model", pl.String, "Model."), Column("metric", pl.String, "Metric."), _SCORE),
    key=("model", "metric"),
)

TABLES = (
    STAFFING, YEARLY_RATES, OFFICER_TRENDS, VOLUME_FORECASTS, OFFENCE_MIX, VOLUME_BACKTEST,
    OFFENCE_MIX_COMPARISON,
)  # fmt: skip
