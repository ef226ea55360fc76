"""What must hold of the inputs before features are believed: each rule as a function to a finding.

Belongs here: rules about raw ledgers, incidents on the grid and stored features. Does not: who
runs them (`defs/asset_checks.py`), rules about risk (`publishing/risk_findings.py`).
"""

from __future__ import annotations

from datetime import date

import polars as pl

from htrisk_dagster.schemas.finding import Finding


def rows_are_accounted(intake: pl.DataFrame, quarantine: pl.DataFrame) -> Finding:
    """Rows read = rows kept + rows quarantined, file by file, and the refused rows are there."""
    refused = quarantine.group_by("source_file").agg(pl.len().cast(pl.Int64).alias("found"))
    # Full, so that a refused row of a file that the ledger does not know stands out as well.
    ledger = (
        intake.select("source_file", pl.col("^rows_.*_count$"))
        .join(refused, on="source_file", how="full", coalesce=True)
        .fill_null(0)
        .sort("source_file")
    )
    wrong = ledger.filter(
        (pl.col("rows_read_count") != pl.col("rows_kept_count") + pl.col("rows_quarantined_count"))
        | (pl.col("found") != pl.col("rows_quarantined_count"))
    )
    if wrong.height:
        row = wrong.row(0, named=True)
        return Finding(
            False,
            f"{row['source_file']}: {row['rows_read_count']} rows read, {row['rows_kept_count']} kept, "
            f"{row['rows_quarantined_count']} refused and {row['found']} found in quarantine.",
        )
    figures = {
        "rows_read": float(intake["rows_read_count"].sum()),
        "rows_quarantined": float(intake["rows_quarantined_count"].sum()),
    }
    return Finding(True, "Every row read was kept or refused with a reason.", figures)


def few_rows_are_refused(intake: pl.DataFrame, *, most_pct: float = 2.0) -> Finding:
    """No file of at least 100 rows loses more than `most_pct` of them to quarantine."""
    share = 100 * pl.col("rows_quarantined_count") / pl.col("rows_read_count")
    wrong = intake.filter((pl.col("rows_read_count") >= 100) & (share > most_pct))
    if wrong.height:
        row = wrong.row(0, named=True)
        return Finding(
            False,
            f"{row['source_file']}: {row['rows_quarantined_count']} of {row['rows_read_count']} rows were "
            f"refused, more than {most_pct:g}%. See raw.quarantine for the reasons.",
        )
    return Finding(True, f"No file lost more than {most_pct:g}% of its rows.")


def incidents_are_placed(incidents: pl.DataFrame, *, least_pct: float = 80.0) -> Finding:
    """At least `least_pct` of incidents have a cell; a projection gone wrong has none."""
    if incidents.is_empty():
        return Finding(
            False, "There is no incident at all. Load complaints, felonies or shootings."
        )
    placed = 100 * (1 - incidents["cell_id"].null_count() / incidents.height)
    return Finding(
        placed >= least_pct,
        f"{placed:.1f}% of {incidents.height} incidents have a cell; {least_pct:g}% are needed.",
        {"placed_pct": placed},
    )


def features_are_whole(frame: pl.DataFrame, n_cells: int) -> Finding:
    """Each day has every cell once, and no number is infinite."""
    if frame.is_empty():
        return Finding(False, "There is no row at all.")
    cells = pl.col("cell_id").n_unique().alias("cells")
    sizes = frame.group_by("risk_on").agg(pl.len().alias("rows"), cells).sort("risk_on")
    wrong = sizes.filter((pl.col("rows") != n_cells) | (pl.col("cells") != n_cells))
    if wrong.height:
        day, rows, n_found = wrong.row(0)
        return Finding(
            False, f"{day} has {rows} rows of {n_found} cells; the grid has {n_cells} cells."
        )
    infinite = [c for c in frame.columns[2:] if frame[c].is_infinite().any()]
    if infinite:
        return Finding(False, f"Feature '{infinite[0]}' holds an infinite number.")
    return Finding(True, f"{sizes.height} days of {n_cells} cells.", {"days": float(sizes.height)})


def reports_are_fresh(
    newest_report: date | None, cutoff: date, *, silence_days: int = 7
) -> Finding:
    """Reports reach to within `silence_days` of the cutoff of the newest day.

    Parameters
    ----------
    newest_report : date or None
        Newest day of a report before the cutoff.
    cutoff : date
        Of the newest day asked for.
    """
    if newest_report is None:
        return Finding(False, f"There is no report before the cutoff {cutoff} at all.")
    behind = (cutoff - newest_report).days - 1
    is_fresh = behind <= silence_days
    advice = "." if is_fresh else f"; {silence_days} are allowed. Fetch newer reports."
    return Finding(
        is_fresh,
        f"The newest report before the cutoff {cutoff} is of {newest_report}, {behind} days behind{advice}",
        {"days_behind": float(behind)},
    )
