"""Tables of the `series` layer: counts of areas by period, their forecasts, and what follows from them.

Belongs here: what is known and expected of an area and period. Does not: cells and days
(`predictions.py`).
"""

from __future__ import annotations

from typing import Literal

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "series"
Frequency = Literal["day", "week", "month"]
FREQUENCIES: tuple[Frequency, ...] = ("day", "week", "month")

_AREA = Column(
    "place",
    pl.String,
    "Police precinct, or the city's own code of its beat or town, or borough; `(all)` is the study area.",
)
_REPORTED = "Reported incidents, not crimes."

AREA_PERIODS = Table(
    LAYER,
    "area_periods",
    "one frequency, area and period",
    "Reported incidents counted by area and day, week or month of occurrence, zeros included.",
    (
        Column("frequency", pl.String, "Length of the period.", allowed=FREQUENCIES),
        _AREA,
        Column("period_on", pl.Date, "First local day of the period; weeks begin on Monday."),
        Column("days_count", pl.Int32, "Days of the period.", unit="days", lower=1, upper=31),
        Column(
            "covered_days_count",
            pl.Int32,
            "Of these, days that the incidents cover.",
            unit="days",
            lower=1,
            upper=31,
        ),
        Column("incidents_count", pl.Int32, "Reported incidents.", unit="incidents", lower=0),
        Column("is_partial", pl.Boolean, "The incidents cover the period in part only."),
    ),
    key=("frequency", "place", "period_on"),
    warnings=(
        _REPORTED,
        "The count of a partial period is no count of a period: models leave it out.",
        "Small counts: not for publication.",
    ),
)
METHODS = ("stl", "classical")
FORMS = ("additive", "multiplicative")
VERDICTS = ("steady", "wandering", "steady around a trend or break", "undecided")
PEAK_KINDS = ("hour", "weekday", "month")
SHIFT_NAMES = ("night", "day", "evening")
_MONTH = Column("period_on", pl.Date, "First day of the month.")


def _number(
    name: str, description: str, unit: str, *, lower: float | None = 0, nullable: bool = False
) -> Column:
    return Column(name, pl.Float64, description, unit=unit, lower=lower, nullable=nullable)


def _probability(name: str, description: str) -> Column:
    return Column(name, pl.Float64, description, unit="probability", lower=0, upper=1)


_KNOWN = Column("known_before_on", pl.Date, "Nothing reported on or after this day was used.")
_NAIVE = _number(
    "seasonal_naive_count", "What the same period of the season before would say.", "incidents"
)


def _forecasts(name: str, unit: str, horizon: int, span: str) -> Table:
    """Forecasts of one frequency, and what each row of them says."""
    return Table(
        LAYER,
        name,
        f"one area and {unit} to come",
        f"Expected reported incidents of the next {span} by area, with a 95% band. One partition: the "
        "month in whose first week it is made.",
        (
            _AREA,
            _KNOWN,
            Column("made_from_on", pl.Date, f"First day after the last {unit} that was known."),
            Column("period_on", pl.Date, f"First day of the {unit}."),
            Column(
                "ahead",
                pl.Int32,
                f"{unit.capitalize()}s ahead, 1 the first.",
                unit=f"{unit}s",
                lower=1,
                upper=horizon,
            ),
            Column("model", pl.String, "Model, or models whose geometric mean it is."),
            _number("expected_count", "Expected reported incidents.", "incidents"),
            _number("lower_95_count", "Lower end of the 95% band.", "incidents"),
            _number("upper_95_count", "Upper end of the 95% band.", "incidents"),
            _NAIVE,
        ),
        key=("known_before_on", "place", "period_on"),
        warnings=(
            _REPORTED,
            "Areas do not sum to `(all)`, which is forecast by itself.",
            "Not for publication where small.",
        ),
    )


