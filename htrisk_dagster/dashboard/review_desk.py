"""What the review page needs of whoever keeps the dossiers and the log: a contract, nothing done.

Belongs here: the contract. Does not: the page (`review_page.py`), the desk over a workspace
(`defs/review_desk.py`), which this package may not know.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import polars as pl

from htrisk_dagster.publishing.audit_log import Entry
from htrisk_dagster.publishing.release_states import DayRelease
from htrisk_dagster.publishing.reviewers import Reviewers


class ReviewDesk(Protocol):
    """Dossiers of one study area, and decisions on them.

    Every method may raise `ReleaseError`, a sentence for the reviewer.
    """

    @property
    def title(self) -> str:
        """Study area and target, in words."""
        ...

    @property
    def service(self) -> str:
        """Name under which the page signs."""
        ...

    def reviewers(self) -> Reviewers:
        """Who may decide, as the file says now."""
        ...

    def months(self) -> Sequence[str]:
        """Months that have maps, such as `2024-12`, in order."""
        ...

    def days(self, month: str) -> Sequence[DayRelease]:
        """Where each map of a month stands now."""
        ...

    def day(self, day: str) -> DayRelease | None:
        """Where the map of a day stands; None where there is no such map."""
        ...

    def history(self, day: str) -> Sequence[Entry]:
        """Decisions on a day, in order."""
        ...

    def document(self, day: str, name: str) -> str | pl.DataFrame | None:
        """A document of a day: a whole page, rows of a table, or None where there is none."""
        ...

    def decide(self, action: str, day: str, name: str, *, seen: str, reason: str) -> Entry:
        """Sign a decision of `review_records.ACTIONS` for `name` on the dossier of digest `seen`."""
        ...
