"""Time and memory of one partition, features of a month, against the size of the whole.

More events: every incident of three years reported again and again, 1.66 to 60 million. More cells: copies of the city side by side,
each with its own incidents. Incidents lie in one file a month, as `raw` has them, and a month's
features read the months of their longest window alone: what grows is what lies within it, not the
years before.

`python -m benchmarks.growth KIND COPIES FOLDER OUT` measures one size in a process of its own.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.city_inputs import feature_inputs, simulate
from benchmarks.one_run import forget_peak, peak_kb, seconds_of

FIRST, STOP = date(2024, 12, 1), date(2025, 1, 1)
COPIES = {"events": (1, 3, 12, 36), "cells": (1, 4, 14)}
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Size:
    """One measured size.

    Parameters
    ----------
    kind : str
        `events` or `cells`, what was multiplied.
    copies : int
    n_events, n_cells : int
        Of the whole.
    wall_seconds, cpu_seconds, peak_gb : float
        Of reading and making the month's features.
    """

    kind: str
    copies: int
    n_events: int
    n_cells: int
    wall_seconds: float
    cpu_seconds: float
    peak_gb: float


def measure_growth(folder: Path, say: Callable[[str], None]) -> Path:
    """Measure every size and write `results/growth.json`; return its path."""
    inputs = folder / "inputs"
    inputs.mkdir(parents=True, exist_ok=True)
    simulate(inputs)
    sizes = []
    for kind, numbers in COPIES.items():
        for copies in numbers:
            out = folder / "runs" / f"growth-{kind}-{copies}.json"
            out.parent.mkdir(exist_ok=True)
            command = [sys.executable, "-m", "benchmarks.growth", kind, str(copies)]
            subprocess.run([*command, str(inputs), str(out)], cwd=_ROOT, check=True)
            size = json.loads(out.read_text())
            say(
                f"growth: {size['n_events']:,} events, {size['n_cells']:,} cells, "
                f"{size['cpu_seconds']:.2f} CPU s, {size['peak_gb']:.2f} GB"
            )
            sizes.append(size)
    path = folder / "results" / "growth.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(sizes, indent=2))
    return path


def markdown(sizes: Iterable[dict[str, Any]]) -> str:
    """The sizes as a table."""
    lines = [
        "Features of a month, 31 days, read from Parquet by month:",
        "",
        "| events in 3 years | cells | CPU s | wall s | peak GB |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {s['n_events']:,} | {s['n_cells']:,} | {s['cpu_seconds']:.2f} "
        f"| {s['wall_seconds']:.2f} | {s['peak_gb']:.2f} |"
        for s in sizes
    ]
    return "\n".join(lines) + "\n"


def plot(sizes: list[dict[str, Any]], path: Path) -> None:
    """CPU and memory against events and cells."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    import numpy as np

    figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained", sharex="col")
    columns = (
        ("events", "n_events", "events, millions", 1e6),
        ("cells", "n_cells", "cells, thousands", 1e3),
    )
    rows = (("cpu_seconds", "CPU seconds"), ("peak_gb", "peak memory, GB"))
    for column, (kind, what, label, unit) in enumerate(columns):
        of_kind = [size for size in sizes if size["kind"] == kind]
        x = np.array([size[what] for size in of_kind]) / unit
        for row, (figure_name, title) in enumerate(rows):
            axis = axes[row, column]
            y = np.array([size[figure_name] for size in of_kind])
            axis.plot(x, y, "o-", color="#33658a")
            axis.set_ylim(bottom=0)
            axis.set_ylabel(title)
            axis.spines[["top", "right"]].set_visible(False)
        axes[-1, column].set_xlabel(label)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def _measured(kind: str, copies: int, folder: Path) -> Size:
    from htrisk_dagster.features.feature_matrix import build_block

    inputs, months = _grown(kind, copies, folder)
    inputs = replace(inputs, history_start=min(months))
    forget_peak()
    before = seconds_of()
    read = pl.scan_parquet([_month_file(folder, kind, copies, month) for month in months]).collect()
    block = build_block(replace(inputs, incidents=read), FIRST, STOP, with_counts=False)
    wall, cpu = (late - early for late, early in zip(seconds_of(), before, strict=True))
    n_events = copies * pl.scan_parquet(folder / "incidents.parquet").select(pl.len()).collect()
    return Size(
        kind, copies, int(n_events.item()), block.n_cells, wall, cpu, peak_kb() / 1024**2
    )  # fmt: skip


def _grown(kind: str, copies: int, folder: Path) -> tuple[Any, list[date]]:
    """Inputs without incidents, whose files are written by month, and the months that are read."""
    inputs = feature_inputs(folder)
    cells, incidents = inputs.grid.cells, inputs.incidents
    last_known = FIRST - timedelta(days=1)
    # Halo of the longest window: 364 days before the first cutoff.
    months = pl.date_range(
        last_known - timedelta(days=400), STOP, interval="1mo", eager=True
    ).dt.truncate("1mo").unique().sort().to_list()  # fmt: skip
    if kind == "cells":
        width, n_precincts = cells["col"].max() + 1, cells["precinct"].max() + 1
        grown = [
            cells.with_columns(
                pl.col("cell_id") + i * cells.height,
                pl.col("col") + i * width,
                pl.col("x_m") + float(i * width * inputs.grid.cell_size_m),
                pl.col("precinct") + i * n_precincts,
            )
            for i in range(copies)
        ]
        grid = type(inputs.grid).from_cells(
            pl.concat(grown), inputs.grid.crs, inputs.grid.cell_size_m
        )
        inputs = replace(inputs, grid=grid)
        shift = (cells.height, n_precincts)
    else:
        shift = (0, 0)
    for month in months:
        path = _month_file(folder, kind, copies, month)
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            rows = incidents.filter(pl.col("occurred_on").dt.truncate("1mo") == month)
            pl.concat(
                rows.with_columns(
                    pl.col("cell_id") + i * shift[0], pl.col("precinct") + i * shift[1]
                )
                for i in range(copies)
            ).write_parquet(path)
    return replace(inputs, incidents=incidents.clear()), months


def _month_file(folder: Path, kind: str, copies: int, month: date) -> Path:
    return folder / "growth" / f"{kind}-{copies}" / f"{month}.parquet"


if __name__ == "__main__":
    size = _measured(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
    Path(sys.argv[4]).write_text(json.dumps(size.__dict__))
