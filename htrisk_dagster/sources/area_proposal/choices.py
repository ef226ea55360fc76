"""From the evidence on a city's file to all that its study area says.

Belongs here: what follows from columns, points and answers: areas, groups, first day, size of cells.
Does not: the evidence (`evidence`), the text (`study_area_text`), the questions (`cli/areas.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl

from htrisk_dagster.errors import SettingError, SourceError
from htrisk_dagster.sources.area_proposal.evidence import CityFile, Evidence, day_order
from htrisk_dagster.sources.area_proposal.geography import (
    Ground,
    area_sizes,
    ground_of_file,
    ground_of_points,
    utm_zone,
)
from htrisk_dagster.sources.instants import with_instants
from htrisk_dagster.sources.layouts import normalise, read_header
from htrisk_dagster.sources.text_values import number
from htrisk_dagster.study_areas.area import BoundingBox
from htrisk_dagster.study_areas.city_files import AreaPlace, area_code

CELL_SIZE_M = 500
# Side of a square on the schematic map of areas without a shape.
_SCHEMATIC_M = 1_000
_DAY_SHARE_OF_MEDIAN = 0.1
_LEAST_ROWS, _LEAST_SHARE = 3, 1e-5


@dataclass(frozen=True)
class BoundaryFile:
    """A GeoJSON file and the property that names its features, for the outline or for areas."""

    path: Path
    prop: str

    @property
    def published(self) -> str:
        """The property in the publisher's own spelling."""
        header = read_header(self.path) if self.path.is_file() else None
        if header is None or normalise(self.prop) not in header.published:
            has = ", ".join(header.names) if header else "no readable header"
            raise SourceError(f"{self.path} has no property '{self.prop}'; it has: {has}.")
        return header.published[normalise(self.prop)]


def unit_of(columns: Mapping[str, str]) -> str:
    """`cell` where there are coordinates, else `area`.

    Raises
    ------
    SettingError
        Where neither coordinates nor an area were found.
    """
    if "occurred_at" not in columns:
        raise SettingError("No column tells when it happened. Name it: --map occurred_at=COLUMN.")
    if "latitude" in columns:
        return "cell"
    if "area" in columns:
        return "area"
    raise SettingError(
        "No column tells where it happened. Name them: --map latitude=COLUMN --map longitude=COLUMN, or "
        "--map area=COLUMN for beats, sectors, towns or the like."
    )


def told_day_first(file: CityFile, columns: Mapping[str, str]) -> bool | None:
    """Whether days come before months in the file; None where no value of it tells."""
    told = {
        day_order(file.values(columns[r])) for r in ("occurred_at", "reported_at") if r in columns
    }
    told.discard(False if True in told else None)
    return None if None in told and told == {None} else True in told


def first_day(file: CityFile, columns: Mapping[str, str], day_first: bool) -> date:
    """First of the month from which days are as full as they usually are.

    A file often begins with a few stray dates of years before; a tenth of the median day is enough.
    """
    read = with_instants(
        file.rows.select(TEXT=columns["occurred_at"]), "told", "TEXT", clock=None,
        time_zone="UTC", day_first=day_first, is_utc=False,
    )  # fmt: skip
    days = read["told_on"].drop_nulls()
    by_month = (
        days.to_frame("on")
        .group_by(pl.col("on").dt.truncate("1mo"))
        .agg(pl.len().alias("rows"))
        .sort("on")
    )
    if by_month.is_empty():
        raise SourceError(f"No row of {file.path} has a day that can be read.")
    usual = float(np.median(by_month["rows"].to_numpy()))
    full = by_month.filter(pl.col("rows") >= _DAY_SHARE_OF_MEDIAN * usual)
    first = full["on"][0]
    assert isinstance(first, date)
    return max(first, date(2000, 1, 1))


def points_of(file: CityFile, columns: Mapping[str, str]) -> pl.DataFrame:
    """Code of the area (missing without one), lon and lat of every row; NaN where there is none."""
    code = pl.col(columns["area"]) if "area" in columns else pl.lit(None, pl.String)
    if "latitude" not in columns:
        nothing = pl.lit(float("nan"))
        return file.rows.select(code=code, lon=nothing, lat=nothing)
    texts = file.rows.select(
        code=code,
        LONGITUDE=pl.col(columns["longitude"]).str.strip_prefix("'"),
        LATITUDE=pl.col(columns["latitude"]).str.strip_prefix("'"),
    )
    nan = float("nan")
    return texts.select(
        "code", lon=number("LONGITUDE").fill_null(nan), lat=number("LATITUDE").fill_null(nan)
    )


