"""The one list of features: every column of a block, in order, with unit, source and lag.

Belongs here: what each feature is, and the windows they are made with. Does not: how they are
made (`feature_matrix` and the modules it calls), which series a study area has (its file).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from htrisk_dagster.errors import SettingError
from htrisk_dagster.schemas.context import CELL_VARIABLES
from htrisk_dagster.study_areas.area import ContextPart

ALL_INCIDENTS = "incidents"
TARGET = "target"
TARGET_LAGS = 28
INCIDENT_LAGS = 7
EVENT_LAGS = 7
LONG_WINDOWS = (7, 28, 91, 364)  # whole weeks, so that a weekday never weighs double
SERIES_WINDOWS = (28, 364)
PRECINCT_WINDOW = 364
CITY_WINDOW = 28
HALF_LIFE_DAYS = 14
SAME_WEEKDAY_WEEKS = 8
EVENT_RADIUS_M = 1000

_AT_CUTOFF = "reported before the cutoff, which is the day less the incidents' publication lag"
_IN_ADVANCE = "none: known in advance"
_INCIDENTS = "grid.incident_cells"
_CENSUS_TEXTS = {
    "residents_count": "Residents of the cell's tax lots.",
    "acs_residents_count": "Residents of the survey, split over cells by tax lots.",
    "median_income_usd": "Median household income, interpolated in brackets that were split over cells.",
    "poverty_pct": "Residents below the poverty level.",
    "unemployment_pct": "Unemployed of the labour force.",
    "foreign_born_pct": "Residents born abroad.",
    "limited_english_pct": "Residents of 5 and over who speak English less than very well.",
    "other_language_pct": "Residents of 5 and over who speak another language than English at home.",
}


@dataclass(frozen=True)
class FeatureSpec:
    """One feature.

    Parameters
    ----------
    name : str
        Name of the column.
    unit : str
        Unit in words.
    source : str
        Table it is made from.
    lag : str
        What of the table is known when the feature is made.
    description : str
        One sentence.
    """

    name: str
    unit: str
    source: str
    lag: str
    description: str


def feature_catalogue(
    series_names: Sequence[str], context: ContextPart | None = None
) -> tuple[FeatureSpec, ...]:
    """List the features of a block, in the order of its last axis.

    Parameters
    ----------
    series_names : sequence of str
        Names of the series of incidents that serve as covariates; the first is 'incidents', all
        of them.
    context : ContextPart, optional
        What the study area declares of its places; features of it come last.

    Raises
    ------
    SettingError
        Where the first series is not 'incidents', or a name repeats or is 'target'.
    """
    names = tuple(series_names)
    if names[:1] != (ALL_INCIDENTS,):
        raise SettingError(f"The first series must be '{ALL_INCIDENTS}', found {names[:1]}.")
    if len({TARGET, *names}) != len(names) + 1:
        raise SettingError(
            f"Series {names} must have names that differ from each other and from '{TARGET}'. "
            "Rename them in the study area's file."
        )
    declared = context or ContextPart()
    return (
        *_lags(),
        *_cell_means(names),
        *_area_means(names),
        *_events_and_mobility(),
        *_calendar(),
        *_place(),
        *_cell_context(declared),
        *_area_context(declared),
    )


def _lags() -> Iterator[FeatureSpec]:
    for series, lags in ((TARGET, TARGET_LAGS), (ALL_INCIDENTS, INCIDENT_LAGS)):
        for k in range(1, lags + 1):
            yield FeatureSpec(
                f"{series}_lag_{k}", "incidents", _INCIDENTS, _AT_CUTOFF,
                f"{series} in the cell on the day {k} before the cutoff.",
            )  # fmt: skip
    for k in range(1, EVENT_LAGS + 1):
        yield FeatureSpec(
            f"events_lag_{k}", "events per cell", "staging.events", _IN_ADVANCE,
            f"Permitted events of the precinct per cell on the day {k} before the cutoff.",
        )  # fmt: skip


def _cell_means(names: tuple[str, ...]) -> Iterator[FeatureSpec]:
    def spec(name: str, text: str) -> FeatureSpec:
        return FeatureSpec(name, "incidents per day", _INCIDENTS, _AT_CUTOFF, text)

    both = (TARGET, ALL_INCIDENTS)
    for series in (*both, *names[1:]):
        for w in LONG_WINDOWS if series in both else SERIES_WINDOWS:
            yield spec(f"{series}_mean_{w}", f"Mean of {series} over the {w} days to the cutoff.")
    for series in both:
        yield spec(
            f"{series}_ewm_{HALF_LIFE_DAYS}",
            f"Exponentially weighted mean of {series}, half-life {HALF_LIFE_DAYS} days.",
        )
    for series in both:
        for w in SERIES_WINDOWS:
            yield spec(
                f"{series}_near_mean_{w}",
                f"Mean of {series} over the {w} days to the cutoff and the cells around.",
            )
    for series in both:
        yield spec(
            f"{series}_same_weekday_mean_{SAME_WEEKDAY_WEEKS}",
            f"Mean of {series} over the last {SAME_WEEKDAY_WEEKS} days before the cutoff that "
            "have the weekday of the forecast day.",
        )


def _area_means(names: tuple[str, ...]) -> Iterator[FeatureSpec]:
    def spec(name: str, text: str) -> FeatureSpec:
        return FeatureSpec(name, "incidents per cell and day", _INCIDENTS, _AT_CUTOFF, text)

    for series in (TARGET, *names):
        yield spec(
            f"precinct_{series}_mean_{PRECINCT_WINDOW}",
            f"Mean of {series} in the precinct per cell over {PRECINCT_WINDOW} days to the "
            "cutoff, rows at station houses and without a point included.",
        )
    yield spec(
        f"city_{TARGET}_mean_{CITY_WINDOW}",
        f"Mean of {TARGET} in the study area per cell over {CITY_WINDOW} days to the cutoff.",
    )


def _events_and_mobility() -> Iterator[FeatureSpec]:
    yield FeatureSpec(
        f"events_radius_{EVENT_RADIUS_M}m_count", "events", "staging.events", _IN_ADVANCE,
        f"Expected permitted events within {EVENT_RADIUS_M} m of the centre on the day itself.",
    )  # fmt: skip
    lag = "published before the day less the series' own publication lag"
    yield FeatureSpec(
        "airport_jfk_anomaly", "share", "staging.mobility", lag,
        "Latest month of JFK passengers relative to the same month a year before, minus 1.",
    )  # fmt: skip
    yield FeatureSpec(
        "transit_subway_ratio", "ratio", "staging.mobility", lag,
        "Mean daily subway riders of the last 7 days over that of the last 364.",
    )  # fmt: skip


def _calendar() -> Iterator[FeatureSpec]:
    for name, unit, text in (
        ("weekday_sin", "1", "Sine of the weekday as an angle, Monday 0."),
        ("weekday_cos", "1", "Cosine of the weekday as an angle, Monday 0."),
        ("is_weekend", "0 or 1", "Saturday or Sunday."),
        ("year_day_sin", "1", "Sine of the day of the year as an angle, 1 January 0."),
        ("year_day_cos", "1", "Cosine of the day of the year as an angle, 1 January 0."),
    ):
        yield FeatureSpec(name, unit, "calendar", _IN_ADVANCE, text)
    for name, text in (
        ("is_holiday", "A federal or state holiday."),
        ("is_day_before_holiday", "The day before a holiday."),
        ("is_day_after_holiday", "The day after a holiday."),
    ):
        yield FeatureSpec(name, "0 or 1", "raw.holidays", _IN_ADVANCE, text)
    yield FeatureSpec(
        "is_first_of_month", "0 or 1", "calendar", _IN_ADVANCE,
        "First day of a month, the default date of reports without one.",
    )  # fmt: skip


def _place() -> Iterator[FeatureSpec]:
    for name, unit, text in (
        ("x_km", "km", "Easting of the centre from the mean of all cells."),
        ("y_km", "km", "Northing of the centre from the mean of all cells."),
        ("land_share", "share", "Share of the cell that is land."),
        ("borough_code", "code", "0-based code of the borough, in order of name."),
    ):
        yield FeatureSpec(name, unit, "grid.cells", _IN_ADVANCE, text)


def _published(name: str, unit: str, source: str, lag_days: int, text: str) -> FeatureSpec:
    lag = f"published before the day: {lag_days} days after the period that the value speaks of"
    return FeatureSpec(name, unit, source, lag, text)


def _cell_context(declared: ContextPart) -> Iterator[FeatureSpec]:
    cells = "context.cells"
    if census := declared.census:
        for name, text in _CENSUS_TEXTS.items():
            yield _published(name, CELL_VARIABLES[name], cells, census.lag_days, text)
    if hotels := declared.hotels:
        text = "Hotel buildings in the cell in the newest tax year."
        yield _published("hotels_count", "hotels", cells, hotels.lag_days, text)
    if declared.subway_stations:
        text = "Subway stations in the cell, from the day since which the network stands so."
        yield _published("subway_stations_count", "stations", cells, 0, text)
    if places := declared.places:
        for category in places.categories:
            text = f"Places of the category {category} in the cell, by the newest file."
            yield _published(f"places_{category}_count", "places", cells, places.lag_days, text)


def _area_context(declared: ContextPart) -> Iterator[FeatureSpec]:
    if news := declared.news_sentiment:
        w, source = news.window_days, "raw.news_sentiment"
        # No `_mean_`: models take such a column for a count, and a polarity can be below zero.
        for name, unit, text in (
            ("polarity", "1", "Mean polarity of the news of the cell's area, -1 to 1"),
            ("negative_share", "share", "Share of the news of the cell's area below zero"),
            ("texts_mean", "texts per day", "Texts a day about the cell's area"),
        ):
            text = f"{text}, over {w} days; of the smallest area that has any."
            yield _published(f"news_{name}_{w}", unit, source, news.lag_days, text)
    if adverts := declared.advert_counts:
        w = adverts.window_days
        text = f"Mean adverts of the cell's area per cell, over the days counted of {w}."
        name, unit = f"adverts_mean_{w}", "adverts per cell and day"
        yield _published(name, unit, "raw.advert_counts", adverts.lag_days, text)


def catalogue_to_markdown(features: Sequence[FeatureSpec]) -> str:
    """Print the list of features as a Markdown table."""
    lines = ["| feature | unit | source | lag | meaning |", "|---|---|---|---|---|"]
    lines += [
        f"| `{f.name}` | {f.unit} | {f.source} | {f.lag} | {f.description} |" for f in features
    ]
    return "\n".join(lines) + "\n"
