"""What stands in each column of a complaint, row by row.

Belongs here: the texts of every column, numbering, and the publisher's own faults. Does not: which
rows and columns a file has (`complaint_files`), defects on demand (`defects`).

A column has few texts and many rows, so a city holds the number of a text for each row, and makes
the texts of some rows when they are written: ten years of complaints fit into memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
import polars as pl
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.corners import Corners, written_points
from htrisk_dagster.sources.synthetic_city.incidents import Incidents
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS
from htrisk_dagster.sources.synthetic_city.offences import OFFENCES
from htrisk_dagster.sources.synthetic_city.precincts import Precincts
from htrisk_dagster.sources.synthetic_city.presets import Preset

NULL_TEXT = "(null)"
WRONG_BOROUGH_PER_THOUSAND = 5

# The faults of the file of 1.5 million rows; smaller files have their share, one at least.
FULL_ROWS = 1_500_000
_ZERO_POINTS, _OUTSIDE_POINTS, _NULL_PREMISES = 25, 5, 1_500
BAD_DATE = "01/05/1919"

_POSITIONS = (("INSIDE", 55), ("FRONT OF", 22), (None, 18), ("OPPOSITE OF", 3), ("REAR OF", 2))
_PREMISES = (
    *(("STREET", 30), ("RESIDENCE - APT. HOUSE", 23), ("RESIDENCE-HOUSE", 12), ("OTHER", 5)),
    *(("RESIDENCE - PUBLIC HOUSING", 7), ("CHAIN STORE", 6), ("TRANSIT - NYC SUBWAY", 3)),
    *(("COMMERCIAL BUILDING", 4), ("GROCERY/BODEGA", 3), ("RESTAURANT/DINER", 2)),
    *(("HOTEL/MOTEL", 2), ("BAR/NIGHT CLUB", 2), (None, 1)),
)
_JURISDICTIONS = (
    *(("N.Y. POLICE DEPT", "0", 90), ("N.Y. HOUSING POLICE", "2", 7)),
    *(("N.Y. TRANSIT POLICE", "1", 2), ("PORT AUTHORITY", "3", 1)),
)

_T = TypeVar("_T")


@dataclass(frozen=True, eq=False)
class Facet:
    """Columns that depend on one thing, such as the offence.

    Parameters
    ----------
    texts : DataFrame
        Their texts, one row a value.
    index : ndarray of int32, shape (n,)
        Row of `texts` of each complaint.
    """

    texts: pl.DataFrame
    index: NDArray[np.int32]


@dataclass(frozen=True, eq=False)
class ComplaintRows:
    """Complaints as the publisher words them; n of them.

    Parameters
    ----------
    number : ndarray of int64, shape (n,)
        The publisher's number, nine digits.
    facets : dict of str to Facet
        All other columns.
    """

    number: NDArray[np.int64]
    facets: dict[str, Facet]

    def with_index(self, facet: str, index: NDArray[np.int64]) -> ComplaintRows:
        """Return the same complaints with other values of one facet."""
        changed = replace(self.facets[facet], index=index.astype(np.int32))
        return replace(self, facets={**self.facets, facet: changed})

    def frame(self, rows: NDArray[np.int64]) -> pl.DataFrame:
        """Word some rows, in the order given; all columns are text."""
        number = pl.Series("CMPLNT_NUM", self.number[rows]).cast(pl.String)
        worded = [facet.texts[facet.index[rows]] for facet in self.facets.values()]
        return pl.concat([number.to_frame(), *worded], how="horizontal")


def word_complaints(
    incidents: Incidents,
    preset: Preset,
    corners: Corners,
    precincts: Precincts,
    rng: np.random.Generator,
) -> ComplaintRows:
    """Give each complaint its texts, and some the publisher's faults."""
    count = len(incidents.occurred)
    dates = [*pl.Series(preset.days).dt.strftime("%m/%d/%Y").to_list(), BAD_DATE, None]
    times = [f"{minute // 60:02d}:{minute % 60:02d}:00" for minute in range(24 * 60)] + [None]
    has_end = rng.integers(0, 4, count) > 0
    ends = np.minimum(incidents.minute + rng.integers(0, 120, count), 24 * 60 - 1)
    begins_on = incidents.occurred.copy()
    begins_on[_faulty(count, 1, rng)] = len(preset.days)
    point = incidents.point.copy()
    point[_faulty(count, _ZERO_POINTS, rng)] = corners.zero
    point[_faulty(count, _OUTSIDE_POINTS, rng)] = corners.outside
    premises, premise = _drawn(_PREMISES, count, rng)
    premise[_faulty(count, _NULL_PREMISES, rng)] = len(premises)
    positions, position = _drawn(_POSITIONS, count, rng)
    is_wrong = rng.integers(0, 1000, count) < WRONG_BOROUGH_PER_THOUSAND
    step = np.where(is_wrong, rng.integers(1, len(BOROUGHS), count), 0)
    borough = (precincts.borough[incidents.precinct] + step) % len(BOROUGHS)
    jurisdictions, jurisdiction = _drawn([(j, j[2]) for j in _JURISDICTIONS], count, rng)
    is_completed = rng.integers(0, 60, count) > 0
    # An odd factor modulo a power of two hits each number once: 9 digits, and none repeats.
    factor = 2 * int(rng.integers(2**27, 2**28)) + 1
    number = 100_000_000 + np.arange(count) * factor % 2**29
    area = {
        "ADDR_PCT_CD": [str(n) for n in precincts.number],
        "PATROL_BORO": precincts.patrol_names,
    }
    police = {"JURIS_DESC": [j[0] for j in jurisdictions],
              "JURISDICTION_CODE": [j[1] for j in jurisdictions]}  # fmt: skip
    facets = {
        "begins_on": _facet({"CMPLNT_FR_DT": dates}, begins_on),
        "begins_at": _facet({"CMPLNT_FR_TM": times}, incidents.minute),
        "ends_on": _facet(
            {"CMPLNT_TO_DT": dates}, np.where(has_end, incidents.occurred, len(dates) - 1)
        ),
        "ends_at": _facet({"CMPLNT_TO_TM": times}, np.where(has_end, ends, len(times) - 1)),
        "reported_on": _facet({"RPT_DT": dates}, incidents.reported),
        "offence": _facet(_offence_texts(), incidents.offence),
        "completion": _facet({"CRM_ATPT_CPTD_CD": ["ATTEMPTED", "COMPLETED"]}, is_completed),
        "precinct": _facet(area, incidents.precinct),
        "borough": _facet({"BORO_NM": BOROUGHS}, borough),
        "position": _facet({"LOC_OF_OCCUR_DESC": positions}, position),
        "premise": _facet({"PREM_TYP_DESC": [*premises, NULL_TEXT]}, premise),
        "jurisdiction": _facet(police, jurisdiction),
        "point": Facet(written_points(corners), point.astype(np.int32)),
    }
    return ComplaintRows(number, facets)


