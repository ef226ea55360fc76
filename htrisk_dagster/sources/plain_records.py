"""Lines of CSV that are one plain record each, split at once: nearly all of any publisher's file.

Belongs here: the proof that a text holds such lines only, and their fields. Does not: any other
record, which `file_rows` reads by itself and says what is wrong with it.

The proof is in two parts. Every quotation mark opens a field or closes one, and none stands within
it: the pairs are told by their neighbours. And every line has as many fields as the header: a mark
is put behind each line as one field more, and must be found in that place of every row.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

_END = "\x01"
_QUOTE, _COMMA, _LINE_FEED = b'",\n'
_PIECE = 1 << 18  # what is compared at once stays in the cache


def plain_fields(
    text: bytes,
    n_fields: int,
    places: Sequence[int],
    codes: Mapping[int, pl.Categorical] | None = None,
) -> pl.DataFrame | None:
    """Fields of lines that are whole records; None where some line may be none.

    Parameters
    ----------
    text : bytes
        Lines in UTF-8 that end in line feeds, which the last may lack.
    n_fields : int
        Fields of each record.
    places : sequence of int
        Numbers of the fields that are read.
    codes : mapping of int to Categorical, optional
        Types of the fields that are coded as they are read (see `distinct_texts`).

    Returns
    -------
    DataFrame or None
        A row a line, in order; columns of text, or coded, named by the number of the field, in the
        order of `places`; null where nothing stands.
    """
    if n_fields < 2 or not text or _END.encode() in text:  # a line of one field may be blank
        return None
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").removesuffix(b"\r")
    text = text if text.endswith(b"\n") else text + b"\n"
    if not _marks_enclose_fields(text):
        return None
    names = [str(i) for i in range(n_fields + 1)]
    types: dict[str, pl.DataType | type[pl.DataType]] = dict.fromkeys(names, pl.String)
    types |= {str(number): code for number, code in (codes or {}).items()}
    marked = text.replace(b"\n", f",{_END}\n".encode())
    try:
        rows = (
            pl.scan_csv(
                io.BytesIO(marked),
                has_header=False,
                schema=types,
                truncate_ragged_lines=True,
            )
            .select(*(str(i) for i in places), names[-1])
            .collect()
        )
    except pl.exceptions.SchemaError:  # the first line has more fields, or fewer
        return None
    ends = rows[names[-1]] == _END
    n_lines = (len(marked) - len(text)) // len(f",{_END}")
    if rows.height != n_lines or ends.null_count() or not ends.all():
        return None
    return rows.drop(names[-1])


def _marks_enclose_fields(text: bytes) -> bool:
    """Whether quotation marks stand in pairs, each around a whole field.

    A pair may still enclose a line feed; there are then fewer rows than lines.
    """
    characters = np.frombuffer(text, np.uint8)
    is_open = False
    for begin in range(0, len(characters), _PIECE):
        piece = characters[begin : begin + _PIECE]
        marks = np.flatnonzero(piece == _QUOTE)
        if not len(marks):
            continue
        marks += begin
        opening, closing = marks[is_open::2], marks[not is_open :: 2]
        before = characters[opening - 1]  # of a mark that begins the text, its last line feed
        after = characters[closing + 1]
        if not (
            ((before == _COMMA) | (before == _LINE_FEED)).all()
            and ((after == _COMMA) | (after == _LINE_FEED)).all()
        ):
            return False
        is_open ^= bool(len(marks) % 2)
    return not is_open
