"""Contiguous zones of usable size with balanced workload, such as a team can be given.

Belongs here: the partition of cells into zones, and its measures. Does not: what is expected in a
cell (the forecasts), which cells are hot (`getis_ord`).

METIS cuts the graph of neighbouring cells into parts of equal weight that are connected, with short
borders (Karypis and Kumar, SIAM J. Sci. Comput. 20, 1998, doi 10.1137/S1064827595287997; MIT and
Apache licences). A workload is what is expected plus the ground to cover: by expectation alone, a
quiet zone would be a quarter of the city. The share of ground is the smallest, in tenths, at which
no zone is larger than allowed. Islands are joined to the nearest cell of the rest, as by a bridge;
each zone says of how many pieces it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.errors import SettingError

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Array = NDArray[np.float64]

_GROUND_SHARES = np.arange(11) / 10
_SEEDS = 8
# METIS takes whole numbers; a millionth of the work is finer than any forecast.
_UNITS = 1_000_000


@dataclass(frozen=True)
class Zones:
    """A partition of C cells.

    Parameters
    ----------
    zone : int32, shape (C,)
        0-based zone of each cell.
    ground_share : float
        Share of the workload that is ground, the rest is expectation.
    workload : float64, shape (Z,)
        Of each zone, over the mean of its unit.
    imbalance : float
        Largest workload over the mean of its unit, less 1.
    """

    zone: NDArray[np.int32]
    ground_share: float
    workload: Array
    imbalance: float


def draw_zones(
    expected: Array,
    area_km2: Array,
    xy_km: Array,
    neighbours: csr_array,
    *,
    n_zones: int,
    most_km2: float,
    tolerance: float = 0.1,
    unit: NDArray[np.integer] | None = None,
    seed: int,
) -> Zones:
    """Cut the cells into zones.

    Parameters
    ----------
    expected : float64, shape (C,)
        Expected incidents, 0 or above.
    area_km2 : float64, shape (C,)
        Land of each cell.
    xy_km : float64, shape (C, 2)
        Centres.
    neighbours : sparse, shape (C, C)
        Contiguity, symmetric.
    n_zones : int
        Over all units; each unit has one at least, the others go by expectation and ground.
    most_km2 : float
        No zone has more land.
    tolerance : float
        No workload is more than this above the mean of its unit, as a share.
    unit : int, shape (C,), optional
        Areas that no zone crosses, such as boroughs; one if not given.
    seed : int
        Of METIS; the same seed gives the same zones.

    Returns
    -------
    Zones

    Raises
    ------
    SettingError
        Where no tried share of ground and seed gives zones within tolerance and size.
    """
    units = np.zeros(len(expected), dtype=np.intp) if unit is None else _codes(unit)
    n_units = int(units.max()) + 1
    least = int(np.ceil(area_km2.sum() / most_km2))
    if n_zones < max(n_units, least):
        raise SettingError(
            f"{n_zones} zones are too few: {area_km2.sum():.1f} km2 of land in {n_units} areas need "
            f"{max(n_units, least)} or more of at most {most_km2:g} km2. Ask for more, or larger ones."
        )
    graph = bridged(neighbours, xy_km, units)
    closest = np.inf
    for share in _GROUND_SHARES:
        work = _workload(expected, area_km2, share)
        quota = _quota(np.bincount(units, work), n_zones)
        for attempt in range(_SEEDS):
            zone = np.empty(len(work), dtype=np.int32)
            for number, (cells, count) in enumerate(_parts(units, quota)):
                first = int(quota[:number].sum())
                zone[cells] = first + _cut(graph, cells, work[cells], count, seed + attempt)
            load = np.bincount(zone, work, minlength=n_zones)
            mean = np.repeat(np.bincount(units, work) / quota, quota)
            imbalance = float((load / mean).max() - 1)
            largest = float(np.bincount(zone, area_km2, minlength=n_zones).max())
            whole = all(n == 1 for n in pieces(zone, graph))
            if largest <= most_km2 and imbalance <= tolerance and whole:
                return Zones(zone, float(share), load / mean, imbalance)
            if whole and imbalance <= tolerance:
                closest = min(closest, largest)
    raise SettingError(
        f"No {n_zones} zones within {tolerance:.0%} of equal workload and {most_km2:g} km2 were found; "
        f"the smallest largest zone had {closest:.1f} km2. Ask for more zones, a larger size or tolerance."
    )


def pieces(zone: NDArray[np.int32], neighbours: csr_array) -> list[int]:
    """Number of connected pieces of each zone."""
    from scipy.sparse.csgraph import connected_components

    found = []
    for number in range(int(zone.max()) + 1):
        cells = np.flatnonzero(zone == number)
        found.append(int(connected_components(neighbours[cells][:, cells], directed=False)[0]))
    return found


def compactness(zone: NDArray[np.int32], lattice: NDArray[np.int32]) -> Array:
    """Polsby and Popper's 4 pi area / perimeter^2 of each zone, shape (Z,).

    A circle has 1, a square 0.785; cells count as whole squares, shores as borders
    (Harvard J. Legislation 28, 1991).

    Parameters
    ----------
    zone : int32, shape (C,)
    lattice : int32, shape (rows, columns)
        Cell at each square, -1 where there is none.
    """
    board = np.pad(np.where(lattice >= 0, zone[np.maximum(lattice, 0)], -1), 1, constant_values=-1)
    n_zones = int(zone.max()) + 1
    perimeter = np.zeros(n_zones)
    for axis, step in product((0, 1), (-1, 1)):
        border = (board >= 0) & (board != np.roll(board, step, axis))
        perimeter += np.bincount(board[border], minlength=n_zones)
    area = np.bincount(zone, minlength=n_zones)
    return np.asarray(4 * np.pi * area / perimeter**2)


def bridged(neighbours: csr_array, xy_km: Array, units: NDArray[np.integer]) -> csr_array:
    """Contiguity within units, every piece of a unit joined to the nearest of the rest of it.

    Parameters
    ----------
    neighbours : sparse, shape (C, C)
    xy_km : float64, shape (C, 2)
    units : int, shape (C,)

    Returns
    -------
    sparse, shape (C, C)
        Symmetric ones, without edges between units, each unit in one piece.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    edges = coo_array(neighbours)
    inside = units[edges.row] == units[edges.col]
    row, col = edges.row[inside], edges.col[inside]
    while True:
        graph = coo_array((np.ones(len(row)), (row, col)), shape=neighbours.shape).tocsr()
        piece = connected_components(graph, directed=False)[1]
        size = np.bincount(piece)
        split = [u for u in range(int(units.max()) + 1) if len(set(piece[units == u])) > 1]
        if not split:
            return graph
        for number in split:
            of_unit = np.flatnonzero(units == number)
            here = np.unique(piece[of_unit])
            smallest = here[np.argmin(size[here])]
            alone, rest = of_unit[piece[of_unit] == smallest], of_unit[piece[of_unit] != smallest]
            distance, nearest = cKDTree(xy_km[rest]).query(xy_km[alone])
            at = int(np.argmin(distance))
            row = np.append(row, [alone[at], rest[nearest[at]]])
            col = np.append(col, [rest[nearest[at]], alone[at]])


