"""Which offence group and period hot spots are asked for, in place of the target and all there is.

Belongs here: the choice, and the incidents it leaves. Does not: the methods (`hotspots/`), the steps
that take it (`hot_places.py`, `concentrated.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import polars as pl

from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import SettingError
from htrisk_dagster.study_areas.area import SeriesPart, StudyArea


@dataclass(frozen=True)
class Selection:
    """What hot spots are of.

    Parameters
    ----------
    offence_group : str, optional
        Of the study area's file; the target if not given.
    first, last : date, optional
        Days of report, both included; all that are covered if not given.
    """

    offence_group: str | None = None
    first: date | None = None
    last: date | None = None

    @classmethod
    def of(cls, offence_group: str | None, first: str | None, last: str | None) -> Selection:
        """Read the days of a run's configuration, ISO dates.

        Raises
        ------
        SettingError
            Where one is no date.
        """
        try:
            days = [date.fromisoformat(day) if day else None for day in (first, last)]
        except ValueError as error:
            raise SettingError(f"{error}. Give days as 2024-03-31.") from error
        return cls(offence_group, *days)

    def part(self, workspace: Workspace, area: StudyArea) -> tuple[str, SeriesPart]:
        """Name and declaration of what is counted.

        Raises
        ------
        SettingError
            Where the area has no such group.
        """
        if self.offence_group is None:
            return workspace.target(area)
        if self.offence_group not in area.offence_groups:
            raise SettingError(
                f"Study area '{area.name}' has no offence group '{self.offence_group}'. It has: "
                f"{', '.join(area.offence_groups)}."
            )
        named = {"title": self.offence_group, "offence_groups": (self.offence_group,)}
        return self.offence_group, area.incidents.model_copy(update=named)

    def until(self, incidents: pl.DataFrame) -> pl.DataFrame:
        """Incidents reported up to the last day: none of what came later is known."""
        return (
            incidents if self.last is None else incidents.filter(pl.col("reported_on") <= self.last)
        )

    def since(self, *days: date | None) -> date | None:
        """Latest of the first day and of others that are given."""
        return max((day for day in (self.first, *days) if day), default=None)


EVERYTHING = Selection()
"""The target over all its days."""
