"""Documents as sections of plain text: the frame they are kept in, Markdown and HTML.

Belongs here: how a section becomes a row and a page. Does not: what a document says (`model_card`,
`data_sheet`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from html import escape
from itertools import groupby

import polars as pl

from htrisk_dagster.schemas.finding import Finding
from htrisk_dagster.schemas.table import Table

_BULLET = "- "


def as_sections(
    table: Table, sections: Mapping[str, Sequence[str]], *, month: date, target: str
) -> pl.DataFrame:
    """Sections as rows of a document's table.

    Parameters
    ----------
    table : Table
        `MODEL_CARD` or `DATA_SHEET` of `schemas.governance`.
    sections : dict of str to sequence of str
        Lines by heading, in order; those that start with `- ` make lists.
    month : date
        First day on which the model may be used.
    target : str
    """
    rows = [
        {
            "month_on": month,
            "target": target,
            "position": place,
            "section": heading,
            "text": "\n".join(lines),
        }
        for place, (heading, lines) in enumerate(sections.items(), start=1)
    ]
    return table.conform(pl.DataFrame(rows))


def to_markdown(title: str, document: pl.DataFrame) -> str:
    """A document as Markdown."""
    parts = [f"# {title}"]
    for heading, text in document.sort("position").select("section", "text").iter_rows():
        blocks = ["\n".join(lines) for _, lines in _blocks(text)]
        parts.append("\n\n".join([f"## {heading}", *blocks]))
    return "\n\n".join(parts) + "\n"


def to_html(document: pl.DataFrame, sections: Sequence[str] | None = None) -> str:
    """Sections of a document as HTML, each under a heading of the third level; all if None."""
    shown = document.sort("position")
    if sections is not None:
        shown = shown.filter(pl.col("section").is_in(list(sections)))
    parts = []
    for heading, text in shown.select("section", "text").iter_rows():
        parts.append(f"<h3>{escape(heading)}</h3>")
        for is_list, lines in _blocks(text):
            if is_list:
                items = "".join(f"<li>{escape(i.removeprefix(_BULLET))}</li>" for i in lines)
                parts.append(f"<ul>{items}</ul>")
            else:
                parts += [f"<p>{escape(line)}</p>" for line in lines]
    return "\n".join(parts)


def sections_are_there(document: pl.DataFrame, table: Table, wanted: Sequence[str]) -> Finding:
    """A document is as described, and no section is missing or empty."""
    problems = table.problems(document)
    if problems:
        return Finding(False, " ".join(problems))
    told = document.filter(pl.col("text").str.strip_chars() != "")["section"]
    missing = [section for section in wanted if section not in set(told)]
    return Finding(
        not missing,
        f"Sections that are missing or empty: {', '.join(missing)}."
        if missing
        else f"All {len(wanted)} sections are there.",
    )


def _blocks(text: str) -> list[tuple[bool, list[str]]]:
    """Lines in runs, each a list or not; paragraphs stand alone."""
    runs: list[tuple[bool, list[str]]] = []
    for is_list, lines in groupby(text.splitlines(), key=lambda line: line.startswith(_BULLET)):
        found = list(lines)
        runs += [(True, found)] if is_list else [(False, [line]) for line in found if line]
    return runs
