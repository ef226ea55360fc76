"""The dossier of one day's map: the documents that are reviewed together, by digest.

Belongs here: which documents a map needs, until when each holds, and one digest over all of them.
Does not: the documents (`model_card`, `data_sheet` and `evaluation`), who has reviewed them
(`release_states`).

A review is of one dossier. Whatever changes in the map or a document makes another dossier, which
nobody has reviewed yet.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

RISK_MAP = "risk map"
DAILY_REPORT = "daily report"
CANARY_SEARCH = "canary search"
MODEL_CARD = "model card"
DATA_SHEET = "data sheet"
FAIRNESS = "fairness table"
FEEDBACK_LOOP = "feedback-loop monitor"
OF_THE_DAY = (RISK_MAP, DAILY_REPORT, CANARY_SEARCH)
OF_THE_MODEL = (MODEL_CARD, DATA_SHEET, FAIRNESS, FEEDBACK_LOOP)
REQUIRED = (*OF_THE_DAY, *OF_THE_MODEL)

DOCUMENTS_VALID_DAYS = 92
"""A document on the model speaks of the quarter from the month of its training, no longer."""


@dataclass(frozen=True)
class Document:
    """One document of a dossier.

    Parameters
    ----------
    name : str
        Of `REQUIRED`.
    sha256 : str
        Digest of its content, 64 hex digits.
    last_on : date
        Last day that it speaks of.
    """

    name: str
    sha256: str
    last_on: date


@dataclass(frozen=True)
class Dossier:
    """What is reviewed and released for one day.

    Parameters
    ----------
    area, target : str
    risk_on : date
        Day the map is for.
    documents : dict of str to Document
        Those there are, by name.
    problems : tuple of str
        Why documents that are there may not be used, a sentence each.
    """

    area: str
    target: str
    risk_on: date
    documents: Mapping[str, Document]
    problems: tuple[str, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 over what the map is of and the digest of each document, 64 hex digits."""
        lines = [f"{self.area}/{self.target}/{self.risk_on}"]
        lines += [f"{name} {self.documents[name].sha256}" for name in sorted(self.documents)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def lacks(self) -> list[str]:
        """What stands between this dossier and a review, a sentence each; empty where nothing."""
        found = [f"There is no {n}." for n in REQUIRED if n not in self.documents]
        found += [
            f"The {d.name} holds to {d.last_on} only; the map is for {self.risk_on}."
            for d in self.documents.values()
            if d.last_on < self.risk_on
        ]
        return [*found, *self.problems]


def last_day_of_documents(month: date) -> date:
    """Last day of a map that the documents of a model in use from `month` can speak of."""
    return month + timedelta(days=DOCUMENTS_VALID_DAYS - 1)
