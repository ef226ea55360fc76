from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.schemas import staging
from htrisk_dagster.study_areas.area import FOLDER, ContextPart, area_names, load_area, read_area
from htrisk_dagster.study_areas.city_files import area_code

NYC = (FOLDER / "nyc.toml").read_text()


def file_with(tmp_path: Path, old: str, new: str) -> Path:
    """New York's file with one piece of text replaced, once."""
    assert NYC.count(old) == 1, old
    path = tmp_path / "toy.toml"
    path.write_text(NYC.replace(old, new))
    return path


def refusal(path: Path) -> str:
    with pytest.raises(SettingError) as error:
        read_area(path)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


def test_new_york_loads():
    assert "nyc" in area_names()
    nyc = load_area("nyc")
    assert (nyc.name, nyc.time_zone, nyc.first_day) == ("nyc", "America/New_York", date(2014, 1, 1))
    assert (nyc.grid.crs, nyc.grid.cell_size_m) == ("EPSG:32618", 500)
    assert nyc.publication_lag.incidents_days == 1
    # Sex trafficking is published under key code 115.
    assert 115 in nyc.offence_groups["prostitution_related"].codes
    assert nyc.targets["trafficking_related"].offence_groups == (
        "prostitution_related",
        "kidnapping",
    )


def test_a_code_or_label_belongs_to_one_group():
    groups = load_area("nyc").offence_groups.values()
    codes = [code for g in groups for code in g.codes]
    labels = [label for g in groups for label in g.labels]
    assert len(set(codes)) == len(codes)
    assert len(set(labels)) == len(labels)


def test_sources_are_those_that_staging_knows():
    nyc = load_area("nyc")
    (column,) = (c for c in staging.INCIDENTS.columns if c.name == "source")
    parts = (nyc.incidents, *nyc.series.values(), *nyc.targets.values())
    assert {s for part in parts for s in part.sources} <= set(column.allowed)


def test_the_first_target_of_the_file_is_the_default():
    nyc = load_area("nyc")
    assert nyc.target(None) == ("trafficking_related", nyc.targets["trafficking_related"])
    assert nyc.target("shootings") == ("shootings", nyc.targets["shootings"])
    with pytest.raises(SettingError) as error:
        nyc.target("murder")
    assert str(error.value) == (
        "Study area 'nyc' has no target 'murder'. It has: trafficking_related, shootings, robbery, "
        "burglary, felonies."
    )


def test_an_area_without_a_file_is_told_with_those_that_have_one():
    with pytest.raises(
        SettingError, match=r"^There is no study area 'atlantis'\. There are: .*nyc"
    ):
        load_area("atlantis")


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        (
            "cell_size_m = 500",
            "cell_size_m = 500\ncell_size_ft = 1640",
            "grid.cell_size_ft: Extra inputs are not permitted.",
        ),
        ("title = \"robberies\"", "titel = \"robberies\"", "targets.robbery.title: Field required; "
         "targets.robbery.titel: Extra inputs are not permitted."),
        (
            "cell_size_m = 500",
            "cell_size_m = 50",
            "grid.cell_size_m: Input should be greater than or equal to 100.",
        ),
        (
            "incidents_days = 1 ",
            "incidents_days = 0 ",
            "publication_lag.incidents_days: Input should be greater than or equal to 1.",
        ),
        (
            '"America/New_York"',
            '"America/Gotham"',
            "time_zone: 'America/Gotham' is no time zone; give a name such as America/New_York.",
        ),
        (
            '"America/New_York"',
            '"America"',
            "time_zone: 'America' is no time zone; give a name such as America/New_York.",
        ),
        (
            'offence_groups = ["burglary"]\n[series.grand',
            'offence_groups = ["burglry"]\n[series.grand',
            "series.burglary names offence groups ['burglry'] that are not declared.",
        ),
        (
            'offence_groups = ["burglary"]\n[targets.fel',
            'offence_groups = ["burglary", "arson"]\n[targets.fel',
            "targets.burglary names offence groups ['arson'] that are not declared.",
        ),
        (
            'title = "all reported incidents"',
            'title = "all reported incidents"\noffence_groups = ["arson"]',
            "incidents names offence groups ['arson'] that are not declared.",
        ),
        (
            'sources = ["shootings"]',
            'sources = ["shooting"]',
            "targets.shootings.sources: ['shooting'] are no raw tables of incidents; there are "
            "['complaints', 'felonies', 'shootings', 'incident_reports'].",
        ),
        (
            'sources = ["shootings"]',
            "sources = []",
            "targets.shootings.sources: Tuple should have at least 1 item after validation, not 0.",
        ),
        ('name = "nyc"', 'name = "New York"', "name: String should match pattern '^[a-z][a-z0-9_]*$'."),
        (NYC[NYC.index("[targets.traff") :], "[targets]", "at least one target must be declared."),
        (NYC[NYC.index("[targets.traff") :], "", "targets: Field required."),
    ],
)  # fmt: skip
def test_a_fault_names_the_file_and_the_key(tmp_path, old, new, problem):
    assert refusal(file_with(tmp_path, old, new)) == problem


def test_the_group_other_need_not_be_declared(tmp_path):
    path = file_with(
        tmp_path,
        'title = "all reported incidents"',
        'title = "all reported incidents"\noffence_groups = ["other"]',
    )
    assert read_area(path).incidents.offence_groups == ("other",)


def test_a_file_that_is_not_toml_is_told_with_the_line(tmp_path):
    path = file_with(tmp_path, 'time_zone = "America/New_York"', "time_zone = America/New_York")
    assert refusal(path).startswith("not legal TOML: Invalid value (at line 4, column 13)")


