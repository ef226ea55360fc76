"""Corruptions of single rows: a bad cell, exchanged columns, a broken line.

Belongs here: which row and column each touches. Does not: bad values of a cell (`cell_corruptions`),
corruptions of whole files (`file_corruptions`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from htrisk_dagster.faults.corrupted_input import cell_corruptions
from htrisk_dagster.faults.corrupted_input.corrupted_file import Case, make_case
from htrisk_dagster.faults.corrupted_input.sample import N_ROWS, Row, Sample

# Columns whose values have one kind are exchanged without anyone being able to tell.
_ALIKE = {
    "report_day": "day", "instant": "day", "permit_start": "day", "permit_end": "day",
    "share": "figure", "estimate": "figure", "count": "figure", "precinct": "code",
    "name": "label", "year": "code", "number": "code", "second_number": "code",
    "figure_key": "figure", "place_key": "figure", "hour": "figure", "needed_label": "label",
    "words": "label", "word_id": "label", "told_day": "day", "reported_day": "day", "moment": "day",
    "number_code": "code", "id": "code", "area_code": "code",
}  # fmt: skip
# A label may be a text, and an area may be named by its precinct's number.
_NEAR = ({"label", "text"}, {"area", "figure"})


def cell_cases(sample: Sample, rng: np.random.Generator, n_columns: int) -> Iterator[Case]:
    """Bad values, each kind in up to `n_columns` columns."""
    columns: dict[str, list[tuple[str, Callable[[str], str]]]] = {}
    for column, kind in sample.kinds.items():
        for name, make in _bad_values(sample, kind, rng).items():
            columns.setdefault(name, []).append((column, make))
    for name, places in columns.items():
        for i in rng.permutation(len(places))[:n_columns]:
            column, make = places[i]
            row = int(rng.integers(N_ROWS))
            changed = make(sample.rows[row][column])
            content = sample.content(_with(sample.rows, row, column, changed))
            yield make_case(sample, name, content, frozenset({row}), column)


def several_cases(sample: Sample, rng: np.random.Generator, n: int) -> Iterator[Case]:
    """Two to four rows, each with a bad value of its own."""
    columns = list(sample.kinds)
    for _ in range(n):
        rows, done = list(sample.rows), []
        touched = rng.permutation(N_ROWS)[: int(rng.integers(2, 5))].tolist()
        for row in touched:
            column = columns[int(rng.integers(len(columns)))]
            bad = _bad_values(sample, sample.kinds[column], rng)
            name = list(bad)[int(rng.integers(len(bad)))]
            rows = _with(rows, row, column, bad[name](sample.rows[row][column]))
            done.append(f"{name} in {column}")
        corruption = "several bad values"
        yield make_case(
            sample, corruption, sample.content(rows), frozenset(touched), "; ".join(done)
        )


def _bad_values(
    sample: Sample, kind: str, rng: np.random.Generator
) -> dict[str, Callable[[str], str]]:
    drawn = cell_corruptions.DRAWN.get(kind, {}) | cell_corruptions.DRAWN_ANYWHERE
    bad = cell_corruptions.OF_KIND[kind] | cell_corruptions.ANYWHERE
    bad |= {name: partial(make, rng) for name, make in drawn.items()}
    if sample.form == "CSV":
        bad |= cell_corruptions.IN_BYTES
    if kind == "text":
        bad = {name: v for name, v in bad.items() if name not in cell_corruptions.FREE_TEXT_MAY}
    return bad


def _with(rows: Sequence[Row], row: int, column: str, value: str) -> list[Row]:
    return [{**r, column: value} if i == row else r for i, r in enumerate(rows)]


def swap_cases(sample: Sample, rng: np.random.Generator, n_pairs: int) -> Iterator[Case]:
    """Two columns of different kinds exchanged, in one row, and by their names in the header."""
    alike = {column: _ALIKE.get(kind, kind) for column, kind in sample.kinds.items()}
    pairs = [
        (a, b)
        for i, a in enumerate(alike)
        for b in list(alike)[i + 1 :]
        if alike[a] != alike[b] and {alike[a], alike[b]} not in _NEAR
    ]
    chosen = rng.permutation(len(pairs))[:n_pairs]
    for first, second in (pairs[i] for i in chosen):
        row = int(rng.integers(N_ROWS))
        values = sample.rows[row]
        swapped = {**values, first: values[second], second: values[first]}
        rows = [swapped if i == row else r for i, r in enumerate(sample.rows)]
        column = f"{first}, {second}"
        name = "two columns exchanged in a row"
        yield make_case(sample, name, sample.content(rows), frozenset({row}), column)
        if sample.form == "CSV":
            other = {first: second, second: first}
            header = [other.get(n, n) for n in sample.header]
            content = sample.content(header=header)
            yield make_case(sample, "two columns exchanged by their names", content, column=column)
    points = [c for c, kind in sample.kinds.items() if kind in ("latitude", "longitude")]
    if len(points) == 2:
        rows = _with(sample.rows, 2, points[0], "0")
        content = sample.content(_with(rows, 2, points[1], "0"))
        yield make_case(sample, "a point at 0, 0", content, frozenset({2}), ", ".join(points))


def line_cases(sample: Sample, rng: np.random.Generator) -> Iterator[Case]:
    """Broken lines of a CSV file, and files that end within their last row."""
    header, *lines = sample.content().decode().splitlines()
    row = int(rng.integers(1, N_ROWS - 1))
    line = lines[row]
    place = int(rng.integers(1, len(line) - 1))
    middle = line.index(",")
    damaged = {
        "a row cut in the middle": line[:middle],
        "a field too many": f"{line},surplus",
        "a field too few": line.rpartition(",")[0],
        "a quotation mark that is not closed": f'{line[: middle + 1]}"{line[middle + 1 :]}',
        "a line break within a row": f"{line[:middle]}\n{line[middle:]}",
        "a row of commas": "," * line.count(","),
        "the header again": header,
        "a row of another file": "1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20",
        "a row of NUL bytes": "\0" * len(line),
        "a quotation mark within a row": f'{line[:place]}"{line[place:]}',
    }
    for name, changed in damaged.items():
        text = "\n".join([header, *lines[:row], changed, *lines[row + 1 :], ""])
        yield make_case(sample, name, text.encode(), frozenset({row}))
    text = "\n".join([header, *lines[:row], line, *lines[row:], ""])
    if not sample.repeats_mean_more:
        yield make_case(sample, "a row twice", text.encode(), frozenset({row}))
    whole = sample.content()
    last = whole.rstrip(b"\n").rfind(b"\n")
    for cut in rng.integers(last + 2, len(whole) - 1, size=3):
        name = "a file cut within its last row"
        yield make_case(sample, name, whole[: int(cut)], frozenset({N_ROWS - 1}))
