"""The table and the plot of what was measured.

Belongs here: results on disk to Markdown and PNG. Does not: measuring.
"""

from __future__ import annotations

import json
import platform
import textwrap
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks import growth
from benchmarks.rows import GROWTH, ROWS


def write_report(folder: Path) -> Path:
    """Write `bench.md`, `bench.png` and `growth.png` from the rows measured so far; return the table's path."""
    found = [folder / "results" / f"{name}.json" for name in ROWS]
    rows = [json.loads(path.read_text()) for path in found if path.exists()]
    table = folder / "bench.md"
    text = _markdown(rows)
    grown = folder / "results" / f"{GROWTH}.json"
    if grown.exists():
        sizes = json.loads(grown.read_text())
        text += f"\n{growth.markdown(sizes)}"
        growth.plot(sizes, folder / "growth.png")
    table.write_text(text)
    _plot([row for row in rows if row["ratio"]], folder / "bench.png")
    return table


def _markdown(rows: list[dict[str, Any]]) -> str:
    lines = [
        f"Measured on {date.today()} on {_machine()}; medians, sides run in turn.",
        "",
        "| work | ours | against | CPU s | wall s | peak GB | ratio of CPU | target | same answer |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        ours, usual = row["ours"], row["usual"]

        def both(figure: str, digits: int, ours: Any = ours, usual: Any = usual) -> str:
            values = [ours[figure], *([usual[figure]] if usual else [])]
            return " / ".join(f"{value:,.{digits}f}" for value in values)

        ratio = f"{row['ratio']:,.1f}x" if row["ratio"] else "–"
        same = "–" if usual is None else row["disagreement"] or "yes"
        reached = "" if row["reached"] else ", **not reached**"
        lines.append(
            f"| {row['work']} | {row['ours_title']} | {row['usual_title'] or '–'} "
            f"| {both('cpu_seconds', 2)} | {both('wall_seconds', 2)} | {both('peak_gb', 2)} "
            f"| {ratio} | {row['wanted']}{reached} | {same} |"
        )
    notes = [f"- {row['work']}: {row['note']}" for row in rows if row["note"]]
    return "\n".join([*lines, "", *notes]) + "\n"


def _machine() -> str:
    import os

    names = [
        line for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    model = names[0].split(":", 1)[1].strip() if names else platform.processor()
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}"


def _plot(rows: list[dict[str, Any]], path: Path) -> None:
    if not rows:
        return
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axis = plt.subplots(figsize=(9, 0.45 * len(rows) + 1.2), layout="constrained")
    names = [textwrap.shorten(row["work"], 62, placeholder=" …") for row in rows][::-1]
    ratios = [row["ratio"] for row in rows][::-1]
    axis.barh(range(len(rows)), ratios, color="#33658a", height=0.6)
    axis.set_yticks(range(len(rows)), names)
    for i, ratio in enumerate(ratios):
        axis.text(
            ratio * 1.06, i, f"{ratio:,.{0 if ratio >= 10 else 1}f}x", va="center", fontsize=9
        )
    axis.set_xscale("log")
    axis.set_xlim(0.5, max(ratios) * 3)
    axis.axvline(1, color="#888888", linewidth=0.8)
    axis.set_xlabel("CPU seconds of the usual way, over ours (log scale)")
    axis.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=130)
    plt.close(figure)
