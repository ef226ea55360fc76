"""Raw ledgers: what was read from each file, what was refused and why, which groups were declared.

Belongs here: tables about the reading itself. Does not: the rows that were kept (`raw`,
`raw_incidents`).
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.schemas.table import Column, Table

LAYER = "raw"

QUARANTINE = Table(
    LAYER,
    "quarantine",
    "one row that was read and refused",
    "Rows that a named rule refused, with the reason; rows read = rows kept + rows here.",
    (
        Column("source", pl.String, "Raw table the row was meant for."),
        Column("source_file", pl.String, "File the row came from."),
        Column(
            "source_row", pl.Int64, "Row in that file, 1 for the first after the header.", lower=1
        ),
        Column("rule", pl.String, "Name of the rule."),
        Column("column", pl.String, "The publisher's column that broke it."),
        Column("value", pl.String, "The value found, cut at 80 characters.", nullable=True),
        Column("reason", pl.String, "One sentence."),
        Column("pulled_on", pl.Date, "Day the file was read, from the file's own date."),
    ),
)

OFFENCE_GROUPS = Table(
    LAYER,
    "offence_groups",
    "one rule of the study area's offence groups",
    "The groups declared in the study area's file as rows, so that SQL and Python group alike.",
    (
        Column("offence_group", pl.String, "Name of the group."),
        Column("priority", pl.Int32, "Order in the file; the first rule that fits wins.", lower=0),
        Column(
            "offence_code",
            pl.Int32,
            "Key code that fits, missing where the rule is by label.",
            nullable=True,
            source_name="KY_CD",
        ),
        Column(
            "offence",
            pl.String,
            "Label that fits, missing where the rule is by code.",
            nullable=True,
            source_name="OFNS_DESC",
        ),
        Column(
            "is_discovered", pl.Boolean, "Whether the police find such incidents by being there."
        ),
    ),
)
INTAKE = Table(
    LAYER,
    "intake",
    "one file and raw table",
    "What was read from each file: rows read = rows kept + rows quarantined.",
    (
        Column("source", pl.String, "Raw table."),
        Column("source_file", pl.String, "File."),
        Column("layout", pl.String, "Layout recognised by its header."),
        Column("sha256", pl.String, "Digest of the file's bytes."),
        Column("rows_read_count", pl.Int64, "Rows in the file.", unit="rows", lower=0),
        Column("rows_kept_count", pl.Int64, "Rows kept.", unit="rows", lower=0),
        Column("rows_quarantined_count", pl.Int64, "Rows refused.", unit="rows", lower=0),
        Column("first_on", pl.Date, "First day among the kept rows.", nullable=True),
        Column("last_on", pl.Date, "Last day among the kept rows.", nullable=True),
        Column(
            "columns",
            pl.List(pl.String),
            "The publisher's names of the file's columns; of JSON, those of its first rows.",
            nullable=True,
        ),
    ),
    key=("source", "source_file"),
)
