from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from htrisk_dagster.scale.fixed_point import UNIT, added, figures, fixed_sum


def test_a_sum_is_that_of_exact_fractions() -> None:
    terms = np.random.default_rng(1).exponential(0.01, (40, 50))
    exact = sum(round(Fraction(float(t)) * 2**32) for t in terms.ravel())

    assert fixed_sum(terms) == exact
    assert fixed_sum(terms) * UNIT == pytest.approx(math.fsum(terms.ravel()), abs=2000 * UNIT)


def test_order_and_cut_change_nothing_where_sums_of_doubles_differ() -> None:
    rng = np.random.default_rng(2)
    terms = rng.lognormal(0, 4, (60, 80)) % 1000
    whole = fixed_sum(terms)
    cuts = [added({"x": fixed_sum(p)} for p in np.array_split(terms, k, axis=1)) for k in (2, 7)]
    shuffled = rng.permutation(terms.ravel()).reshape(80, 60)

    assert whole == fixed_sum(shuffled) == cuts[0]["x"] == cuts[1]["x"]
    assert sum(terms.ravel()) != sum(terms.ravel()[::-1])


def test_sums_larger_than_64_bits_are_exact() -> None:
    assert fixed_sum(np.full((5_000, 2_000), 1000.0)) == 10_000_000 * 1000 * 2**32


@pytest.mark.parametrize("wrong", [np.nan, np.inf, 2.0**20])
def test_a_term_without_a_place_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="not finite or above a million"):
        fixed_sum(np.array([[0.5, wrong]]))


def test_figures_divide_once() -> None:
    sums = {
        "cell_days": 8, "incidents": 4, "expected:m": 3 * 2**32, "deviance:m": 2**33, "hits:m:0.5": 3,
    }  # fmt: skip

    found = figures(added([sums, {"incidents": 0}]), ["m"], [0.5])

    assert found == {
        "incidents": 4.0, "cell_days": 8.0, "expected:m": 3.0, "deviance:m": 0.25, "hit_rate:m:0.5": 0.75,
    }  # fmt: skip
