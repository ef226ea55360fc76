"""From dossier to released map: what is put together for review, and what is handed out.

Belongs here: the dossier of a day, the gate of an area, the folder of released maps. Does not: the rules
(`publishing/release_states.py`), the log (`publishing/audit_log.py`), documents (`governed.py`).

The folder follows the log, never the other way: what the log lets out is written there, with its
state, reviewers and expiry on it; whatever else lies there is taken away and told.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Sequence
from datetime import UTC, date, datetime
from html import escape
from pathlib import Path

import polars as pl

from htrisk_dagster.defs.daily_reports import month_of, report_path
from htrisk_dagster.defs.fingerprints import MadeFrom
from htrisk_dagster.defs.forecast import map_path
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.errors import ReleaseError
from htrisk_dagster.publishing import dossier as names
from htrisk_dagster.publishing.audit_log import AuditLog, Entry
from htrisk_dagster.publishing.canary_search import canary_is_nowhere
from htrisk_dagster.publishing.document_text import to_markdown
from htrisk_dagster.publishing.dossier import Document, Dossier, last_day_of_documents
from htrisk_dagster.publishing.map_words import DRAFT
from htrisk_dagster.publishing.release_gate import ReleaseGate, Signer
from htrisk_dagster.publishing.release_states import DayRelease, ReleaseState, publications
from htrisk_dagster.publishing.review_records import ReviewRecord
from htrisk_dagster.publishing.reviewers import read_reviewers
from htrisk_dagster.schemas import governance, predictions
from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table
from htrisk_dagster.settings import Settings
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.warehouse.exported_csv import csv_for_people
from htrisk_dagster.warehouse.partitions import write_text_whole

_OF_MODEL: dict[str, Table] = {
    names.MODEL_CARD: governance.MODEL_CARD,
    names.DATA_SHEET: governance.DATA_SHEET,
    names.FAIRNESS: governance.FAIRNESS,
    names.FEEDBACK_LOOP: governance.FEEDBACK_LOOP,
}


def log_path(settings: Settings, area: str) -> Path:
    """File of a study area's log of releases."""
    return settings.releases / "log" / f"{area}.jsonl"


def gate_of(workspace: Workspace, area: StudyArea) -> ReleaseGate:
    """The gate of a study area, with the reviewers of the settings."""
    settings = workspace.settings
    return ReleaseGate(
        AuditLog(log_path(settings, area.name)),
        read_reviewers(settings.reviewers_file),
        settings.review_valid_days,
        settings.publication_valid_days,
    )


def mapped_days(workspace: Workspace, area: StudyArea) -> list[str]:
    """Days that have a risk table."""
    return workspace.tables(area.name).keys(predictions.CELL_DAY_RISK)


def dossier_of(
    workspace: Workspace, area: StudyArea, day: str, made: MadeFrom | None = None
) -> Dossier:
    """Put together what there is of one day, and say what may not be used.

    `made` spares reading the same digests for every day of many.
    """
    made = made or MadeFrom(workspace, area)
    store = workspace.tables(area.name)
    target, _ = workspace.target(area)
    on = date.fromisoformat(day)
    documents: dict[str, Document] = {}
    problems: list[str] = []
    month = month_of(workspace, area, day)
    holds_to = last_day_of_documents(date.fromisoformat(month))
    wanted = made.documents(month)
    for name, table in _OF_MODEL.items():
        if month not in store.keys(table):
            continue
        rows = store.read(table, [month])
        documents[name] = Document(name, _digest_of(rows), holds_to)
        if store.made_from(table).get(month) != wanted:
            problems.append(f"The {name} of {month} is not of the champion in use.")
    for name, path, digest in (
        (names.RISK_MAP, map_path(workspace, area, day), made.risk_map(day)),
        (names.DAILY_REPORT, report_path(workspace, area, day), made.daily_report(day)),
    ):
        if path.is_file():
            page = path.read_bytes()
            documents[name] = Document(name, hashlib.sha256(page).hexdigest(), on)
            if digest.encode() not in page:
                problems.append(f"The {name} of {day} is older than what it shows.")
    if day in store.keys(governance.CANARY_SEARCH):
        searched = store.read(governance.CANARY_SEARCH, [day])
        documents[names.CANARY_SEARCH] = Document(names.CANARY_SEARCH, _digest_of(searched), on)
        found = canary_is_nowhere(searched)
        problems += [] if found.holds else [found.sentence]
        if store.made_from(governance.CANARY_SEARCH).get(day) != made.canary_search(day):
            problems.append(f"The canary search of {day} is older than what it searched.")
    return Dossier(area.name, target, on, documents, tuple(problems))


