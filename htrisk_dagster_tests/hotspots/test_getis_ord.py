from __future__ import annotations

import warnings

import numpy as np
import pytest
from htrisk_dagster.hotspots.getis_ord import benjamini_hochberg, gi_star, with_self
from scipy import stats
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist


def neighbourhoods(reach: float, *, seed: int = 3, side: int = 12) -> csr_array:
    """A lattice with a third of its squares missing; neighbours within `reach` squares."""
    rng = np.random.default_rng(seed)
    places = np.argwhere(rng.random((side, side)) < 0.67)
    distances = cdist(places, places)
    return csr_array(((distances > 0) & (distances <= reach)).astype(np.int32))


def esda_z(values: np.ndarray, weights: csr_array, transform: str) -> np.ndarray:
    from esda import G_Local
    from libpysal.weights import WSP

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        w = WSP(weights.tocsr().astype(float)).to_W(silence_warnings=True)
        return G_Local(values, w, transform=transform, star=True, permutations=0).Zs


@pytest.mark.parametrize("reach", [2**0.5, 1.0, 3.1], ids=["queen", "rook", "band"])
def test_equal_to_esda_with_binary_weights(reach):
    weights = neighbourhoods(reach)
    panel = np.random.default_rng(1).poisson(0.8, (6, weights.shape[0]))
    found = gi_star(panel, with_self(weights)).z
    for day, values in enumerate(panel):
        np.testing.assert_allclose(found[day], esda_z(values, weights, "B"), rtol=0, atol=1e-9)


def test_a_panel_of_days_is_its_days_one_by_one():
    """A year of days in one call; days without variance among them are missing in both."""
    weights = with_self(neighbourhoods(2**0.5))
    panel = np.random.default_rng(5).poisson(0.02, (365, weights.shape[0]))
    panel[[3, 200]] = 0
    batched = gi_star(panel, weights)
    for name in ("z", "p_value", "fdr_p_value"):
        one_by_one = np.vstack([getattr(gi_star(day[None], weights), name) for day in panel])
        np.testing.assert_allclose(getattr(batched, name), one_by_one, rtol=0, atol=1e-12)
    assert np.isnan(batched.z[[3, 200]]).all()
    assert np.isfinite(batched.z).mean() > 0.8


def test_esda_default_transform_gives_about_a_third():
    weights = neighbourhoods(2**0.5)
    values = np.random.default_rng(1).poisson(0.8, weights.shape[0])
    found = gi_star(values[None, :], with_self(weights)).z[0]
    row_standardised = esda_z(values, weights, "R")
    k, n = np.asarray(with_self(weights).sum(axis=1)), len(values)
    np.testing.assert_allclose(row_standardised, found * np.sqrt((n - k) / (n - 1) / k), atol=1e-9)
    inner = k == 9
    assert inner.any()
    # (n - k) / (n - 1) is nearly 1 on a city's grid, so nearly a third of the truth.
    np.testing.assert_allclose(row_standardised[inner], found[inner] / 3, rtol=0.06)


def test_worked_by_hand():
    # Four cells in a row with 4, 0, 0, 0: mean 1, s^2 = 3. The first has 2 in its neighbourhood.
    line = csr_array(np.diag(np.ones(3), 1) + np.diag(np.ones(3), -1))
    found = gi_star(np.array([[4, 0, 0, 0]]), with_self(line))
    first = (4 - 2 * 1) / np.sqrt(3 * (4 * 2 - 4) / 3)
    second = (4 - 3 * 1) / np.sqrt(3 * (4 * 3 - 9) / 3)
    np.testing.assert_allclose(found.z[0, :2], [first, second])
    np.testing.assert_allclose(found.p_value[0, 0], 2 * (1 - stats.norm.cdf(first)))


def test_no_variance_is_no_pattern_and_leaves_other_periods_alone():
    weights = with_self(neighbourhoods(2**0.5))
    panel = np.random.default_rng(5).poisson(1.0, (3, weights.shape[0]))
    panel[1] = 2
    found = gi_star(panel, weights)
    for values in (found.z, found.p_value, found.fdr_p_value):
        assert np.isnan(values[1]).all()
        assert np.isfinite(values[[0, 2]]).all()
    assert not found.hot(1.0)[1].any()
    assert not found.cold(1.0)[1].any()
    # Halves and thirds are constant too, though their variance rounds to something.
    assert np.isnan(gi_star(np.full((1, weights.shape[0]), 0.1), weights).z).all()


def test_a_neighbourhood_of_every_cell_has_no_z():
    star = np.eye(4)
    star[0] = star[:, 0] = 1
    found = gi_star(np.array([[1, 2, 3, 4]]), csr_array(star))
    assert np.isnan(found.z[0, 0])
    assert np.isfinite(found.fdr_p_value[0, 1:]).all()


def test_a_planted_cluster_is_hot_and_a_hole_is_cold():
    places = np.argwhere(np.ones((20, 20)))
    weights = with_self(csr_array(cdist(places, places) < 1.5))
    values = np.random.default_rng(2).poisson(6.0, 400)
    cluster = (np.abs(places - [5, 5]) <= 1).all(axis=1)
    hole = (np.abs(places - [14, 14]) <= 1).all(axis=1)
    values[cluster], values[hole] = 18, 0
    found = gi_star(values[None, :], weights)
    middle = [5 * 20 + 5, 14 * 20 + 14]
    assert found.hot(0.05)[0, middle].tolist() == [True, False]
    assert found.cold(0.05)[0, middle].tolist() == [False, True]
    assert not (found.hot(0.05) & found.cold(0.05)).any()


def test_benjamini_hochberg_is_the_step_up_rule_within_each_period():
    rng = np.random.default_rng(8)
    p = rng.random((3, 40)) ** 3
    p[1] = np.nan
    adjusted = benjamini_hochberg(p)
    assert np.isnan(adjusted[1]).all()
    for period in (0, 2):
        for level in (0.01, 0.05, 0.2):
            # The largest i with p_(i) <= i / m level, and all below it, are found.
            order = np.sort(p[period])
            passed = np.flatnonzero(order <= np.arange(1, 41) / 40 * level)
            cut = order[passed[-1]] if passed.size else -1.0
            np.testing.assert_array_equal(adjusted[period] <= level, p[period] <= cut)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (np.eye(3) * 2, "binary"),
        (np.ones((3, 3)) - np.eye(3), "each cell itself"),
        (np.eye(4), "same cells"),
    ],
)
def test_wrong_weights_are_refused(weights, message):
    with pytest.raises(ValueError, match=message):
        gi_star(np.ones((2, 3)), csr_array(weights))


def test_with_self_makes_any_weights_binary():
    given = csr_array(np.array([[0, 0.5, 0], [0.5, 3, 0], [0, 0, 0]]))
    np.testing.assert_array_equal(with_self(given).toarray(), [[1, 1, 0], [1, 1, 0], [0, 0, 1]])
