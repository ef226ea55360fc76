"""Lines of CSV that are one plain record each, split at once: nearly all of any publisher's file.

Belongs here: the proof that a text holds such lines only, and their fields. Does not: any other
record, which `file_rows` reads by itself and says what is wrong with it.

The proof is in two parts. Every quotation mark opens a field or closes one, and none stands within
it: the pairs are told by their neighbours. And every line has as many fields as the header: a mark
is put behind each line as one field more, and must be found in that place of every row.
"""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import polars as pl

_END = "\x01"
_QUOTE, _COMMA, _LINE_FEED = b'",\n'


def plain_fields(text: bytes, n_fields: int, places: Sequence[int]) -> pl.DataFrame | None:
    """Fields of lines that are whole records; None where some line may be none.

    Parameters
    ----------
    text : bytes
        Lines in UTF-8 that end in line feeds, which the last may lack.
    n_fields : int
        Fields of each record.
    places : sequence of int
        Numbers of the fields that are read.

    Returns
    -------
    DataFrame or None
        A row a line, in order; text columns named by the number of the field, in the order of
        `places`; null where nothing stands.
    """
    if n_fields < 2 or not text or _END.encode() in text:  # a line of one field may be blank
        return None
    if b"\r" in text:
        text = text.replace(b"\r\n", b"\n").removesuffix(b"\r")
    text = text if text.endswith(b"\n") else text + b"\n"
    if not _marks_enclose_fields(text):
        return None
    names = [str(i) for i in range(n_fields + 1)]
    marked = text.replace(b"\n", f",{_END}\n".encode())
    try:
        rows = (
            pl.scan_csv(
                io.BytesIO(marked),
                has_header=False,
                schema=dict.fromkeys(names, pl.String),
                truncate_ragged_lines=True,
            )
            .select(*(str(i) for i in places), names[-1])
            .collect()
        )
    except pl.exceptions.SchemaError:  # the first line has more fields, or fewer
        return None
    ends = rows[names[-1]] == _END
    if rows.height != text.count(b"\n") or ends.null_count() or not ends.all():
        return None
    return rows.drop(names[-1])


def _marks_enclose_fields(text: bytes) -> bool:
    """Whether quotation marks stand in pairs, each around a whole field.

    A pair may still enclose a line feed; there are then fewer rows than lines.
    """
    characters = np.frombuffer(text, np.uint8)
    marks = np.flatnonzero(characters == _QUOTE)
    if len(marks) % 2:
        return False
    before = characters[marks[::2] - 1]  # of a mark that begins the text, its last line feed
    after = characters[marks[1::2] + 1]
    return bool(
        ((before == _COMMA) | (before == _LINE_FEED)).all()
        and ((after == _COMMA) | (after == _LINE_FEED)).all()
    )
