"""What the columns of a city's file seem to be, each with the evidence for it.

Belongs here: the roles a column can have, the names and values that speak for each, and the choice.
Does not: writing a study area (`study_area_text`), asking the user (`cli/areas.py`).

A name alone proves nothing and values alone little: a column is proposed where both fit, and the
share of rows that could be read stands beside it. Columns that tell of a person by their name are
never looked at, so that no value of them can be shown.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources.file_rows import ROW, read_rows
from htrisk_dagster.sources.instants import with_instants
from htrisk_dagster.sources.layouts import SUFFIXES, Layout, normalise, read_header
from htrisk_dagster.sources.quarantine import EARLIEST_DAY
from htrisk_dagster.sources.text_values import number, seconds_of_day

# A column's name is asked for these, in this order of roles; the first that fits best is taken.
_NAMES = {
    "latitude": r"^(lat(itude?)?|latitud|y|y_?coord.*)$|latitude",
    "longitude": r"^(lon|lng|long(itude?)?|longitud|x|x_?coord.*)$|longitude",
    "occurred_at": r"occur|ocorr|offen[cs]e_?(date|start)|(incident|crime|event|hecho)_?(date|dt|time|start)"
    r"|date_?of|fecha|start_?(date|time)|from_?date|^(date|datetime|timestamp|day|data)$|date_",
    "occurred_time": r"hour|hora|clock|(^|_)time(_|$)",
    "reported_at": r"report|rpt|denunc|registr|created|entered|filed|received|recorded",
    "id": r"(^|_)(id|no|nr|num|number|key|ref|reference|uuid|expediente)($|_)|identifier|(^|_)case",
    "offence": r"offen[cs]e|crime|delito|categor|(^|_)type|charge|infra[cç]|natureza|tipo|classif",
    "area": r"beat|precinct|sector|patrol|(^|_)zone|ward|division|barrio|comuna|suburb|municip|town"
    r"|neighbou?rhood|community|station|seccional|police_?area|agency_name",
    "district": r"borough|region|command|county|(^|_)district|zona",
    "agency": r"agency|department|(^|_)force|jurisdiction|authority",
}  # fmt: skip
ROLES = tuple(_NAMES)
# A day of the report is none of the occurrence, and one of a change is neither.
_CHANGED = r"updat|modif|edit|clos|clear"
_AGAINST = {
    "occurred_at": rf"{_NAMES['reported_at']}|{_CHANGED}|(^|_)(to|end)(_|$)",
    "reported_at": rf"{_CHANGED}|_by|distri|area|type",
}
_PERSON = re.compile(
    r"susp|victim|(^|_)vic_|perp|offender|arrest(ee|ed)|witness|complainant|defendant|"
    r"(first|last|sur|full|middle|nick|maiden)_?name|(^|_)(dob|birth|race|sex|gender|age|ethnic\w*|"
    r"phone|email|ssn|passport|address)(_|$)"
)
ENOUGH = 0.6  # of the rows that have a value: a share below it is no evidence
_MOST_AREAS = 500


@dataclass(frozen=True)
class Evidence:
    """Why a column is taken for a role.

    Parameters
    ----------
    role : str
        A key of `[incident_file]`.
    column : str
        The city's own name.
    confidence : float
        0 to 1: half the name, half the values; 1 where the user said so.
    parsed_share : float
        Share of the rows with a value that could be read as the role asks.
    examples : tuple of str
        First different values.
    reason : str
        A few words.
    """

    role: str
    column: str
    confidence: float
    parsed_share: float
    examples: tuple[str, ...]
    reason: str


@dataclass(frozen=True)
class CityFile:
    """A file with all its rows as text, and what may be looked at.

    Parameters
    ----------
    path : Path
    rows : DataFrame
        Columns by the city's own name.
    last_day : date
        Last day the file can speak of.
    """

    path: Path
    rows: pl.DataFrame
    last_day: date

    def values(self, column: str) -> pl.Series:
        """Values of a column that are there."""
        return self.rows[column].drop_nulls()


def read_city_file(path: Path, last_day: date) -> CityFile:
    """Read a CSV, JSON or Parquet file as text, columns about persons left out.

    Raises
    ------
    SourceError
        Where the file is of another form, has no row, or cannot be read.
    """
    header = read_header(path) if path.is_file() else None
    if header is None or header.form == "GeoJSON":
        forms = ", ".join(sorted(s for s in SUFFIXES if "geo" not in s))
        raise SourceError(
            f"{path} is no file that incidents can be read from. Give one of: {forms}."
        )
    shown = {
        spelt: name for spelt, name in header.published.items() if not _PERSON.search(spelt.lower())
    }
    rows = read_rows(path, header, Layout("incident_reports", tuple(shown)))
    if rows.is_empty():
        raise SourceError(f"{path} has no row, so nothing can be proposed from it.")
    return CityFile(path, rows.select(ROW, *shown).rename(shown).drop(ROW), last_day)


def propose(file: CityFile, said: dict[str, str]) -> dict[str, Evidence]:
    """Take a column for every role that one fits; what the user said is taken as it is.

    Parameters
    ----------
    file : CityFile
    said : dict of str to str
        Role to column; an empty column says that there is none.

    Raises
    ------
    SourceError
        Where the user names a role or column that does not exist.
    """
    _require_known(file, said)
    chosen: dict[str, Evidence] = {}
    taken = {column for column in said.values() if column}
    for role in ROLES:
        if role in said:
            if said[role]:
                chosen[role] = _said(file, role, said[role])
            continue
        # The clock of a day that has its own is none; a day that was reported is not one of occurrence.
        if role == "occurred_time" and _has_clock(file, chosen.get("occurred_at")):
            continue
        found = [_weigh(file, role, c) for c in file.rows.columns if c not in taken]
        best = max((e for e in found if e), key=lambda e: e.confidence, default=None)
        if best is not None and best.confidence >= 0.5:
            chosen[role] = best
            taken.add(best.column)
    # A district is an area where there is no finer one.
    if "district" in chosen and not {"area"} & {*chosen, *said}:
        chosen["area"] = replace(chosen.pop("district"), role="area")
    if ("latitude" in chosen) != ("longitude" in chosen):
        chosen = {r: e for r, e in chosen.items() if r not in ("latitude", "longitude")}
    return chosen


def day_order(values: pl.Series) -> bool | None:
    """Whether the day comes before the month where the year comes last; None where nothing tells."""
    parts = values.str.extract_groups(r"^(\d{1,2})[-/.](\d{1,2})[-/.]\d{2,4}").struct.unnest()
    first, second = (parts.to_series(i).cast(pl.Int64) for i in range(2))
    if first.drop_nulls().is_empty():
        return False
    day_first, month_first = int((first > 12).sum()), int((second > 12).sum())
    return None if day_first == month_first else day_first > month_first


def _require_known(file: CityFile, said: dict[str, str]) -> None:
    for role, column in said.items():
        if role not in (*ROLES, "offence_code"):
            raise SourceError(f"'{role}' is no part of a report. There are: {', '.join(ROLES)}.")
        if column and column not in file.rows.columns:
            raise SourceError(
                f"{file.path} has no column '{column}' for {role}. It has: "
                f"{', '.join(file.rows.columns)}. Columns that tell of persons are not among them."
            )


def _said(file: CityFile, role: str, column: str) -> Evidence:
    share = _VALUES[role](file, column) if role in _VALUES else 1.0
    return Evidence(role, column, 1.0, share, _examples(file, column), "as you said")


def _weigh(file: CityFile, role: str, column: str) -> Evidence | None:
    """Evidence for a column in a role; None where its name or its values speak against it."""
    name = re.search(_NAMES[role], normalise(column).lower())
    if name is None or file.values(column).is_empty():
        return None
    share = _VALUES[role](file, column)
    if share < ENOUGH:
        return None
    # A name that is the word itself says more than one that holds it.
    told = 1.0 if name.group() == normalise(column).lower() else 0.8
    if role in _AGAINST and re.search(_AGAINST[role], normalise(column).lower()):
        told -= 0.5
    filled = len(file.values(column)) / file.rows.height
    confidence = 0.5 * told + 0.5 * share * min(1.0, filled / 0.5)
    reason = f"the name has '{name.group()}'; {share:.0%} of its values can be read"
    return Evidence(role, column, confidence, share, _examples(file, column), reason)


def _examples(file: CityFile, column: str) -> tuple[str, ...]:
    return tuple(file.values(column).unique(maintain_order=True).head(3).str.slice(0, 40))


def _share(found: pl.Series) -> float:
    return int(found.fill_null(value=False).sum()) / max(len(found), 1)


def _instants(file: CityFile, column: str) -> float:
    values = file.values(column).to_frame("TEXT")
    order = day_order(values["TEXT"])
    read = with_instants(
        values, "told", "TEXT", clock=None, time_zone="UTC", day_first=bool(order), is_utc=False
    )
    until = file.last_day + timedelta(days=1)
    return _share(read["told_on"].is_between(EARLIEST_DAY, until) & ~read["told_clock_unreadable"])


def _clocks(file: CityFile, column: str) -> float:
    values = file.values(column)
    hours = values.str.contains(r"^([01]?\d|2[0-3])(\.0)?$") | values.str.contains(
        r"^([01]?\d|2[0-3])[0-5]\d$"
    )
    return _share(hours | seconds_of_day(values).is_not_null())


def _degrees(limit: float) -> Callable[[CityFile, str], float]:
    def share(file: CityFile, column: str) -> float:
        values = file.values(column).str.strip_prefix("'").to_frame("TEXT")
        read = values.select(number("TEXT")).to_series()
        # Whole numbers are feet, metres or codes.
        degrees = read.is_between(-limit, limit) & ((read != read.floor()) | (read == 0))
        return _share(degrees)

    return share


def _different(file: CityFile, column: str) -> float:
    values = file.values(column)
    return float(values.n_unique() / len(values))


def _repeated(most: int) -> Callable[[CityFile, str], float]:
    def share(file: CityFile, column: str) -> float:
        values = file.values(column)
        kinds = values.n_unique()
        return 1.0 if 2 <= kinds <= min(most, max(2, len(values) // 5)) else 0.0

    return share


def _has_clock(file: CityFile, evidence: Evidence | None) -> bool:
    if evidence is None:
        return False
    values = file.values(evidence.column)
    return (
        _share(values.str.contains(r"\d:\d{2}") & ~values.str.contains(r"\b0?0:00(:00)?\b")) > 0.05
    )


def columns_left(file: CityFile, chosen: Iterable[Evidence]) -> list[str]:
    """Columns that no role took, which are never read."""
    taken = {e.column for e in chosen}
    return [c for c in file.rows.columns if c not in taken]


_VALUES: dict[str, Callable[[CityFile, str], float]] = {
    "latitude": _degrees(90.0),
    "longitude": _degrees(180.0),
    "occurred_at": _instants,
    "occurred_time": _clocks,
    "reported_at": _instants,
    "id": _different,
    "offence": _repeated(300),
    "area": _repeated(_MOST_AREAS),
    "district": _repeated(60),
    "agency": _repeated(_MOST_AREAS),
}
