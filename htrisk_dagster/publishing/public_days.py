"""Which maps of a snapshot are out at a moment, by the log of releases and by nothing else.

Belongs here: the stage of each day, and what readers are told of a day that is not out any more. Does
not: the rules of release (`release_states`), the snapshot's file (`snapshot`), who shows what to whom
(`dashboard`).

A snapshot names the dossier of each of its days. A day is out where the log has a publication in
force of that very dossier: a map that was made anew since is another, which nobody has signed for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from htrisk_dagster.publishing.release_states import (
    PUBLISHED,
    ReleaseState,
    publications,
    state_of,
)
from htrisk_dagster.publishing.review_records import WITHDRAW, ReviewRecord
from htrisk_dagster.publishing.reviewers import Reviewers

EXPIRED = "expired"
"""Stage of a map that was published and whose time is over; the others are `release_states.STATES`."""


@dataclass(frozen=True)
class DayStage:
    """Where the map of one day in a snapshot stands.

    Parameters
    ----------
    stage : str
        Of `release_states.STATES`, or `expired`.
    reviewed_by : tuple of str
        Reviewers whose approval holds, by name.
    until : datetime or None
        Since when a published map is out no more.
    notice : str
        What readers are told of a day that was out and is not: a sentence, else empty.
    """

    stage: str
    reviewed_by: tuple[str, ...] = ()
    until: datetime | None = None
    notice: str = ""

    @property
    def is_out(self) -> bool:
        """Whether everybody may see it."""
        return self.stage == PUBLISHED


def stages_of(
    records: Sequence[ReviewRecord],
    subjects: Mapping[date, str],
    *,
    area: str,
    target: str,
    reviewers: Reviewers,
    at: datetime,
) -> dict[date, DayStage]:
    """Stage of each day of a snapshot.

    Parameters
    ----------
    records : sequence of ReviewRecord
        In order, of a log that has been verified.
    subjects : mapping of date to str
        Digest of each day's dossier.
    area, target : str
    reviewers : Reviewers
    at : datetime
    """
    by_day: dict[date, list[ReviewRecord]] = {}
    for record in records:
        if (record.area, record.target) == (area, target):
            by_day.setdefault(record.risk_on, []).append(record)
    return {
        day: _stage(by_day.get(day, []), (area, target, day), digest, reviewers, at)
        for day, digest in subjects.items()
    }


def _stage(
    records: Sequence[ReviewRecord],
    subject: tuple[str, str, date],
    digest: str,
    reviewers: Reviewers,
    at: datetime,
) -> DayStage:
    found = state_of(records, subject, digest, reviewers=reviewers, at=at)
    names = tuple(r.by for r in found.approvals)
    if found.is_in_force:
        return DayStage(PUBLISHED, names, found.published.expires_at if found.published else None)
    stage = EXPIRED if found.state == PUBLISHED else found.state
    return DayStage(stage, names, notice=_notice(records, found, at))


def _notice(records: Sequence[ReviewRecord], found: ReleaseState, at: datetime) -> str:
    """What became of the newest publication of a day whose map here is not out."""
    in_force = [r for r in publications(records) if r.holds_at(at)]
    if in_force:
        return "It was made anew since it was published, and nobody has reviewed it as it is now."
    taken = [r for r in records if r.action == WITHDRAW]
    if found.published is not None and found.withdrawn is None and found.published.expires_at:
        return f"It was published until {found.published.expires_at:%Y-%m-%d} and holds no longer."
    if taken:
        return f"It was withdrawn on {taken[-1].at:%Y-%m-%d}: {taken[-1].reason}"
    return ""
