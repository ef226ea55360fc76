from __future__ import annotations

import zipfile
from datetime import date
from pathlib import Path

import duckdb
import polars as pl
import pytest
from htrisk_dagster.errors import SourceError
from htrisk_dagster.sources import reported_offences
from htrisk_dagster_tests.sources.nibrs_deliveries import (
    AGENCIES,
    INCIDENTS,
    LOCATION_ROWS,
    LOCATIONS,
    MERGED,
    REAL_NIBRS,
    VICTIMS,
    agency,
    incident,
    merged,
    needs_real_nibrs,
    offence,
    read_agencies,
    read_offences,
    write_delivery,
    zip_folder,
)
from htrisk_dagster_tests.sources.published_files import broken_rules, write_file

COLUMNS = (
    "incident_id",
    "agency_id",
    "occurred_on",
    "occurred_hour",
    "nibrs_code",
    "offence",
    "location",
)


def accounts(result) -> dict[str, tuple[int, int, int]]:
    """Rows read, kept and refused by source."""
    sums = result.files.group_by("source").agg(pl.col("^rows_.*$").sum())
    return {source: (read, kept, refused) for source, read, kept, refused in sums.rows()}


def test_the_fbis_files_are_joined(tmp_path: Path):
    write_delivery(
        tmp_path, [incident(7, "2023-05-01", flag="R"), incident(8, "2023-05-02", "")],
        [offence(1, 7), offence(2, 7, "13A", 13), offence(3, 8, location="")],
    )  # fmt: skip
    result = read_offences(tmp_path)
    assert result.kept.select(COLUMNS).rows() == [
        ("7", "1", date(2023, 5, 1), 13, "35A", "Drug/Narcotic Violations", "Residence/Home"),
        ("7", "1", date(2023, 5, 1), 13, "13A", "Aggravated Assault",
         "Highway/Road/Alley/Street/Sidewalk"),
        ("8", "1", date(2023, 5, 2), None, "35A", "Drug/Narcotic Violations", None),
    ]  # fmt: skip
    assert result.kept["is_report_day"].to_list() == [True, True, False]
    assert not result.kept["is_incident_derived"].any()
    assert accounts(result) == {
        "nibrs_incidents": (2, 2, 0), "nibrs_offences": (3, 3, 0), "nibrs_offence_types": (2, 2, 0),
        "nibrs_locations": (2, 2, 0),
    }  # fmt: skip


def test_upper_case_headers_old_dates_and_type_numbers_in_a_zip_give_the_same(tmp_path: Path):
    write_delivery(
        tmp_path / "new", [incident(7, "2018-01-05")], [offence(1, 7), offence(2, 7, "13A")]
    )
    old = tmp_path / "old"
    for path in (tmp_path / "new").iterdir():
        head, *rows = path.read_text().splitlines()
        text = [head.upper(), *rows]
        if path.name == "NIBRS_incident.csv":
            text = [line.replace("2018-01-05", "05-JAN-18") for line in text]
        if path.name == "NIBRS_OFFENSE.csv":
            text = [text[0].replace("OFFENSE_CODE", "OFFENSE_TYPE_ID"),
                    *(r.replace("35A", "16").replace("13A", "27") for r in rows)]  # fmt: skip
        if path.name == "NIBRS_OFFENSE_TYPE.csv":
            text = ["OFFENSE_TYPE_ID," + text[0], f"16,{rows[0]}", f"27,{rows[1]}"]
        write_file(old / path.name, *text)
    write_file(old / "NIBRS_VICTIM.csv", VICTIMS.upper(), "2018,1,7,1,4,33,F,20")
    zipped = zip_folder(old, tmp_path / "zipped/CT-2018.zip")

    new, of_zip = read_offences(tmp_path / "new"), read_offences(zipped.parent)

    assert of_zip.kept.select(COLUMNS).equals(new.kept.select(COLUMNS))
    assert set(of_zip.kept["source_file"]) == {"CT-2018.zip/CT/NIBRS_OFFENSE.csv"}
    assert of_zip.kept["pulled_on"].equals(new.kept["pulled_on"])


def test_victims_never_leave_the_zip(tmp_path: Path):
    write_delivery(tmp_path / "a", [incident(7, "2023-05-01")], [offence(1, 7)])
    write_file(tmp_path / "a/NIBRS_VICTIM.csv", VICTIMS, "2023,1,7,1,4,33,F,20")
    zip_folder(tmp_path / "a", tmp_path / "b/CT-2023.zip")
    with reported_offences.unpacked(tmp_path / "b") as files:
        names = {path.name for path in files.rglob("*.csv")}
        assert "NIBRS_incident.csv" in names
        assert "NIBRS_VICTIM.csv" not in names
    assert not files.exists()


