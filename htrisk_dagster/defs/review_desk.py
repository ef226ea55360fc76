"""The review page's desk over a workspace: the same dossiers, gate and log that the commands use.

Belongs here: one method a question of the page, and the page's own key. Does not: the page
(`dashboard/review_page.py`), the steps (`released.py`).

The key is the server's, not a reviewer's: a private key that a browser or a server holds is nobody's
proof. Its records name the reviewer that the proxy named, and the service that signed.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl

from htrisk_dagster.defs import released
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import Entry
from htrisk_dagster.publishing.release_gate import Signer
from htrisk_dagster.publishing.release_states import DayRelease
from htrisk_dagster.publishing.review_records import APPROVE, PUBLISH, REJECT, WITHDRAW
from htrisk_dagster.publishing.reviewers import Reviewers, read_reviewers
from htrisk_dagster.publishing.signatures import public_key_of, read_key
from htrisk_dagster.study_areas.area import StudyArea

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey


class WorkspaceDesk:
    """Dossiers of one study area of a workspace, signed for by a service.

    Parameters
    ----------
    workspace : Workspace
    area : StudyArea
    key : Ed25519PrivateKey
        Of the service.
    service : str
        Its name in the file of reviewers.
    """

    def __init__(
        self, workspace: Workspace, area: StudyArea, key: Ed25519PrivateKey, service: str
    ) -> None:
        self._workspace, self._area, self._key = workspace, area, key
        self.service = service
        # Released maps are written after the log: two decisions at once would do so in any order.
        self._lock = threading.Lock()

    @property
    def title(self) -> str:
        """Study area and target, in words."""
        return f"{self._area.title}, {self._workspace.target(self._area)[1].title}"

    def reviewers(self) -> Reviewers:
        """Who may decide, as the file says now."""
        return read_reviewers(self._workspace.settings.reviewers_file)

    def months(self) -> list[str]:
        """Months that have maps."""
        return sorted({day[:7] for day in released.mapped_days(self._workspace, self._area)})

    def days(self, month: str) -> list[DayRelease]:
        """Where each map of a month stands now."""
        days = released.mapped_days(self._workspace, self._area)
        return self._releases([day for day in days if day.startswith(f"{month}-")])

    def day(self, day: str) -> DayRelease | None:
        """Where the map of a day stands; None where there is no such map."""
        if day not in released.mapped_days(self._workspace, self._area):
            return None
        return self._releases([day])[0]

    def history(self, day: str) -> list[Entry]:
        """Decisions on a day, in order."""
        target, _ = self._workspace.target(self._area)
        entries = released.gate_of(self._workspace, self._area).read().entries
        of = (self._area.name, target, day)
        return [e for e in entries if (e.record.area, e.record.target, str(e.record.risk_on)) == of]

    def document(self, day: str, name: str) -> str | pl.DataFrame | None:
        """A document of a day, as it is signed for."""
        return released.document_of(self._workspace, self._area, day, name)

    def decide(self, action: str, day: str, name: str, *, seen: str, reason: str) -> Entry:
        """Sign a decision for `name`, by the functions that the commands use."""
        where, signer = (self._workspace, self._area), Signer(name, self._key, self.service)
        with self._lock:
            at = datetime.now(UTC)
            if action == PUBLISH:
                return released.publish(*where, day, signer, reason=reason, at=at, seen=seen)
            if action == WITHDRAW:
                return released.withdraw(*where, day, signer, reason=reason, at=at)
            if action not in (APPROVE, REJECT):
                raise ReleaseError(f"'{action}' is no decision on a map.")
            approved = action == APPROVE
            return released.review(
                *where, day, signer, is_approved=approved, reason=reason, at=at, seen=seen
            )

    def _releases(self, days: Sequence[str]) -> list[DayRelease]:
        return released.releases_of(self._workspace, self._area, days, datetime.now(UTC))


def open_desk(workspace: Workspace, area: StudyArea) -> WorkspaceDesk | None:
    """The desk of the settings; None where no proxy names anybody, which is the default.

    Raises
    ------
    ReleaseError
        Where the page has no key, or one that the file of reviewers does not know as a service's.
    """
    settings = workspace.settings
    if settings.identity_header is None:
        return None
    if settings.review_key_file is None:
        raise ReleaseError(
            "identity_header is set, and the review page has no key to sign with. Make one with "
            "`htrisk release key`, name it as review_key_file, and put its public key under "
            "[services.review_page] in the file of reviewers; or unset identity_header."
        )
    key = read_key(settings.review_key_file)
    services = read_reviewers(settings.reviewers_file).services
    names = [name for name, public in services.items() if public == public_key_of(key)]
    if not names:
        raise ReleaseError(
            f"The key {settings.review_key_file} is of no service in the file of reviewers "
            f"{settings.reviewers_file}. Add [services.review_page] with public_key = "
            f'"{public_key_of(key)}", or name another key.'
        )
    return WorkspaceDesk(workspace, area, key, names[0])
