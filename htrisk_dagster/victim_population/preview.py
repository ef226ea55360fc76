"""Results as Markdown for the people who run the analysis, small counts blanked.

Belongs here: what a result shows of itself in the orchestrator. Does not: what may leave
(`suppression`): a preview blanks a row whose own count is small, and nothing protects a reader who
adds rows up.
"""

from __future__ import annotations

import polars as pl

from htrisk_dagster.victim_population.published_tables import K

MOST_ROWS = 40


def as_markdown(frame: pl.DataFrame, *, k: int = K) -> str:
    """First rows of `frame` as a Markdown table.

    Parameters
    ----------
    frame : DataFrame
        A result; in rows where `records_count`, or what it leaves of `known_count`, is 1 to k - 1
        every number is blank.
    k : int
        Smallest count that is shown.
    """
    shown = _blanked(frame, k).head(MOST_ROWS)
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---|" * frame.width]
    lines += ["| " + " | ".join(map(_cell, row)) + " |" for row in shown.iter_rows()]
    if frame.height > MOST_ROWS:
        lines.append(f"\n{frame.height - MOST_ROWS:,} more rows.")
    return "\n".join(lines)


def _blanked(frame: pl.DataFrame, k: int) -> pl.DataFrame:
    if "records_count" not in frame.columns:
        return frame
    counts = [pl.col("records_count")]
    if "known_count" in frame.columns:
        counts.append(pl.col("known_count") - pl.col("records_count"))
    is_small = pl.any_horizontal(count.is_between(1, k - 1) for count in counts)
    numbers = [
        name
        for name, dtype in frame.schema.items()
        if dtype.is_numeric() and not name.startswith("year")
    ]
    return frame.with_columns(pl.when(~is_small).then(pl.col(name)).alias(name) for name in numbers)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
