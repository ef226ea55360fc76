"""A study area's file, written: what was found of a city, as TOML that a person can go on with.

Belongs here: the choices as one value, what follows from them, and the text. Does not: finding them
(`evidence`, `geography`), asking (`cli/areas.py`).

The text is checked by the same rules as every study area before it is written, so that a file that
`htrisk area new` leaves behind is always legal.
"""

from __future__ import annotations

import json
import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pydantic import ValidationError

from htrisk_dagster.errors import SettingError
from htrisk_dagster.schemas import raw
from htrisk_dagster.sources.area_proposal.geography import Ground
from htrisk_dagster.study_areas.area import StudyArea
from htrisk_dagster.study_areas.city_files import AreaPlace

_SOURCE = raw.INCIDENT_REPORTS.name
# Words of offences that come nearest to trafficking, in the languages that open data is found in.
_RELATED = re.compile(
    r"traffick|prostitut|pimp|commerciali?[sz]ed sex|forced lab|slavery|servitude|kidnap|abduct|trata|"
    r"proxenet|explota[cs]i|explora[cç]|tr[aá]fico de pessoas|secuestr|sequestr",
    re.IGNORECASE,
)
TRAFFICKING = "trafficking_related"
_LABELS = 12


@dataclass(frozen=True)
class AreaChoices:
    """All that a study area's file says of a city.

    Parameters
    ----------
    name, title : str
    time_zone, country : str
    subdivision : str or None
    first_day : date
        First daily partition.
    lag_days : int
        Days from report to publication.
    columns : mapping of str to str
        Role to column, as in `[incident_file]`.
    times_are : str
        `local` or `utc`, of times that do not say it.
    day_first : bool
    ground : Ground
    unit : str
        `cell` or `area`.
    cell_size_m : int
    areas : mapping of str to AreaPlace
    boundary : mapping of str to str
        Property of the outline and of the areas, where files hold them.
    offences : mapping of str to tuple of str
        Group to labels.
    targets : mapping of str to (str, tuple of str)
        Target to title and groups, the first of them the default; no groups are all incidents.
    found : mapping of str to str
        Role to a few words on how its column was found.
    """

    name: str
    title: str
    time_zone: str
    country: str
    subdivision: str | None
    first_day: date
    lag_days: int
    columns: Mapping[str, str]
    times_are: str
    day_first: bool
    ground: Ground
    unit: str
    cell_size_m: int
    areas: Mapping[str, AreaPlace]
    boundary: Mapping[str, str]
    offences: Mapping[str, tuple[str, ...]]
    targets: Mapping[str, tuple[str, tuple[str, ...]]]
    found: Mapping[str, str]


def offence_groups(counts: Mapping[str, int]) -> dict[str, tuple[str, ...]]:
    """Group of each of the most frequent labels, and before them one of labels near to trafficking.

    Parameters
    ----------
    counts : mapping of str to int
        Rows by label.
    """
    related = tuple(sorted(label for label in counts if _RELATED.search(label)))
    groups: dict[str, tuple[str, ...]] = {TRAFFICKING: related} if related else {}
    frequent = sorted(counts, key=lambda label: (-counts[label], label))
    for label in [label for label in frequent if label not in related][:_LABELS]:
        name = slug(label)
        groups[name] = (*groups.get(name, ()), label)
    return groups


def targets_of(groups: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Targets by default: trafficking-related labels where there are any, and all incidents."""
    related = "incidents nearest to trafficking by their label"
    found = {TRAFFICKING: (related, (TRAFFICKING,))} if TRAFFICKING in groups else {}
    return {**found, "all_incidents": ("all reported incidents", ())}


def slug(text: str) -> str:
    """Name of a group: small letters of ASCII, digits and underscores, beginning with a letter."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    word = re.sub(r"[^a-z0-9]+", "_", plain).strip("_")[:40]
    return word if re.match("[a-z]", word) else f"offence_{word}".rstrip("_")


def study_area_text(choices: AreaChoices) -> str:
    """Write the TOML and check it.

    Raises
    ------
    SettingError
        Where the choices do not make a legal study area; the message names the key.
    """
    text = "\n".join(_lines(choices)) + "\n"
    try:
        StudyArea.model_validate(tomllib.loads(text))
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors()
        )
        raise SettingError(f"{choices.name} would be no legal study area: {problems}.") from error
    return text


