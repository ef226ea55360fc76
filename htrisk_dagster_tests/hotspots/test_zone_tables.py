from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.grid.cells import Grid
from htrisk_dagster.grid.neighbours import queen_contiguity
from htrisk_dagster.hotspots.zone_tables import (
    land_km2,
    zone_tables,
    zones_are_as_wished,
    zones_are_contiguous,
    zones_of,
)
from htrisk_dagster.hotspots.zones import Zones, bridged
from htrisk_dagster.schemas.zones import ZONES
from htrisk_dagster_tests.real_new_york import coordinates, new_york


@pytest.fixture(scope="module", name="new_york")
def grid_of_new_york() -> Grid:
    return new_york()


def felonies_a_year(grid: Grid) -> pl.DataFrame:
    points = coordinates("nypd_felonies_2014_2015_STHSL.csv.gz", "Occurrence Date")
    lon, lat = (points[c].fill_null(np.nan).to_numpy() for c in ("lon", "lat"))
    cell = grid.cell_of(lon, lat)
    counts = np.bincount(cell[cell >= 0], minlength=grid.n_cells) / 2
    return grid.cells.select("cell_id").with_columns(incidents_per_year=pl.Series(counts))


@pytest.mark.real_data
@pytest.mark.parametrize("within", [True, False])
def test_zones_of_real_felonies_hold_together_and_share_the_work(new_york, within) -> None:
    """40 zones of at most 25 km2 on New York's 3,616 cells and 95,790 felonies a year."""
    import networkx as nx

    density = felonies_a_year(new_york)
    found = zones_of(
        density, new_york, n_zones=None, most_km2=25, tolerance=0.1, within_boroughs=within, seed=1
    )
    cell_zones, zones = zone_tables(found, density, new_york, None, most_km2=25, tolerance=0.1)
    assert ZONES.problems(zones) == []
    assert zones.height == 40
    assert zones["area_km2"].max() <= 25
    assert zones["area_km2"].sum() == pytest.approx(land_km2(new_york).sum())
    assert zones["incidents_per_year"].sum() == pytest.approx(density["incidents_per_year"].sum())
    assert found.imbalance <= 0.1
    assert zones_are_contiguous(cell_zones, new_york).holds
    assert zones_are_as_wished(zones).holds
    # A second engine finds the same pieces.
    edges = queen_contiguity(new_york).tocoo()
    whole = nx.Graph(list(zip(edges.row.tolist(), edges.col.tolist(), strict=True)))
    whole.add_nodes_from(range(new_york.n_cells))
    counted = [
        nx.number_connected_components(whole.subgraph(np.flatnonzero(found.zone == z).tolist()))
        for z in range(zones.height)
    ]
    assert counted == zones["pieces_count"].to_list()
    assert sum(n > 1 for n in counted) <= 3, "islands only"
    if within:
        boroughs = new_york.cells.with_columns(zone=pl.Series(found.zone))
        assert (boroughs.group_by("zone").agg(pl.col("borough").n_unique())["borough"] == 1).all()


@pytest.mark.real_data
def test_a_zone_in_pieces_fails(new_york) -> None:
    striped = (new_york.cells["cell_id"] % 2).to_numpy().astype(np.int32)
    found = Zones(striped, 0.0, np.ones(2), 0.0)
    density = felonies_a_year(new_york)
    cell_zones, zones = zone_tables(found, density, new_york, None, most_km2=25, tolerance=0.1)
    assert not zones_are_contiguous(cell_zones, new_york).holds
    assert not zones_are_contiguous(cell_zones.head(-1), new_york).holds
    assert not zones_are_as_wished(zones).holds


@pytest.mark.real_data
def test_every_borough_is_one_piece_after_few_bridges(new_york) -> None:
    unit = new_york.cells["borough"].rank("dense").to_numpy().astype(int) - 1
    contiguity = queen_contiguity(new_york)
    xy = new_york.cells.select("x_m", "y_m").to_numpy() / 1_000
    graph = bridged(contiguity, xy, unit)
    edges = contiguity.tocoo()
    crossing = int((unit[edges.row] != unit[edges.col]).sum())
    bridges = (graph.nnz - (contiguity.nnz - crossing)) // 2
    assert 1 <= bridges <= 12
