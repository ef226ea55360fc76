"""The state of a day's map, worked out from the records on it: draft, reviewed, published, withdrawn.

Belongs here: which records make which state, and why a step is refused. Does not: where records are
kept (`audit_log`), what a dossier holds (`dossier`).

    draft ── two reviewers approve ──> reviewed ── publish ──> published ── withdraw ──> withdrawn

A review counts for one dossier, by the latest word of each reviewer, until it expires; one standing
rejection keeps the dossier a draft. A dossier that was withdrawn never comes back: a map made anew is
another dossier, and a draft. Two dossiers of one day are never out together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.dossier import Dossier
from htrisk_dagster.publishing.review_records import (
    APPROVE,
    PUBLISH,
    REJECT,
    WITHDRAW,
    ReviewRecord,
)
from htrisk_dagster.publishing.reviewers import REVIEWER, Reviewers

STATES = ("draft", "reviewed", "published", "withdrawn")
DRAFT, REVIEWED, PUBLISHED, WITHDRAWN = STATES
N_REVIEWERS = 2


@dataclass(frozen=True)
class ReleaseState:
    """Where one dossier stands at a moment.

    Parameters
    ----------
    state : str
        Of `STATES`.
    approvals, rejections : tuple of ReviewRecord
        Latest word of each reviewer that holds at the moment, by name.
    published : ReviewRecord or None
        The publication, where the state is published or withdrawn.
    withdrawn : ReviewRecord or None
    is_in_force : bool
        Published and not expired.
    """

    state: str
    approvals: tuple[ReviewRecord, ...]
    rejections: tuple[ReviewRecord, ...]
    published: ReviewRecord | None
    withdrawn: ReviewRecord | None
    is_in_force: bool


@dataclass(frozen=True)
class DayRelease:
    """Where the map of one day stands.

    Parameters
    ----------
    day : str
    dossier : Dossier
    state : ReleaseState
    """

    day: str
    dossier: Dossier
    state: ReleaseState


def state_of(
    records: Sequence[ReviewRecord],
    subject: tuple[str, str, date],
    digest: str,
    *,
    reviewers: Reviewers,
    at: datetime,
) -> ReleaseState:
    """State of one dossier.

    Parameters
    ----------
    records : sequence of ReviewRecord
        In order, of a log that has been verified.
    subject : (str, str, date)
        Area, target and day.
    digest : str
        Of the dossier.
    reviewers : Reviewers
        Words of people who are no reviewers any more do not count.
    at : datetime
    """
    own = [r for r in records if r.subject == subject and r.dossier == digest]
    latest = {
        r.by: r
        for r in own
        if r.action in (APPROVE, REJECT)
        and r.by in reviewers.people
        and REVIEWER in reviewers.people[r.by].roles
    }
    words = [latest[name] for name in sorted(latest)]
    approvals = tuple(r for r in words if r.action == APPROVE and r.holds_at(at))
    rejections = tuple(r for r in words if r.action == REJECT)
    published = next((r for r in own if r.action == PUBLISH), None)
    withdrawn = next((r for r in own if r.action == WITHDRAW), None)
    if withdrawn is not None:
        state = WITHDRAWN
    elif published is not None:
        state = PUBLISHED
    else:
        state = REVIEWED if len(approvals) >= N_REVIEWERS and not rejections else DRAFT
    is_in_force = published is not None and withdrawn is None and published.holds_at(at)
    return ReleaseState(state, approvals, rejections, published, withdrawn, is_in_force)


def publications(records: Sequence[ReviewRecord]) -> list[ReviewRecord]:
    """Publications that nobody has withdrawn, expired ones among them, in order."""
    gone = {(r.subject, r.dossier) for r in records if r.action == WITHDRAW}
    return [r for r in records if r.action == PUBLISH and (r.subject, r.dossier) not in gone]


def require_reviewable(dossier: Dossier, found: ReleaseState) -> None:
    """Refuse a review of a dossier that is not whole, or that is out already.

    Raises
    ------
    ReleaseError
        With everything that is missing.
    """
    _require_whole(dossier)
    if found.state in (PUBLISHED, WITHDRAWN):
        raise ReleaseError(
            f"The map of {dossier.risk_on} is {found.state}; a review can change nothing. "
            "Withdraw it or make it anew."
        )


def require_publishable(
    dossier: Dossier, found: ReleaseState, records: Sequence[ReviewRecord], at: datetime
) -> None:
    """Refuse a publication without two valid reviews and every document.

    Raises
    ------
    ReleaseError
        With everything that is missing.
    """
    _require_whole(dossier)
    if found.state in (PUBLISHED, WITHDRAWN):
        raise ReleaseError(
            f"The map of {dossier.risk_on} is {found.state} already. Make it anew, and have it "
            "reviewed, to publish it again."
        )
    if found.rejections:
        by = ", ".join(f"{r.by}: {r.reason}" for r in found.rejections)
        raise ReleaseError(f"The map of {dossier.risk_on} is rejected. {by}")
    if found.state != REVIEWED:
        names = " and ".join(r.by for r in found.approvals) or "nobody"
        raise ReleaseError(
            f"The map of {dossier.risk_on} needs valid reviews of {N_REVIEWERS} different "
            f"reviewers; it has that of {names}."
        )
    others = [r for r in publications(records) if r.subject == _subject(dossier) and r.holds_at(at)]
    if others:
        raise ReleaseError(
            f"Another map of {dossier.risk_on} has been out since {others[0].at:%Y-%m-%d}. "
            "Withdraw it first."
        )


def require_withdrawable(subject_on: date, found: ReleaseState) -> None:
    """Refuse to withdraw what is not out.

    Raises
    ------
    ReleaseError
    """
    if found.state != PUBLISHED:
        raise ReleaseError(
            f"The map of {subject_on} is {found.state}: only a published one can be withdrawn."
        )


def _subject(dossier: Dossier) -> tuple[str, str, date]:
    return dossier.area, dossier.target, dossier.risk_on


def _require_whole(dossier: Dossier) -> None:
    lacks = dossier.lacks()
    if lacks:
        raise ReleaseError(
            f"The dossier of {dossier.risk_on} is not whole. {' '.join(lacks)} Materialise what "
            f"is missing in the groups {dossier.area}_governance and {dossier.area}_publishing "
            "first."
        )
