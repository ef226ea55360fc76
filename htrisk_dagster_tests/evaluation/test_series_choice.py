"""The champion of series: the least error month by month, single or combined, on what was known."""

from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.evaluation.series_choice import NAIVE, choose, combined, relative_errors
from htrisk_dagster.evaluation.series_rolling import RollingForecasts
from htrisk_dagster.models.series.panel import SeriesPanel, next_starts

T, S = 60, 8


def rolled(counts: np.ndarray, **expected: np.ndarray) -> RollingForecasts:
    starts = next_starts(np.datetime64("2010-01-01"), len(counts), "month")
    panel = SeriesPanel(tuple(map(str, range(S))), starts, counts)
    return RollingForecasts(panel, np.arange(T), {k: v[:, None] for k, v in expected.items()})


def test_a_combination_is_the_geometric_mean() -> None:
    assert combined([np.array([2.0]), np.array([8.0])]) == pytest.approx([4.0])


def test_relative_errors_by_hand() -> None:
    truths = np.array([[[10.0, 20.0]], [[10.0, 20.0]]])
    own, naive = truths + np.array([1.0, 3.0]), truths + np.array([4.0, 4.0])
    known = np.array([[True], [False]])
    found = relative_errors(truths, own, naive, known)
    assert found[0, 0] == pytest.approx(2.0 / 4.0)
    assert np.isnan(found[1, 0])


def test_models_that_err_apart_are_combined_and_one_that_is_best_stands_alone() -> None:
    rng = np.random.default_rng(1)
    counts = np.full((T, S), 100.0)
    one, other, poor = (counts * np.exp(rng.normal(scale=s, size=(T, S))) for s in (0.1, 0.1, 0.4))
    naive = counts * np.exp(rng.normal(scale=0.3, size=(T, S)))
    both = choose(
        rolled(counts, one=one, other=other, poor=poor, **{NAIVE: naive}),
        ["one", "other", "poor"], known_before=T,
    )  # fmt: skip
    assert both.members == (("one", "other"),)
    # Half the variance of one: its error is 1 / sqrt(2).
    (errors,) = both.relative_error
    ratio = errors["one + other"] / errors["one"]
    assert ratio == pytest.approx(1 / np.sqrt(2), rel=0.1)
    alone = choose(
        rolled(counts, one=one, poor=poor, **{NAIVE: naive}), ["one", "poor"], known_before=T
    )
    assert alone.names == ("one",)
    assert "one has the least error" in alone.reason


def test_one_month_in_which_all_are_far_off_does_not_choose() -> None:
    counts = np.full((T, S), 100.0)
    good, lucky, naive = counts * 1.05, counts * 1.10, counts * 1.2
    for forecast, shock in ((good, 9.0), (lucky, 5.0), (naive, 9.0)):
        forecast[30] *= shock
    chosen = choose(
        rolled(counts, good=good, lucky=lucky, **{NAIVE: naive}), ["good", "lucky"], known_before=T
    )
    assert np.abs(counts - good).mean() > np.abs(counts - lucky).mean()
    assert chosen.names == ("good",)


def test_each_horizon_has_its_champion_and_one_without_a_truth_that_of_the_last_that_has() -> None:
    counts = np.full((4, S), 100.0)
    starts = next_starts(np.datetime64("2010-01-01"), 4, "month")
    panel = SeriesPanel(tuple(map(str, range(S))), starts, counts)
    near, far = np.full((2, 4, S), 100.0), np.full((2, 4, S), 100.0)
    near[:, 1:] *= 1.5
    far[:, 0] *= 1.5
    expected = {"near": near, "far": far, NAIVE: np.full((2, 4, S), 130.0)}
    # From origins 0 and 1, the fourth period ahead is number 3 or 4: not known before 3.
    chosen = choose(
        RollingForecasts(panel, np.arange(2), expected), ["near", "far"], known_before=3
    )
    assert chosen.names == ("near", "far", "far", "far")
    assert chosen.relative_error[3] == {}
    assert chosen.forecast({"near": near, "far": far}) == pytest.approx(np.full((2, 4, S), 100.0))
    assert chosen.forecast({"near": near[0], "far": far[0]}).shape == (4, S)
    assert "3 ahead far has" in chosen.reason


def test_a_series_that_repeats_itself_leaves_nothing_to_choose_by() -> None:
    counts = np.zeros((T, S))
    flat = rolled(counts, one=counts + 1.0, other=counts + 2.0, **{NAIVE: counts})
    chosen = choose(flat, ["one", "other"], known_before=T)
    assert chosen.names == ("one",)
    assert "made no error" in chosen.reason


def test_truths_from_the_boundary_on_are_not_read() -> None:
    counts = np.full((T, S), 100.0)
    good, bad, naive = counts * 1.05, counts * 1.2, counts * 1.3
    before = rolled(counts, good=good, bad=bad, **{NAIVE: naive})
    after = counts.copy()
    after[40:] = 120.0
    changed = rolled(after, good=good, bad=bad, **{NAIVE: naive})
    one, other = (choose(r, ["good", "bad"], known_before=40) for r in (before, changed))
    assert one == other
    with pytest.raises(ValueError, match="met its truth"):
        choose(before, ["good"], known_before=0)
