"""The detection funnel as one self-contained SVG: a bar a stage, with its count and share.

Belongs here: marks and words of the drawing. Does not: the counts (`evaluation/detection_funnel.py`).

The drawing carries its own style, so that a viewer of files shows it as it is; it follows light and
dark. A stage without a count has no bar, and says why: an absent bar must not read as zero.
"""

from __future__ import annotations

from html import escape

import polars as pl

from htrisk_dagster.schemas.verified import STAGES

WIDTH, _LEFT, _BAR, _ROW, _TOP = 640, 120, 330, 44, 70
_STYLE = (
    "svg{background:#fff;color:#1b1f24;font:15px system-ui,'Segoe UI',Roboto,Arial,sans-serif}"
    "text{fill:currentColor}.quiet{fill:#57606a;font-size:13px}.bar{fill:#d95f0e}"
    ".none{fill:none;stroke:#57606a;stroke-dasharray:4 4}.other{fill:#662506}"
    "@media (prefers-color-scheme:dark){svg{background:#14171b;color:#e8ebee}.quiet{fill:#a3adb8}"
    ".bar{fill:#f08a24}.other{fill:#ffe9b0}.none{stroke:#a3adb8}}"
)
_WORDS = {
    "hidden": "not shown (k = 11)",
    "not recorded": "not recorded",
    "period not complete": "not compared: some days have no map",
}


def draw_funnel(stages: pl.DataFrame, *, title: str, period: str) -> str:
    """Draw one place and period.

    Parameters
    ----------
    stages : DataFrame
        `schemas.verified.FUNNEL`, the five rows of one borough and period.
    title, period : str
        Heading, and the days under it.

    Returns
    -------
    str
        One `<svg>` element with a text alternative.
    """
    by_stage = {row["stage"]: row for row in stages.iter_rows(named=True)}
    counts = [row["incidents_count"] or 0 for row in by_stage.values()]
    largest = max([1, *counts])
    height = _TOP + _ROW * len(STAGES) + 34
    labels = [_label(by_stage[stage]) for stage in STAGES]
    told = "; ".join(f"{s}: {label}" for s, label in zip(STAGES, labels, strict=True))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'width="{WIDTH}" height="{height}">',
        f"<title>{escape(title)}</title><desc>{escape(told)}</desc><style>{_STYLE}</style>",
        f'<text x="16" y="28" font-size="19" font-weight="600">{escape(title)}</text>',
        f'<text class="quiet" x="16" y="50">{escape(period)}</text>',
    ]
    for i, (stage, label) in enumerate(zip(STAGES, labels, strict=True)):
        top, row = _TOP + i * _ROW, by_stage[stage]
        count = row["incidents_count"]
        width = _BAR if count is None else _BAR * count / largest
        kind = "none" if count is None else "other" if stage == "verified" else "bar"
        shown = width if count is not None else 0.0
        parts += [
            f'<text x="{_LEFT - 12}" y="{top + 21}" text-anchor="end">{stage}</text>',
            f'<rect class="{kind}" x="{_LEFT}" y="{top}" width="{width:.1f}" height="30"/>',
            f'<text x="{_LEFT + shown + 8:.1f}" y="{top + 20}">{escape(label)}</text>',
        ]
    note = "Reported incidents of the target. Verified cases come from another file and are no part of them."
    parts += [f'<text class="quiet" x="16" y="{height - 12}">{note}</text>', "</svg>"]
    return "".join(parts)


def _label(row: dict[str, object]) -> str:
    count, share = row["incidents_count"], row["of_reported_pct"]
    if count is None:
        return _WORDS[str(row["status"])]
    return f"{count:,}" if share is None else f"{count:,} ({share:.3g}%)"
