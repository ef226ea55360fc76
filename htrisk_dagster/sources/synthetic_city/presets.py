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
)


@dataclass(frozen=True)
class Preset:
    """Span and volume of a city. Every preset covers all five boroughs.

    The target keeps its full rate in every preset: thinning a rare offence would leave too few
    incidents to learn from, thinning the common ones only makes files smaller.

    Parameters
    ----------
    name : str
        Name of the preset.
    first_day, last_day : date
        First and last local day of occurrence and of report.
    complaints_per_day : int
        Mean number of complaints a day, target included; the real city has about 1,500.
    target_per_day : float
        Mean number of target complaints a day.
    permits_per_day : int
        Mean number of event permits that start a day.
    verified_cases_per_day : float
        Mean number of fictional verified cases a day.
    """

    name: str
    first_day: date
    last_day: date
    complaints_per_day: int
    target_per_day: float = 1.5
    permits_per_day: int = 12
    verified_cases_per_day: float = 0.35

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
        # 26 months, about 250,000 complaints.
        Preset("demo", date(2022, 11, 1), date(2024, 12, 31), 316),
        # 3 years at the real volume, about 1.5 million complaints.
        Preset("default", date(2022, 1, 1), date(2024, 12, 31), 1400, permits_per_day=40),
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
