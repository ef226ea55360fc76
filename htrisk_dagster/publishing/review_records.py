"""What a reviewer or publisher says of one dossier, as a record that can be signed.

Belongs here: the fields of a record, its form as JSON, what makes one well formed. Does not: the
signature and the chain (`audit_log`), what follows from records (`release_states`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from typing import Any

APPROVE, REJECT, PUBLISH, WITHDRAW = ACTIONS = ("approve", "reject", "publish", "withdraw")
SHORTEST_REASON = 10
_DIGEST_LENGTH = 64


@dataclass(frozen=True)
class ReviewRecord:
    """One decision.

    Parameters
    ----------
    action : str
        Of `ACTIONS`.
    area, target : str
    risk_on : date
        Day the map is for.
    dossier : str
        Digest of what was decided on.
    by : str
        Name of the reviewer or publisher.
    reason : str
        Why, in words.
    at : datetime
        When, UTC, whole seconds.
    expires_at : datetime or None
        Since when a review or publication does not hold; None for a rejection or withdrawal, which
        do not end.
    files : dict of str to str
        SHA-256 of each file that a publication hands on, by name; empty otherwise.
    """

    action: str
    area: str
    target: str
    risk_on: date
    dossier: str
    by: str
    reason: str
    at: datetime
    expires_at: datetime | None
    files: Mapping[str, str]

    @property
    def subject(self) -> tuple[str, str, date]:
        """What the decision is about: area, target and day."""
        return self.area, self.target, self.risk_on

    def holds_at(self, moment: datetime) -> bool:
        """Whether the decision has not expired."""
        return self.expires_at is None or moment < self.expires_at

    def as_json(self) -> dict[str, Any]:
        """Fields as JSON has them."""
        return {
            "action": self.action,
            "area": self.area,
            "target": self.target,
            "risk_on": self.risk_on.isoformat(),
            "dossier": self.dossier,
            "by": self.by,
            "reason": self.reason,
            "at": self.at.isoformat(),
            "expires_at": None if self.expires_at is None else self.expires_at.isoformat(),
            "files": dict(self.files),
        }

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> ReviewRecord:
        """Read a record.

        Raises
        ------
        ValueError
            Where a field is missing, unknown or not of its kind; the message names it.
        """
        names = {f.name for f in fields(cls)}
        if set(content) != names:
            odd = ", ".join(sorted(names ^ set(content)))
            raise ValueError(f"fields missing or unknown: {odd}")
        texts = ("action", "area", "target", "dossier", "by", "reason")
        wrong = [name for name in texts if not isinstance(content[name], str)]
        if wrong or not isinstance(content["files"], dict):
            raise ValueError(f"fields of another kind: {', '.join(wrong) or 'files'}")
        return cls(
            **{name: content[name] for name in texts},
            risk_on=date.fromisoformat(str(content["risk_on"])),
            at=_instant(content["at"]),
            expires_at=None if content["expires_at"] is None else _instant(content["expires_at"]),
            files={str(k): str(v) for k, v in content["files"].items()},
        )

    def problems(self) -> list[str]:
        """What makes the record not well formed, a sentence each."""
        found = []
        if self.action not in ACTIONS:
            found.append(f"'{self.action}' is none of {', '.join(ACTIONS)}.")
        if len(self.reason.strip()) < SHORTEST_REASON:
            found.append(f"A reason needs {SHORTEST_REASON} characters at least.")
        if len(self.dossier) != _DIGEST_LENGTH:
            found.append("The digest of the dossier has not 64 hex digits.")
        if (self.expires_at is None) != (self.action in (REJECT, WITHDRAW)):
            found.append("A review and a publication expire, a rejection and a withdrawal do not.")
        if self.expires_at is not None and self.expires_at <= self.at:
            found.append("It expires before it begins.")
        return found


def canonical(content: Mapping[str, Any]) -> bytes:
    """JSON of one form: sorted keys, no spaces, ASCII; what is hashed and signed."""
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()


def _instant(text: object) -> datetime:
    moment = datetime.fromisoformat(str(text))
    if moment.tzinfo is None or moment.utcoffset() != UTC.utcoffset(None):
        raise ValueError(f"{text} is no instant in UTC")
    return moment
