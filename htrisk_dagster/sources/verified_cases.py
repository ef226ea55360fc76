"""Verified trafficking cases: a restricted file of a task force, one row a case report.

Source: the user's own task force, such as the Human Trafficking Automated Hub's Metro New York
reports. Licence: as agreed with the task force; not public. Cadence: by arrangement.

Quirks:
- 17 columns; Incident Reporting Date, Type, Sector, Location Type, Latitude and Longitude are read,
  the others (methods, sources, country and more) are never loaded.
- Most rows stand on a few borough centroids.

No value of this file goes into the quarantine table, only the rule and the row's number.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.incidents import label_rule, place_rules, with_place
from htrisk_dagster.sources.quarantine import FileFacts, Parsed, day_rules
from htrisk_dagster.sources.text_values import day

TABLE = raw.VERIFIED_CASES


def parse(rows: pl.DataFrame, facts: FileFacts) -> Parsed:
    """Type the rows of one file.

    Parameters
    ----------
    rows : DataFrame
        Text columns of `layouts.LAYOUTS["verified_cases"]`.
    facts : FileFacts
        Box and day of the file.

    Returns
    -------
    Parsed
        Rows in the same order with the columns of `restricted.verified_cases`, and the rules.
    """
    typed = with_place(rows).with_columns(
        day("INCIDENT_REPORTING_DATE").alias("reported_on"),
        pl.col("TYPE").alias("case_type"),
        pl.col("SECTOR").alias("sector"),
        pl.col("LOCATION_TYPE").alias("location_type"),
    )
    rules = (
        *day_rules("report", "INCIDENT_REPORTING_DATE", "reported_on", facts),
        *(label_rule(column) for column in ("TYPE", "SECTOR", "LOCATION_TYPE")),
        *place_rules(facts),
    )
    return Parsed(typed, rules)
