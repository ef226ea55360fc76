"""Rules for cells that no publisher writes: formulas, control characters, lost letters, whole pages.

Belongs here: what holds for every text column of every source. Does not: what a column means (each
source's module), rows that cannot be split (`quarantine.RAGGED_ROW`).

A formula is what a spreadsheet would run when it opens an export: a text that begins with one of
`= + - @` and is no number (OWASP, "CSV Injection"). The rule of the same name for exports is in
`warehouse/exported_csv.py`.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from htrisk_dagster.sources.distinct_texts import distinct_texts, text_column
from htrisk_dagster.sources.quarantine import Rule
from htrisk_dagster.sources.text_values import NUMBER

LONGEST_CELL = 1_000  # characters; the longest published cell that is read has 54
LONGEST_TEXT = 100_000
_LOST = "\N{REPLACEMENT CHARACTER}"
# Control characters but tab and line ends, byte order marks, blanks of no width, marks of direction.
_UNPRINTABLE = (
    r"[\x00-\x08\x0B\x0C\x0E-\x1F\x7F-\x9F\x{200B}-\x{200F}\x{202A}-\x{202E}"
    r"\x{2060}-\x{2069}\x{FEFF}\x{FFFE}\x{FFFF}]"
)
_PLAIN = r"^-?[0-9]+(?:\.[0-9]+)?$"
_SAMPLE = 1_000
_FORMULA = r"^[=+@\-＝＋＠－]."


def unsafe_cell_rules(
    rows: pl.DataFrame, columns: Collection[str], free_text: Collection[str] = ()
) -> tuple[Rule, ...]:
    """Rules for those of `columns` that hold anything but plain numbers, which break none.

    Parameters
    ----------
    rows : DataFrame
        With the text columns.
    columns : collection of str
        Columns that are read.
    free_text : collection of str
        Those that are read and not kept: they may be long, and begin as their author liked.
    """
    return tuple(
        rule
        for name in columns
        if name in rows.columns
        and text_column(rows, pl.col(name)) is not None
        and not _is_plain(rows[name])
        for rule in _rules(name, name in free_text)
    )


def _is_plain(texts: pl.Series) -> bool:
    """Whether all are short and plain numbers; one look instead of a rule's each."""
    texts = distinct_texts(texts)
    if not texts.head(_SAMPLE).str.contains(_PLAIN).all():
        return False
    longest = texts.str.len_bytes().max()
    is_short = longest is None or longest <= LONGEST_CELL  # type: ignore[operator]
    return bool(is_short and texts.str.contains(_PLAIN).all())


def _rules(name: str, is_free_text: bool) -> tuple[Rule, ...]:
    text = pl.col(name)
    longest = LONGEST_TEXT if is_free_text else LONGEST_CELL
    rules: tuple[Rule, ...] = (
        Rule("undecodable_text", name, text.str.contains(_LOST, literal=True),
             "A character of the text is lost: the file is not in UTF-8."),
        Rule("unprintable_character", name, text.str.contains(_UNPRINTABLE),
             "The text holds a control character or one that cannot be seen."),
        Rule("cell_too_long", name, text.str.len_chars() > longest,
             f"The text has more than {longest:,} characters."),
    )  # fmt: skip
    if not is_free_text:
        rules += (
            Rule("object_for_a_value", name, text.str.starts_with('{"') | text.str.starts_with('["')
                 | text.str.starts_with("[{"),
                 "The value is an object or a list of JSON, no text."),
        )  # fmt: skip
    formula = Rule("formula_cell", name,
                   text.str.contains(_FORMULA) & ~text.str.contains(NUMBER),
                   "The text is a formula that a spreadsheet would run.")  # fmt: skip
    return rules if is_free_text else (*rules, formula)
