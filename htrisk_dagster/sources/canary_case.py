"""The canary: one made-up case among the verified ones, planted to be looked for where it must not be.

Belongs here: the case, what gives it away, and taking it out before anything is counted. Does not:
the search (`publishing/canary_search.py`).

It lies in the same table as the cases and is read with them. Whatever copies rows, prints them or
packs the restricted folder takes it along, and a search for its marks finds out. It is taken out at
the one door of the cases (`evaluation/verified_counts.place_cases`), behind which no text and no
coordinate of a case goes on.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from datetime import date

import polars as pl

from htrisk_dagster.schemas.raw import VERIFIED_CASES
from htrisk_dagster.study_areas.area import BoundingBox

_PREFIX = "planted canary "


@dataclass(frozen=True)
class Canary:
    """What gives the planted case away.

    Parameters
    ----------
    text : str
        Its type, sector and kind of place.
    lon, lat : float
        A point that no other row has: 15 digits of chance within the study area's box.
    """

    text: str
    lon: float
    lat: float

    @property
    def marks(self) -> tuple[bytes, ...]:
        """The text, the coordinates as digits and as binary numbers."""
        texts = (self.text, repr(self.lon), repr(self.lat))
        numbers = (struct.pack("<d", number) for number in (self.lon, self.lat))
        return (*(text.encode() for text in texts), *numbers)


def canary_of(area: str, seed: int, box: BoundingBox) -> Canary:
    """The canary of one study area and seed; always the same one."""
    digest = hashlib.sha256(f"canary/{area}/{seed}".encode()).digest()
    east, north = (int.from_bytes(digest[i : i + 8], "big") / 2**64 for i in (0, 8))
    return Canary(
        text=f"{_PREFIX}{digest.hex()[-16:]}",
        lon=box.west + (box.east - box.west) * east,
        lat=box.south + (box.north - box.south) * north,
    )


def planted(cases: pl.DataFrame, canary: Canary) -> pl.DataFrame:
    """Cases with the canary after them; it was reported on the last day of any.

    Parameters
    ----------
    cases : DataFrame
        `schemas.raw.VERIFIED_CASES`, none at all too.
    """
    on = cases["reported_on"].max() if cases.height else date(2000, 1, 1)
    row = {
        "reported_on": on,
        "case_type": canary.text,
        "sector": canary.text,
        "location_type": canary.text,
        "lon": canary.lon,
        "lat": canary.lat,
        "source_file": "planted by the program",
        "source_row": 1,
        "pulled_on": on,
    }
    case = pl.DataFrame([row], schema=VERIFIED_CASES.polars_schema())
    return pl.concat([cases.select(VERIFIED_CASES.column_names), case])


def without_canary(cases: pl.DataFrame) -> pl.DataFrame:
    """Cases that somebody reported."""
    is_planted = pl.col("case_type").str.starts_with(_PREFIX).fill_null(False)
    return cases.filter(~is_planted)