def document_of(
    workspace: Workspace, area: StudyArea, day: str, name: str
) -> str | pl.DataFrame | None:
    """One document of a day's dossier: a page, or rows; None where it is not there."""
    store = workspace.tables(area.name)
    pages = {names.RISK_MAP: map_path, names.DAILY_REPORT: report_path}
    if name in pages:
        path = pages[name](workspace, area, day)
        return path.read_text(encoding="utf-8") if path.is_file() else None
    table, key = governance.CANARY_SEARCH, day
    if name in _OF_MODEL:
        table, key = _OF_MODEL[name], month_of(workspace, area, day)
    elif name != names.CANARY_SEARCH:
        return None
    return store.read(table, [key]) if key in store.keys(table) else None


def releases_of(
    workspace: Workspace, area: StudyArea, days: Sequence[str], at: datetime
) -> list[DayRelease]:
    """Where the maps of days stand at a moment."""
    gate, made = gate_of(workspace, area), MadeFrom(workspace, area)
    dossiers = [dossier_of(workspace, area, day, made) for day in days]
    return [
        DayRelease(day, dossier, gate.state(dossier, at))
        for day, dossier in zip(days, dossiers, strict=True)
    ]


def review(
    workspace: Workspace,
    area: StudyArea,
    day: str,
    signer: Signer,
    *,
    is_approved: bool,
    reason: str,
    at: datetime,
    seen: str | None = None,
) -> Entry:
    """Record a reviewer's word on the map of a day; see `ReleaseGate.review`.

    `seen` is the digest of the dossier that the reviewer was shown, where it was not read just now.

    Raises
    ------
    ReleaseError
        As the gate; and where the documents are not those that the reviewer saw.
    """
    dossier = dossier_of(workspace, area, day)
    _require_seen(dossier, seen)
    gate = gate_of(workspace, area)
    return gate.review(dossier, signer, is_approved=is_approved, reason=reason, at=at)


def publish(
    workspace: Workspace,
    area: StudyArea,
    day: str,
    signer: Signer,
    *,
    reason: str,
    at: datetime,
    seen: str | None = None,
) -> Entry:
    """Publish the map of a day and hand it out; see `ReleaseGate.publish`, and `review` for `seen`."""
    gate = gate_of(workspace, area)
    dossier = dossier_of(workspace, area, day)
    _require_seen(dossier, seen)
    files = {}
    if not dossier.lacks():
        pages = _files(workspace, area, day, status_of(gate.state(dossier, at), dossier))
        files = {name: _sha256(text) for name, text in pages.items()}
        if dossier_of(workspace, area, day).digest != dossier.digest:
            raise ReleaseError(f"The documents of {day} are being written. Try again afterwards.")
    entry = gate.publish(dossier, signer, reason=reason, at=at, files=files)
    hand_out(workspace, area, at)
    return entry


def withdraw(
    workspace: Workspace, area: StudyArea, day: str, signer: Signer, *, reason: str, at: datetime
) -> Entry:
    """Withdraw the map of a day and take it away; see `ReleaseGate.withdraw`."""
    subject = (area.name, workspace.target(area)[0], date.fromisoformat(day))
    entry = gate_of(workspace, area).withdraw(subject, signer, reason=reason, at=at)
    hand_out(workspace, area, at)
    return entry


def _require_seen(dossier: Dossier, seen: str | None) -> None:
    if seen is not None and seen != dossier.digest:
        raise ReleaseError(
            f"The documents of {dossier.risk_on} are not those that you were shown: something was "
            "made anew. Look at them again."
        )


def status_of(found: ReleaseState, dossier: Dossier) -> str:
    """What a released map says of its review: who, what, and how to check it."""
    by = " and ".join(r.by for r in found.approvals) or "nobody"
    return f"PUBLISHED - reviewed by {by}; dossier {dossier.digest[:16]}"


def released_folder(workspace: Workspace, area: StudyArea) -> Path:
    """Folder of the released maps, one folder a target and day."""
    return workspace.settings.releases / "maps" / area.name


