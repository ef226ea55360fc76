from __future__ import annotations

import numpy as np
import pytest
from htrisk_dagster.sources.synthetic_city.calendar_factors import calendar_factor, day_shocks
from htrisk_dagster.sources.synthetic_city.presets import PRESETS, stream

DEFAULT = PRESETS["default"]


def test_mean_is_one_and_years_are_the_real_ones() -> None:
    factor = calendar_factor(DEFAULT, "other")
    assert factor.mean() == pytest.approx(1, abs=1e-6)
    year = DEFAULT.days.astype("datetime64[Y]").astype(int) + 1970
    daily = np.array([factor[year == y].mean() for y in (2022, 2023, 2024)])
    # NYPD complaints by week of occurrence: 530,062, 551,680 and 571,385 in 364 days each.
    np.testing.assert_allclose(
        daily / daily.mean(), np.array([530_062, 551_680, 571_385]) * 3 / 1_653_127, rtol=0.005
    )


def test_first_of_january_is_the_new_year_first_and_holiday() -> None:
    factor = calendar_factor(DEFAULT, "burglary")
    days = DEFAULT.days
    ordinary = factor[days == np.datetime64("2023-01-08")]  # the next Sunday
    new_year = factor[days == np.datetime64("2023-01-01")]
    # For burglary neither the first of a month nor of a year is special: only the holiday counts.
    assert new_year / ordinary == pytest.approx(0.9, abs=1e-5)


def test_burglaries_fall_at_weekends_and_assaults_rise() -> None:
    weekday = (DEFAULT.days.astype(np.int64) + 3) % 7
    burglary, violence = (calendar_factor(DEFAULT, f) for f in ("burglary", "violence"))
    assert burglary[weekday == 6].mean() < 0.8 < 1.2 < burglary[weekday == 4].mean()
    assert violence[weekday == 6].mean() > 1.2 > violence[weekday == 3].mean()


def test_shocks_have_mean_one_and_share_a_part() -> None:
    shocks = day_shocks(DEFAULT, stream(3, "day_shocks"))
    n_days = len(DEFAULT.days)
    # Variance of a product of independent factors with mean 1: (1 + a)(1 + b) - 1.
    for family, own in (("robbery", 0.0059), ("burglary", 0.028), ("target", 0.0033)):
        variance = 1.0013 * (1 + own) - 1
        assert abs(shocks[family].mean() - 1) < 4 * np.sqrt(variance / n_days)
        assert shocks[family].var() == pytest.approx(variance, rel=4 * np.sqrt(2.5 / n_days))
    covariance = np.cov(shocks["robbery"], shocks["target"])[0, 1]
    assert covariance == pytest.approx(0.0013, abs=4 * 0.0075 / np.sqrt(n_days))
