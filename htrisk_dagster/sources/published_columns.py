"""What publishers' columns were when their readers were written, and how a file differs from that.

Belongs here: the columns that are known but not read, and the comparison of a header with them. Does
not: recognising a file (`layouts`), which refuses one that lacks a needed column.

A publisher renames a column, and the file that still has enough others is read without it; adds one,
and nobody looks at it. Neither is an error. Both are told.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher

from htrisk_dagster.sources.layouts import LAYOUTS, Form, Layout, normalise

_ALIKE = 0.55  # ratio of difflib from which two names may be one; `BORO` and `BOROUGH` have 0.73
# Beside those read. A table that is not here has no fixed further columns: new ones are not told.
NOT_READ = {
    "complaints": (
        "CMPLNT_TO_DT", "CMPLNT_TO_TM", "PD_DESC", "CRM_ATPT_CPTD_CD", "JURIS_DESC", "JURISDICTION_CODE",
        "LOC_OF_OCCUR_DESC", "PREM_TYP_DESC", "PARKS_NM", "HADEVELOPT", "HOUSING_PSA", "X_COORD_CD",
        "Y_COORD_CD", "LAT_LON", "SUSP_AGE_GROUP", "SUSP_RACE", "SUSP_SEX", "VIC_AGE_GROUP", "VIC_RACE",
        "VIC_SEX", "TRANSIT_DISTRICT", "PATROL_BORO", "STATION_NAME", "NEW_GEOREFERENCED_COLUMN",
    ),
    "felonies": ("DAY_OF_WEEK",),
    "shootings": (
        "LOC_OF_OCCUR_DESC", "JURISDICTION_CODE", "LOC_CLASSFCTN_DESC", "LOCATION_DESC",
        "STATISTICAL_MURDER_FLAG", "PERP_AGE_GROUP", "PERP_SEX", "PERP_RACE", "VIC_AGE_GROUP", "VIC_SEX",
        "VIC_RACE", "X_COORD_CD", "Y_COORD_CD", "LON_LAT", "GEOCODED_COLUMN",
        "NEW_GEOREFERENCED_COLUMN",
    ),
    "permitted_events": ("EVENT_NAME", "EVENT_LOCATION", "EVENT_STREET_SIDE", "STREET_CLOSURE_TYPE",
                         "COMMUNITY_BOARD", "EVENT_DATE", "CEMSID"),
    "airport_passengers": ("FREIGHT_VOLUME", "MAIL_VOLUME", "TOTAL_FLIGHTS"),
    "transit_ridership": tuple(
        f"{name}_OF_COMPARABLE_PRE_PANDEMIC_DAY"
        for name in ("SUBWAYS", "BUSES", "LIRR", "METRO_NORTH", "ACCESS_A_RIDE",
                     "BRIDGES_AND_TUNNELS", "STATEN_ISLAND_RAILWAY")
    ),
}  # fmt: skip
# What the platform adds by itself, or a copy through a spreadsheet.
_OF_THE_PLATFORM = ("COMPUTED_REGION", "TYPE", "COORDINATES")


@dataclass(frozen=True)
class ColumnDrift:
    """How a file's columns differ from those that are known.

    Parameters
    ----------
    missing : tuple of str
        Columns that are read and not there, as `layouts.normalise` spells them.
    added : tuple of str
        The publisher's names of columns that are not known.
    renamed : tuple of (str, str)
        A missing column and the added one that looks most like it.
    """

    missing: tuple[str, ...]
    added: tuple[str, ...]
    renamed: tuple[tuple[str, str], ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.added)

    @property
    def sentence(self) -> str:
        """What differs, in words; empty where nothing does."""
        likely = dict(self.renamed)
        parts = [
            f"column {name} is missing"
            + (f", and '{likely[name]}' is new and looks like it" if name in likely else "")
            for name in self.missing
        ]
        rest = [name for name in self.added if name not in likely.values()]
        parts += [f"column '{name}' is new" for name in rest]
        return "; ".join(parts)


def column_drift(
    table: str, names: Sequence[str], form: Form = "CSV", layout: Layout | None = None
) -> ColumnDrift:
    """Compare a file's columns with those that the readers of `table` know.

    Parameters
    ----------
    table : str
        Raw table.
    names : sequence of str
        The publisher's names, in file order.
    form : str
        In GeoJSON the place is in the geometry.
    layout : Layout, optional
        Where a study area's file declares it; a table that has neither is not told of.
    """
    layout = layout or LAYOUTS.get(table)
    if layout is None:
        return ColumnDrift((), (), ())
    found = {normalise(name) for name in names}
    missing = tuple(n for n in layout.expected(form) if n not in found)
    known = {*layout.columns, *NOT_READ.get(table, ())}
    unknown = [
        name
        for name in names
        if normalise(name) not in known and normalise(name)
        and not normalise(name).startswith(_OF_THE_PLATFORM)
    ]  # fmt: skip
    added = tuple(dict.fromkeys(unknown)) if table in NOT_READ or missing else ()
    return ColumnDrift(missing, added, _renamed(missing, added))


def _renamed(missing: Collection[str], added: Collection[str]) -> tuple[tuple[str, str], ...]:
    """Pairs of a missing and an added column, most alike first, each column once."""
    alike = sorted(
        (
            (likeness(old, new), old, new)
            for old in missing
            for new in added
            if likeness(old, new) >= _ALIKE
        ),
        reverse=True,
    )
    pairs: dict[str, str] = {}
    for _, old, new in alike:
        if old not in pairs and new not in pairs.values():
            pairs[old] = new
    return tuple((old, pairs[old]) for old in missing if old in pairs)


def likeness(one: str, other: str) -> float:
    """How alike two names are, 0 to 1; a name within the other counts as much as half of it."""
    a, b = normalise(one), normalise(other)
    ratio = SequenceMatcher(None, a, b, autojunk=False).ratio()
    return max(ratio, 0.6) if a in b or b in a else ratio
