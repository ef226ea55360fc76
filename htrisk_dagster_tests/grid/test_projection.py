"""The polynomial of a projection against PROJ, in both hemispheres, and where it must give way."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.grid.projection import LARGEST_ERROR_M, local_projection, to_plane


@pytest.mark.parametrize(
    ("crs", "west", "south", "side"),
    [
        ("EPSG:32618", 563_000, 4_480_000, 60_000),  # New York
        ("EPSG:32734", 240_000, 6_230_000, 80_000),  # Cape Town, southern hemisphere
        ("EPSG:2263", 270_000, 30_000, 60_000),  # a Lambert cone in feet: only the fit matters here
    ],
)
def test_it_is_proj_s_to_a_millimetre(crs: str, west: float, south: float, side: float) -> None:
    fitted = local_projection(crs, west, south, west + side, south + side)
    assert fitted is not None
    rng = np.random.default_rng(1)
    x, y = west + side * rng.random(5_000), south + side * rng.random(5_000)
    lon, lat = to_plane(crs).transform(x, y, direction="INVERSE")
    assert fitted.covers(lon, lat).all()
    found_x, found_y = fitted.transform(np.asarray(lon), np.asarray(lat))
    distance = np.hypot(found_x - x, found_y - y)
    # The bound was found on a mesh; between its nodes a little more is possible.
    assert distance.max() <= 1.5 * fitted.error_m + 1e-6
    assert fitted.error_m <= LARGEST_ERROR_M
    assert not fitted.covers(np.array([np.nan, lon[0] + 30]), np.array([lat[0], lat[0]])).any()


def test_a_box_too_large_for_it_is_left_to_proj() -> None:
    assert local_projection("EPSG:32618", -8_000_000, 0, 9_000_000, 9_000_000) is None
