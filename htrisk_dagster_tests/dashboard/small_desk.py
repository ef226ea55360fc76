"""A review desk over one invented day, with the real gate and log: what tests of the page need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing.audit_log import AuditLog, Entry
from htrisk_dagster.publishing.dossier import MODEL_CARD, RISK_MAP, Dossier
from htrisk_dagster.publishing.release_gate import ReleaseGate, Signer
from htrisk_dagster.publishing.release_states import DayRelease
from htrisk_dagster.publishing.review_records import APPROVE, PUBLISH, WITHDRAW
from htrisk_dagster.publishing.reviewers import Reviewers
from htrisk_dagster_tests.publishing.release_people import DAY, PEOPLE, dossier, key_of


class SmallDesk:
    """One day's dossier before a gate of its own; `dossier` may be exchanged by a test."""

    title = "New York City, shooting incidents"
    service = "page"

    def __init__(self, folder: Path) -> None:
        self.gate = ReleaseGate(AuditLog(folder / "nyc.jsonl"), PEOPLE, 14, 30)
        self.dossier: Dossier = dossier()

    def change(self) -> None:
        """Something is made anew."""
        self.dossier = dossier(version=2)

    def lose(self, *names: str) -> None:
        kept = {n: d for n, d in self.dossier.documents.items() if n not in names}
        self.dossier = replace(self.dossier, documents=kept)

    def reviewers(self) -> Reviewers:
        return PEOPLE

    def months(self) -> Sequence[str]:
        return [f"{DAY:%Y-%m}"]

    def days(self, month: str) -> Sequence[DayRelease]:
        found = self.day(str(DAY))
        return [found] if found and month == f"{DAY:%Y-%m}" else []

    def day(self, day: str) -> DayRelease | None:
        if day != str(DAY):
            return None
        return DayRelease(day, self.dossier, self.gate.state(self.dossier, datetime.now(UTC)))

    def history(self, day: str) -> Sequence[Entry]:
        return [e for e in self.gate.read().entries if e.record.risk_on == date.fromisoformat(day)]

    def document(self, day: str, name: str) -> str | pl.DataFrame | None:
        if name == RISK_MAP:
            return "<!DOCTYPE html><title>A map</title><script>1</script>"
        if name == MODEL_CARD:
            text = ["- places, <b>never</b> persons"]
            return pl.DataFrame({"position": [1], "section": ["Use"], "text": text})
        rows = pl.DataFrame({"group": ["<i>Bronx</i>"], "recall_pct": [12.5]})
        return rows if name in self.dossier.documents else None

    def decide(self, action: str, day: str, name: str, *, seen: str, reason: str) -> Entry:
        at, signer = datetime.now(UTC), Signer(name, key_of(self.service), self.service)
        if action == WITHDRAW:
            return self.gate.withdraw(("nyc", "shootings", DAY), signer, reason=reason, at=at)
        if seen != self.dossier.digest:
            raise ReleaseError("The documents are not those that you were shown.")
        if action == PUBLISH:
            return self.gate.publish(self.dossier, signer, reason=reason, at=at, files={})
        approved = action == APPROVE
        return self.gate.review(self.dossier, signer, is_approved=approved, reason=reason, at=at)
