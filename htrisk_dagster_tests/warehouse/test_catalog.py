from __future__ import annotations

import subprocess
import sys
import threading
from datetime import date, datetime

import duckdb
import polars as pl
import pytest
from htrisk_dagster.schemas import ALL_TABLES
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.warehouse import catalog
from htrisk_dagster.warehouse.catalog import build_catalog, sql_type
from htrisk_dagster.warehouse.partitions import Partitions

VISITS = Table(
    "toy",
    "visits",
    "one place",
    "Visits.",
    (Column("place", pl.Int32, "Place."), Column("seen_on", pl.Date, "Day.", nullable=True)),
)
EMPTY = Table("toy", "order", "one order", "A name that SQL keeps for itself.", VISITS.columns)


def ask(path, query: str) -> list[tuple]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute(query).fetchall()


def visits(*places: int) -> pl.DataFrame:
    return VISITS.conform(pl.DataFrame({"place": places, "seen_on": date(2024, 1, 1)}))


@pytest.mark.parametrize("folder", ["plain", "o'brien's", "[a] b"])
def test_a_view_shows_all_partitions_of_all_areas(tmp_path, folder):
    root = tmp_path / folder
    Partitions(root, "nyc").write(VISITS, visits(3, 4), "a")
    Partitions(root, "nyc").write(VISITS, visits(5), "b")
    Partitions(root, "detroit").write(VISITS, visits(6))
    path = build_catalog(root, [VISITS, EMPTY])
    assert path == root / "warehouse.duckdb"
    rows = ask(path, "select * from toy.visits order by place")
    day = date(2024, 1, 1)
    assert rows == [("nyc", 3, day), ("nyc", 4, day), ("nyc", 5, day), ("detroit", 6, day)]
    # A view: a partition written later shows without building again.
    Partitions(root, "nyc").write(VISITS, visits(7), "c")
    assert ask(path, "select count(*) from toy.visits where area = 'nyc'") == [(4,)]


def test_a_catalog_of_the_same_views_is_made_once_unless_somebody_touched_it(tmp_path):
    store = Partitions(tmp_path, "nyc")
    store.write(VISITS, visits(3), "a")
    path = build_catalog(tmp_path, [VISITS, EMPTY])
    made = path.stat().st_ino
    store.write(VISITS, visits(4), "b")
    assert build_catalog(tmp_path, [VISITS, EMPTY]).stat().st_ino == made
    assert ask(path, "select count(*) from toy.visits") == [(2,)]

    # A table's first rows are another view; so is a file that another process has put there.
    Partitions(tmp_path, "nyc").write(EMPTY, visits(5))
    build_catalog(tmp_path, [VISITS, EMPTY])
    assert ask(path, 'select place from toy."order"') == [(5,)]
    path.unlink()
    duckdb.connect(str(path)).close()
    build_catalog(tmp_path, [VISITS, EMPTY])
    assert ask(path, "select count(*) from toy.visits") == [(2,)]


def test_a_table_without_partitions_is_an_empty_typed_view(tmp_path):
    path = build_catalog(tmp_path, [VISITS, EMPTY])
    assert ask(path, 'select * from toy."order"') == []
    described = ask(path, "select column_name, column_type from (describe toy.visits)")
    assert described == [("area", "VARCHAR"), ("place", "INTEGER"), ("seen_on", "DATE")]


def test_every_table_has_the_types_that_its_partitions_have(tmp_path):
    """The types declared for an empty view are those DuckDB finds in real files."""
    public = [t for t in ALL_TABLES if t.layer != "restricted"]
    empty = build_catalog(tmp_path / "empty", public)
    full = tmp_path / "full"
    for table in public:
        Partitions(full, "nyc").write(table, table.empty())
    filled = build_catalog(full, public)
    query = (
        "select table_schema, table_name, column_name, data_type from information_schema.columns "
        "order by table_schema, table_name, ordinal_position"
    )
    assert ask(empty, query) == ask(filled, query)
    assert len(ask(empty, query)) == sum(len(t.columns) + 1 for t in public)


