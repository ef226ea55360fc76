"""Holidays of a country and of a part of it, observed days included.

Source: the library `holidays`, which follows the law by year. Licence: MIT. Cadence: a release a
month; years to come are as the law stands at the pinned release.

Quirks:
- A holiday on a Saturday or Sunday is observed on the day beside it: both days are listed.
- A part adds days to those of its country (New York State: Lincoln's Birthday, Election Day), and the
  list of `US-NY` holds every day off in the state, federal ones included.
- Names are English where the library has them so, else in the country's own language.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from htrisk_dagster.errors import SettingError
from htrisk_dagster.schemas import raw

TABLE = raw.HOLIDAYS


def holidays_between(
    start: date, end: date, *, country: str = "US", subdivision: str | None = "NY"
) -> pl.DataFrame:
    """Holidays from `start` to `end`, both included.

    Parameters
    ----------
    start, end : date
    country : str
        ISO 3166-1 code of two letters.
    subdivision : str, optional
        Part of the country, as in ISO 3166-2 behind the hyphen.

    Returns
    -------
    DataFrame
        `raw.holidays`, sorted by day and jurisdiction; names of one day are joined by `; `.

    Raises
    ------
    SettingError
        Where the library knows no such country or part.
    """
    import holidays

    # The next year's New Year may be observed on 31 December.
    years = range(start.year, end.year + 2)
    parts: dict[str, str | None] = {country: None}
    if subdivision:
        parts[f"{country}-{subdivision}"] = subdivision
    try:
        calendars = {
            jurisdiction: holidays.country_holidays(
                country, subdiv=part, years=years, language="en_US"
            )
            for jurisdiction, part in parts.items()
        }
    except NotImplementedError as error:
        raise SettingError(
            f"[holidays] of the study area: {error}. Give an ISO 3166 country, and a part of it or none."
        ) from error
    rows = [
        (day, jurisdiction, name)
        for jurisdiction, calendar in calendars.items()
        for day, name in calendar.items()
        if start <= day <= end
    ]
    frame = pl.DataFrame(rows, schema=TABLE.polars_schema(), orient="row")
    return TABLE.conform(frame.sort("holiday_on", "jurisdiction"))


def holidays_of_state(state: str, start: date, end: date) -> dict[date, str]:
    """Holidays of the country and a state, observed days included, by day, both ends included.

    Parameters
    ----------
    state : str
        Two letters, such as CT.
    """
    import holidays

    years = range(start.year, end.year + 2)
    calendar = holidays.country_holidays("US", subdiv=state, years=years, language="en_US")
    return {day: name for day, name in sorted(calendar.items()) if start <= day <= end}
