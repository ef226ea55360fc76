"""The data sheet of what a month's models learnt from, after Gebru et al. 2021 (doi 10.1145/3458723).

Belongs here: what the sheet says, section by section. Does not: the rows it tells of (`sources`), how a
document is kept and printed (`document_text`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from htrisk_dagster.publishing.document_text import as_sections
from htrisk_dagster.schemas.governance import DATA_SHEET

SECTIONS = (
    "Motivation",
    "Composition",
    "Collection process",
    "Preprocessing, cleaning and labelling",
    "Uses",
    "Distribution",
    "Maintenance",
)


@dataclass(frozen=True)
class DataFacts:
    """What the sheet is of.

    Parameters
    ----------
    area_title, target_title, target : str
        Study area; what is forecast, in words and by name.
    month : date
        First day on which the models may be used.
    known_before : date
        Nothing reported on or after this day was used.
    publication_lag_days : int
        Days from a report to the day it can be known.
    offence_groups : tuple of str
        Of the target; all offences of its sources where there are none.
    data_origin : str
        `synthetic`, `files` or `api`.
    """

    area_title: str
    target_title: str
    target: str
    month: date
    known_before: date
    publication_lag_days: int
    offence_groups: tuple[str, ...]
    data_origin: str


def data_sheet(
    facts: DataFacts,
    *,
    intake: pl.DataFrame,
    quarantine: pl.DataFrame,
    qualities: pl.DataFrame,
    documents_hold_to: date,
) -> pl.DataFrame:
    """Write the sheet.

    Parameters
    ----------
    facts : DataFacts
    intake, quarantine : DataFrame
        `schemas.raw.INTAKE` and `QUARANTINE` of the public tables; the restricted store has its own.
    qualities : DataFrame
        `location_quality` and `share_pct` of the target's reports.
    documents_hold_to : date
        Last day of a map that the sheet speaks of.

    Returns
    -------
    DataFrame
        `schemas.governance.DATA_SHEET`.
    """
    origin = {
        "synthetic": "The city is invented: a program wrote these files in the publishers' "
        "layouts from one seed.",
        "files": "The files were brought by the user of this workspace.",
        "api": "The rows were fetched from the publishers' open-data service.",
    }[facts.data_origin]
    groups = ", ".join(g.replace("_", " ") for g in facts.offence_groups) or "all of its sources"
    sections: dict[str, Sequence[str]] = {
        "Motivation": [
            f"To forecast {facts.target_title} in {facts.area_title} by place and day, so that "
            "help goes where it is needed. The publishers collected the data for other ends: "
            "records of police work, permits, riders, census.",
        ],
        "Composition": [
            "One row is a reported incident, a permitted event, a count of riders or a value of "
            "a census area. Columns on suspects, victims and perpetrators are dropped where a "
            "row enters. Files read, by table:",
            *_tables(intake),
            f"The target counts the offence groups {groups}.",
            *(_qualities(qualities)),
        ],
        "Collection process": [
            origin,
            f"A report counts as known {_counted(facts.publication_lag_days, 'day')} after it "
            f"was made. Nothing reported on or after {facts.known_before} was used. Reports are "
            "made by people and written down by police: who reports, and where police look, "
            "decides what is here.",
        ],
        "Preprocessing, cleaning and labelling": [
            "Rows that break a rule are refused and kept with the reason; none is mended. "
            "Refused, by rule:",
            *_refused(quarantine),
            "Points that hold an implausible share of an offence are station houses or "
            "centroids, and never become cells. Offences are grouped by code, because labels "
            "change.",
        ],
        "Uses": [
            "For forecasts by place. Not for any statement about a person, and not to compare "
            "how much happens in two places without asking how much of it is reported there.",
        ],
        "Distribution": [
            "Raw rows stay in the workspace, as their publishers' licences ask. What leaves are "
            "forecasts, and counts of at least 11 over fixed periods with complementary "
            "suppression. Verified cases stay in a store of their own.",
        ],
        "Maintenance": [
            "Read again by day or month of report, amended rows with them. This sheet speaks of "
            f"maps up to {documents_hold_to}; it is written again with each month's models.",
        ],
    }
    return as_sections(DATA_SHEET, sections, month=facts.month, target=facts.target)


def _tables(intake: pl.DataFrame) -> list[str]:
    summed = (
        intake.group_by("source")
        .agg(
            pl.len().alias("files"),
            pl.col("rows_read_count").sum(),
            pl.col("rows_kept_count").sum(),
            pl.col("first_on").min(),
            pl.col("last_on").max(),
        )
        .sort("source")
    )
    return [
        f"- {r['source']}: {r['rows_kept_count']:,} of {r['rows_read_count']:,} rows kept, "
        f"{_counted(r['files'], 'file')}"
        + (f", {r['first_on']} to {r['last_on']}." if r["first_on"] else ".")
        for r in summed.iter_rows(named=True)
    ] or ["- none."]


def _refused(quarantine: pl.DataFrame) -> list[str]:
    summed = quarantine.group_by("source", "rule").len().sort("source", "rule")
    return [f"- {source}, {rule}: {n:,}." for source, rule, n in summed.iter_rows()] or ["- none."]


def _qualities(qualities: pl.DataFrame) -> list[str]:
    if qualities.is_empty():
        return []
    told = ", ".join(
        f"{name.replace('_', ' ')} {share:.0f}%"
        for name, share in qualities.sort("share_pct", descending=True)
        .select("location_quality", "share_pct")
        .iter_rows()
    )
    return [f"How far their points can be trusted: {told}."]


def _counted(n: int, what: str) -> str:
    return f"{n} {what}" if n == 1 else f"{n:,} {what}s"
