"""dbt's files and the dictionary list the same models, columns and rules, both ways."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from htrisk_dagster.schemas import marts, raw, staging
from htrisk_dagster.schemas.dbt_yaml import dbt_files

MODELS = Path(__file__).parents[2] / "dbt" / "models"


@pytest.mark.parametrize("name", dbt_files())
def test_files_on_disk_are_those_of_the_dictionary(name):
    assert (MODELS / name).read_text() == dbt_files()[name], "run `htrisk dictionary --dbt`"


def test_no_other_yaml_lies_beside_them():
    on_disk = {str(p.relative_to(MODELS)) for p in MODELS.rglob("*.y*ml")}
    assert on_disk == set(dbt_files())


@pytest.mark.parametrize(
    ("layer", "tables"),
    [
        # Counts of verified cases are made in Python, inside the restricted store.
        ("staging", [t for t in staging.TABLES if t.name != "verified_case_counts"]),
        ("marts", marts.TABLES),
    ],
)
def test_every_model_has_a_table_and_every_table_a_model(layer, tables):
    models = {p.stem for p in (MODELS / layer).glob("*.sql")}
    assert models == {t.name for t in tables}
    described = yaml.safe_load(dbt_files()[f"{layer}/schema.yml"])["models"]
    assert {m["name"]: [c["name"] for c in m["columns"]] for m in described} == {
        t.name: t.column_names for t in tables
    }


def test_every_raw_table_but_the_restricted_ones_is_a_source():
    (source,) = yaml.safe_load(dbt_files()["staging/sources.yml"])["sources"]
    assert (source["name"], source["schema"]) == ("raw", "raw")
    listed = {t["name"] for t in source["tables"]}
    assert listed == {t.name for t in raw.TABLES} - {"verified_cases", "review_decisions"}


def test_rules_of_a_column_become_tests():
    described = yaml.safe_load(dbt_files()["staging/schema.yml"])["models"]
    models = {m["name"]: m for m in described}
    assert models["incidents"]["data_tests"] == [
        {"unique_together": {"arguments": {"columns": ["incident_id"]}}}
    ]
    columns = {c["name"]: c.get("data_tests") for c in models["incidents"]["columns"]}
    assert columns["incident_id"] == ["not_null"]
    assert columns["borough"] is None  # may be missing, and any name is legal
    accepted = {"accepted_values": {"arguments": {"values": ["reported", "discovered"]}}}
    assert columns["origin"] == ["not_null", accepted]
    events = {c["name"]: c.get("data_tests") for c in models["events"]["columns"]}
    within = {"within": {"arguments": {"lower": 0, "upper": 1}}}
    assert events["precinct_share"] == ["not_null", within]
