"""dbt's YAML, made from the tables of this package; a test holds the files in `dbt/` to it.

Belongs here: sources, models, columns and the tests that follow from a column's declaration.
Does not: hand-written singular tests (`dbt/tests`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from htrisk_dagster.schemas import marts, raw, staging
from htrisk_dagster.schemas.table import Column, Table

_HEADER = "# Made by `htrisk dictionary --dbt` from htrisk_dagster/schemas; edit those, not this.\n"
# Written by dbt; the counts of verified cases are made in Python, inside the restricted store.
_DBT_STAGING = tuple(t for t in staging.TABLES if t is not staging.VERIFIED_CASE_COUNTS)
_RAW = tuple(t for t in raw.TABLES if t.layer == raw.LAYER)


def dbt_files() -> Mapping[str, str]:
    """File below `dbt/models` to its text."""
    return {
        "staging/sources.yml": _HEADER + _dump({"version": 2, "sources": [_source(_RAW)]}),
        "staging/schema.yml": _HEADER + _dump(_models(_DBT_STAGING)),
        "marts/schema.yml": _HEADER + _dump(_models(marts.TABLES)),
    }


def _source(tables: Sequence[Table]) -> dict[str, Any]:
    return {
        "name": raw.LAYER,
        "database": "warehouse",
        "schema": raw.LAYER,
        "description": "Views over the raw Parquet partitions of every study area.",
        "tables": [
            {"name": t.name, "description": _description(t), "columns": _columns(t, tests=False)}
            for t in tables
        ],
    }


def _models(tables: Sequence[Table]) -> dict[str, Any]:
    models = []
    for table in tables:
        model: dict[str, Any] = {"name": table.name, "description": _description(table)}
        if table.key:
            arguments = {"arguments": {"columns": list(table.key)}}
            model["data_tests"] = [{"unique_together": arguments}]
        model["columns"] = _columns(table, tests=True)
        models.append(model)
    return {"version": 2, "models": models}


def _columns(table: Table, *, tests: bool) -> list[dict[str, Any]]:
    columns = []
    for column in table.columns:
        entry: dict[str, Any] = {"name": column.name, "description": column.description}
        checks = _tests(column) if tests else []
        if checks:
            entry["data_tests"] = checks
        columns.append(entry)
    return columns


def _tests(column: Column) -> list[Any]:
    checks: list[Any] = [] if column.nullable else ["not_null"]
    if column.allowed:
        checks.append({"accepted_values": {"arguments": {"values": list(column.allowed)}}})
    bounds = {"lower": column.lower, "upper": column.upper}
    given = {k: v for k, v in bounds.items() if v is not None}
    if given:
        checks.append({"within": {"arguments": given}})
    return checks


def _description(table: Table) -> str:
    parts = [table.description, f"One row: {table.grain}."]
    parts += [f"Warning: {w}" for w in table.warnings]
    return " ".join(parts)


def _dump(content: Mapping[str, Any]) -> str:
    return str(yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=110))
