"""Markdown of tables and numbers.

Belongs here: how a table and a number are written. Does not: what is in them (`tables`,
`benchmark_tables`).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def markdown_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [f"| {' | '.join(headings)} |", "|" + "---|" * len(headings)]
    lines += [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(lines)


def number(value: float, digits: int = 3) -> str:
    """Value with a fixed number of digits, a dash where there is none, a word where infinite."""
    if math.isnan(value):
        return "–"
    return f"{value:.{digits}f}" if math.isfinite(value) else "infinite"
