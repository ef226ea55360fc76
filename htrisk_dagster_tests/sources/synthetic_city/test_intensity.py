from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.sources.synthetic_city.intensity import (
    expected_by_cell,
    expected_by_zone,
    zone_factor,
)
from pyproj import Transformer

from .conftest import City


def target(city: City) -> pl.DataFrame:
    codes = [str(code) for code in city.truth()["offence_codes"]]
    return city.complaints.filter(pl.col("KY_CD").is_in(codes))


def test_truth_adds_up_to_the_rate_and_to_what_was_drawn(city: City) -> None:
    expected = city.truth()["intensity"].astype(np.float64).sum()
    assert abs(expected - 1.5 * 243) < 0.01
    assert abs(target(city).height - expected) < 4 * np.sqrt(expected)


def test_truth_of_each_month_and_third_of_cells_agrees_with_what_was_drawn(city: City) -> None:
    truth = city.truth()
    intensity = truth["intensity"].astype(np.float64)
    drawn = target(city)
    month = truth["days"].astype("datetime64[M]")
    drawn_month = drawn["CMPLNT_FR_DT"].to_numpy().astype("datetime64[M]")
    for one in np.unique(month):
        expected = intensity[month == one].sum()
        assert abs(np.sum(drawn_month == one) - expected) < 4 * np.sqrt(expected)
    # Place: the rows' own degrees, projected back to the lattice of the truth.
    placed = drawn.select(pl.col("Longitude", "Latitude").cast(pl.Float64)).filter(
        pl.col("Latitude").is_between(40.4, 41)  # neither missing nor one of the faults
    )
    x, y = Transformer.from_crs("EPSG:4326", str(truth["crs"]), always_xy=True).transform(
        placed["Longitude"].to_numpy(), placed["Latitude"].to_numpy()
    )
    size = int(truth["cell_size_m"])
    index = {rc: i for i, rc in enumerate(zip(truth["row"], truth["col"], strict=True))}
    cell = np.array([index[rc] for rc in zip(y // size, x // size, strict=True)])
    by_cell = intensity.sum(axis=0)
    order = np.argsort(by_cell)
    third = np.searchsorted(np.cumsum(by_cell[order]), by_cell.sum() * np.array([1, 2]) / 3)
    for cells in np.split(order, third):
        expected = by_cell[cells].sum() * 0.97
        assert abs(np.isin(cell, cells).sum() - expected) < 4 * np.sqrt(expected)


def test_target_is_concentrated_as_measured(city: City) -> None:
    by_cell = np.sort(city.truth()["intensity"].sum(axis=0, dtype=np.float64))[::-1]
    cumulative = np.cumsum(by_cell) / by_cell.sum()
    top = [cumulative[round(len(by_cell) * share) - 1] for share in (0.01, 0.05, 0.10, 0.25)]
    # NYPD robberies, 500 m: 8, 29, 47, 78%. The target has strips of its own besides.
    np.testing.assert_allclose(top, [0.08, 0.29, 0.47, 0.78], atol=0.06)
    gini = 2 * cumulative.mean() - 1
    assert 0.62 < gini < 0.74


def test_lattice_covers_the_land_once(city: City) -> None:
    truth = city.truth()
    cells = np.c_[truth["row"], truth["col"]]
    assert len(np.unique(cells, axis=0)) == len(cells)
    assert np.lexsort((cells[:, 1], cells[:, 0])).tolist() == list(range(len(cells)))
    # 782 km2 of land in cells of 0.25 km2.
    assert abs(len(cells) * 0.25 - 782) < 8
    assert truth["intensity"].shape == (243, len(cells))
    assert (truth["intensity"] > 0).all()


def test_day_shocks_have_mean_one_and_are_left_out_of_the_truth(city: City) -> None:
    shock = city.truth()["day_shock"]
    assert abs(shock.mean() - 1) < 4 * np.sqrt(0.006 / len(shock))
    assert 0.004 < shock.var() < 0.0085


def test_expected_against_a_loop() -> None:
    calendar = np.array([0.8, 1.2])
    factor = zone_factor(0.5, np.array([[0, 100], [50, 0]]), np.array([0.0, 1.0]))
    weights = np.array([1, 2, 3, 4], dtype=np.int64) * 2**36
    zone = np.array([0, 1, 2, 2])
    by_zone = expected_by_zone(6.0, calendar, factor, weights, zone)
    found = expected_by_cell(by_zone, weights, zone)
    # Precinct 0 outside and inside the corridor, precinct 1 outside; by hand.
    rise = np.exp(0.15)
    relative = np.array(
        [
            [0.8 * 1, 0.8 * 2, 0.8 * 3 * 1.5, 0.8 * 4 * 1.5],
            [1.2 * 1 * 1.25, 1.2 * 2 * 1.25 * rise, 1.2 * 3, 1.2 * 4],
        ]
    )
    np.testing.assert_allclose(found, relative * 12 / relative.sum(), rtol=1e-5)
