"""The ranking of means of control by hand, its change by Newcombe's formula, and its words."""

from __future__ import annotations

import math
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.victim_population import ctdc_files, recode, tactics
from htrisk_dagster_tests.victim_population.ctdc_layouts import (
    FIRST_SYNTHETIC,
    LATER_SYNTHETIC,
    write_csv,
)
from htrisk_dagster_tests.victim_population.real_release import ask, clean_release, frame_of
from htrisk_dagster_tests.victim_population.test_trends import wilson


def newcombe(yes2: int, n2: int, yes1: int, n1: int) -> tuple[float, float]:
    """Newcombe (1998), method 10, for the second share less the first."""
    p1, p2 = yes1 / n1, yes2 / n2
    (l1, u1), (l2, u2) = wilson(yes1, n1), wilson(yes2, n2)
    return (
        p2 - p1 - math.sqrt((p2 - l2) ** 2 + (u1 - p1) ** 2),
        p2 - p1 + math.sqrt((u2 - p2) ** 2 + (p1 - l1) ** 2),
    )


def records(years: list[int], threats: list[bool | None], other: list[bool | None]) -> pl.DataFrame:
    return frame_of(
        {
            "year_of_registration": years,
            "data_source": ["hotline"] * len(years),
            "means_of_control_threats": threats,
            "means_of_control_other": other,
        }
    )


def test_shares_are_of_the_records_that_name_a_means_and_the_change_is_between_halves():
    # 2010-2011: threats in 3 of 4; 2012-2013: threats in 1 of 5; one record names none.
    found = tactics.rank_tactics(
        records(
            [2010, 2010, 2011, 2011, 2012, 2012, 2012, 2013, 2013, 2013],
            [True, True, True, None, True, None, None, None, None, None],
            [None, None, None, True, None, True, True, True, True, None],
        )
    ).filter((pl.col("data_source") == "hotline") & (pl.col("rank") <= 2))
    other, threats = found.iter_rows(named=True)
    assert (other["tactic"], other["records_count"]) == ("means_of_control_other", 5)
    assert (threats["tactic"], threats["records_count"]) == ("means_of_control_threats", 4)
    assert (threats["known_count"], threats["unknown_count"]) == (9, 1)
    assert (threats["first_years"], threats["second_years"]) == ("2010-2011", "2012-2013")
    assert (threats["first_share"], threats["second_share"]) == (3 / 4, 1 / 5)
    assert threats["change"] == pytest.approx(1 / 5 - 3 / 4)
    assert (threats["change_lower"], threats["change_upper"]) == pytest.approx(
        newcombe(1, 5, 3, 4), abs=1e-12
    )


def test_one_year_or_no_means_in_a_half_tells_no_change():
    one_year = tactics.rank_tactics(records([2010], [True], [None]))
    assert one_year["second_years"].null_count() == one_year.height
    assert one_year["change"].null_count() == one_year.height
    silent = tactics.rank_tactics(records([2010, 2013], [True, None], [None, None]))
    assert silent["change_lower"].null_count() == silent.height
    assert "A change cannot be told" in tactics.most_used_tactic(silent)


def test_records_that_name_nothing_are_said_to():
    nothing = tactics.rank_tactics(records([2010, 2011], [None, False], [None, None]))
    assert tactics.most_used_tactic(nothing) == "In hotline records no means of control is named."


def clean_rows(tmp_path: Path, header: list[str], rows: list[dict[str, str]]) -> pl.DataFrame:
    return recode.clean(ctdc_files.read_file(write_csv(tmp_path / "a.csv", header, rows))).records