def ground_of(
    points: pl.DataFrame, boundary: BoundaryFile | None, centre: tuple[float, float] | None
) -> Ground:
    """Ground from the boundary file, else from points, else around a middle that the user gives.

    Parameters
    ----------
    points : DataFrame
        As `points_of` gives them.
    boundary : BoundaryFile, optional
    centre : (float, float), optional
        Longitude and latitude.

    Raises
    ------
    SettingError
        Where there is none of the three.
    """
    if boundary is not None:
        return ground_of_file(boundary.path, normalise(boundary.prop))
    lon, lat = points["lon"].to_numpy(), points["lat"].to_numpy()
    if np.isfinite(lon).any():
        return ground_of_points(lon, lat)
    if centre is None:
        raise SettingError(
            "Without coordinates or a boundary file nothing tells where the city lies. Give its middle: "
            "--centre LATITUDE,LONGITUDE."
        )
    lon_0, lat_0 = centre
    half = 0.5
    box = BoundingBox(west=lon_0 - half, south=lat_0 - half, east=lon_0 + half, north=lat_0 + half)
    return Ground(utm_zone(lon_0, lat_0), box, (), centre)


def areas_of(points: pl.DataFrame, districts: pl.Series | None, unit: str) -> dict[str, AreaPlace]:
    """Areas by code with number, district and middle, the median of their points.

    Codes that are whole numbers keep them; others are numbered in order. A code of one or two rows, or
    of fewer than one in 100,000, is taken for a slip of the pen.
    """
    rows = points.with_columns(
        district=districts if districts is not None else pl.lit(None, pl.String)
    ).drop_nulls("code")
    if rows.is_empty():
        return {}
    spelt = {code: area_code(code) for code in rows["code"].unique()}
    rows = rows.with_columns(pl.col("code").replace_strict(spelt)).filter(pl.col("code") != "")
    is_there = pl.col("lon").is_finite() & ((pl.col("lon") != 0) | (pl.col("lat") != 0))
    found = (
        rows.group_by("code")
        .agg(
            pl.len().alias("rows"),
            pl.col("lon").filter(is_there).median(),
            pl.col("lat").filter(is_there).median(),
            pl.col("district").drop_nulls().mode().sort().first(),
        )
        .filter(pl.col("rows") >= max(_LEAST_ROWS, _LEAST_SHARE * rows.height))
        .sort("code")
    )
    codes = found["code"].to_list()
    are_numbers = all(c.isdigit() and 0 < int(c) < 2**31 for c in codes)
    numbers = [int(c) if are_numbers else n for n, c in enumerate(codes, start=1)]
    has_middle = unit == "cell"
    places = {
        row["code"]: AreaPlace(
            number=n,
            district=row["district"],
            lon=round(row["lon"], 5) if has_middle and row["lon"] is not None else None,
            lat=round(row["lat"], 5) if has_middle and row["lat"] is not None else None,
        )
        for n, row in zip(numbers, found.iter_rows(named=True), strict=True)
    }
    return dict(sorted(places.items(), key=lambda item: item[1].number))


def cell_size_of(unit: str, areas: BoundaryFile | None, crs: str) -> int:
    """Side of a cell: 500 m, or of a square as large as the largest area, or schematic."""
    if unit == "cell":
        return CELL_SIZE_M
    if areas is None:
        return _SCHEMATIC_M
    largest = area_sizes(areas.path, normalise(areas.prop), crs)["area_m2"].max()
    assert isinstance(largest, float)
    return int(max(100, min(100_000, np.ceil(np.sqrt(largest) / 10) * 10)))


def words_of(evidence: Mapping[str, Evidence]) -> dict[str, str]:
    """How each column was found, in a few words, for the comments of the file."""
    return {
        role: e.reason if e.confidence == 1.0 else f"{e.reason}; confidence {e.confidence:.2f}"
        for role, e in evidence.items()
    }
