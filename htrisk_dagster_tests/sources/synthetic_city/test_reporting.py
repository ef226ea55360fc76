from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.sources.synthetic_city.offences import FAMILIES, TARGET
from htrisk_dagster.sources.synthetic_city.reporting import (
    draw_delays,
    is_reported,
    precinct_reserve,
    reported_share,
)


def test_share_is_logistic_and_hidden_offences_lie_between_two_and_six_tenths() -> None:
    reserve = np.array([-2.0, 0.0, 2.0])
    hidden = next(f.reported for f in FAMILIES if f.name == TARGET)
    shares = reported_share(hidden, reserve)
    logit = np.log(shares / (1 - shares))
    np.testing.assert_allclose(np.diff(logit), -0.9, atol=1e-3)
    assert shares[1] == hidden
    np.testing.assert_allclose(shares[[0, 2]], [0.6, 0.2], atol=0.005)


def test_busy_precincts_are_the_more_reserved() -> None:
    precinct = np.repeat(np.arange(400), 5)
    business = np.exp(np.random.default_rng(1).standard_normal(400))[precinct]
    reserve = precinct_reserve(business, precinct, np.random.default_rng(2))
    assert np.abs(reserve).max() <= 2
    assert np.corrcoef(reserve, np.log(business[::5]))[0, 1] == pytest.approx(0.6, abs=0.08)


def test_reports_are_drawn_with_their_share() -> None:
    share = np.repeat([0.2, 0.6, 0.0, 1.0], 50_000)
    found = is_reported(share, np.random.default_rng(3)).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(found, [0.2, 0.6, 0, 1], atol=4 * 0.5 / 50_000**0.5)
    assert found[2] == 0
    assert found[3] == 1


def test_delay_is_the_untruncated_law_given_the_days_left() -> None:
    rng = np.random.default_rng(5)
    free = draw_delays(np.full(200_000, 4000), rng)
    quantiles = [np.mean(free <= day) for day in (0, 1, 7, 30, 200, 1500)]
    np.testing.assert_allclose(quantiles, [0.80, 0.85, 0.905, 0.95, 0.99, 1.0], atol=0.004)
    # With two days left the delay is 0 or 1, in the proportion 0.80 to 0.05.
    cut = draw_delays(np.full(50_000, 2), rng)
    assert set(np.unique(cut)) == {0, 1}
    assert np.mean(cut == 0) == pytest.approx(0.80 / 0.85, abs=0.005)