def test_context_is_declared_with_its_lags():
    context = load_area("nyc").context
    assert context.census is not None
    # The survey of 2019-2023 was published on 12 December 2024.
    published = date(context.census.last_year, 12, 31) + timedelta(context.census.lag_days)
    assert published == date(2024, 12, 12)
    assert context.news_sentiment is not None
    assert context.advert_counts is not None
    assert (context.news_sentiment.lag_days, context.advert_counts.lag_days) == (1, 7)


def test_a_study_area_may_declare_no_context(tmp_path: Path):
    start, rest = NYC.split("# What is known of places", 1)
    path = tmp_path / "toy.toml"
    path.write_text(start + "# Groups are tried" + rest.split("# Groups are tried", 1)[1])
    assert read_area(path).context == ContextPart()


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('["bus_station", "motel", "night_club"]', '["Motel"]', "lower case"),
        ('["bus_station", "motel", "night_club"]', '["motel", "motel"]', "different words"),
        ('["bus_station", "motel", "night_club"]', "[]", "at least 1"),
        ("last_year = 2023", "last_year = 1923", "context.census.last_year"),
        ("known_from = 2018-09-08", "known_since = 2018-09-08", "context.subway_stations"),
        ("[context.hotels]", "[context.motels]", "context.motels"),
    ],
)
def test_context_that_is_not_legal_is_refused(tmp_path: Path, old: str, new: str, words: str):
    assert words in refusal(file_with(tmp_path, old, new))


def test_police_agencies_are_declared_by_their_state(tmp_path: Path):
    assert load_area("nyc").agencies is None
    heading = "[bounding_box] "
    area = read_area(file_with(tmp_path, heading, f'[agencies]\nstate = "CT"\n{heading}'))
    assert area.agencies is not None
    assert area.agencies.state == "CT"
    wrong = file_with(tmp_path, heading, f'[agencies]\nstate = "Connecticut"\n{heading}')
    assert refusal(wrong).startswith("agencies.state: ")


DETROIT = (FOLDER / "detroit.toml").read_text()
CONNECTICUT = (FOLDER / "connecticut.toml").read_text()


@pytest.mark.parametrize(
    ("text", "old", "new", "words"),
    [
        (DETROIT, 'id = "incident_entry_id"', 'number = "incident_entry_id"', "incident_file.number: Extra"),
        (DETROIT, 'latitude = "latitude"\nlongitude = "longitude"\narea', 'latitude = "latitude"\narea',
         "latitude and longitude come together"),
        (CONNECTICUT, 'area = "agency_name"\n', "", "neither coordinates nor an area"),
        (CONNECTICUT, '"AVON" = {number = 2', '"AVON" = {number = 1', "or one number"),
        (DETROIT, '"10" = {', '"010" = {number = 99}\n"10" = {', "one code, leading zeros apart"),
        (DETROIT, 'areas = "name"\n', 'area = "name"\n', "boundary.area: Extra"),
        (DETROIT, DETROIT[DETROIT.index("hull") : DETROIT.index("[areas]")],
         "hull = [[0, 0], [0, 1], [0, 0]]\n", "a ring needs three different points"),
        (CONNECTICUT, 'unit = "area"', 'unit = "cell"', "cell_size_m must be at most 5000"),
        (DETROIT, 'minimum_land_share = 0.02', 'minimum_land_share = 0.02\nunit = "beat"', "grid.unit"),
        (DETROIT, "FeatureServer/0\"\ndate", "FeatureServer\"\ndate", "is no layer"),
        (DETROIT, "[services.incident_reports]", "[services.incidents]", "which are no raw tables"),
        (DETROIT, "files.liquor_store]", "files.bar]", "['bar'], which are none of categories"),
        (DETROIT, 'country = "US"', 'country = "usa"', "holidays.country"),
    ],
)  # fmt: skip
def test_what_a_file_says_of_its_citys_files_is_checked(tmp_path, text, old, new, words):
    assert text.count(old) == 1, old
    path = tmp_path / "toy.toml"
    path.write_text(text.replace(old, new))
    assert words in refusal(path)


def test_a_file_of_its_own_needs_columns_and_a_boundary(tmp_path):
    path = tmp_path / "toy.toml"
    start, end = DETROIT.index("[boundary]"), DETROIT.index("[areas]")
    path.write_text(DETROIT[:start] + DETROIT[end:])
    assert "cells need a [boundary]" in refusal(path)
    start, end = DETROIT.index("[incident_file]"), DETROIT.index("# The city's file of precincts")
    path.write_text(DETROIT[:start] + DETROIT[end:])
    assert "there is no [incident_file]" in refusal(path)


def test_a_users_own_area_goes_before_the_programs_and_has_its_files_name(tmp_path):
    (tmp_path / "detroit.toml").write_text(DETROIT.replace('title = "Detroit"', 'title = "Mine"'))
    assert load_area("detroit", tmp_path).title == "Mine"
    assert load_area("detroit").title == "Detroit"
    assert area_names(tmp_path) == ["connecticut", "detroit", "nyc"]
    (tmp_path / "motown.toml").write_text(DETROIT)
    with pytest.raises(SettingError, match=r"motown.toml: name is 'detroit'"):
        load_area("motown", tmp_path)


@pytest.mark.parametrize(
    ("code", "spelt"),
    [("02", "2"), ("'11", "11"), (" a1 ", "A1"), ("0", "0"), ("00", "0"), ("1A", "1A")],
)
def test_codes_of_areas_have_one_spelling(code, spelt):
    assert area_code(code) == spelt
