"""Reviewers with keys, a whole dossier and a moment: what tests of releases begin with."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from datetime import UTC, date, datetime
from functools import cache

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from htrisk_dagster.publishing.dossier import REQUIRED, Document, Dossier
from htrisk_dagster.publishing.release_gate import Signer
from htrisk_dagster.publishing.reviewers import Reviewer, Reviewers
from htrisk_dagster.publishing.signatures import public_key_of

DAY = date(2024, 4, 5)
NOON = datetime(2024, 4, 4, 12, tzinfo=UTC)
REASON = "Looked at every cell of the top band."


@cache
def key_of(name: str) -> Ed25519PrivateKey:
    """The same key for the same name."""
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


def signer(name: str, *, key: str | None = None, service: str | None = None) -> Signer:
    return Signer(name, key_of(key or service or name), service)


PEOPLE = Reviewers(
    {
        name: Reviewer(name, public_key_of(key_of(name)), roles)
        for name, roles in {
            "anna": ("reviewer", "publisher"),
            "ben": ("reviewer",),
            "chloe": ("reviewer", "publisher"),
            "dan": ("publisher",),
        }.items()
    },
    {"page": public_key_of(key_of("page"))},
)


def dossier(
    *, version: int = 1, without: Collection[str] = (), last_on: date = date(2024, 6, 30)
) -> Dossier:
    documents = {
        name: Document(name, hashlib.sha256(f"{name} {version}".encode()).hexdigest(), last_on)
        for name in REQUIRED
        if name not in without
    }
    return Dossier("nyc", "shootings", DAY, documents)
