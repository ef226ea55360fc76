"""The selection of hot spots as Dagster's run configuration.

https://docs.dagster.io/guides/operate/configuration/run-configuration

Belongs here: what can be set in the launchpad. Does not: what it selects (`selection.py`).
"""

import dagster as dg

from htrisk_dagster.defs.selection import Selection


class SelectionConfig(dg.Config):
    """Offence group and days of report; the target over all its days if nothing is set.

    A table holds what it was last asked for: the next `htrisk run` makes it of the target again.
    """

    offence_group: str | None = None
    first: str | None = None
    last: str | None = None

    def selection(self) -> Selection:
        """Return the selection, its days read."""
        return Selection.of(self.offence_group, self.first, self.last)