def _errors(name: str, unit: str) -> Table:
    """Errors of the models of one frequency."""
    return Table(
        LAYER,
        name,
        "one model and metric",
        f"Errors one {unit} ahead over the blind {unit}s, beside what noise leaves and what the seasonal "
        "naive forecast gets. One partition: as of the forecasts.",
        (
            _KNOWN,
            Column("model", pl.String, "Model; `champion` is the chosen one."),
            Column(
                "metric", pl.String, "mae, rmse, mape, mase, r_squared or directional_accuracy."
            ),
            Column("periods_count", pl.Int32, f"Blind {unit}s.", unit=f"{unit}s", lower=1),
            _number("value", "The metric.", "", lower=None, nullable=True),
            _number(
                "noise", "What Poisson noise alone leaves, or gives.", "", lower=None, nullable=True
            ),
            _number(
                "seasonal_naive", "Of the seasonal naive forecast.", "", lower=None, nullable=True
            ),
        ),
        key=("known_before_on", "model", "metric"),
    )


FORECASTS = _forecasts("forecasts", "month", 12, "twelve months")
WEEK_FORECASTS = _forecasts("week_forecasts", "week", 52, "fifty-two weeks")
DAY_FORECASTS = _forecasts("day_forecasts", "day", 31, "thirty-one days")
ERRORS = _errors("errors", "month")
WEEK_ERRORS = _errors("week_errors", "week")
DAY_ERRORS = _errors("day_errors", "day")
WEEKLY_LSTM = Table(
    LAYER,
    "weekly_lstm",
    "one area and week to come",
    "Expected reported incidents of the next fifty-two weeks by area, by the weekly LSTM alone. One "
    "partition: as of the forecasts.",
    (
        _AREA,
        _KNOWN,
        Column("made_from_on", pl.Date, "First day after the last week that was known."),
        Column("period_on", pl.Date, "First day of the week."),
        Column("ahead", pl.Int32, "Weeks ahead, 1 the first.", unit="weeks", lower=1, upper=52),
        _number("expected_count", "Expected reported incidents.", "incidents"),
        _NAIVE,
    ),
    key=("known_before_on", "place", "period_on"),
    warnings=(_REPORTED, "Without a band: `series.week_forecasts` has one."),
)
FORECAST_TABLES: dict[Frequency, tuple[Table, Table]] = {
    "month": (FORECASTS, ERRORS),
    "week": (WEEK_FORECASTS, WEEK_ERRORS),
    "day": (DAY_FORECASTS, DAY_ERRORS),
}
"""Length of a period to its forecasts and their errors."""
DECOMPOSITION = Table(
    LAYER,
    "decomposition",
    "one area, method, form and month",
    "Reports a day taken apart into trend, season and rest.",
    (
        _AREA,
        Column("method", pl.String, "STL or moving averages.", allowed=METHODS),
        Column("form", pl.String, "Parts sum, or multiply.", allowed=FORMS),
        _MONTH,
        _number(
            "rate",
            "Reports a day; half a report is added in the multiplicative form.",
            "incidents a day",
        ),
        _number(
            "trend",
            "Trend; missing at the ends of the classical method.",
            "incidents a day",
            lower=None,
            nullable=True,
        ),
        _number(
            "seasonal", "Season: added to the trend, or a factor.", "", lower=None, nullable=True
        ),
        _number("rest", "What is left: added, or a factor.", "", lower=None, nullable=True),
        _number(
            "trend_strength",
            "Share of the variance of trend and rest that is the trend's.",
            "share",
        ),
        _number(
            "seasonal_strength",
            "Share of the variance of season and rest that is the season's.",
            "share",
        ),
    ),
    key=("place", "method", "form", "period_on"),
    warnings=(_REPORTED,),
)
STATIONARITY = Table(
    LAYER,
    "stationarity",
    "one area",
    "Whether the level of an area's monthly reports wanders, by ADF and KPSS.",
    (
        _AREA,
        Column("first_on", pl.Date, "First month."),
        Column("periods_count", pl.Int32, "Months.", unit="months", lower=1),
        _probability("adf_p_value_prob", "Of a unit root, augmented Dickey-Fuller."),
        _probability("kpss_p_value_prob", "Of a steady level, KPSS; between 0.01 and 0.1."),
        Column("verdict", pl.String, "What both say together.", allowed=VERDICTS),
        Column("sentence", pl.String, "The same in words."),
    ),
    key=("place",),
)
AUTOCORRELATION = Table(
    LAYER,
    "autocorrelation",
    "one area and lag",
    "Autocorrelation and partial autocorrelation of the log rate, with 95% bands around 0.",
    (
        _AREA,
        Column("lag", pl.Int32, "Months.", unit="months", lower=1),
        _number("autocorrelation", "Autocorrelation.", "", lower=-1),
        _number("autocorrelation_half_width", "Half-width of Bartlett's band.", ""),
        _number("partial_autocorrelation", "Partial autocorrelation.", "", lower=None),
        _number("partial_half_width", "Half-width of its band.", ""),
    ),
    key=("place", "lag"),
)
PEAKS = Table(
    LAYER,
    "peaks",
    "one area, kind and phase",
    "Rate of each hour, weekday and month over the mean rate, with simultaneous 95% intervals.",
    (
        _AREA,
        Column("kind", pl.String, "hour, weekday or month.", allowed=PEAK_KINDS),
        Column(
            "phase",
            pl.Int32,
            "Hour 0 to 23, weekday 0 (Monday) to 6, month 1 to 12.",
            lower=0,
            upper=23,
        ),
        Column("incidents_count", pl.Int64, "Reported incidents.", unit="incidents", lower=0),
        _number("rate_ratio", "Rate over the mean rate.", "ratio"),
        _number("rate_ratio_low", "Lower end of the interval.", "ratio"),
        _number("rate_ratio_high", "Upper end of the interval.", "ratio"),
        Column("is_peak", pl.Boolean, "The interval lies above 1."),
    ),
    key=("place", "kind", "phase"),
    warnings=(
        _REPORTED,
        "Times are as reported: noon, midnight and the first of a month are often defaults.",
    ),
)
COMPOSITE_RISK = Table(
    LAYER,
    "composite_risk",
    "one area",
    "Score from expected volume and recent momentum, with the ranks that other weights would give. One "
    "partition: as of the forecasts.",
    (
        _AREA,
        Column(
            "precinct",
            pl.Int32,
            "Number that the place has on the map; missing where it is no declared area.",
            nullable=True,
            lower=1,
        ),
        _KNOWN,
        Column("period_on", pl.Date, "First of the three months that are scored."),
        _number("expected_count", "Expected reported incidents of three months.", "incidents"),
        _number(
            "momentum_log", "Shrunk log ratio to the same months a year before.", "", lower=None
        ),
        _number("volume_weight", "Weight of volume; momentum has the rest.", "share"),
        Column("score", pl.Float64, "Unitless rank score; no probability.", lower=0, upper=100),
        Column("score_rank", pl.Int32, "1 is the highest score.", lower=1),
        Column("best_rank", pl.Int32, "Best rank over all weights from 0 to 1.", lower=1),
        Column("worst_rank", pl.Int32, "Worst rank over all weights from 0 to 1.", lower=1),
        _number(
            "near_rank_correlation",
            "Least Spearman correlation of the ranks over weights within 0.2 of the stated one; the same in every row.",
            "",
            lower=-1,
        ),
    ),
    key=("known_before_on", "place"),
    warnings=("A rank of places for planning help; it says nothing of persons.",),
)
STAFFING_PLAN = Table(
    LAYER,
    "staffing_plan",
    "one area and shift",
    "Hours of help by area and shift in the coming month under a budget, and expected reports they leave "
    "unmet. One partition: as of the forecasts.",
    (
        _AREA,
        _KNOWN,
        _MONTH,
        Column("shift", pl.String, "00-08, 08-16 or 16-24 o'clock.", allowed=SHIFT_NAMES),
        _number("expected_count", "Expected reported incidents.", "incidents"),
        _number("hours", "Hours planned, whole duties.", "hours"),
        _number("budget_hours", "Budget of all areas and shifts; the same in every row.", "hours"),
        _number("covered_count", "Expected reports that the hours meet.", "incidents"),
        _number("uncovered_count", "Expected reports that they do not.", "incidents"),
    ),
    key=("known_before_on", "place", "shift"),
    warnings=("For outreach and help to places; not for enforcement.",),
)
TABLES: tuple[Table, ...] = (
    AREA_PERIODS,
    FORECASTS,
    ERRORS,
    WEEK_FORECASTS,
    WEEK_ERRORS,
    WEEKLY_LSTM,
    DAY_FORECASTS,
    DAY_ERRORS,
    DECOMPOSITION,
    STATIONARITY,
    AUTOCORRELATION,
    PEAKS,
    COMPOSITE_RISK,
    STAFFING_PLAN,
)