def _lines(choices: AreaChoices) -> Iterator[str]:
    area, ground = choices, choices.ground
    yield f"# {area.title}. Proposed by `htrisk area new`; every key is checked, an unknown one is an error."
    yield f"name = {_text(area.name)}"
    yield f"title = {_text(area.title)}"
    yield f"time_zone = {_text(area.time_zone)}"
    yield f"first_day = {area.first_day}            # the first daily partition; keep it fixed"
    yield ""
    yield "[bounding_box]                    # a point outside it is an error of geocoding"
    for side, degrees in ground.bounding_box.model_dump().items():
        yield f"{side} = {degrees:g}"
    yield ""
    yield "[grid]"
    yield f"crs = {_text(ground.crs)}"
    yield f"cell_size_m = {area.cell_size_m}"
    yield "minimum_land_share = 0.02"
    if area.unit == "area":
        yield 'unit = "area"                     # beats only: each area is a cell'
    yield ""
    yield "[publication_lag]"
    yield f"incidents_days = {area.lag_days}"
    yield "airport_days = 45"
    yield "transit_days = 2"
    yield ""
    yield "[holidays]"
    yield f"country = {_text(area.country)}"
    if area.subdivision:
        yield f"subdivision = {_text(area.subdivision)}"
    yield ""
    yield from _incident_file(area)
    yield from _boundary(area)
    yield from _areas(area)
    yield from _series(area)


def _incident_file(area: AreaChoices) -> Iterator[str]:
    yield "# The city's own columns, in its spelling. Columns that are not named here are never read."
    yield "[incident_file]"
    for role, column in area.columns.items():
        why = f"    # {area.found[role]}" if area.found.get(role) else ""
        yield f"{role} = {_text(column)}{why}"
    yield f"times_are = {_text(area.times_are)}"
    yield f"day_first = {str(area.day_first).lower()}"
    yield ""


def _boundary(area: AreaChoices) -> Iterator[str]:
    if area.unit == "area" and not area.boundary:
        return
    yield "[boundary]"
    for role, prop in area.boundary.items():
        yield f"{role} = {_text(prop)}"
    if "outline" not in area.boundary and "areas" not in area.boundary:
        yield "# The convex hull of all points, 500 m wider: kept here, so that no later row moves a cell."
        points = ", ".join(f"[{lon:.4f}, {lat:.4f}]" for lon, lat in area.ground.hull)
        yield f"hull = [{points}]"
    yield ""


def _areas(area: AreaChoices) -> Iterator[str]:
    if not area.areas:
        return
    yield "# Areas by the publisher's code, each with its number here."
    yield "[areas]"
    for code, place in area.areas.items():
        given = place.model_dump(exclude_none=True).items()
        yield f"{_text(code)} = {{{', '.join(f'{k} = {_value(v)}' for k, v in given)}}}"
    yield ""


def _series(area: AreaChoices) -> Iterator[str]:
    yield "# Groups are tried in this order; upper and lower case are the same."
    yield "[offence_groups]"
    for name, labels in area.offences.items():
        yield f"[offence_groups.{name}]"
        yield f"labels = {_list(labels)}"
    yield ""
    yield "[incidents]"
    yield 'title = "all reported incidents"'
    yield f"sources = {_list((_SOURCE,))}"
    yield ""
    yield "[series]"
    for name in area.offences:
        yield f"[series.{name}]"
        yield f"title = {_text(name.replace('_', ' '))}"
        yield f"sources = {_list((_SOURCE,))}"
        yield f"offence_groups = {_list((name,))}"
    yield ""
    for name, (title, groups) in area.targets.items():
        yield f"[targets.{name}]"
        yield f"title = {_text(title)}"
        yield f"sources = {_list((_SOURCE,))}"
        if groups:
            yield f"offence_groups = {_list(groups)}"


def _text(value: str) -> str:
    # A basic string of TOML has the escapes of JSON.
    return json.dumps(value, ensure_ascii=False)


def _value(value: object) -> str:
    return _text(value) if isinstance(value, str) else str(value)


def _list(values: tuple[str, ...]) -> str:
    return f"[{', '.join(map(_text, values))}]"


def write_study_area(text: str, path: Path, *, replace: bool) -> None:
    """Write a study area's file.

    Raises
    ------
    SettingError
        Where there is one already and `replace` does not say that it may go.
    """
    if path.exists() and not replace:
        raise SettingError(f"{path} is there already. Give --replace, or another name.")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
