"""What a city's file would lose on its way to the grid: every lost row with its reason.

Belongs here: the account from rows read to rows with a cell. Does not: the rules that refuse a row
(`sources/incident_reports`), the way from a point to a cell (`cells`), printing (`cli/areas.py`).

A row is lost to the tables (refused by a rule), to staging (a number that came again), to maps (no
point, a point outside, at a centroid or a station house) or to targets (an offence of no group).
Only the first of these that holds is told of a row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from htrisk_dagster.grid.area_grid import grid_of
from htrisk_dagster.grid.location_quality import place_incidents
from htrisk_dagster.schemas import raw, staging
from htrisk_dagster.sources import intake
from htrisk_dagster.study_areas.area import StudyArea

REFUSED, REPEATED, NOT_PLACED, NO_GROUP = "refused", "repeated", "not placed", "in no group"
STAGES = (REFUSED, REPEATED, NOT_PLACED, NO_GROUP)
_WHY_NOT_PLACED = {
    "missing": "It has no point or area: its day counts, no map shows it.",
    "outside": "Its point lies outside the outline: its day counts, no map shows it.",
    "centroid": "Its point is the middle of an area, not where it happened.",
    "station_house": "Its point held an implausible share of its offence before: a station house.",
}
LOST_SCHEMA = pl.Schema(
    {
        "source_file": pl.String,
        "source_row": pl.Int64,
        "stage": pl.String,
        "rule": pl.String,
        "column": pl.String,
        "value": pl.String,
        "reason": pl.String,
    }
)


@dataclass(frozen=True, eq=False)
class Losses:
    """Rows read and rows lost of a city's files.

    Parameters
    ----------
    rows_read : int
    rows_kept : int
        Rows with a cell, a group or not.
    lost : DataFrame
        `LOST_SCHEMA`, by file and row. Stage `in no group` is told but is no loss of a row.
    """

    rows_read: int
    rows_kept: int
    lost: pl.DataFrame

    @property
    def lost_share(self) -> float:
        """Share of rows read that no map would show."""
        return 1 - self.rows_kept / self.rows_read if self.rows_read else 0.0

    def by_reason(self, n_examples: int = 3) -> pl.DataFrame:
        """One row a reason: stage, rule, column, rows, share, examples of row numbers, reason."""
        order = pl.Enum(STAGES)
        example = pl.format("{} ({})", "source_row", pl.col("value").fill_null("–"))
        return (
            self.lost.group_by("stage", "rule", "column", "reason")
            .agg(
                pl.len().alias("rows"),
                example.sort_by("source_file", "source_row").head(n_examples).alias("examples"),
            )
            .with_columns(
                pl.col("examples").list.join("; "), (pl.col("rows") / self.rows_read).alias("share")
            )
            .sort(
                pl.col("stage").cast(order), pl.col("rows"), "rule", descending=[False, True, False]
            )
        )


def find_losses(area: StudyArea, data: Path) -> Losses:
    """Read a city's files as a run would and say of each lost row why.

    Parameters
    ----------
    area : StudyArea
        One with an `[incident_file]`.
    data : Path
        A file, or a folder of files; boundaries are looked for in the folder of a file.

    Raises
    ------
    SourceError
        Where there is no file of the study area's columns, or one is unusable as a whole.
    """
    read_table = partial(
        intake.read, time_zone=area.time_zone, bounding_box=area.bounding_box, area=area
    )
    read = read_table(raw.INCIDENT_REPORTS.name, data)
    n_read = int(read.files["rows_read_count"].sum())
    refused = read.quarantined.with_columns(stage=pl.lit(REFUSED))
    numbered = read.kept.with_row_index("place")
    # As in staging: of one number the row that was pulled last, then the file and row that come last.
    last = numbered.sort("pulled_on", "source_file", "source_row").unique(
        "report_id", keep="last", maintain_order=True
    )
    repeated = numbered.join(last.select("place"), on="place", how="anti").select(
        "source_file",
        "source_row",
        stage=pl.lit(REPEATED),
        rule=pl.lit("repeated_number"),
        column=pl.lit(_column(area, "id")),
        value="report_id",
        reason=pl.lit("A later row has the same number; staging keeps one row an incident."),
    )
    staged = as_staged(last, area)
    folder = data.parent if data.is_file() else data
    shapes = [read_table(t.name, folder).kept for t in (raw.BOROUGHS, raw.PRECINCTS)]
    boroughs, precincts = shapes
    placed = place_incidents(
        staged, grid_of(area, boroughs, precincts), boroughs=boroughs, precincts=precincts
    )
    rows = last.select("source_file", "source_row", "lon", "lat", "offence").with_columns(
        placed["location_quality"], placed["cell_id"], staged["offence_group"]
    )
    not_placed = rows.filter(pl.col("cell_id").is_null()).select(
        "source_file",
        "source_row",
        stage=pl.lit(NOT_PLACED),
        rule="location_quality",
        column=pl.lit(_column(area, "latitude") or _column(area, "area")),
        value=pl.when(pl.col("lon").is_not_null()).then(pl.format("{}, {}", "lat", "lon")),
        reason=pl.col("location_quality").replace_strict(_WHY_NOT_PLACED),
    )
    no_group = rows.filter(
        pl.col("cell_id").is_not_null(), pl.col("offence_group") == "other"
    ).select(
        "source_file",
        "source_row",
        stage=pl.lit(NO_GROUP),
        rule=pl.lit("other"),
        column=pl.lit(_column(area, "offence")),
        value="offence",
        reason=pl.lit("The offence is in none of [offence_groups]; only all incidents count it."),
    )
    parts = (refused, repeated, not_placed, no_group)
    lost = pl.concat(p.select(LOST_SCHEMA.names()).cast(LOST_SCHEMA) for p in parts)
    kept = last.height - not_placed.height
    return Losses(n_read, kept, lost.sort("source_file", "source_row"))


def _column(area: StudyArea, role: str) -> str:
    value = getattr(area.incident_file, role)
    return str(value) if value else ""


def as_staged(reports: pl.DataFrame, area: StudyArea) -> pl.DataFrame:
    """Reports, a number once, as dbt's staging has them but for `origin`; a test holds it to that.

    Parameters
    ----------
    reports : DataFrame
        `schemas.raw.INCIDENT_REPORTS`.
    area : StudyArea

    Returns
    -------
    DataFrame
        `schemas.staging.INCIDENTS`, in the order given.
    """
    # The first group of the file wins.
    by_code: dict[int, str] = {}
    by_label: dict[str, str] = {}
    for name, declared in reversed(area.offence_groups.items()):
        by_code |= dict.fromkeys(declared.codes, name)
        by_label |= {label.upper(): name for label in declared.labels}
    label = pl.when(pl.col("offence_code").is_null()).then(pl.col("offence").str.to_uppercase())
    group = pl.coalesce(
        pl.col("offence_code").replace_strict(by_code, default=None, return_dtype=pl.String),
        label.replace_strict(by_label, default=None, return_dtype=pl.String),
        pl.lit("other"),
    )
    source = raw.INCIDENT_REPORTS.name
    return staging.INCIDENTS.conform(
        reports.with_columns(
            group.alias("offence_group"),
            pl.lit(source).alias("source"),
            pl.format("{}:{}", pl.lit(source), "report_id").alias("incident_id"),
            pl.lit("reported").alias("origin"),
        )
    )