def test_a_later_release_ranks_the_group_that_it_tells_beside_single_means(tmp_path):
    answers = [  # abuse, false promises; 4 of 5 records that name a means name abuse, 3 promises
        ("2010", "1", "1"), ("2011", "1", "0"), ("2012", "1", "1"), ("2013", "1", "-99"),
        ("2013", "0", "1"), ("2013", "0", "0"), ("2013", "-99", "-99"),
    ]  # fmt: skip
    names = ("yearOfRegistration", "meansAbusePsyPhySex", "meansFalsePromises")
    rows = [dict(zip(names, answer, strict=True)) for answer in answers]
    ranked = tactics.rank_tactics(clean_rows(tmp_path, LATER_SYNTHETIC, rows))
    ranked = ranked.filter(pl.col("data_source") == "unknown")
    asked = ["tactic", "records_count", "known_count", "unknown_count"]
    assert ranked.select(asked).head(2).rows() == [
        ("means_abuse_psy_phy_sex", 4, 5, 2),
        ("means_of_control_false_promises", 3, 5, 2),
    ]
    assert "means_of_control_sexual_abuse" not in ranked["tactic"].to_list()
    assert (
        "named most is psychological, physical or sexual abuse (which the release tells only as "
        "one): 4 of the 5 records that name one (80.0%," in tactics.most_used_tactic(ranked)
    )


def test_a_release_that_tells_the_parts_counts_no_act_in_a_group_besides(tmp_path):
    rows = [
        {"yearOfRegistration": "2010", f"meansOfControl{part}Abuse": "1"}
        for part in ("Psychological", "Physical", "Sexual")
    ] + [{"yearOfRegistration": "2010", "meansOfControlThreats": "1"}] * 2
    ranked = tactics.rank_tactics(clean_rows(tmp_path, FIRST_SYNTHETIC, rows))
    ranked = ranked.filter(pl.col("data_source") == "all")
    assert ranked.height == 17
    assert ranked["records_count"].sum() == 5
    assert ranked["tactic"][0] == "means_of_control_threats"
    assert ranked["known_count"].unique().to_list() == [5]


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("meansDebtBondageEarnings", "debt bondage or taken earnings"),
        ("meansDenyBasicNeeds", "denial of basic needs"),
    ],
)
def test_each_group_is_said_in_words(tmp_path, column, words):
    records = clean_rows(tmp_path, LATER_SYNTHETIC, [{"yearOfRegistration": "2010", column: "1"}])
    assert f"named most is {words} (" in tactics.most_used_tactic(tactics.rank_tactics(records))


@pytest.mark.real_data
def test_the_real_ranking_is_that_of_sql_and_differs_by_source():
    ranked = tactics.rank_tactics(clean_release().records)
    first = {r["data_source"]: r for r in ranked.filter(pl.col("rank") == 1).iter_rows(named=True)}
    asked = ask(
        "select Datasource, count(*) filter (meansOfControlFalsePromises = '1'), "
        "count(*) filter (meansOfControlPsychologicalAbuse = '1') from release group by 1 order by 1"
    )
    assert asked == [("Case Management", 2_132, 1_432), ("Hotline", 460, 1_930)]
    assert first["case_management"]["tactic"] == "means_of_control_false_promises"
    assert first["case_management"]["records_count"] == 2_132
    assert first["hotline"]["tactic"] == "means_of_control_psychological_abuse"
    assert first["hotline"]["records_count"] == 1_930
    # 218 + 2,426 and 5,566 records name a means, counted in SQL over its 17 columns.
    assert first["case_management"]["known_count"] == 2_644
    assert first["hotline"]["known_count"] == 5_566
    assert set(ranked.group_by("data_source").len()["len"]) == {17}


@pytest.mark.real_data
def test_the_real_answer_in_words():
    said = tactics.most_used_tactic(tactics.rank_tactics(clean_release().records))
    case_management, hotline = said.split(" In hotline records ")
    assert case_management.startswith(
        "In case-management records the means of control named most is false promises: 2,132 of the "
        "2,644 records that name one (80.6%,"
    )
    assert "2002-2009 to 2010-2017" in case_management
    assert "a change of -18.4 points" in case_management
    assert hotline.startswith(
        "the means of control named most is psychological abuse: 1,930 of the 5,566 records that "
        "name one (34.7%,"
    )
    assert hotline.endswith("which may be none.")
