"""Where two periods differ: the similarity of their patterns, and cells with more or fewer incidents.

Belongs here: Andresen's spatial point pattern test and a Poisson rate-ratio test by cell. Does not:
hot spots of one period (`getis_ord.py`), which periods are compared (`defs/`).

The first asks whether the *pattern* is the same, whatever the totals: a city-wide rise changes
nothing. The second asks of each cell whether the *rate* changed, the city's own change included.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from htrisk_dagster.hotspots.getis_ord import benjamini_hochberg


@dataclass(frozen=True, eq=False)
class PatternSimilarity:
    """Andresen's test of two point patterns over C cells.

    Parameters
    ----------
    is_similar : bool, shape (C,)
        The base period's share of incidents lies in the interval of the test period's share.
    lower_pct, upper_pct : float64, shape (C,)
        That interval, % of all incidents.
    s_index : float
        Share of cells that are similar.
    active_s_index : float
        The same over cells with an incident in either period, NaN without one: empty cells are
        alike for no reason, and on a fine grid are most of it.
    """

    is_similar: NDArray[np.bool_]
    lower_pct: NDArray[np.float64]
    upper_pct: NDArray[np.float64]
    s_index: float
    active_s_index: float


@dataclass(frozen=True, eq=False)
class RateChange:
    """Rate-ratio test of two periods over C cells; arrays of shape (C,).

    Parameters
    ----------
    ratio : float64
        Rate of the test period over the base period's; infinite where only the base is empty, NaN
        where both are.
    p_value : float64
        Two-sided and exact; 1 where both are empty.
    fdr_p_value : float64
        Adjusted over the cells with an incident in either period; NaN for others.
    """

    ratio: NDArray[np.float64]
    p_value: NDArray[np.float64]
    fdr_p_value: NDArray[np.float64]


def pattern_similarity(
    base: NDArray[np.integer],
    test: NDArray[np.integer],
    *,
    seed: int,
    n_samples: int = 200,
    sampled_share: float = 0.85,
    interval: float = 0.95,
) -> PatternSimilarity:
    """Andresen's S index of similarity between two periods.

    Andresen (2009), doi 10.1016/j.apgeog.2008.12.004: draw 85% of the test period's incidents 200
    times with replacement, take for each cell the central 95% of its share of the sample, and see
    whether the base period's share lies in it. Drawing incidents with replacement makes the
    counts by cell multinomial, so the counts are drawn directly.

    Parameters
    ----------
    base, test : int, shape (C,)
        Incidents by cell.
    seed : int
        Of the draws.
    n_samples, sampled_share, interval
        As the paper has them.

    Raises
    ------
    ValueError
        Where a period has no incident: it has no pattern.
    """
    n_base, n_test = int(base.sum()), int(test.sum())
    if not (n_base and n_test):
        raise ValueError(
            f"{n_base} and {n_test} incidents: a period without incidents has no pattern to compare."
        )
    n_drawn = max(1, round(sampled_share * n_test))
    rng = np.random.default_rng(seed)
    shares = 100 * rng.multinomial(n_drawn, test / n_test, size=n_samples) / n_drawn
    tail = (1 - interval) / 2
    lower, upper = np.quantile(shares, [tail, 1 - tail], axis=0)
    base_pct = 100 * base / n_base
    similar = (lower <= base_pct) & (base_pct <= upper)
    active = (base + test) > 0
    return PatternSimilarity(
        similar, lower, upper, float(similar.mean()), float(similar[active].mean())
    )


def rate_change(
    base: NDArray[np.integer],
    test: NDArray[np.integer],
    *,
    base_length: int = 1,
    test_length: int = 1,
) -> RateChange:
    """Test for each cell whether two Poisson counts have one rate.

    Given the sum of both, the test period's count is binomial with probability test_length /
    (base_length + test_length) where rates are equal (Przyborowski and Wilenski 1940, doi
    10.1093/biomet/31.3-4.313). Two-sided is twice the smaller exact tail, at most 1. It is
    conservative; counts that vary more than Poisson make it less so.

    Parameters
    ----------
    base, test : int, shape (C,)
        Incidents by cell.
    base_length, test_length : int
        Length of the periods, in the same unit.
    """
    from scipy.stats import binom

    both = base + test
    chance = test_length / (base_length + test_length)
    lower_tail = binom.cdf(test, both, chance)
    upper_tail = binom.sf(test - 1, both, chance)
    p_value = np.minimum(1.0, 2 * np.minimum(lower_tail, upper_tail))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (test * base_length) / (base * test_length)
    tested = np.where(both > 0, p_value, np.nan)
    return RateChange(ratio, p_value, benjamini_hochberg(tested[None, :])[0])
