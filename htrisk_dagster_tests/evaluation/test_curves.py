from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.curves import (
    MAX_POINTS,
    all_curves,
    calibration_curve,
    pai_curve,
    precision_recall_curve,
    roc_curve,
)
from htrisk_dagster.evaluation.discrimination import roc_auc
from htrisk_dagster.evaluation.hotspot_accuracy import pai
from sklearn.metrics import precision_recall_curve as sklearn_precision_recall
from sklearn.metrics import roc_curve as sklearn_roc


@pytest.fixture(scope="module")
def world():
    rng = np.random.default_rng(17)
    expected = np.tile(rng.lognormal(-2.5, 1.2, 400), (30, 1)) * rng.lognormal(0, 0.1, (30, 400))
    return rng.poisson(expected), expected


def test_every_curve_is_small_and_ordered(world):
    for curve in all_curves(*world):
        assert 2 <= len(curve.x) == len(curve.y) <= MAX_POINTS
        assert (np.diff(curve.x) >= 0).all(), curve.name


def test_roc_points_lie_on_scikit_learns_curve(world):
    counts, expected = world
    rate, recall, _ = sklearn_roc(counts.ravel() > 0, expected.ravel(), drop_intermediate=False)
    exact = set(zip(rate.round(12), recall.round(12), strict=True))
    curve = roc_curve(counts, expected)
    assert set(zip(curve.x.round(12), curve.y.round(12), strict=True)) <= exact
    assert (curve.x[0], curve.y[0], curve.x[-1], curve.y[-1]) == (0, 0, 1, 1)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(roc_auc(counts, expected), abs=0.002)


def test_precision_recall_points_lie_on_scikit_learns_curve(world):
    counts, expected = world
    precision, recall, _ = sklearn_precision_recall(counts.ravel() > 0, expected.ravel())
    exact = set(zip(recall.round(12), precision.round(12), strict=True))
    curve = precision_recall_curve(counts, expected)
    assert set(zip(curve.x.round(12), curve.y.round(12), strict=True)) <= exact
    assert curve.x[-1] == 1.0


def test_pai_by_area_passes_through_the_index(world):
    curve = pai_curve(*world)
    assert curve.x[0] == pytest.approx(100 / 400)
    assert (curve.x[-1], curve.y[-1]) == (100.0, 1.0)
    at = np.flatnonzero(curve.x == 5.0)
    assert len(at) == 1
    assert curve.y[at[0]] == pytest.approx(pai(*world, share=0.05), rel=1e-12)


def test_calibration_holds_all_incidents(world):
    counts, expected = world
    curve = calibration_curve(counts, expected)
    # Groups of equal size: the mean over groups is the mean over cell-days.
    assert curve.y.mean() == pytest.approx(counts.mean(), rel=1e-12)
    assert curve.x.mean() == pytest.approx(expected.mean(), rel=1e-12)


def test_curves_without_incidents_are_empty_not_wrong(world):
    _, expected = world
    zeros = np.zeros_like(expected)
    for make in (roc_curve, precision_recall_curve, pai_curve):
        curve = make(zeros, expected)
        assert len(curve.x) == len(curve.y) == 0
