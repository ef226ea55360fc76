"""Corruptions of one cell: what a spreadsheet, a broken export or an attacker makes of a value.

Belongs here: the bad values, by kind of column. Does not: corruptions of rows and of whole files
(`row_corruptions`, `file_corruptions`), what must come of one (`bad_input`).

A value is bad where a person who saw it would not take it for one of its column. What cannot be told
from a good value by anyone (a day that is off by one, two counts exchanged) is no corruption here.
"""

from __future__ import annotations

from collections.abc import Callable

from htrisk_dagster.faults.source_samples import FILE_DAY

_FUTURE = FILE_DAY.replace(year=FILE_DAY.year + 1)
LOST_BYTE = "\udcff"  # a byte that is no UTF-8, as `surrogateescape` carries it

_DAYS: dict[str, Callable[[str], str]] = {
    "year 1010": lambda v: "01/05/1010",
    "year 2090": lambda v: "01/05/2090",
    "a day that is none": lambda v: "02/30/2024",
    "no day at all": lambda v: "soon",
    "a spreadsheet's number of a day": lambda v: "45352",
    "a year of two digits": lambda v: "3/5/24",
    "something after the day": lambda v: f"{v} or so",
    "no value where one is needed": lambda v: "",
}
_FUTURE_DAY: dict[str, Callable[[str], str]] = {"a future day": lambda v: f"{_FUTURE:%m/%d/%Y}"}
_COUNTS: dict[str, Callable[[str], str]] = {
    "a negative count": lambda v: f"-{v}",
    "separators of thousands": lambda v: f"{int(float(v)):,}",
    "separators in wrong places": lambda v: "1,2,3",
    "a decimal comma": lambda v: "40,5",
    "half a person": lambda v: "12.5",
    "a count in words": lambda v: "many",
    "a count without end": lambda v: "inf",
    "a count of 25 digits": lambda v: "9" * 25,
    "a count of billions": lambda v: "8123456789",
    "a count rounded by a spreadsheet": lambda v: "5.2E+05",
}
_ESTIMATES: dict[str, Callable[[str], str]] = {
    "a negative estimate": lambda v: f"-{v}",
    "a decimal comma": lambda v: v.replace(".", ","),
    "an estimate in words": lambda v: "some",
    "an estimate of billions": lambda v: "8123456789.5",
}
_NEEDED: dict[str, Callable[[str], str]] = {"no value where one is needed": lambda v: ""}
_CODES: dict[str, Callable[[str], str]] = {
    "a letter for a digit": lambda v: v.replace("0", "O") + "O",
    "a code with a fraction": lambda v: f"{v}.5",
    "a code of 12 digits": lambda v: "123456789012",
}
_SMALL_CODES: dict[str, Callable[[str], str]] = {
    "a negative code": lambda v: f"-{v}",
    "a code out of range": lambda v: "999999",
}
_COORDINATES: dict[str, Callable[[str], str]] = {
    "a coordinate in words": lambda v: "north",
    "a coordinate in feet": lambda v: "987654",
    "half a point at zero": lambda v: "0",
    "degrees and minutes": lambda v: "40°49'43\"",
    "a decimal comma": lambda v: v.replace(".", ","),
    "a coordinate without end": lambda v: "inf",
    "the other hemisphere": lambda v: f"{-float(v)}",
    "a coordinate out by a degree": lambda v: f"{float(v) + 1}",
}
_NUMBERS: dict[str, Callable[[str], str]] = {
    "a number rounded by a spreadsheet": lambda v: "2.7E+08",
    "a number cut by a stray comma": lambda v: "1,2",
    "no value where one is needed": lambda v: "",
}
_CLOCKS: dict[str, Callable[[str], str]] = {
    "the 25th hour": lambda v: "25:10:00",
    "the 61st minute": lambda v: "12:61:00",
    "a time in words": lambda v: "noon",
}
_LABELS: dict[str, Callable[[str], str]] = {"a label of digits": lambda v: "45352"}
OF_KIND: dict[str, dict[str, Callable[[str], str]]] = {
    "day": _DAYS | _FUTURE_DAY,
    "report_day": _DAYS | _FUTURE_DAY | {"a report before the deed": lambda v: "01/01/2020"},
    "instant": _DAYS | _FUTURE_DAY | {"the 25th hour": lambda v: "03/01/2024 25:10:00"},
    "permit_start": _DAYS,
    "permit_end": _DAYS | {"an end before the start": lambda v: "01/01/2024 04:00:00 PM"},
    "clock": _CLOCKS,
    "count": _COUNTS,
    "estimate": _ESTIMATES,
    "share": _ESTIMATES | {"a share above 100": lambda v: "140.5"},
    "code": _CODES | _SMALL_CODES,
    "precinct": _CODES | _SMALL_CODES | {"precinct 0": lambda v: "0"},
    "precincts": {
        "a precinct in words": lambda v: "45, MTN",
        "a precinct out of range": lambda v: "9, 999",
    },
    "latitude": _COORDINATES,
    "longitude": _COORDINATES,
    "number": _NUMBERS,
    # The first number stands for one that is missing.
    "second_number": {name: make for name, make in _NUMBERS.items() if name not in _NEEDED},
    "year": _CODES | {"year 1010": lambda v: "1010", "year 2090": lambda v: "2090"} | _NEEDED,
    "class": _LABELS | _NEEDED,
    "stop": _NEEDED | {"a stop of digits": lambda v: "45352"},
    "sector": {"a sector of three letters": lambda v: "ABC"},
    "category": {"a category that is none": lambda v: "CRIME"} | _LABELS,
    "borough": {"a borough that is none": lambda v: "BRONXX"} | _LABELS,
    "area": {"an area that is none": lambda v: "45352", "an area in words": lambda v: "A.1 2!"},
    "name": _NEEDED,
    "label": _LABELS,
    "text": _NEEDED,
}
"""Kind of column to its bad values, each made of the good one."""

ANYWHERE: dict[str, Callable[[str], str]] = {
    "a formula": lambda v: f'=HYPERLINK("http://example.org","{v}")',
    "a formula that begins with a plus": lambda v: f"+{v}+1",
    "a formula that begins with a minus": lambda v: f"-{v}-1",
    "a formula that begins with an at": lambda v: f"@SUM({v})",
    "a NUL byte": lambda v: f"{v[:1]}\0{v[1:]}",
    "an escape character": lambda v: f"{v}\x1b[2J",
    "a blank of no width": lambda v: f"{v[:1]}\u200b{v[1:]}",
    "a byte order mark in the middle": lambda v: f"\ufeff{v}",
    "a huge cell": lambda v: v + "x" * 200_000,
}
"""Bad in every column, whatever its kind."""
IN_BYTES: dict[str, Callable[[str], str]] = {
    "a letter that is not UTF-8": lambda v: v + LOST_BYTE,
}
"""Bad everywhere in a file that is not JSON, which can hold no such letter."""
FREE_TEXT_MAY = frozenset(name for name in ANYWHERE if name.startswith("a formula"))
"""What does no harm in a text that is read and not kept."""
