"""US federal and New York State holidays, observed days included.

Source: the library `holidays`, which follows the law by year. Licence: MIT. Cadence: a release a
month; years to come are as the law stands at the pinned release.

Quirks:
- A holiday on a Saturday or Sunday is observed on the day beside it: both days are listed.
- New York State adds days to the federal ones (Lincoln's Birthday, Election Day), and the list of
  `US-NY` holds every day off in the state, federal ones included.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from htrisk_dagster.schemas import raw

TABLE = raw.HOLIDAYS


def holidays_between(start: date, end: date) -> pl.DataFrame:
    """Holidays from `start` to `end`, both included.

    Returns
    -------
    DataFrame
        `raw.holidays`, sorted by day and jurisdiction; names of one day are joined by `; `.
    """
    import holidays

    # The next year's New Year may be observed on 31 December.
    years = range(start.year, end.year + 2)
    calendars = {
        "US": holidays.country_holidays("US", years=years, language="en_US"),
        "US-NY": holidays.country_holidays("US", subdiv="NY", years=years, language="en_US"),
    }
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
