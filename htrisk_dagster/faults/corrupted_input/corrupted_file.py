"""A corrupted file: what was done to which rows of which good file.

Belongs here: `Case`. Does not: corruptions (`row_corruptions`, `file_corruptions`), what must come of
one (`bad_input`).
"""

from __future__ import annotations

from dataclasses import dataclass

from htrisk_dagster.faults.corrupted_input.sample import N_ROWS, Sample

ALL_ROWS = frozenset(range(N_ROWS))


@dataclass(frozen=True)
class Case:
    """One corrupted file.

    Parameters
    ----------
    sample : Sample
        Good file it was made of.
    corruption : str
        What was done, in words.
    column : str
        Publisher's column, or column pair; empty where a row or the file is touched.
    file_name : str
        Name under which it lies.
    content : bytes
        Bytes as they lie on disk.
    touched : frozenset of int
        Rows, from 0, that may differ from what was published; all others must come through.
    size_bytes : int
        Apparent size where the file is longer than its content, by a hole; else 0.
    """

    sample: Sample
    corruption: str
    column: str
    file_name: str
    content: bytes
    touched: frozenset[int]
    size_bytes: int = 0


def make_case(
    sample: Sample,
    corruption: str,
    content: bytes,
    touched: frozenset[int] = ALL_ROWS,
    column: str = "",
    *,
    is_packed: bool = False,
) -> Case:
    """Make a case of unpacked content, packed as the sample's name says unless it is already."""
    packed = content if is_packed else sample.packed(content)
    return Case(sample, corruption, column, sample.file_name, packed, touched)