def _offence_texts() -> dict[str, list[str]]:
    return {
        "KY_CD": [str(o.key_code) for o in OFFENCES],
        "OFNS_DESC": [o.label for o in OFFENCES],
        "PD_CD": [str(o.detail_code) for o in OFFENCES],
        "PD_DESC": [o.detail for o in OFFENCES],
        "LAW_CAT_CD": [o.law for o in OFFENCES],
    }


def _facet(texts: Mapping[str, Sequence[str | None]], index: NDArray[np.generic]) -> Facet:
    columns = {name: pl.Series(values, dtype=pl.String) for name, values in texts.items()}
    return Facet(pl.DataFrame(columns), index.astype(np.int32))


def _drawn(
    weighted: Sequence[tuple[_T, int]], count: int, rng: np.random.Generator
) -> tuple[list[_T], NDArray[np.int64]]:
    """Return the values, and `count` indices into them drawn by their whole-number weights."""
    upper = np.cumsum([weight for _, weight in weighted])
    index = np.searchsorted(upper, rng.integers(0, upper[-1], count), side="right")
    return [value for value, _ in weighted], index


def _faulty(count: int, at_full_size: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Draw the rows of one of the publisher's faults, in proportion to the file, one at least."""
    return rng.integers(0, count, max(1, round(at_full_size * count / FULL_ROWS)))