def test_every_row_that_no_join_keeps_is_refused_with_its_reason(tmp_path: Path):
    write_delivery(
        tmp_path,
        [incident(1, "2023-05-01"), incident(2, "2023-13-01"), incident(3, "2023-05-03", agency_id=9),
         incident(4, "2023-05-04"), incident(5, "2023-05-05", 24)],
        [offence(1, 1), offence(2, 2), offence(3, 3), offence(4, 1, "99Z"), offence(5, 77),
         offence(6, 5), "2023,,1,35A,C,18,,", offence(1, 1)],
        agency(9, 2023, state_abbr="NY"),
    )  # fmt: skip
    result = read_offences(tmp_path)
    found = result.quarantined.sort("source", "source_row").select(
        "source", "source_row", "rule", "value"
    )
    assert found.rows() == [
        ("nibrs_incidents", 2, "occurrence_date_unreadable", "2023-13-01"),
        ("nibrs_incidents", 3, "no_offence", "3"),
        ("nibrs_incidents", 4, "no_offence", "4"),
        ("nibrs_incidents", 5, "hour_unreadable", "24"),
        ("nibrs_offences", 1, "repeated_key", "1"),
        ("nibrs_offences", 2, "incident_absent", "2"),
        ("nibrs_offences", 3, "agency_unknown", "9"),
        ("nibrs_offences", 4, "offence_unknown", "99Z"),
        ("nibrs_offences", 5, "incident_absent", "77"),
        ("nibrs_offences", 6, "incident_absent", "5"),
        ("nibrs_offences", 7, "offence_number_missing", None),
    ]
    assert result.kept["source_row"].to_list() == [8]
    assert accounts(result)["nibrs_incidents"] == (5, 1, 4)
    assert accounts(result)["nibrs_offences"] == (8, 1, 7)


def test_rows_of_a_merged_file_with_one_hour_and_place_are_one_incident(tmp_path: Path):
    write_file(tmp_path / "agencies.csv", AGENCIES, agency(1, 2023))
    write_file(
        tmp_path / "merged.csv", MERGED, merged("2023-05-01"), merged("2023-05-01", "13.0"),
        merged("2023-05-01", offense_name="Drug/Narcotic Violations"),
        merged("2023-05-01", location_area="Bank"), merged("2023-05-01", ""),
    )  # fmt: skip
    kept = read_offences(tmp_path).kept
    numbers = kept.group_by("incident_id").len().sort("incident_id").rows()
    assert numbers == [
        ("1|2023-05-01|13|Bank", 1), ("1|2023-05-01|13|Residence/Home", 3),
        ("1|2023-05-01|unknown hour|Residence/Home", 1),
    ]  # fmt: skip
    assert kept["is_incident_derived"].all()


def test_bad_rows_of_a_merged_file_are_refused(tmp_path: Path):
    write_file(tmp_path / "agencies.csv", AGENCIES, agency(1, 2023))
    write_file(
        tmp_path / "merged.csv", MERGED, merged("2023-05-01"), merged("2023-05-32"),
        merged("2023-05-01", "noon"), merged("2023-05-01", agency_location=5),
        merged("2023-05-01", offense_name=""), merged("2027-05-01"), "2023,1",
    )  # fmt: skip
    result = read_offences(tmp_path)
    assert sorted(broken_rules(result)) == [
        (2, "occurrence_date_unreadable", "incident_date", "2023-05-32"),
        (3, "hour_unreadable", "incident_hour", "noon"),
        (4, "agency_unknown", "AGENCY_ID", "5"),
        (5, "offence_missing", "offense_name", None),
        (6, "occurrence_after_file", "incident_date", "2027-05-01"),
        (7, "ragged_row", "whole row", "2 fields, the header has 12"),
    ]
    assert accounts(result)["nibrs_merged"] == (7, 1, 6)


def test_the_fbis_own_files_win_over_a_merged_one_of_the_same_year(tmp_path: Path):
    write_delivery(tmp_path, [incident(7, "2023-05-01")], [offence(1, 7)], agency(2, 2023))
    write_file(
        tmp_path / "merged.csv", MERGED, merged("2023-06-01"), merged("2022-06-01"),
        merged("2023-06-01", agency_location=2),
    )  # fmt: skip
    result = read_offences(tmp_path)
    assert [(row, rule) for row, rule, *_ in broken_rules(result)] == [(1, "year_covered")]
    assert result.kept.height == 3


def test_a_delivery_without_a_file_it_needs_is_a_sentence(tmp_path: Path):
    write_delivery(tmp_path, [incident(7, "2023-05-01")], [offence(1, 7)])
    (tmp_path / "NIBRS_OFFENSE_TYPE.csv").unlink()
    with pytest.raises(SourceError, match=r"without a usable file of nibrs_offence_types"):
        read_offences(tmp_path)
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    with pytest.raises(SourceError, match=r"bad\.zip cannot be unpacked"):
        read_offences(tmp_path)


