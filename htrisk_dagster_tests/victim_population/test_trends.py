"""Counts by year against SQL and by hand, intervals against their closed forms."""

from __future__ import annotations

import math

import polars as pl
import pytest
from htrisk_dagster.victim_population import trends
from htrisk_dagster_tests.victim_population.real_release import ask, clean_release, frame_of
from scipy import stats

Z = stats.norm.ppf(0.975)


def wilson(yes: int, n: int) -> tuple[float, float]:
    p = yes / n
    centre = (p + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z * math.sqrt(p * (1 - p) / n + Z**2 / (4 * n**2)) / (1 + Z**2 / n)
    return centre - half, centre + half


def small() -> pl.DataFrame:
    return frame_of(
        {
            "year_of_registration": [2015, 2015, 2015, 2015, 2016, None],
            "data_source": ["hotline", "hotline", "hotline", "case_management", "hotline", None],
            "gender": ["female", "female", None, "male", None, "female"],
            "is_sexual_exploit": [True, False, None, True, None, True],
            "means_of_control_threats": [True, None, None, None, True, None],
            "means_of_control_other": [None, False, True, None, True, None],
        }
    )


def row(counts: pl.DataFrame, source: str, year: int | None, category: str) -> dict:
    (found,) = counts.filter(
        (pl.col("data_source") == source)
        & pl.col("year_of_registration").eq_missing(year)
        & (pl.col("category") == category)
    ).iter_rows(named=True)
    return found


def tally(found: dict) -> tuple[int, int, int]:
    return found["records_count"], found["known_count"], found["unknown_count"]


def test_unknown_stands_apart_and_is_in_no_denominator():
    counts = trends.yearly_counts(small())
    assert tally(row(counts, "hotline", 2015, "female")) == (2, 2, 1)
    assert tally(row(counts, "hotline", 2015, "is_sexual_exploit")) == (1, 2, 1)
    assert tally(row(counts, "all", 2015, "female")) == (2, 3, 1)
    assert tally(row(counts, "hotline", 2016, "is_sexual_exploit")) == (0, 0, 1)
    assert row(counts, "hotline", 2016, "is_sexual_exploit")["share"] is None


def test_a_means_is_known_where_the_record_names_one():
    counts = trends.yearly_counts(small())
    assert tally(row(counts, "hotline", 2015, "means_of_control_threats")) == (1, 2, 1)
    assert tally(row(counts, "hotline", 2016, "means_of_control_other")) == (1, 1, 0)


def told_by_group() -> pl.DataFrame:
    return frame_of(
        {
            "year_of_registration": [2015, 2015, 2015, 2015],
            "data_source": [None] * 4,
            "means_of_control_threats": [True, None, None, None],
            "means_abuse_psy_phy_sex": [True, True, False, None],
            "means_of_control_sexual_abuse": [None, None, False, None],
        }
    )


def test_a_group_stands_for_its_parts_where_only_the_group_is_told():
    counts = trends.yearly_counts(told_by_group())
    assert tally(row(counts, "all", 2015, "means_abuse_psy_phy_sex")) == (2, 2, 2)
    assert tally(row(counts, "all", 2015, "means_of_control_threats")) == (1, 2, 2)
    named = counts.filter(pl.col("dimension") == "means_of_control")["category"].unique()
    assert not {f"means_of_control_{p}_abuse" for p in ("psychological", "physical", "sexual")} & {
        *named
    }
    # The other two groups are not told here: their parts stand.
    assert "means_of_control_debt_bondage" in named
    assert len(named) == 17 - 3 + 1


def test_the_parts_stand_and_their_group_does_not_where_they_are_told():
    told = told_by_group().with_columns(
        pl.Series("means_of_control_physical_abuse", [True, True, False, None]),
        pl.Series("means_of_control_sexual_abuse", [True, None, False, None]),
    )
    assert trends.told_means(told) == trends.MEANS_OF_CONTROL
    counts = trends.yearly_counts(told)
    assert tally(row(counts, "all", 2015, "means_of_control_physical_abuse")) == (2, 2, 2)
    assert "means_abuse_psy_phy_sex" not in counts["category"].to_list()


def test_a_category_absent_in_a_year_is_a_zero_and_an_unknown_year_or_source_a_row():
    counts = trends.yearly_counts(small())
    assert tally(row(counts, "hotline", 2015, "male")) == (0, 2, 1)
    assert tally(row(counts, "unknown", None, "female")) == (1, 1, 0)
    every = counts.filter((pl.col("dimension") == "all_records") & (pl.col("data_source") == "all"))
    assert every["records_count"].sum() == 6


def test_intervals_are_wilsons_and_garwoods():
    found = row(trends.yearly_counts(small()), "all", 2015, "female")
    assert (found["share_lower"], found["share_upper"]) == pytest.approx(wilson(2, 3), abs=1e-12)
    assert found["count_lower"] == pytest.approx(stats.chi2.ppf(0.025, 2 * 2) / 2, abs=1e-9)
    assert found["count_upper"] == pytest.approx(stats.chi2.ppf(0.975, 2 * 3) / 2, abs=1e-9)
    none = row(trends.yearly_counts(small()), "hotline", 2015, "male")
    assert none["count_lower"] == 0
    assert none["count_upper"] == pytest.approx(-math.log(0.025), abs=1e-9)


@pytest.mark.real_data
def test_real_counts_by_year_source_and_sex_are_those_of_sql():
    counts = trends.yearly_counts(clean_release().records)
    asked = ask(
        "select Datasource, yearOfRegistration, gender, count(*) from release "
        "where gender <> 'Unknown' group by all"
    )
    assert len(asked) > 30
    for source, year, gender, n in asked:
        ours = row(counts, source.lower().replace(" ", "_"), int(year), gender.lower())
        assert ours["records_count"] == n
    every = counts.filter((pl.col("dimension") == "gender") & (pl.col("data_source") == "all"))
    assert every["records_count"].sum() == sum(n for *_, n in asked) == 33_850 + 12_997
    years = counts.filter((pl.col("dimension") == "all_records") & (pl.col("data_source") == "all"))
    assert years.select("year_of_registration", "records_count").rows() == [
        (2002, 1116), (2003, 379), (2004, 250), (2005, 1617), (2006, 1534), (2007, 1469),
        (2008, 828), (2009, 792), (2010, 1521), (2011, 1823), (2012, 1395), (2013, 2113),
        (2014, 3129), (2015, 6739), (2016, 18813), (2017, 3584),
    ]  # fmt: skip


@pytest.mark.real_data
def test_women_exploited_sexually_are_94_percent_in_hotline_records_and_8_in_case_management():
    contrast = trends.source_contrast(clean_release().records, "is_sexual_exploit").filter(
        (pl.col("gender") == "female") & (pl.col("majority_status_at_exploit") == "adult")
    )
    shares = {r["data_source"]: r for r in contrast.iter_rows(named=True)}
    assert tally(shares["hotline"]) == (1_084, 1_126, 26)
    assert tally(shares["case_management"]) == (43, 120, 408)
    assert shares["hotline"]["share_of_all"] == pytest.approx(0.94, abs=0.005)
    assert shares["case_management"]["share_of_all"] == pytest.approx(0.08, abs=0.005)
    # Of those in which it is known, it is 43 of 120.
    assert shares["case_management"]["share"] == pytest.approx(43 / 120)
    assert (
        shares["case_management"]["share_lower"],
        shares["case_management"]["share_upper"],
    ) == pytest.approx(wilson(43, 120), abs=1e-12)
