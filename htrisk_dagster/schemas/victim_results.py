"""Results of the victim-population analysis: recodes, counts by year, tactics, flows, models.

Belongs here: tables made from the records, and what their readers must be warned of. Does not: the
records (`victim_records`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.schemas.victim_records import LAYER

RECODE_RULES = ("value", "unknown", "unresolved", "part_unknown", "from_parts", "not_in_file")
TOLD_AS_ONE = (
    "Later synthetic releases tell some means of control only as a group, which is named more often "
    "than one of its parts would be."
)
SMALL_COUNTS = "Holds counts below 11: not for publication before disclosure control."
INDEPENDENT = "Intervals take records as independent; records of one case or office are not."
ALL_SOURCES = "all"
DIMENSIONS = ("all_records", "gender", "age_band", "exploitation", "means_of_control")

_DATA_SOURCE = Column("data_source", pl.String, "Data source, `unknown`, or `all` together.")
_RECORDS = Column("records_count", pl.Int64, "Records that have it.", unit="records", lower=0)
_KNOWN = Column(
    "known_count",
    pl.Int64,
    "Records in which it is known: the share's denominator.",
    unit="records",
    lower=0,
)
_UNKNOWN = Column(
    "unknown_count",
    pl.Int64,
    "Records in which it is unknown, outside the share.",
    unit="records",
    lower=0,
)
_SHARE = (
    Column(
        "share",
        pl.Float64,
        "Records that have it over those in which it is known.",
        nullable=True,
        lower=0,
        upper=1,
    ),
    Column("share_lower", pl.Float64, "Lower end, 95%, Wilson.", nullable=True, lower=0, upper=1),
    Column("share_upper", pl.Float64, "Upper end, 95%, Wilson.", nullable=True, lower=0, upper=1),
)

RECODE_COUNTS = Table(
    LAYER,
    "recode_counts",
    "one column of `records` and one value before its recoding",
    "Every value as published beside what it became; the counts of a column add up to all records.",
    (
        Column("column", pl.String, "Column of `records`."),
        Column(
            "source_column",
            pl.String,
            "Column or columns of the file it was read from.",
            nullable=True,
        ),
        Column(
            "value_before",
            pl.String,
            "As published, or what the parts of a group say; missing where blank.",
            nullable=True,
        ),
        Column("value_after", pl.String, "As text; missing where unknown.", nullable=True),
        Column("rule", pl.String, "How the value became ours.", allowed=RECODE_RULES),
        _RECORDS,
    ),
    key=("column", "value_before"),
    warnings=(SMALL_COUNTS,),
)
YEARLY_COUNTS = Table(
    LAYER,
    "yearly_counts",
    "one data source, year of registration, dimension and category",
    "Counts and shares of records by year and by sex, age band, exploitation and means of control.",
    (
        _DATA_SOURCE,
        Column("year_of_registration", pl.Int32, "Year; missing where unknown.", nullable=True),
        Column("dimension", pl.String, "What the records are divided by.", allowed=DIMENSIONS),
        Column("category", pl.String, "A value, or a column of `records` that is yes."),
        _RECORDS,
        Column(
            "count_lower", pl.Float64, "Lower end, 95%, Poisson (Garwood).", unit="records", lower=0
        ),
        Column(
            "count_upper", pl.Float64, "Upper end, 95%, Poisson (Garwood).", unit="records", lower=0
        ),
        _KNOWN,
        _UNKNOWN,
        *_SHARE,
    ),
    key=("data_source", "year_of_registration", "dimension", "category"),
    warnings=(
        "Years are of registration: partners joined and left, so a rise is not a rise in crime.",
        "Means of control: known where a record names at least one; one record may name several.",
        TOLD_AS_ONE,
        INDEPENDENT,
        SMALL_COUNTS,
    ),
)
SOURCE_CONTRAST = Table(
    LAYER,
    "source_contrast",
    "one indicator, data source, gender and majority when exploited",
    "How far the data sources differ for the same victim type.",
    (
        Column("indicator", pl.String, "Column of `records`."),
        _DATA_SOURCE,
        Column("gender", pl.String, "Gender; missing where unknown.", nullable=True),
        Column(
            "majority_status_at_exploit",
            pl.String,
            "Adult or minor when exploited; missing where unknown.",
            nullable=True,
        ),
        _RECORDS,
        _KNOWN,
        _UNKNOWN,
        *_SHARE,
        Column(
            "share_of_all",
            pl.Float64,
            "Records that have it over all records: unknown taken as no.",
            lower=0,
            upper=1,
        ),
    ),
    key=("indicator", "data_source", "gender", "majority_status_at_exploit"),
    warnings=(INDEPENDENT, SMALL_COUNTS),
)
TACTICS = Table(
    LAYER,
    "tactics",
    "one data source and means of control",
    "Means of control by how often they are named, and the change from the first half of the years.",
    (
        _DATA_SOURCE,
        Column("rank", pl.Int32, "1 is the most named of its source.", lower=1),
        Column("tactic", pl.String, "Column of `records`."),
        _RECORDS,
        Column(
            "known_count",
            pl.Int64,
            "Records that name at least one means: the share's denominator.",
            unit="records",
            lower=0,
        ),
        Column("unknown_count", pl.Int64, "Records that name none.", unit="records", lower=0),
        *_SHARE,
        Column("first_years", pl.String, "First half of the source's years."),
        Column(
            "second_years",
            pl.String,
            "Second half; missing where there is one year.",
            nullable=True,
        ),
        Column(
            "first_share", pl.Float64, "Share in the first half.", nullable=True, lower=0, upper=1
        ),
        Column(
            "second_share", pl.Float64, "Share in the second half.", nullable=True, lower=0, upper=1
        ),
        Column("change", pl.Float64, "Second share less first.", nullable=True, lower=-1, upper=1),
        Column(
            "change_lower",
            pl.Float64,
            "Lower end, 95%, Newcombe.",
            nullable=True,
            lower=-1,
            upper=1,
        ),
        Column(
            "change_upper",
            pl.Float64,
            "Upper end, 95%, Newcombe.",
            nullable=True,
            lower=-1,
            upper=1,
        ),
    ),
    key=("data_source", "tactic"),
    warnings=(
        "A means that is not named may still have been used.",
        TOLD_AS_ONE,
        "The change over all sources together mixes hotline and case management: read it by source.",
        INDEPENDENT,
        SMALL_COUNTS,
    ),
)
YEARLY_FORECASTS = Table(
    LAYER,
    "yearly_forecasts",
    "one data source and year ahead",
    "Records expected by year, local linear trend of the logarithm.",
    (
        _DATA_SOURCE,
        Column("year_of_registration", pl.Int32, "Year forecast."),
        Column("expected_count", pl.Float64, "Median of the forecast.", unit="records", lower=0),
        Column("lower_80", pl.Float64, "Lower end, 80%.", unit="records", lower=0),
        Column("upper_80", pl.Float64, "Upper end, 80%.", unit="records", lower=0),
        Column("lower_95", pl.Float64, "Lower end, 95%.", unit="records", lower=0),
        Column("upper_95", pl.Float64, "Upper end, 95%.", unit="records", lower=0),
        Column("caution", pl.String, "Why this forecast is weak; empty where nothing was found."),
    ),
    key=("data_source", "year_of_registration"),
    warnings=("Forecasts what partners will register, not how many will be trafficked.",),
)
FLOWS = Table(
    LAYER,
    "flows",
    "one citizenship and country of exploitation",
    "Records by citizenship and country of exploitation.",
    (
        Column(
            "citizenship", pl.String, "ISO 3166-1 alpha-2; missing where unknown.", nullable=True
        ),
        Column(
            "country_of_exploitation",
            pl.String,
            "ISO 3166-1 alpha-2; missing where unknown.",
            nullable=True,
        ),
        Column("records_count", pl.Int64, "Records.", unit="records", lower=1),
        Column("log10_count", pl.Float64, "Logarithm to base 10 of the count.", lower=0),
    ),
    key=("citizenship", "country_of_exploitation"),
    warnings=(SMALL_COUNTS,),
)
COUNTRY_PROFILES = Table(
    LAYER,
    "country_profiles",
    "one side, group of countries, dimension and category",
    "The countries with the most and the fewest records, by age, sex and duration.",
    (
        Column(
            "side",
            pl.String,
            "What a country is counted by.",
            allowed=("citizenship", "country_of_exploitation"),
        ),
        Column("group", pl.String, "Most or fewest records.", allowed=("top", "bottom")),
        Column("countries", pl.String, "ISO alpha-2 codes of the group, in order of rank."),
        Column(
            "dimension",
            pl.String,
            "What the records are divided by.",
            allowed=("age_band", "gender", "trafficked_months_band"),
        ),
        Column("category", pl.String, "A value of the dimension."),
        _RECORDS,
        _KNOWN,
        _UNKNOWN,
        *_SHARE,
    ),
    key=("side", "group", "dimension", "category"),
    warnings=(INDEPENDENT, SMALL_COUNTS),
)
LOGIT_COEFFICIENTS = Table(
    LAYER,
    "logit_coefficients",
    "one model, recipe and term",
    "The five logit models: unknown taken for no (the seed's recipe), unknown left out, and with source.",
    (
        Column("model", pl.String, "Name of the model."),
        Column("recipe", pl.String, "What becomes of unknown, and whether the source is a factor."),
        Column("term", pl.String, "Product of factors; the base case is the adult woman."),
        Column(
            "coefficient",
            pl.Float64,
            "Log odds; missing where there is no finite estimate.",
            nullable=True,
        ),
        Column("standard_error", pl.Float64, "Of the coefficient.", nullable=True),
        Column("z", pl.Float64, "Coefficient over standard error.", nullable=True),
        Column("p_value", pl.Float64, "Two-sided, of no effect.", nullable=True),
        Column("lower", pl.Float64, "Lower end of the 95% interval.", nullable=True),
        Column("upper", pl.Float64, "Upper end of the 95% interval.", nullable=True),
        Column("odds_ratio", pl.Float64, "Exponential of the coefficient.", nullable=True),
        Column("odds_ratio_lower", pl.Float64, "Lower end of its 95% interval.", nullable=True),
        Column("odds_ratio_upper", pl.Float64, "Upper end of its 95% interval.", nullable=True),
        Column("odds_change_pct", pl.Float64, "100 (odds ratio - 1).", unit="%", nullable=True),
    ),
    key=("model", "recipe", "term"),
    warnings=(INDEPENDENT,),
)