def _codes(unit: NDArray[np.integer]) -> NDArray[np.intp]:
    return np.asarray(np.unique(unit, return_inverse=True)[1], dtype=np.intp)


def _workload(expected: Array, area_km2: Array, ground_share: float) -> Array:
    """Share of each cell in expectation and ground; sums to 1."""
    total = expected.sum()
    hoped = expected / total if total > 0 else np.full(len(expected), 1 / len(expected))
    return np.asarray((1 - ground_share) * hoped + ground_share * area_km2 / area_km2.sum())


def _quota(work: NDArray[Any], n_zones: int) -> NDArray[np.intp]:
    """Zones of each unit: one each, the others by Sainte-Lague's highest averages."""
    quota = np.ones(len(work), dtype=np.intp)
    for _ in range(n_zones - len(work)):
        quota[np.argmax(work / (2 * quota + 1))] += 1
    return quota


def _parts(
    units: NDArray[np.intp], quota: NDArray[np.intp]
) -> Iterator[tuple[NDArray[np.intp], int]]:
    for number, count in enumerate(quota):
        yield np.flatnonzero(units == number), int(count)


def _cut(
    graph: csr_array, cells: NDArray[np.intp], work: Array, count: int, seed: int
) -> NDArray[np.int32]:
    """Zone of each of some cells, 0 to count - 1."""
    import pymetis

    if count == 1:
        return np.zeros(len(cells), dtype=np.int32)
    part = graph[cells][:, cells].tocsr()
    options = pymetis.Options(seed=seed, contig=1, ufactor=30, niter=20, ncuts=2)
    # A cell without work is still a place; METIS refuses none of weight zero.
    weights = np.maximum(np.rint(work / work.sum() * _UNITS), 1).astype(int)
    found = pymetis.part_graph(
        count,
        xadj=part.indptr.tolist(),
        adjncy=part.indices.tolist(),
        vweights=weights.tolist(),
        recursive=False,
        options=options,
    )
    return np.asarray(found.vertex_part, dtype=np.int32)
