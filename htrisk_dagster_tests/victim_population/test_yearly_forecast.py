"""The forecast continues what is known, its intervals nest, and its caution says why it is weak."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.victim_population import trends, yearly_forecast
from htrisk_dagster_tests.victim_population.real_release import clean_release
from scipy import stats


def series(years: list[int], counts: list[int]) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "data_source": "all",
            "dimension": "all_records",
            "year_of_registration": years,
            "records_count": counts,
        }
    )


def test_steady_growth_goes_on():
    years = list(range(2000, 2024))
    counts = [round(100 * 1.1 ** (year - 2000)) for year in years]
    ahead = yearly_forecast.forecast_years(series(years, counts))
    assert ahead["year_of_registration"].to_list() == [2024, 2025, 2026]
    expected = [100 * 1.1 ** (year - 2000) for year in (2024, 2025, 2026)]
    assert ahead["expected_count"].to_list() == pytest.approx(expected, rel=0.01)
    assert set(ahead["caution"]) == {""}


def test_intervals_are_those_of_one_normal_on_the_log_scale_and_widen():
    noise = np.random.default_rng(3).normal(0, 0.3, 24)
    counts = [round(1000 * np.exp(0.05 * step + noise[step])) for step in range(24)]
    ahead = yearly_forecast.forecast_years(series(list(range(2000, 2024)), counts))
    limits = ("lower_80", "upper_80", "lower_95", "upper_95")
    logs = {name: np.log(ahead[name].to_numpy()) for name in limits}
    middle = np.log(ahead["expected_count"].to_numpy())
    for side in ("lower", "upper"):
        ratio = (logs[f"{side}_95"] - middle) / (logs[f"{side}_80"] - middle)
        assert ratio == pytest.approx(stats.norm.ppf(0.975) / stats.norm.ppf(0.9), rel=1e-6)
    width = logs["upper_95"] - logs["lower_95"]
    assert np.all(np.diff(width) >= 0)


def test_most_later_years_fall_into_the_95_percent_interval():
    # 60 series of a known local linear trend; the variances are estimated, so somewhat under 95%.
    draw = np.random.default_rng(11)
    inside = 0
    for _ in range(60):
        slope = 0.05 + np.cumsum(draw.normal(0, 0.01, 27))
        level = 8 + np.cumsum(slope + draw.normal(0, 0.1, 27))
        counts = np.exp(level + draw.normal(0, 0.1, 27)).round().astype(int)
        ahead = yearly_forecast.forecast_years(
            series(list(range(1990, 2014)), counts[:24].tolist())
        )
        inside += (
            (ahead["lower_95"].to_numpy() <= counts[24:])
            & (counts[24:] <= ahead["upper_95"].to_numpy())
        ).sum()
    assert 0.80 <= inside / 180 <= 0.99


def test_a_short_series_is_called_short_and_a_shorter_one_is_refused():
    years = list(range(2010, 2016))
    (said,) = set(
        yearly_forecast.forecast_years(series(years, [90, 80, 85, 95, 90, 88]))["caution"]
    )
    assert said.startswith("The series has 6 yearly points, and 20 would still be few")
    with pytest.raises(SourceError, match="fill 4 years; a trend needs 5"):
        yearly_forecast.forecast_years(series(years[:4], [9, 8, 7, 6]))
    with pytest.raises(SourceError, match="No record of source 'hotline' has a year"):
        yearly_forecast.forecast_years(series(years, [9] * 6), data_source="hotline")


def test_twenty_even_points_need_no_caution_and_a_low_last_year_does():
    years = np.arange(2000, 2020)
    even = np.full(20, 100.0)
    assert yearly_forecast.forecast_caution(years, even) == ""
    even[-1] = 49
    assert "2019, has 49 records, 49% of the mean" in yearly_forecast.forecast_caution(years, even)


def test_a_year_without_records_is_not_a_zero():
    years = [year for year in range(2000, 2022) if year != 2010]
    counts = [100 + 10 * (-1) ** year for year in years]
    ahead = yearly_forecast.forecast_years(series(years, counts))
    assert ahead["expected_count"].to_list() == pytest.approx([100] * 3, rel=0.1)
    assert ahead["caution"][0] == "No record is of 2010: taken as not reported."


def test_a_fit_that_does_not_settle_is_said():
    ahead = yearly_forecast.forecast_years(series(list(range(2000, 2021)), [100] * 21))
    assert ahead["expected_count"].to_list() == pytest.approx([100] * 3, rel=0.01)
    assert ahead["caution"][0] == yearly_forecast.UNSETTLED


@pytest.mark.real_data
def test_the_real_series_is_short_incomplete_and_of_one_year():
    counts = trends.yearly_counts(clean_release().records)
    ahead = yearly_forecast.forecast_years(counts)
    assert ahead["year_of_registration"].to_list() == [2018, 2019, 2020]
    said = ahead["caution"][0]
    assert "16 yearly points" in said
    assert "2017, has 3,584 records, 37% of the mean of the three years before" in said
    assert "2016 alone holds 40% of all records" in said
    # What 16 points can say: the interval spans a factor of ten and more.
    assert (ahead["upper_95"] / ahead["lower_95"]).min() > 10
    with pytest.raises(SourceError, match="'hotline' fill 3 years"):
        yearly_forecast.forecast_years(counts, data_source="hotline")