def with_field(archive: Path, at: dict[bytes, int], value: int) -> None:
    """Write a field of two bytes into every header of a zip: APPNOTE.TXT, 4.3.7 and 4.3.12."""
    content = bytearray(archive.read_bytes())
    for mark, offset in at.items():
        place = content.find(mark)
        while place >= 0:
            content[place + offset : place + offset + 2] = value.to_bytes(2, "little")
            place = content.find(mark, place + 4)
    archive.write_bytes(content)


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ({b"PK\x03\x04": 6, b"PK\x01\x02": 8}, 1, "password"),
        ({b"PK\x03\x04": 8, b"PK\x01\x02": 10}, 99, "compression method is not supported"),
    ],
)
def test_a_zip_that_is_locked_or_packed_in_a_way_of_its_own_is_a_sentence(
    tmp_path, field, value, said
):
    write_delivery(tmp_path / "a", [incident(7, "2023-05-01")], [offence(1, 7)])
    with_field(zip_folder(tmp_path / "a", tmp_path / "b/CT.zip"), field, value)
    with pytest.raises(SourceError, match=rf"CT\.zip cannot be unpacked .*{said}"):
        read_offences(tmp_path / "b")


def test_a_zip_that_is_torn_or_would_fill_the_memory_is_a_sentence(tmp_path: Path):
    path = tmp_path / "CT.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("NIBRS_incident.csv", f"{INCIDENTS}\n" + "0" * (40 << 20))
    with pytest.raises(SourceError, match=r"CT\.zip unpacks to more than 42 MB from 0\.\d+ MB"):
        read_offences(tmp_path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("NIBRS_incident.csv", f"{INCIDENTS}\n{incident(7, '2023-05-01')}\n")
    content = bytearray(path.read_bytes())
    content[30 + len("NIBRS_incident.csv")] = 0xFF  # no block of DEFLATE is of kind 3
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"CT\.zip cannot be unpacked .*invalid block type"):
        read_offences(tmp_path)


def test_a_member_in_another_coding_is_read(tmp_path: Path):
    write_delivery(tmp_path / "a", [incident(7, "2023-05-01")], [offence(1, 7)])
    locations = tmp_path / "a/NIBRS_LOCATION_TYPE.csv"
    locations.write_bytes(locations.read_text().encode("utf-16"))
    zip_folder(tmp_path / "a", tmp_path / "b/CT.zip")
    assert read_offences(tmp_path / "b").kept["location"].to_list() == ["Residence/Home"]


def test_a_kind_of_place_that_no_list_has_is_refused_and_the_list_is_needed(tmp_path: Path):
    write_delivery(
        tmp_path, [incident(7, "2023-05-01")],
        [offence(1, 7), offence(2, 7, location=99), offence(3, 7, location="")],
    )  # fmt: skip
    result = read_offences(tmp_path)
    assert result.kept["location"].to_list() == ["Residence/Home", None]
    assert broken_rules(result) == [(2, "location_unknown", "LOCATION_ID", "99")]
    (tmp_path / "NIBRS_LOCATION_TYPE.csv").unlink()
    with pytest.raises(SourceError, match="without a usable file of nibrs_locations"):
        read_offences(tmp_path)


def test_numbers_codes_and_labels_of_the_fbi_have_their_shape(tmp_path: Path):
    write_delivery(
        tmp_path, [incident(7, "2023-05-01"), incident("1.7E+08", "2023-05-02")],
        [offence(1, 7), offence(2, 7, "12.5"), offence("3O", 7), offence(4, 7, location='"1,2"')],
    )  # fmt: skip
    write_file(tmp_path / "NIBRS_LOCATION_TYPE.csv", LOCATIONS, *LOCATION_ROWS, "19,21,45352")
    result = read_offences(tmp_path)
    assert result.kept["source_row"].to_list() == [1]
    assert sorted(broken_rules(result)) == [
        (2, "code_unreadable", "offense_code", "12.5"), (2, "number_unreadable", "incident_id", "1.7E+08"),
        (3, "label_without_letters", "location_name", "45352"),
        (3, "number_unreadable", "offense_id", "3O"), (4, "number_unreadable", "location_id", "1,2"),
    ]  # fmt: skip


def test_an_empty_folder_gives_empty_tables(tmp_path: Path):
    assert read_offences(tmp_path).kept.is_empty()
    assert read_agencies(tmp_path).kept.is_empty()


@pytest.mark.real_data
@needs_real_nibrs
def test_the_real_files_agree_with_a_second_engine():
    result = read_offences(REAL_NIBRS)
    table = f"read_csv('{REAL_NIBRS}/CT_*_merged_data.csv.gz', all_varchar = true)"
    by_day = duckdb.sql(
        "SELECT agency_location AS agency_id, CAST(incident_date AS DATE) AS occurred_on, "
        f"count(*) AS n, count(DISTINCT incident_hour || location_area) AS incidents FROM {table} "
        "GROUP BY ALL ORDER BY ALL"
    ).pl()
    found = result.kept.group_by("agency_id", "occurred_on").agg(
        pl.len().cast(pl.Int64).alias("n"),
        pl.col("incident_id").n_unique().cast(pl.Int64).alias("incidents"),
    )
    assert found.sort("agency_id", "occurred_on").equals(by_day)
    assert accounts(result)["nibrs_merged"] == (35_461, 35_461, 0)
    assert by_day["incidents"].sum() == 28_268
