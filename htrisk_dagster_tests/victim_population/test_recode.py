"""Every published value becomes ours by rule, and the table of recodes accounts for all."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.schemas.victim_population import INDICATORS, RECORDS, snake_case
from htrisk_dagster.victim_population import ctdc_files, recode
from htrisk_dagster_tests.victim_population.ctdc_layouts import (
    FIRST_SYNTHETIC,
    K_ANONYMISED,
    LATER_SYNTHETIC,
    k_anonymised_rows,
    synthetic_rows,
    write_csv,
)
from htrisk_dagster_tests.victim_population.real_release import ask, clean_release


def clean_rows(tmp_path: Path, header: list[str], rows: list[dict[str, str]]) -> recode.Cleaned:
    return recode.clean(ctdc_files.read_file(write_csv(tmp_path / "a.csv", header, rows)))


def recodes_of(cleaned: recode.Cleaned, column: str) -> set[tuple]:
    return set(cleaned.recodes.filter(pl.col("column") == column).drop("column").iter_rows())


@pytest.mark.parametrize(
    ("column", "published", "ours", "expected"),
    [
        ("ageBroad", "9--17", "age_midpoint_years", 13.0),
        ("ageBroad", "09--17", "age_band", "9--17"),
        ("ageBroad", "0--8", "age_midpoint_years", 4.0),
        ("ageBroad", "48+", "age_midpoint_years", 52.0),
        ("ageBroad", "-99", "age_midpoint_years", None),
        ("ageBroad", "Not Specified", "age_band", None),
        ("traffickMonths", "0--12 (0-1 yr)", "trafficked_months", 0),
        ("traffickMonths", "13--24 (1-2 yrs)", "trafficked_months", 13),
        ("traffickMonths", "25+ (2+ yrs)", "trafficked_months", 25),
        ("traffickMonths", "25+ (2+ yrs)", "trafficked_months_band", "25+ (2+ yrs)"),
        ("traffickMonths", "-99", "trafficked_months", None),
        ("gender", "Woman", "gender", "female"),
        ("gender", "Trans/Transgender/NonConforming", "gender", "other"),
        ("citizenship", "PHL", "citizenship", "PH"),
        ("citizenship", "Philippines", "citizenship", "PH"),
        ("citizenship", "Ivory Coast", "citizenship", "CI"),
        ("citizenship", "Korea, Republic of", "citizenship", "KR"),
        ("citizenship", "ZZ", "citizenship", None),
        ("citizenship", "-99", "citizenship", None),
        ("isForcedLabour", "1.0", "is_forced_labour", True),
        ("isForcedLabour", "0", "is_forced_labour", False),
        ("isForcedLabour", "-99", "is_forced_labour", None),
        ("isForcedLabour", "", "is_forced_labour", None),
        ("yearOfRegistration", "2016.0", "year_of_registration", 2016),
    ],
)  # fmt: skip
def test_a_value_becomes_ours_by_rule(tmp_path, column, published, ours, expected):
    cleaned = clean_rows(tmp_path, LATER_SYNTHETIC, [{"gender": "Male", column: published}])
    assert cleaned.records[ours].to_list() == [expected]


@pytest.mark.parametrize(
    ("other", "expected"), [("UA", ["NA", "UA"]), ("UKR", [None, "UA"]), ("Ukraine", [None, "UA"])]
)
def test_na_is_namibia_only_among_two_letter_codes(tmp_path, other, expected):
    rows = [{"citizenship": "NA"}, {"citizenship": other}]
    assert clean_rows(tmp_path, K_ANONYMISED, rows).records["citizenship"].to_list() == expected


def test_a_no_beside_an_unknown_recruiter_is_unknown_and_a_yes_stays(tmp_path):
    answers = [("0", "1"), ("1", "1"), ("0", "0"), ("", "1"), ("-99", "1")]
    rows = [
        {"recruiterRelationFriend": friend, "recruiterRelationUnknown": unknown}
        for friend, unknown in answers
    ]
    cleaned = clean_rows(tmp_path, K_ANONYMISED, rows)
    assert cleaned.records["recruiter_relation_friend"].to_list() == [None, True, False, None, None]
    before = cleaned.recodes.filter(pl.col("column") == "recruiter_relation_friend")["value_before"]
    assert "0 (recruiterRelationUnknown = 1)" in before.to_list()


def test_yes_to_a_group_of_means_says_of_none_which_and_no_says_no_to_each(tmp_path):
    rows = [{"meansAbusePsyPhySex": answer} for answer in ("1", "0", "-99")]
    cleaned = clean_rows(tmp_path, LATER_SYNTHETIC, rows)
    for part in ("psychological_abuse", "physical_abuse", "sexual_abuse"):
        assert cleaned.records[f"means_of_control_{part}"].to_list() == [None, False, None]
    assert any("meansAbusePsyPhySex: 1 records say yes to a group" in n for n in cleaned.notes)
    assert cleaned.records["means_abuse_psy_phy_sex"].to_list() == [True, False, None]
    assert cleaned.records["means_deny_basic_needs"].to_list() == [None, None, None]
    assert recodes_of(cleaned, "means_abuse_psy_phy_sex") == {
        ("meansAbusePsyPhySex", "1", "yes", "value", 1),
        ("meansAbusePsyPhySex", "0", "no", "value", 1),
        ("meansAbusePsyPhySex", "-99", None, "unknown", 1),
    }


def test_a_group_is_yes_by_any_part_no_by_all_and_else_unknown(tmp_path):
    said = ["1", "0", "-99"]
    rows = [
        {"meansOfControlDebtBondage": debt, "meansOfControlTakesEarnings": earnings}
        for debt in said
        for earnings in said
    ]
    cleaned = clean_rows(tmp_path, K_ANONYMISED, rows)
    yes, no, unknown = True, False, None
    assert cleaned.records["means_debt_bondage_earnings"].to_list() == [
        yes, yes, yes,
        yes, no, unknown,
        yes, unknown, unknown,
    ]  # fmt: skip
    parts = "meansOfControlDebtBondage, meansOfControlTakesEarnings"
    assert recodes_of(cleaned, "means_debt_bondage_earnings") == {
        (parts, "a part is yes", "yes", "from_parts", 5),
        (parts, "all parts are no", "no", "from_parts", 1),
        (parts, "no part is yes, not all are no", None, "from_parts", 3),
    }


def test_a_no_to_the_parts_that_a_release_has_is_no_no_to_the_one_it_lacks(tmp_path):
    told = ("RestrictsMovement", "RestrictsMedicalCa", "WithholdsNecessiti")
    rows = [{f"meansOfControl{part}": answer for part in told} for answer in ("0", "1")]
    cleaned = clean_rows(tmp_path, FIRST_SYNTHETIC, rows)
    assert cleaned.records["means_deny_basic_needs"].to_list() == [None, True]


def test_a_release_with_neither_a_group_nor_its_parts_says_so(tmp_path):
    header = [name for name in LATER_SYNTHETIC if name != "meansDenyBasicNeeds"]
    cleaned = clean_rows(tmp_path, header, synthetic_rows(5, 1, header))
    assert recodes_of(cleaned, "means_deny_basic_needs") == {(None, None, None, "not_in_file", 5)}
    assert any("means_deny_basic_needs" in n for n in cleaned.notes if "has no column for" in n)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("isForcedLabour", "2"),
        ("gender", "Famale"),
        ("ageBroad", "minor"),
        ("traffickMonths", "one year"),
        ("traffickMonths", "24--13"),
        ("traffickMonths", "-5"),
        ("traffickMonths", "0--12 (0\u200e-1 yr)"),
        ("ageBroad", "17--9"),
        ("yearOfRegistration", "201"),
        ("yearOfRegistration", "2090"),
        ("citizenship", "45352"),
        ("CountryOfExploitation", "-1-cmd"),
    ],
)
def test_a_value_without_a_rule_is_refused_with_its_column(tmp_path, column, value):
    with pytest.raises(SourceError, match=re.escape(f"a.csv: column '{column}' has {value!r}")):
        clean_rows(tmp_path, LATER_SYNTHETIC, [{column: value}])


@pytest.mark.parametrize("header", [K_ANONYMISED, FIRST_SYNTHETIC, LATER_SYNTHETIC], ids=len)
def test_the_recodes_of_each_column_add_up_to_all_records_and_to_the_result(tmp_path, header):
    rows = k_anonymised_rows(400, 3) if header is K_ANONYMISED else synthetic_rows(400, 3, header)
    cleaned = clean_rows(tmp_path, header, rows)
    assert set(cleaned.recodes["column"]) == set(RECORDS.column_names)
    for name in RECORDS.column_names:
        part = cleaned.recodes.filter(pl.col("column") == name)
        assert part["records_count"].sum() == 400
        told = Counter()
        for after, n in part.select("value_after", "records_count").iter_rows():
            told[after] += n
        words = {True: "yes", False: "no", None: None}
        found = Counter(
            words[v] if v is None or isinstance(v, bool) else str(v) for v in cleaned.records[name]
        )
        assert told == found


def test_countries_that_resolve_to_nothing_are_counted_and_said(tmp_path):
    rows = synthetic_rows(400, 5, LATER_SYNTHETIC)
    cleaned = clean_rows(tmp_path, LATER_SYNTHETIC, rows)
    odd = sum(row["citizenship"] == "ZZ" for row in rows)
    unresolved = cleaned.recodes.filter(pl.col("rule") == "unresolved")
    assert unresolved.select("column", "value_before", "records_count").rows() == [
        ("citizenship", "ZZ", odd)
    ]
    assert any(f"citizenship: {odd} records name no ISO country (ZZ)" in n for n in cleaned.notes)
    assert set(cleaned.records["country_of_exploitation"]) == {"US", "RU", "KR", None}


def test_columns_that_a_release_lacks_are_unknown_and_said(tmp_path):
    cleaned = clean_rows(tmp_path, LATER_SYNTHETIC, synthetic_rows(20, 1, LATER_SYNTHETIC))
    assert cleaned.records["data_source"].null_count() == 20
    assert cleaned.records["is_organ_removal"].null_count() == 20
    (said,) = (note for note in cleaned.notes if "has no column for" in note)
    assert "data_source" in said
    assert "is_organ_removal" in said


@pytest.mark.real_data
def test_the_real_release_keeps_every_record_and_its_years():
    cleaned = clean_release()
    years = cleaned.records["year_of_registration"]
    assert (cleaned.records.height, years.min(), years.max()) == (47_102, 2002, 2017)
    assert cleaned.recodes.group_by("column").agg(pl.col("records_count").sum())[
        "records_count"
    ].unique().to_list() == [47_102]
    assert cleaned.recodes.filter(pl.col("rule") == "unresolved").is_empty()


@pytest.mark.real_data
def test_yes_no_and_unknown_of_every_indicator_are_those_that_sql_counts():
    cleaned = clean_release()
    questions = []
    for name in INDICATORS:
        flag = "'0'"
        if re.match("typeOfLabour(?!NotSpecified)", name):
            flag = "typeOfLabourNotSpecified"
        if re.match("recruiterRelation(?!Unknown)", name):
            flag = "recruiterRelationUnknown"
        if re.match("meansOfControl(?!NotSpecified)", name):
            flag = "meansOfControlNotSpecified"
        questions.append(
            f"count(*) filter ({name} = '1'), "
            f"count(*) filter ({name} = '0' and coalesce({flag}, '0') <> '1')"
        )
    (counts,) = ask(f"select {', '.join(questions)} from release")
    for name, yes, no in zip(INDICATORS, counts[::2], counts[1::2], strict=True):
        ours = cleaned.records[snake_case(name)]
        assert (ours.sum(), (~ours).sum(), ours.null_count()) == (yes, no, 47_102 - yes - no), name


@pytest.mark.real_data
def test_groups_of_means_in_the_real_release_are_those_that_sql_makes_of_the_parts():
    cleaned = clean_release()
    groups = {
        "means_debt_bondage_earnings": ["DebtBondage", "TakesEarnings"],
        "means_abuse_psy_phy_sex": ["PsychologicalAbuse", "PhysicalAbuse", "SexualAbuse"],
        "means_deny_basic_needs": [
            "RestrictsFinancialAccess", "RestrictsMovement", "RestrictsMedicalCare",
            "WithholdsNecessities",
        ],
    }  # fmt: skip
    for group, parts in groups.items():
        yes = " or ".join(f"meansOfControl{part} = '1'" for part in parts)
        no = " and ".join(f"meansOfControl{part} = '0'" for part in parts)
        specified = "coalesce(meansOfControlNotSpecified, '0') <> '1'"
        ((n_yes, n_no),) = ask(
            f"select count(*) filter ({yes}), count(*) filter ({no} and {specified}) from release"
        )
        ours = cleaned.records[group]
        assert n_yes > 0
        assert (ours.sum(), (~ours).sum()) == (n_yes, n_no), group
        assert ours.null_count() == 47_102 - n_yes - n_no


@pytest.mark.real_data
def test_unknown_stays_unknown_in_the_real_release():
    cleaned = clean_release()
    unknown = {name: cleaned.records[name].null_count() for name in cleaned.records.columns}
    assert unknown["gender"] == 255
    assert unknown["age_band"] == 11_819 + 5_543
    assert unknown["majority_status_at_exploit"] == 35_285 + 6_618
    assert unknown["citizenship"] == 7_484 + 206
    assert unknown["country_of_exploitation"] == 11_688 + 94
    assert unknown["is_sexual_exploit"] == 25_957
    assert unknown["recruiter_relation_friend"] == 8_211 + 31_093
    assert unknown["trafficked_months"] == 47_102
