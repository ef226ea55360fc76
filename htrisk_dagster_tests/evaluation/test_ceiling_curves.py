"""Ceilings against the closed forms, and against what a simulation of the same intensity gives."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.ceiling_curves import ceiling_curves
from htrisk_dagster.evaluation.curves import MAX_POINTS, all_curves
from htrisk_dagster.evaluation.hotspot_accuracy import oracle_pai


@pytest.fixture(scope="module")
def intensity():
    return np.tile(np.random.default_rng(4).lognormal(-4, 1.2, 600), (40, 1))


@pytest.fixture(scope="module")
def ceilings(intensity):
    return {c.name: c for c in ceiling_curves(intensity)}


def test_area_under_the_roc_is_the_closed_form(intensity, ceilings):
    """AUC* = sum of p_i (1 - p_j) [p_i > p_j] + ties by half, over all pairs."""
    p = 1 - np.exp(-intensity[0])
    wins = (p[:, None] > p[None, :]) + 0.5 * (p[:, None] == p[None, :])
    wanted = (p[:, None] * (1 - p[None, :]) * wins).sum() / (p.sum() * (1 - p).sum())
    curve = ceilings["roc"]
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(wanted, abs=2e-3)
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)


def test_pai_is_the_oracles(intensity, ceilings):
    curve = ceilings["pai_by_area"]
    for share in (0.01, 0.05, 0.5):
        at = int(np.argmin(np.abs(curve.x - 100 * share)))
        taken = curve.x[at] / 100
        assert curve.y[at] == pytest.approx(oracle_pai(intensity, share=taken), rel=1e-9)
    assert curve.y[-1] == pytest.approx(1.0)


def test_precision_ends_at_the_prevalence(intensity, ceilings):
    curve = ceilings["precision_recall"]
    assert curve.y[-1] == pytest.approx((1 - np.exp(-intensity)).mean())
    assert (np.diff(curve.y) <= 0).all()
    assert (np.diff(curve.x) > 0).all()


def test_calibration_is_the_diagonal(intensity, ceilings):
    curve = ceilings["calibration"]
    np.testing.assert_array_equal(curve.x, curve.y)
    assert (curve.x[0], curve.x[-1]) == (intensity.min(), intensity.max())


def test_the_mean_of_simulations_lies_on_the_ceiling(intensity, ceilings):
    rng = np.random.default_rng(8)
    at = np.linspace(0.05, 0.95, 10)
    recall, precision = [], []
    for _ in range(20):
        curves = {c.name: c for c in all_curves(rng.poisson(intensity), intensity)}
        recall.append(np.interp(at, curves["roc"].x, curves["roc"].y))
        found = curves["precision_recall"]
        precision.append(np.interp(at, found.x, found.y))
    ceiling = ceilings["roc"]
    np.testing.assert_allclose(
        np.mean(recall, axis=0), np.interp(at, ceiling.x, ceiling.y), atol=0.01
    )
    ceiling = ceilings["precision_recall"]
    wanted = np.interp(at, ceiling.x, ceiling.y)
    np.testing.assert_allclose(np.mean(precision, axis=0), wanted, rtol=0.06)


def test_titles_and_size_are_those_of_the_curves_they_are_drawn_with(intensity, ceilings):
    counts = np.random.default_rng(1).poisson(intensity)
    for curve in all_curves(counts, intensity):
        ceiling = ceilings[curve.name]
        assert (ceiling.x_title, ceiling.y_title) == (curve.x_title, curve.y_title)
        assert len(ceiling.x) == len(ceiling.y) <= MAX_POINTS


def test_two_cells_are_enough():
    curves = {c.name: c for c in ceiling_curves([[0.5, 0.1]])}
    assert curves["roc"].y[-1] == 1.0
    assert curves["precision_recall"].x[-1] == 1.0