def hand_out(workspace: Workspace, area: StudyArea, at: datetime) -> list[str]:
    """Make the folder of released maps what the log says; return the days that are out.

    A day whose maps have been made anew since cannot be written again as it was reviewed: what lies
    there stays where it is that publication's, and is told by the check where it is not.
    """
    folder, target = released_folder(workspace, area), workspace.target(area)[0]
    in_force = _in_force(workspace, area, at)
    for path in _lying_in(folder):
        if path.is_file():
            path.unlink()
        elif path.relative_to(folder).as_posix() not in in_force:
            shutil.rmtree(path)
    days = {str(r.risk_on): r for r in in_force.values() if r.target == target}
    for day, record in days.items():
        if not _differing(folder / target / day, record):
            continue
        (release,) = releases_of(workspace, area, [day], record.at)
        pages = _files(workspace, area, day, status_of(release.state, release.dossier))
        for name, text in pages.items():
            if _sha256(text) == record.files.get(name):
                write_text_whole(folder / target / day / name, text)
    return sorted(days)


def dossiers_are_whole(workspace: Workspace, area: StudyArea, days: Sequence[str]) -> Finding:
    """Every document that a release of these days would need is there and holds."""
    made = MadeFrom(workspace, area)
    lacking = {day: dossier_of(workspace, area, day, made).lacks() for day in days}
    lacking = {day: lacks for day, lacks in lacking.items() if lacks}
    if lacking:
        day, lacks = next(iter(lacking.items()))
        return Finding(
            False, f"{len(lacking)} days cannot be released; first {day}: {' '.join(lacks)}"
        )
    return Finding(True, f"The dossiers of {len(days)} days are whole.", {"days": float(len(days))})


def only_reviewed_maps_are_out(
    workspace: Workspace, area: StudyArea, at: datetime | None = None
) -> Finding:
    """Every file among the released maps is of a publication in force, byte for byte.

    Raises
    ------
    ReleaseError
        Where the log cannot be trusted.
    """
    folder = released_folder(workspace, area)
    records = _in_force(workspace, area, at or datetime.now(UTC))
    there = [p.relative_to(folder).as_posix() for p in _lying_in(folder)]
    strangers = [place for place in there if place not in records]
    changed = [
        f"{place}/{name}"
        for place, record in records.items()
        for name in _differing(folder / place, record)
    ]
    holds = not strangers and not changed
    return Finding(
        holds,
        f"{len(records)} maps are out, each as it was released."
        if holds
        else f"Not released: {', '.join(strangers) or 'none'}; not as released: "
        f"{', '.join(changed) or 'none'}. Run `htrisk release verify` and look at who wrote them.",
        {"maps_out": float(len(records))},
    )


def _in_force(workspace: Workspace, area: StudyArea, at: datetime) -> dict[str, ReviewRecord]:
    """Publications in force by their place among the released maps, `<target>/<day>`."""
    out = publications(gate_of(workspace, area).read().records)
    return {f"{r.target}/{r.risk_on}": r for r in out if r.area == area.name and r.holds_at(at)}


def _lying_in(folder: Path) -> list[Path]:
    """Folders of days, and files where only folders belong."""
    return sorted([*(p for p in folder.glob("*") if p.is_file()), *folder.glob("*/*")])


def _differing(folder: Path, record: ReviewRecord) -> list[str]:
    """Files of a publication that are missing, changed, or not of it."""
    there = {p.name: p for p in folder.glob("*")}
    wrong = [
        name
        for name, digest in record.files.items()
        if name not in there or hashlib.sha256(there[name].read_bytes()).hexdigest() != digest
    ]
    return wrong + [name for name in there if name not in record.files]


def _files(workspace: Workspace, area: StudyArea, day: str, status: str) -> dict[str, str]:
    """What is handed out for a day: map and report as reviewed but for their stage, and documents."""
    store, month = workspace.tables(area.name), month_of(workspace, area, day)
    rows = {table: store.read(table, [month]) for table in _OF_MODEL.values()}
    return {
        "risk_map.html": _at_stage(map_path(workspace, area, day), status),
        "daily_report.html": _at_stage(report_path(workspace, area, day), status),
        "model_card.md": to_markdown("Model card", rows[governance.MODEL_CARD]),
        "data_sheet.md": to_markdown("Data sheet", rows[governance.DATA_SHEET]),
        "fairness.csv": csv_for_people(rows[governance.FAIRNESS]),
        "feedback_loop.csv": csv_for_people(rows[governance.FEEDBACK_LOOP]),
    }


def _at_stage(page: Path, status: str) -> str:
    """A draft that was reviewed, its stage replaced: nothing else may differ from what was signed."""
    if not page.is_file():
        raise ReleaseError(f"{page} is absent. Materialise it, and have it reviewed.")
    return page.read_text(encoding="utf-8").replace(DRAFT, escape(status))


def _digest_of(rows: pl.DataFrame) -> str:
    return _sha256(csv_for_people(rows))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