def test_every_type_of_the_dictionary_has_a_name_in_sql():
    # Of features.cell_day, whose columns depend on the study area, too.
    dtypes = {c.dtype for t in ALL_TABLES for c in t.columns} | {pl.Float32}
    assert len(dtypes) >= 6
    value = {pl.Datetime("us"): datetime(2024, 1, 1), pl.List(pl.Int32): [1]}
    for dtype in dtypes:
        frame = pl.DataFrame({"a": [value.get(dtype)]}, schema={"a": dtype})
        found = duckdb.sql("select typeof(a) from frame").fetchall()
        name = {"REAL": "FLOAT"}.get(sql_type(dtype).upper(), sql_type(dtype).upper())
        assert found == [(name,)], frame.schema


READER = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print(connection.execute("select count(*) from toy.visits").fetchall(), flush=True)
sys.stdin.readline()
print(connection.execute("select count(*) from toy.visits").fetchall(), flush=True)
"""


@pytest.mark.parametrize("mode", ["read", "write"])
def test_who_holds_the_old_catalog_open_does_not_block_a_new_one(tmp_path, mode):
    Partitions(tmp_path, "nyc").write(VISITS, visits(1))
    path = build_catalog(tmp_path, [VISITS])
    with subprocess.Popen(
        [sys.executable, "-c", READER, str(path), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdin is not None
        assert reader.stdout.readline() == "[(1,)]\n"
        # While it is open, the file itself is locked for a writer of another process.
        if mode == "write":
            with pytest.raises(duckdb.IOException, match="lock"):
                duckdb.connect(str(path))
        Partitions(tmp_path, "nyc").write(VISITS, visits(2, 3), "b")
        assert build_catalog(tmp_path, [VISITS, EMPTY]) == path
        assert ask(path, 'select count(*) from toy."order"') == [(0,)]
        # The old reader goes on with its old catalog, over the partitions of now.
        reader.stdin.write("\n")
        reader.stdin.flush()
        assert reader.stdout.readline() == "[(3,)]\n"


def test_a_catalog_that_cannot_be_built_leaves_the_old_one(tmp_path):
    path = build_catalog(tmp_path, [VISITS])
    broken = Partitions(tmp_path, "nyc").path(VISITS)
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no parquet")
    with pytest.raises(duckdb.Error):
        build_catalog(tmp_path, [VISITS])
    assert ask(path, "select * from toy.visits") == []
    assert [p.name for p in tmp_path.iterdir() if p.is_file()] == ["warehouse.duckdb"]


def test_what_somebody_wrote_into_the_catalog_goes_with_it(tmp_path):
    """His log of changes would otherwise be played into the new catalog, views and all."""
    Partitions(tmp_path, "nyc").write(VISITS, visits(3), "a")
    path = build_catalog(tmp_path, [VISITS])
    path.chmod(0o644)
    alters = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1])\n"
        "c.execute('create or replace view toy.visits as select 99 as place')\n"
        "print('altered', flush=True); sys.stdin.read()"
    )
    analyst = subprocess.Popen(
        [sys.executable, "-c", alters, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert analyst.stdout is not None
    assert analyst.stdout.readline() == b"altered\n"
    assert path.with_name("warehouse.duckdb.wal").exists()

    build_catalog(tmp_path, [VISITS])

    assert ask(path, "select place from toy.visits") == [(3,)]
    analyst.kill()
    analyst.communicate()
    assert ask(path, "select place from toy.visits") == [(3,)]


def test_a_table_that_another_process_made_meanwhile_is_never_lost(tmp_path, monkeypatch):
    """The slower of two builders has looked before the other's partition was there."""
    Partitions(tmp_path, "nyc").write(VISITS, visits(3), "a")
    looked, may_write = threading.Event(), threading.Event()
    statements = catalog.view_statements

    def slow(root, tables):
        found = statements(root, tables)
        looked.set()
        may_write.wait(10)
        return found

    monkeypatch.setattr(catalog, "view_statements", slow)
    slower = threading.Thread(target=build_catalog, args=(tmp_path, [VISITS, EMPTY]))
    slower.start()
    looked.wait(10)
    Partitions(tmp_path, "nyc").write(EMPTY, visits(7), "a")
    monkeypatch.setattr(catalog, "view_statements", statements)
    other = threading.Thread(target=build_catalog, args=(tmp_path, [VISITS, EMPTY]))
    other.start()
    other.join(0.5)
    may_write.set()
    slower.join()
    other.join()

    assert ask(tmp_path / "warehouse.duckdb", 'select place from toy."order"') == [(7,)]
