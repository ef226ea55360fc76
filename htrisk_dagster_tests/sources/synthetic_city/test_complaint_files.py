from __future__ import annotations

import polars as pl
from htrisk_dagster.sources.synthetic_city.land import BOROUGHS
from htrisk_dagster.sources.synthetic_city.offences import OFFENCES

from .conftest import YEAR_TO_DATE, City

PERSON = ("SUSP_", "VIC_")


def test_files_overlap_by_the_first_reports_of_the_last_year(city: City) -> None:
    both = set(city.historic["CMPLNT_NUM"]) & set(city.year_to_date["CMPLNT_NUM"])
    assert len(both) == 300
    reported = city.historic.filter(pl.col("CMPLNT_NUM").is_in(both))["RPT_DT"].unique().sort()
    assert set(reported) <= {"01/01/2024", "01/02/2024", "01/03/2024"}
    assert city.year_to_date["RPT_DT"].str.ends_with("2024").all()


def test_a_complaint_reads_the_same_in_both_files(city: City) -> None:
    columns = ["CMPLNT_NUM", "KY_CD", "RPT_DT", "CMPLNT_FR_TM", "Latitude", "Lat_Lon"]
    historic, new = (
        t.select(columns).unique("CMPLNT_NUM") for t in (city.historic, city.year_to_date)
    )
    joined = historic.join(new, on="CMPLNT_NUM", suffix="_new")
    for column in columns[1:]:
        assert joined[column].eq_missing(joined[f"{column}_new"]).all()


def test_numbers_are_nine_digits_and_few_repeat(city: City) -> None:
    for table in (city.historic, city.year_to_date):
        assert table["CMPLNT_NUM"].str.contains(r"^\d{9}$").all()
        repeated = table.height - table["CMPLNT_NUM"].n_unique()
        assert repeated == round((table.height - repeated) / 10_000)


def test_defects_stand_in_their_share(city: City) -> None:
    both = pl.concat([city.historic, city.year_to_date.select(city.historic.columns)])
    once = both.unique("CMPLNT_NUM")
    assert once["CMPLNT_FR_DT"].str.ends_with("1919").sum() == 1
    assert (once["Latitude"] == "0.0").sum() == 1
    assert (once["Latitude"] == "40.112709974").sum() == 1
    null_text = (once["PREM_TYP_DESC"] == "(null)").sum()
    assert 0.9 < null_text / (once.height / 1000) <= 1.01


def test_year_to_date_quotes_every_value(city: City) -> None:
    with (city.folder / YEAR_TO_DATE).open() as file:
        lines = [file.readline().rstrip("\n") for _ in range(500)]
    for line in lines:
        assert line.startswith('"')
        assert '"(null)"' in line or "CMPLNT_NUM" in line


def test_person_columns_hold_only_unknown(city: City) -> None:
    for table in (city.historic, city.year_to_date):
        person = [c for c in table.columns if c.startswith(PERSON)]
        assert len(person) == 6
        for column in person:
            assert set(table[column].unique()) <= {"UNKNOWN", "U"}


def test_point_is_written_alike_in_all_four_ways(city: City) -> None:
    placed = city.year_to_date.drop_nulls("Latitude")
    assert (
        placed["Lat_Lon"] == placed.select(pl.format("({}, {})", "Latitude", "Longitude"))[:, 0]
    ).all()
    wkt = placed.select(pl.format("POINT ({} {})", "Longitude", "Latitude"))[:, 0]
    assert (placed["New Georeferenced Column"] == wkt).all()
    assert placed["Latitude"].str.split(".").list.last().str.len_chars().max() <= 9


def test_feet_agree_with_degrees_at_a_worked_point(city: City) -> None:
    # At the middle of the city a degree of latitude is 364,400 feet, one of longitude 276,700;
    # (984,250 ft, 0 ft) is 40 degrees 10' N, 74 degrees W by definition of EPSG:2263.
    placed = city.complaints.filter(
        pl.col("Latitude").cast(pl.Float64).is_between(40.5, 41)
    ).select(pl.col("X_COORD_CD", "Y_COORD_CD", "Latitude", "Longitude").cast(pl.Float64))
    north = (placed["Latitude"] - (40 + 10 / 60)) * 364_400
    east = (placed["Longitude"] + 74) * 276_700 + 984_250
    assert (placed["Y_COORD_CD"] - north).abs().max() < 600
    assert (placed["X_COORD_CD"] - east).abs().max() < 1_500


def test_codes_and_labels_are_the_catalogue(city: City) -> None:
    columns = ["KY_CD", "OFNS_DESC", "PD_CD", "PD_DESC", "LAW_CAT_CD"]
    written = set(city.complaints.select(columns).unique().rows())
    known = {(str(o.key_code), o.label, str(o.detail_code), o.detail, o.law) for o in OFFENCES}
    assert written <= known
    assert ("115", "PROSTITUTION & RELATED OFFENSES", "586", "SEX TRAFFICKING", "FELONY") in written


def test_volumes_keep_the_catalogues_proportions(city: City) -> None:
    counts = dict(city.complaints.group_by("KY_CD").len().rows())
    # Petit larceny to grand larceny was 112,065 to 49,936 a year, robbery to burglary 17,010 to 14,229.
    assert abs(counts["341"] / counts["109"] - 112_065 / 49_936) < 0.12
    assert abs(counts["105"] / counts["107"] - 17_010 / 14_229) < 0.12


def test_borough_follows_from_the_precinct_but_for_five_in_a_thousand(city: City) -> None:
    home = dict(
        city.complaints.group_by("ADDR_PCT_CD").agg(pl.col("BORO_NM").mode().first()).rows()
    )
    assert len(home) == 78
    assert set(home.values()) == set(BOROUGHS)
    assert home["110"] == "QUEENS"
    wrong = city.complaints.filter(pl.col("ADDR_PCT_CD").replace_strict(home) != pl.col("BORO_NM"))
    share = wrong.height / city.complaints.height
    assert abs(share - 0.005) < 4 * (0.005 / city.complaints.height) ** 0.5
    assert wrong["BORO_NM"].n_unique() == 5
