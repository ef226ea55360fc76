from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.victim_population.case_encoding import encode

CASES = pl.DataFrame(
    {
        "year": [2002, 2010, 2010, 2017],
        "age": [13.0, 22.0, 13.0, 52.0],
        "country": ["AL", "UA", "US", "UA"],
        "forced": [True, False, False, True],
    }
)
WEIGHTS = np.array([5, 1, 3, 1])


def squared_distances(points: np.ndarray) -> np.ndarray:
    return ((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)


def test_squared_distance_of_gower_coordinates_is_gowers_distance():
    points = encode(CASES, WEIGHTS, encoding="gower", scale=True)
    rows = CASES.rows()
    expected = [
        [
            (abs(a[0] - b[0]) / 15 + abs(a[1] - b[1]) / 39 + (a[2] != b[2]) + (a[3] != b[3])) / 4
            for b in rows
        ]
        for a in rows
    ]
    assert squared_distances(points) == pytest.approx(np.array(expected), abs=1e-12)


def test_labels_are_all_equally_far_apart_in_one_hot():
    labels = CASES.select("country")
    found = squared_distances(encode(labels, WEIGHTS, encoding="one_hot", scale=False))
    differ = np.array([[a != b for b in labels["country"]] for a in labels["country"]])
    assert found == pytest.approx(differ.astype(float), abs=1e-12)
    # Label encoding numbers AL, UA, US as 0, 1, 2: Albania to the United States four times as far.
    codes = labels["country"].rank("dense").to_numpy()[:, None].astype(float)
    assert squared_distances(codes)[0].tolist() == [0, 1, 4, 1]


def test_numbers_are_scaled_over_records_not_over_rows():
    ages = CASES.select("age")
    points = encode(ages, WEIGHTS, encoding="one_hot", scale=True)[:, 0]
    repeated = np.repeat(ages["age"].to_numpy(), WEIGHTS)
    assert points == pytest.approx((ages["age"].to_numpy() - repeated.mean()) / repeated.std())
    unscaled = encode(ages, WEIGHTS, encoding="one_hot", scale=False)[:, 0]
    assert unscaled.tolist() == ages["age"].to_list()


@pytest.mark.parametrize("encoding", ["one_hot", "gower"])
def test_a_column_of_one_value_adds_no_distance(encoding):
    constant = CASES.with_columns(pl.lit(2015).alias("age"), pl.lit("US").alias("country"))
    points = encode(constant.select("age", "country"), WEIGHTS, encoding=encoding, scale=True)
    assert squared_distances(points) == pytest.approx(np.zeros((4, 4)))
