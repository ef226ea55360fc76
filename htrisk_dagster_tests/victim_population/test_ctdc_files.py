"""Which file is CTDC's, which of several is read, and what is refused."""

from __future__ import annotations

import gzip
import os
from pathlib import Path

import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.victim_population import ctdc_files
from htrisk_dagster_tests.victim_population.ctdc_layouts import (
    FIRST_SYNTHETIC,
    K_ANONYMISED,
    LATER_SYNTHETIC,
    k_anonymised_rows,
    synthetic_rows,
    write_csv,
)


def test_the_58_column_layout_is_known_by_its_header_and_leaves_two_columns_unread(tmp_path):
    path = write_csv(tmp_path / "any name.csv.gz", K_ANONYMISED, k_anonymised_rows(30, 1))
    release = ctdc_files.read_release(tmp_path)
    assert len(K_ANONYMISED) == 58
    assert (release.file.path, release.file.layout, release.left_aside) == (
        path,
        "k_anonymised",
        (),
    )
    assert release.file.rows.shape == (30, 58)
    assert release.file.unread == ["majorityEntry", "RecruiterRelationship"]


def test_names_cut_after_32_characters_are_the_same_columns(tmp_path):
    path = write_csv(tmp_path / "a.csv", FIRST_SYNTHETIC, synthetic_rows(5, 1, FIRST_SYNTHETIC))
    file = ctdc_files.read_file(path)
    assert (len(FIRST_SYNTHETIC), file.layout) == (37, "synthetic")
    assert (
        file.columns["meansOfControlThreatOfLawEnforcement"] == "meansOfControlThreatOfLawEnforce"
    )
    assert file.columns["meansOfControlRestrictsMedicalCare"] == "meansOfControlRestrictsMedicalCa"
    assert file.unread == ["typeOfSexOther"]
    # This release tells three of the four parts of denied needs, and finances not at all.
    assert file.parts_of("meansDenyBasicNeeds") == [
        "meansOfControlRestrictsMovement",
        "meansOfControlRestrictsMedicalCa",
        "meansOfControlWithholdsNecessiti",
    ]


def test_later_releases_say_eight_means_under_other_names_and_in_groups(tmp_path):
    path = write_csv(tmp_path / "a.csv", LATER_SYNTHETIC, synthetic_rows(5, 1, LATER_SYNTHETIC))
    file = ctdc_files.read_file(path)
    assert file.columns["meansOfControlPsychoactiveSubstances"] == "meansDrugsAlcohol"
    assert file.groups["meansOfControlSexualAbuse"] == "meansAbusePsyPhySex"
    assert len(file.groups) == 2 + 3 + 4
    assert file.columns["meansAbusePsyPhySex"] == "meansAbusePsyPhySex"
    assert file.parts_of("meansAbusePsyPhySex") == []
    assert file.unread == []


def test_of_several_releases_the_one_with_the_most_records_is_read_and_the_rest_named(tmp_path):
    write_csv(tmp_path / "a.csv", K_ANONYMISED, k_anonymised_rows(3, 1))
    longest = write_csv(tmp_path / "b.csv", LATER_SYNTHETIC, synthetic_rows(9, 1, LATER_SYNTHETIC))
    (tmp_path / "other.csv").write_text("year,place\n2020,here\n")
    release = ctdc_files.read_release(tmp_path)
    assert release.file.path == longest
    assert len(release.left_aside) == 1
    assert "a.csv (k_anonymised, 3 records) was left aside" in release.left_aside[0]
    assert ctdc_files.read_release(tmp_path, "k_anonymised").file.rows.height == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("yearOfRegistration,CountryOfExploitation,ageBroad\n2010,US,9--17\n", "column 'gender'"),
        (",".join(K_ANONYMISED) + "\n", "has a header and no record"),
        (",".join([*K_ANONYMISED, "meansThreats"]) + "\n", "both say meansOfControlThreats"),
        (",".join(K_ANONYMISED) + "\n" + "," * 57 + "\n2010,US\n", "line 3 has 2 fields"),
        (",".join(K_ANONYMISED) + "\n" + "," * 58 + "\n", "line 2 has 59 fields"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_whole_is_refused_in_a_sentence(tmp_path, content, said):
    path = tmp_path / "a.csv"
    path.write_text(content)
    with pytest.raises(SourceError, match=r"a\.csv") as caught:
        ctdc_files.read_file(path)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (",".join(K_ANONYMISED) + "\n2010" + "," * 57 + "\n" + "," * 57 + "\n", "record 2 holds no value"),
        (",".join(K_ANONYMISED) + "\n2010" + "," * 57, "ends behind a comma"),
        (",".join(K_ANONYMISED) + "\n" + "x" * (2 << 20) + "\n", "a line of more than 1,048,576 bytes"),
    ],
)  # fmt: skip
def test_what_a_cut_or_a_slip_has_taken_away_is_not_unknown(tmp_path, content, said):
    (tmp_path / "a.csv").write_text(content)
    with pytest.raises(SourceError, match=said):
        ctdc_files.read_release(tmp_path)


def test_a_file_too_large_or_packed_too_tightly_is_refused_before_it_is_read(tmp_path):
    header = ",".join(K_ANONYMISED).encode() + b"\n"
    (tmp_path / "a.csv").write_bytes(header)
    os.truncate(tmp_path / "a.csv", 10_000_000_000)
    with pytest.raises(SourceError, match=r"a\.csv has 10\.0 GB"):
        ctdc_files.read_release(tmp_path)
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(header + (b"0" * 1000 + b"\n") * 40_000))
    with pytest.raises(SourceError, match="It was made to fill memory"):
        ctdc_files.read_release(tmp_path)


def test_a_release_in_utf_16_is_read(tmp_path):
    path = write_csv(tmp_path / "a.csv", K_ANONYMISED, k_anonymised_rows(4, 1))
    rows = ctdc_files.read_file(path).rows
    path.write_bytes(path.read_bytes().decode().encode("utf-16"))
    assert ctdc_files.read_release(tmp_path).file.rows.equals(rows)


def test_a_comma_within_quotes_is_no_field(tmp_path):
    rows = synthetic_rows(1, 1, LATER_SYNTHETIC)
    rows[0]["CountryOfExploitation"] = "Korea, Republic of"
    file = ctdc_files.read_file(write_csv(tmp_path / "a.csv", LATER_SYNTHETIC, rows))
    assert file.rows["CountryOfExploitation"].to_list() == ["Korea, Republic of"]


def test_a_download_cut_short_is_refused(tmp_path):
    whole = gzip.compress((",".join(K_ANONYMISED) + "\n" + ("," * 57 + "\n") * 50_000).encode())
    (tmp_path / "a.csv.gz").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SourceError, match="cut short"):
        ctdc_files.read_release(tmp_path)


def test_no_folder_and_no_file_are_said(tmp_path):
    with pytest.raises(SourceError, match="There is no folder"):
        ctdc_files.read_release(tmp_path / "absent")
    with pytest.raises(SourceError, match="holds no CTDC file of the synthetic layout among its 1"):
        write_csv(tmp_path / "a.csv", K_ANONYMISED, k_anonymised_rows(1, 1))
        ctdc_files.read_release(tmp_path, "synthetic")


@pytest.mark.real_data
def test_the_real_folder_has_47102_records_and_its_excerpt_is_not_added():
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "ctdc"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: the 2018 release is needed")
    release = ctdc_files.read_release(folder)
    assert release.file.rows.shape == (47_102, 58)
    assert ["sample_head_2018.csv" in said for said in release.left_aside] == [True]
