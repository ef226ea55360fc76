"""A token of the settings is in no file, database, log or metadata of a whole run."""

from __future__ import annotations

import gzip
import sqlite3
from pathlib import Path

import polars as pl
from htrisk_dagster.defs import doctor
from htrisk_dagster.defs.servers import Ports, commands
from htrisk_dagster_tests.defs.small_city import SECRET_TOKEN, City


def shows(path: Path, secret: str = SECRET_TOKEN) -> bool:
    """Whether a file holds a secret, unpacked where its format packs."""
    if path.suffix == ".parquet":
        texts = pl.read_parquet(path, hive_partitioning=False).select(pl.col(pl.String))
        return any(column.str.contains(secret, literal=True).any() for column in texts)
    content = path.read_bytes()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    if path.suffix == ".db":
        # SQLite may split a text over pages: read the rows too.
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
            content += "\n".join(database.iterdump()).encode()
    return secret.encode() in content


def test_the_search_finds_a_token_where_there_is_one(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text(f"token {SECRET_TOKEN}")
    pl.DataFrame({"a": [f"x{SECRET_TOKEN}"]}).write_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.json.gz").write_bytes(gzip.compress(SECRET_TOKEN.encode()))
    with sqlite3.connect(tmp_path / "a.db") as database:
        database.execute("create table runs (tags text)")
        database.execute("insert into runs values (?)", (SECRET_TOKEN,))
    assert all(shows(path) for path in tmp_path.iterdir())


def test_no_output_of_a_run_shows_the_token(city: City) -> None:
    """Warehouse, restricted store, Dagster's history and logs, MLflow's runs, dbt's files."""
    assert city.settings.socrata_app_token is not None, "the runs had it"
    searched = [p for p in (city.folder / "home").rglob("*") if p.is_file()]
    layers = {p.relative_to(city.settings.workspace).parts[0] for p in searched}

    assert layers >= {"warehouse", "restricted", "dagster", "mlflow", "dbt"}
    assert [str(p) for p in searched if shows(p)] == []


def test_no_command_line_and_no_report_shows_it(city: City) -> None:
    said = str(commands(city.settings, Ports(3000, 5000, 8050)))
    report = doctor.Report([])
    doctor._settings(report, city.settings)

    assert "socrata_app_token is set" in "\n".join(report.lines)
    assert SECRET_TOKEN not in said + str(report)
