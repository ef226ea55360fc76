"""The gate: the one way by which a map is reviewed, published and withdrawn.

Belongs here: each step as one decision under the log's lock, on a log that was verified first. Does
not: the rules (`release_states`), the log's form (`audit_log`), files that are handed on (`defs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING

from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import AuditLog, Entry, LogReading, verify
from htrisk_dagster.publishing.dossier import Dossier
from htrisk_dagster.publishing.release_states import (
    ReleaseState,
    publications,
    require_publishable,
    require_reviewable,
    require_withdrawable,
    state_of,
)
from htrisk_dagster.publishing.review_records import (
    APPROVE,
    PUBLISH,
    REJECT,
    WITHDRAW,
    ReviewRecord,
)
from htrisk_dagster.publishing.reviewers import PUBLISHER, REVIEWER, Reviewers
from htrisk_dagster.publishing.signatures import public_key_of

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


@dataclass(frozen=True)
class Signer:
    """Who decides, and who signs for it.

    Parameters
    ----------
    name : str
        Reviewer or publisher.
    key : Ed25519PrivateKey
        The reviewer's own, or that of a service that knows who the reviewer is.
    service : str, optional
        Name of the service whose key it is.
    """

    name: str
    key: Ed25519PrivateKey
    service: str | None = None

    @property
    def signed_by(self) -> str:
        """Name under which the signature is checked."""
        return self.service or self.name


@dataclass(frozen=True)
class ReleaseGate:
    """The gate of one study area.

    Parameters
    ----------
    log : AuditLog
    reviewers : Reviewers
    review_valid_days, publication_valid_days : int
        After these a review, and a publication, no longer holds.
    """

    log: AuditLog
    reviewers: Reviewers
    review_valid_days: int
    publication_valid_days: int

    def read(self) -> LogReading:
        """Read the log.

        Raises
        ------
        ReleaseError
            Where it cannot be trusted.
        """
        return self._trusted(self.log.read())

    def state(self, dossier: Dossier, at: datetime) -> ReleaseState:
        """Where a dossier stands."""
        return self._state(self.read(), dossier, at)

    def review(
        self, dossier: Dossier, signer: Signer, *, is_approved: bool, reason: str, at: datetime
    ) -> Entry:
        """Record a reviewer's word on a dossier.

        Raises
        ------
        ReleaseError
            Where the dossier is not whole or is out already, or the signer is no reviewer.
        """
        self._require(signer, REVIEWER)
        action = APPROVE if is_approved else REJECT

        def decide(found: LogReading) -> ReviewRecord:
            require_reviewable(dossier, self._state(found, dossier, at))
            return self._record(action, dossier, signer, reason, at)

        return self._append(decide, signer, at)

    def publish(
        self,
        dossier: Dossier,
        signer: Signer,
        *,
        reason: str,
        at: datetime,
        files: Mapping[str, str],
    ) -> Entry:
        """Record that a dossier is out, with the digest of each file that is handed on.

        Raises
        ------
        ReleaseError
            Where two valid reviews or a document is missing, or another map of the day is out.
        """
        self._require(signer, PUBLISHER)

        def decide(found: LogReading) -> ReviewRecord:
            state = self._state(found, dossier, at)
            require_publishable(dossier, state, found.records, at)
            return self._record(PUBLISH, dossier, signer, reason, at, files)

        return self._append(decide, signer, at)

    def withdraw(
        self,
        subject: tuple[str, str, date],
        signer: Signer,
        *,
        reason: str,
        at: datetime,
    ) -> Entry:
        """Record that what is out for a day is taken back; its documents need not be there any more.

        Raises
        ------
        ReleaseError
            Where nothing is out.
        """
        self._require(signer, PUBLISHER)

        def decide(found: LogReading) -> ReviewRecord:
            out = [r for r in publications(found.records) if r.subject == subject]
            digest = out[-1].dossier if out else ""
            state = state_of(found.records, subject, digest, reviewers=self.reviewers, at=at)
            require_withdrawable(subject[2], state)
            empty = Dossier(*subject, documents={})
            return self._record(WITHDRAW, empty, signer, reason, at, digest=digest)

        return self._append(decide, signer, at)

    def _append(
        self, decide: Callable[[LogReading], ReviewRecord], signer: Signer, at: datetime
    ) -> Entry:
        def checked(found: LogReading) -> ReviewRecord:
            self._trusted(found)
            if found.entries and at < found.entries[-1].record.at:
                raise ReleaseError(
                    f"The newest record is of {found.entries[-1].record.at:%Y-%m-%d %H:%M} UTC, "
                    "later than now. Set the clock of this machine right."
                )
            record = decide(found)
            if problems := record.problems():
                raise ReleaseError(" ".join(problems))
            return record

        return self.log.append(checked, signed_by=signer.signed_by, key=signer.key)

    def _record(
        self,
        action: str,
        dossier: Dossier,
        signer: Signer,
        reason: str,
        at: datetime,
        files: Mapping[str, str] | None = None,
        digest: str | None = None,
    ) -> ReviewRecord:
        days = {APPROVE: self.review_valid_days, PUBLISH: self.publication_valid_days}.get(action)
        moment = at.astimezone(UTC).replace(microsecond=0)
        return ReviewRecord(
            action=action,
            area=dossier.area,
            target=dossier.target,
            risk_on=dossier.risk_on,
            dossier=dossier.digest if digest is None else digest,
            by=signer.name,
            reason=reason.strip(),
            at=moment,
            expires_at=None if days is None else moment + timedelta(days=days),
            files=dict(files or {}),
        )

    def _state(self, found: LogReading, dossier: Dossier, at: datetime) -> ReleaseState:
        subject = (dossier.area, dossier.target, dossier.risk_on)
        return state_of(found.records, subject, dossier.digest, reviewers=self.reviewers, at=at)

    def _require(self, signer: Signer, role: str) -> None:
        self.reviewers.with_role(signer.name, role)
        wanted = self.reviewers.key_for(signer.name, signer.signed_by)
        if wanted != public_key_of(signer.key):
            raise ReleaseError(
                f"The key is not that of '{signer.signed_by}' in the file of reviewers. Sign "
                "with your own, or have its public key put there."
            )

    def _trusted(self, found: LogReading) -> LogReading:
        problems = verify(found, self.reviewers)
        if problems:
            raise ReleaseError(
                f"The log {self.log.path} cannot be trusted, so nothing is released. "
                f"{' '.join(problems)}"
            )
        return found
