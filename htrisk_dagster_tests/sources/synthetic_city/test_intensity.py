from __future__ import annotations

import numpy as np
import polars as pl
from htrisk_dagster.sources.synthetic_city.intensity import exposure, scaled_place
from pyproj import Transformer

from .conftest import City


def target(city: City) -> pl.DataFrame:
    codes = [str(code) for code in city.truth()["offence_codes"]]
    return city.complaints.filter(pl.col("KY_CD").is_in(codes))


def test_truth_adds_up_to_the_rate_and_to_what_was_drawn(city: City) -> None:
    truth = city.truth()
    expected = truth["intensity"].astype(np.float64).sum()
    # The field and what was triggered are as drawn, so the total is near the rate, not on it.
    assert abs(expected / (1.5 * 243) - 1) < 0.15
    assert abs(target(city).height - expected) < 4 * np.sqrt(expected)
    assert truth["counts"].sum() == target(city).height


def test_intensity_is_made_of_its_parts(city: City) -> None:
    truth = {k: v.astype(np.float64) for k, v in city.truth().items() if v.dtype.kind in "fu"}
    background = truth["calendar"][:, None] * truth["static"] * truth["exposure"] * truth["field"]
    whole = (background + truth["triggered"]) * truth["reporting"]
    np.testing.assert_allclose(truth["intensity"], whole, rtol=1e-6)
    # 1.5 a day are reported, of which the share that others trigger, 0.3, is not of the background.
    reported = (background @ truth["reporting"]).mean()
    assert abs(reported / (1.5 * 0.7) - 1) < 0.02
    assert (
        abs((truth["triggered"] @ truth["reporting"]).sum() / truth["intensity"].sum() - 0.3) < 0.06
    )


def test_truth_of_each_month_and_third_of_cells_agrees_with_what_was_drawn(city: City) -> None:
    truth = city.truth()
    intensity = truth["intensity"].astype(np.float64)
    drawn = target(city)
    month = truth["days"].astype("datetime64[M]")
    drawn_month = drawn["CMPLNT_FR_DT"].to_numpy().astype("datetime64[M]")
    shocked = intensity * truth["day_shock"][:, None]
    for one in np.unique(month):
        expected = shocked[month == one].sum()
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
    # In the order of place alone: what happens in a cell raises its own intensity afterwards, so
    # cells with little intensity would be those where by chance nothing happened.
    order = np.argsort(truth["static"] * truth["reporting"])
    third = np.searchsorted(np.cumsum(by_cell[order]), by_cell.sum() * np.array([1, 2]) / 3)
    for cells in np.split(order, third):
        expected = by_cell[cells].sum() * 0.97
        assert abs(np.isin(cell, cells).sum() - expected) < 4 * np.sqrt(expected)


def test_lattice_covers_the_land_once(city: City) -> None:
    truth = city.truth()
    cells = np.c_[truth["row"], truth["col"]]
    assert len(np.unique(cells, axis=0)) == len(cells)
    assert np.lexsort((cells[:, 1], cells[:, 0])).tolist() == list(range(len(cells)))
    # 782 km2 of land in cells of 0.25 km2.
    assert abs(len(cells) * 0.25 - 782) < 8
    assert truth["intensity"].shape == (243, len(cells))
    assert (truth["intensity"] > 0).all()


def test_exposure_by_hand() -> None:
    attraction = np.array([[0, 100], [50, 0]])
    found = exposure(
        2.0, attraction, np.array([0.0, 1.0]), np.array([0, 0, 1]), np.array([False, True, False])
    )
    # Cells 0 and 1 in precinct 0, cell 1 in the corridor; cell 2 in precinct 1, with a parade.
    rise = np.exp(0.15)
    np.testing.assert_allclose(found, [[1, 1, 3], [2, 2 * rise, 1]], rtol=1e-6)


def test_scaled_place_by_hand() -> None:
    place = scaled_place(
        6.0, np.array([1.0, 3.0]), np.array([0.5, 1.5]), np.array([[1.0, 1.0], [1.0, 3.0]])
    )
    # Mean factor of cell 0: (0.5 + 1.5) / 2 = 1, of cell 1: (0.5 + 4.5) / 2 = 2.5.
    np.testing.assert_allclose(place, np.array([1.0, 3.0]) * 6 / (1 + 7.5), rtol=1e-8)
