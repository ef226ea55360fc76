"""Rules that hold over all tables: places and reports, never persons."""

from __future__ import annotations

import re
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.schemas import ALL_TABLES
from htrisk_dagster.schemas.table import Column, Table

# Parts of a column's name, ours or the publisher's, that tell of a person.
PERSON_WORDS = frozenset(
    {
        "susp", "suspect", "vic", "victim", "perp", "perpetrator", "offender", "defendant",
        "arrestee", "witness", "survivor", "person", "persons", "people", "race", "ethnicity",
        "sex", "gender", "age", "birth", "born", "dob", "nationality", "citizenship",
        "religion", "occupation", "phone", "email", "address", "street", "passport", "ssn",
        "name", "surname", "firstname", "lastname", "nickname", "alias",
    }
)  # fmt: skip
# Names of things, not of persons. Of events some are: `event_name` is banned by its word.
NAMES_OF_THINGS = {
    ("raw.holidays", "name"),
    *(("nibrs.reported_offences", c) for c in ("offence", "offence_category", "location")),
    *(("nibrs.police_agencies", c) for c in ("agency", "agency_type", "county")),
}


def words(name: str) -> set[str]:
    return set(re.findall(r"[a-z]+", name.lower()))


def tells_of_a_person(table: Table, column: Column) -> bool:
    found = (words(column.name) | words(column.source_name)) & PERSON_WORDS
    return bool(found) and (table.full_name, column.name) not in NAMES_OF_THINGS


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda t: t.full_name)
def test_no_table_has_a_column_about_a_person(table):
    assert [c.name for c in table.columns if tells_of_a_person(table, c)] == []


@pytest.mark.parametrize(
    ("name", "source_name"),
    [
        ("susp_race", ""), ("VIC_AGE_GROUP", ""), ("perp_sex", ""), ("age_group", ""),
        ("event_name", ""), ("name", ""), ("label", "Event Name"), ("label", "A; VIC_SEX"),
        ("place", "SUSP_AGE_GROUP + X"),
    ],
)  # fmt: skip
def test_the_ban_sees_such_a_column(name, source_name):
    column = Column(name, pl.String, "Some.", source_name=source_name)
    assert tells_of_a_person(ALL_TABLES[0], column)


@pytest.mark.real_data
def test_the_ban_sees_every_person_column_of_the_real_layouts():
    folder = Path(__file__).parents[2].parent / "shared" / "data" / "nyc" / "complaints"
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent: headers of the publisher's files are needed")
    headers = {
        column
        for path in folder.glob("nypd_*.csv")
        for column in path.open(encoding="utf-8-sig").readline().strip().replace('"', "").split(",")
    }
    persons = {c for c in headers if c.upper().startswith(("SUSP_", "VIC_", "PERP_"))}
    assert len(persons) >= 9
    found = {c for c in headers if tells_of_a_person(ALL_TABLES[0], Column(c, pl.String, ""))}
    assert persons <= found


@pytest.mark.parametrize("table", ALL_TABLES, ids=lambda t: t.full_name)
def test_every_table_and_column_is_described(table):
    names = table.column_names
    assert len(set(names)) == len(names)
    assert set(table.key) <= set(names)
    for text in (table.description, *table.warnings, *(c.description for c in table.columns)):
        assert text.endswith("."), text
    for column in table.columns:
        assert column.name == column.name.lower()
        if column.name.endswith("_on"):
            assert column.dtype == pl.Date
        if column.name.endswith("_at"):
            assert column.dtype == pl.Datetime("us")
        if column.name.startswith("is_"):
            assert column.dtype == pl.Boolean


def test_table_names_are_unique():
    names = [t.full_name for t in ALL_TABLES]
    assert len(set(names)) == len(names)
