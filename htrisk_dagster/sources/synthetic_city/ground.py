"""The ground of one city: land, precincts, corners, and where each family's complaints are.

Belongs here: putting together what does not change in time, for the whole city or a part of it.
Does not: anything that has a day (`world`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.sources.synthetic_city.corners import Corners, place_corners
from htrisk_dagster.sources.synthetic_city.intensity import place_shares, place_terms
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS, Land, read_land
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES
from htrisk_dagster.sources.synthetic_city.parts import precincts_of_parts
from htrisk_dagster.sources.synthetic_city.precincts import Precincts, split_boroughs
from htrisk_dagster.sources.synthetic_city.presets import Preset, stream
from htrisk_dagster.sources.synthetic_city.reporting import precinct_reserve, reported_share

if TYPE_CHECKING:
    from shapely import Geometry


@dataclass(frozen=True, eq=False)
class Ground:
    """Places of a city; C cells and P precincts.

    Parameters
    ----------
    land, precincts, corners
        Cells, areas and points.
    precinct : ndarray of int64, shape (C,)
        Index of each cell's precinct.
    business : ndarray of float64, shape (C,)
        How busy a cell is, from the field that all families share.
    in_corridor : ndarray of bool, shape (C,)
        Whether a cell lies in the airport's hotel corridor.
    place : dict of str to ndarray of float64, shape (C,)
        Share of each family's reported incidents of the whole city in each cell.
    reporting : dict of str to ndarray of float64, shape (C,)
        Share of each family's incidents that is reported.
    share_of_city : float
        Cells over the cells of the whole city.
    """

    land: Land
    precincts: Precincts
    corners: Corners
    precinct: NDArray[np.int64]
    business: NDArray[np.float64]
    in_corridor: NDArray[np.bool_]
    place: dict[str, NDArray[np.float64]]
    reporting: dict[str, NDArray[np.float64]]
    share_of_city: float


def lay_ground(preset: Preset, seed: int) -> Ground:
    """Invent the places of the city, or of the parts of it that the preset keeps."""
    land = read_land()
    places = place_terms(land, stream(seed, "fields"))
    precincts = split_boroughs(land, places.business, stream(seed, "precincts"))
    precinct = precincts.locate(land.x_m, land.y_m, land.borough)
    place = place_shares(places, precinct, precincts.share)
    reserve = precinct_reserve(places.business, precinct, stream(seed, "reporting"))
    reporting = {f.name: reported_share(f.reported, reserve)[precinct] for f in FAMILIES}
    business, in_corridor = places.business, places.in_corridor
    n_cells = len(precinct)
    if preset.is_part:
        chosen = precincts_of_parts(land, places.business, precincts, precinct)
        kept = np.isin(precinct, chosen)
        precincts = precincts.kept(chosen)
        land = land.kept(kept, _outlines(precincts))
        precinct = np.searchsorted(chosen, precinct[kept])
        business, in_corridor = business[kept], in_corridor[kept]
        place = {name: values[kept] for name, values in place.items()}
        reporting = {name: values[kept] for name, values in reporting.items()}
    return Ground(
        land=land,
        precincts=precincts,
        corners=place_corners(land, precincts, precinct, stream(seed, "corners")),
        precinct=precinct,
        business=business,
        in_corridor=in_corridor,
        place=place,
        reporting=reporting,
        share_of_city=len(precinct) / n_cells,
    )


def _outlines(precincts: Precincts) -> tuple[Geometry, ...]:
    """Outline of the precincts of each borough."""
    import shapely

    polygons = np.array(precincts.polygons, dtype=object)
    return tuple(
        shapely.union_all(polygons[precincts.borough == index]) for index in range(len(BOROUGHS))
    )
