"""What must hold of the inputs before features are believed: each rule as a function to a finding.

Belongs here: rules about raw ledgers, incidents on the grid and stored features. Does not: who
runs them (`defs/asset_checks.py`), rules about risk (`publishing/risk_findings.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

import polars as pl

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.sources.published_columns import column_drift

_ENOUGH_ROWS = 100  # of JSON, to know which keys it has


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


def columns_are_as_published(intake: pl.DataFrame) -> Finding:
    """Each file has the columns that its reader knows: none is missing, none is new.

    JSON leaves a key out where it is null, so that its files are looked at together, and only where
    they have a hundred rows.
    """
    if "columns" not in intake.columns:
        return Finding(True, "The ledger is from before columns were kept: read the files again.")
    is_json = pl.col("layout") == "JSON"
    pages = intake.filter(is_json & pl.col("columns").is_not_null())
    files = [
        (row["source_file"], row["source"], row["columns"], row["layout"])
        for row in intake.filter(~is_json).iter_rows(named=True)
        if row["columns"] is not None
    ]
    if pages["rows_read_count"].sum() >= _ENOUGH_ROWS:
        names = pages["columns"].explode().unique(maintain_order=True).to_list()
        files.append((f"{pages.height} pages of JSON", pages["source"][0], names, "JSON"))
    drifts = [
        (name, column_drift(source, columns, "GeoJSON" if layout == "GeoJSON" else "CSV"))
        for name, source, columns, layout in files
    ]
    told = [f"{name}: {drift.sentence}." for name, drift in drifts if drift]
    if told:
        advice = "Look at the publisher's notes, and tell the reader of a renamed column."
        return Finding(False, " ".join([*told, advice]), {"files_changed": float(len(told))})
    return Finding(True, f"The columns of {len(files)} files are as they were.")


def sources_still_report(
    reports: pl.DataFrame, cutoff: date, *, chance: float = 1e-3, closed_days: int = 60
) -> Finding:
    """No source has been silent for longer than chance explains; a busy one stands out in a day.

    With m reports a day on average, g days without any have the chance exp(-m g) (Poisson).

    Parameters
    ----------
    reports : DataFrame
        `source` and `reported_on` of every report.
    cutoff : date
        Of the newest day asked for; reports before it should be there.
    chance : float
        Below this a silence is no chance.
    closed_days : int
        A source that ended so long before the cutoff is a closed file, and is not waited for.
    """
    days = reports.filter(pl.col("reported_on") < cutoff)
    newest = days.group_by("source").agg(pl.col("reported_on").max().alias("last"))
    recent = days.join(newest, on="source").filter(
        pl.col("reported_on") > pl.col("last") - pl.duration(days=28)
    )
    found = (
        recent.group_by("source", "last")
        .agg(pl.len().truediv(28).alias("a_day"))
        .with_columns(((pl.lit(cutoff) - pl.col("last")).dt.total_days() - 1).alias("behind"))
        .filter(pl.col("behind") <= closed_days)
        .sort("source")
    )
    silent = found.filter((-pl.col("a_day") * pl.col("behind")).exp() < chance)
    figures = {
        f"{source}_days_behind": float(n) for source, n in found.select("source", "behind").rows()
    }
    if silent.height:
        told = [
            f"{row['source']}: the newest report is of {row['last']}, {row['behind']} days behind, with "
            f"{row['a_day']:.1f} a day before"
            for row in silent.iter_rows(named=True)
        ]
        return Finding(False, f"{'; '.join(told)}. The source may have stopped: fetch it.", figures)
    return Finding(True, f"{found.height} sources report up to the cutoff {cutoff}.", figures)


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


def features_are_whole(parts: Iterable[pl.DataFrame], n_cells: int) -> Finding:
    """Each day has every cell once, and no number is infinite.

    Parameters
    ----------
    parts : iterable of DataFrame
        Features of whole days, looked at one part after the other.
    n_cells : int
        Of the grid.
    """
    cells = pl.col("cell_id").n_unique().alias("cells")
    n_days = 0
    for frame in parts:
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
        n_days += sizes.height
    if n_days == 0:
        return Finding(False, "There is no row at all.")
    return Finding(True, f"{n_days} days of {n_cells} cells.", {"days": float(n_days)})


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
