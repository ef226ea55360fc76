"""How large a synthetic city is, and the random stream of each of its parts.

Belongs here: the presets and the streams. Does not: what the city looks like (`land`,
`intensity`, `offences`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError
from htrisk_dagster.sources.synthetic_city.defects import NO_DEFECTS, Defects

# A part's stream is its place in this tuple: add at the end only, or every city changes.
PARTS = (
    "precincts",
    "corners",
    "fields",
    "day_shocks",
    "permits",
    "mobility",
    "incidents",
    "complaint_files",
    "verified_cases",
    "reporting",
    "space_time",
    "self_excitation",
    "defects",
    "context",
)


@dataclass(frozen=True)
class Preset:
    """Span, volume and extent of a city.

    The target keeps its full rate in every preset: thinning a rare offence would leave too few
    incidents to learn from, thinning the common ones only makes files smaller.

    Parameters
    ----------
    name : str
        Name of the preset.
    first_day, last_day : date
        First and last local day of occurrence and of report.
    complaints_per_day : float
        Mean number of complaints a day in the whole city, target included; the real city had 1,514
        in 2022-2024.
    target_per_day : float
        Mean number of target complaints a day in the whole city.
    permits_per_day : float
        Mean number of event permits that start a day in the whole city. The real city has about
        40, of which 1% of a day's precincts have a parade or a race.
    verified_cases_per_day : float
        Mean number of fictional verified cases a day.
    has_policing_feedback : bool
        Whether discovered offences follow patrols that follow what was discovered, see `policing`.
    defects : Defects
        What is wrong with the complaint files on demand.
    learns_since : date, optional
        First day that models of cells learn from; earlier reports serve the series of months alone,
        which need three years. All days if not given.
    is_part : bool
        Whether only a part of each borough is there, see `parts`. Rates stay those of the whole
        city: a part of n of its N cells has n / N of each, so that a cell has on average what it
        has in the whole city.
    """

    name: str
    first_day: date
    last_day: date
    complaints_per_day: float
    target_per_day: float = 1.5
    permits_per_day: float = 40.0
    verified_cases_per_day: float = 1.0
    has_policing_feedback: bool = False
    defects: Defects = NO_DEFECTS
    is_part: bool = False
    learns_since: date | None = None

    def __post_init__(self) -> None:
        if self.first_day.year >= self.last_day.year:
            raise SettingError(
                f"Preset '{self.name}': first_day {self.first_day} must lie in an earlier year "
                f"than last_day {self.last_day}, because the complaints are split into a historic "
                "and a year-to-date file at 1 January of the last year. Choose an earlier "
                "first_day."
            )

    @property
    def days(self) -> NDArray[np.datetime64]:
        """Every day of the span, `datetime64[D]`, shape (D,)."""
        return every_day(self.first_day, self.last_day)

    @property
    def year_to_date_start(self) -> int:
        """Index in `days` of 1 January of the last year."""
        return (date(self.last_day.year, 1, 1) - self.first_day).days


PRESETS: dict[str, Preset] = {
    preset.name: preset
    for preset in (
        # 8 months, about 61,000 complaints, the whole city.
        Preset("tiny", date(2023, 9, 1), date(2024, 4, 30), 250),
        # 38 months, about 365,000 complaints. Models learn from the newest 26: a third year more would
        # cost a demonstration three minutes.
        Preset("demo", date(2021, 11, 1), date(2024, 12, 31), 316, learns_since=date(2022, 11, 1)),
        # 3 years at the real volume, about 1.65 million complaints.
        Preset("default", date(2022, 1, 1), date(2024, 12, 31), 1514),
        # The same three years in about 1,200 cells: what models are compared on, over many seeds.
        Preset("skill", date(2022, 1, 1), date(2024, 12, 31), 1514, 50.0, is_part=True),
        # 10 years at the real volume, about 4.9 million complaints. What grows in use is the history,
        # by half a million rows a year, while cells stay: a benchmark of growth needs more years.
        Preset("metro", date(2015, 1, 1), date(2024, 12, 31), 1335),
    )
}


def preset_named(name: str) -> Preset:
    """Return the preset called `name`.

    Raises
    ------
    SettingError
        Where there is none.
    """
    if name not in PRESETS:
        raise SettingError(f"There is no preset '{name}'. Choose one of {', '.join(PRESETS)}.")
    return PRESETS[name]


def every_day(first: date, last: date) -> NDArray[np.datetime64]:
    """Return the days from `first` to `last`, both included, `datetime64[D]`."""
    return np.datetime64(first, "D") + np.arange((last - first).days + 1)


def stream(seed: int, part: str) -> np.random.Generator:
    """Random numbers of one part of the city, independent of every other part's."""
    sequence = np.random.SeedSequence(seed, spawn_key=(PARTS.index(part),))
    return np.random.Generator(np.random.PCG64(sequence))
