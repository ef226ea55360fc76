from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from htrisk_dagster.errors import MissingPartitionError, TableError
from htrisk_dagster.schemas.table import Column, Table
from htrisk_dagster.warehouse.partitions import (
    Partitions,
    by_month,
    files_fingerprint,
    fingerprint_of,
    replaced_whole,
    write_bytes_whole,
    write_text_whole,
)

TABLE = Table(
    "toy",
    "visits",
    "one place",
    "Visits.",
    (
        Column("place", pl.Int32, "Place.", lower=0),
        Column("visits", pl.Float64, "Visits.", nullable=True),
    ),
    key=("place",),
)


def frame(n: int = 5, *, shift: float = 0.0) -> pl.DataFrame:
    place = pl.int_range(n, dtype=pl.Int32, eager=True).alias("place")
    return pl.DataFrame([place, (place * 0.1 + shift).alias("visits")])


@pytest.fixture
def tables(tmp_path):
    return Partitions(tmp_path, "nyc")


def files_below(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def test_a_partition_lies_where_the_layout_says(tables, tmp_path):
    path = tables.write(TABLE, frame(), "2024-01-01", made_from="abc")
    assert files_below(tmp_path) == ["toy/visits/area=nyc/2024-01-01.parquet"]
    assert path == tables.path(TABLE, "2024-01-01")
    assert tables.read(TABLE, ["2024-01-01"]).equals(frame())
    assert tables.made_from(TABLE) == {"2024-01-01": "abc"}
    # Without a key it is the whole table.
    assert tables.write(TABLE, frame()).name == "all.parquet"


def test_partitions_are_read_in_the_order_asked(tables):
    for key in ("b", "a", "c"):
        tables.write(TABLE, frame(2, shift=ord(key)), key)
    assert tables.keys(TABLE) == ["a", "b", "c"]
    assert tables.read(TABLE, ["c", "a"])["visits"].to_list() == [99, 99.1, 97, 97.1]
    assert tables.read(TABLE)["visits"].to_list()[::2] == [97, 98, 99]


@pytest.mark.parametrize("folder", ["o'brien's", "[a] b*?", "a#b%20"])
def test_the_warehouse_may_lie_anywhere(tmp_path, folder):
    tables = Partitions(tmp_path / folder, "nyc")
    tables.write(TABLE, frame(), "a", made_from="x")
    assert tables.read(TABLE).equals(frame())
    assert (tables.keys(TABLE), tables.made_from(TABLE)) == (["a"], {"a": "x"})


def test_areas_do_not_see_each_other(tables, tmp_path):
    other = Partitions(tmp_path, "detroit")
    tables.write(TABLE, frame(), "a")
    assert other.keys(TABLE) == []
    assert other.read(TABLE).equals(TABLE.empty())
    assert other.read(TABLE).schema == TABLE.polars_schema()


def test_a_missing_partition_is_one_sentence(tables):
    tables.write(TABLE, frame(), "a")
    with pytest.raises(MissingPartitionError) as error:
        tables.read(TABLE, ["a", "b", "c"])
    assert str(error.value) == (
        "Partition 'b' of toy.visits for area 'nyc' has not been made "
        f"({tables.path(TABLE, 'b')} is absent). Materialise nyc/toy/visits for it first."
    )


def test_rows_that_break_the_schema_are_not_written(tables, tmp_path):
    before = tables.write(TABLE, frame(), "a").read_bytes()
    with pytest.raises(TableError, match="'place' has -1 at row 0"):
        tables.write(TABLE, frame().with_columns(place=pl.lit(-1)), "a")
    with pytest.raises(TableError, match="missing"):
        tables.write(TABLE, frame().drop("visits"), "b")
    assert files_below(tmp_path) == ["toy/visits/area=nyc/a.parquet"]
    assert tables.path(TABLE, "a").read_bytes() == before


def test_an_exception_inside_leaves_the_old_bytes_and_nothing_beside(tmp_path):
    path = tmp_path / "new" / "some.txt"
    write_text_whole(path, "old")
    with pytest.raises(RuntimeError, match="mid-way"), replaced_whole(path) as beside:
        beside.write_text("half")
        assert path.read_text() == "old"
        raise RuntimeError("mid-way")
    assert files_below(tmp_path) == ["new/some.txt"]
    assert path.read_text() == "old"
    write_bytes_whole(path, b"new")
    assert path.read_bytes() == b"new"


def test_nothing_is_read_from_what_is_being_written(tables):
    with replaced_whole(tables.path(TABLE, "a")) as beside:
        frame().write_parquet(beside)
        assert beside.parent == tables.folder(TABLE)
        assert tables.keys(TABLE) == []
        assert list(tables.folder(TABLE).glob("*.parquet")) == []
    assert tables.keys(TABLE) == ["a"]


def test_same_rows_and_origin_give_the_same_bytes(tables):
    first = tables.write(TABLE, frame(3_000), "a", made_from="x").read_bytes()
    # The same rows in many pieces, as they come from several files.
    pieces = pl.concat([frame(3_000)[i : i + 100] for i in range(0, 3_000, 100)], rechunk=False)
    assert pieces.n_chunks() == 30
    assert tables.write(TABLE, pieces, "a", made_from="x").read_bytes() == first
    assert tables.write(TABLE, frame(3_000), "a", made_from="y").read_bytes() != first


def test_partitions_written_at_once_have_the_bytes_of_each_alone(tables, tmp_path):
    rows = frame(90)
    parts = {f"part-{i}": rows.slice(9 * i, 9) for i in range(10)}
    prints = {key: f"of {key}" for key in parts}
    paths = tables.write_each(TABLE, parts, prints)
    alone = Partitions(tmp_path / "alone", "nyc")
    for (key, part), path in zip(parts.items(), paths, strict=True):
        whole = alone.write(TABLE, part.rechunk(), key, made_from=prints[key])
        assert path.read_bytes() == whole.read_bytes()
    assert tables.made_from(TABLE) == prints
    assert files_below(tmp_path / "toy") == sorted(
        str(p.relative_to(tmp_path / "toy")) for p in paths
    )


def test_one_of_many_that_cannot_be_written_is_told_and_leaves_the_others_whole(tables):
    blocked = tables.path(TABLE, "b")
    blocked.mkdir(parents=True)
    with pytest.raises(OSError, match=r"b\.parquet"):
        tables.write_each(TABLE, {key: frame() for key in "abc"}, {})
    assert tables.read(TABLE, ["a", "c"]).height == 10
    assert not list(blocked.parent.glob(".*"))


def test_digests_are_those_of_the_files_as_they_are_now(tables):
    """They are kept for a process, and a file that takes the place of another is read anew."""
    path = tables.write(TABLE, frame(2), "a", made_from="x")
    before = tables.contents(TABLE)
    assert (tables.contents(TABLE), tables.made_from(TABLE)) == (before, {"a": "x"})
    at = path.stat()
    tables.write(TABLE, frame(2, shift=1), "a", made_from="y")
    os.utime(path, ns=(at.st_atime_ns, at.st_mtime_ns))
    assert tables.contents(TABLE) != before
    assert tables.made_from(TABLE) == {"a": "y"}
    tables.write(TABLE, frame(2), "a", made_from="z")
    assert tables.contents(TABLE) == before


def test_the_number_of_threads_does_not_change_the_bytes(tmp_path):
    script = (
        "import sys; from pathlib import Path; import polars as pl\n"
        "from htrisk_dagster.warehouse.partitions import Partitions\n"
        "from htrisk_dagster.schemas.table import Column, Table\n"
        "table = Table('toy', 'visits', 'a', 'b.', (Column('a', pl.Int64, 'A.'),))\n"
        "frame = pl.DataFrame({'a': pl.int_range(200_000, eager=True).shuffle(1)})\n"
        "path = Partitions(Path(sys.argv[1]), 'nyc').write(table, frame)\n"
        "print(pl.thread_pool_size())\n"
    )
    digests = set()
    for threads in ("1", "3"):
        folder = tmp_path / threads
        done = subprocess.run(
            [sys.executable, "-c", script, str(folder)],
            env={**os.environ, "POLARS_MAX_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == threads
        content = (folder / "toy/visits/area=nyc/all.parquet").read_bytes()
        digests.add(hashlib.sha256(content).hexdigest())
    assert len(digests) == 1


def test_contents_see_rows_and_not_what_they_were_made_from(tables):
    def content(rows: pl.DataFrame, made_from: str = "") -> str:
        tables.write_unchecked(TABLE, rows, "a", made_from=made_from)
        return tables.contents(TABLE)["a"]

    first = content(frame(1_000), "x")
    assert content(frame(1_000), "made from something else, and longer") == first
    one = pl.int_range(pl.len()) == 999
    changed = frame(1_000).with_columns(pl.when(one).then(-1.0).otherwise("visits").alias("visits"))
    missing = frame(1_000).with_columns(pl.when(~one).then("visits"))
    others = {
        content(changed),
        content(missing),
        content(frame(999)),
        content(frame(1_000).rename({"visits": "people"})),
        content(frame(1_000).cast({"place": pl.Int64})),
        content(frame(1_000)[::-1]),
        content(frame(0)),
    }
    assert len(others) == 7
    assert first not in others


def test_dropped_partitions_are_gone_and_a_missing_one_is_no_fault(tables):
    for key in "abc":
        tables.write(TABLE, frame(), key)
    tables.drop(TABLE, ["a", "c", "d"])
    assert tables.keys(TABLE) == ["b"]


def test_rows_by_month():
    rows = pl.DataFrame(
        {
            "seen_on": [date(2024, 3, 1), date(2023, 12, 31), date(2024, 3, 31), date(2024, 1, 1)],
            "n": [1, 2, 3, 4],
        }
    )
    found = by_month(rows, "seen_on")
    assert list(found) == ["2023-12-01", "2024-01-01", "2024-03-01"]
    assert [f["n"].to_list() for f in found.values()] == [[2], [4], [1, 3]]
    assert all(f.columns == ["seen_on", "n"] for f in found.values())
    assert by_month(rows[:0], "seen_on") == {}


def test_fingerprints():
    assert fingerprint_of("a", 1) == fingerprint_of("a", 1)
    # Where one part ends and the next begins counts, and so does the type.
    different = [("a", 1), ("a1",), ("a", "1"), ("a",), (1, "a"), ("a", 1, ""), (1, 1), (11,)]
    assert len({fingerprint_of(*parts) for parts in different}) == len(different)
    assert len(fingerprint_of()) == 16


def test_files_fingerprint_is_of_names_and_bytes(tmp_path):
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.csv").write_text("1")
        (tmp_path / folder / "b.csv").write_text("2")
    one, two = (sorted((tmp_path / f).iterdir()) for f in ("one", "two"))
    os.utime(two[0], (0, 0))
    first = files_fingerprint(one)
    assert files_fingerprint(two) == first
    two[0].write_text("3")
    assert files_fingerprint(two) != first
    two[0].write_text("1")
    assert files_fingerprint([two[0], two[1].rename(tmp_path / "two" / "c.csv")]) != first
    assert files_fingerprint(one[:1]) != first


REWRITE = """
import itertools, sys
from pathlib import Path
import polars as pl
from htrisk_dagster.warehouse.partitions import Partitions
from htrisk_dagster.schemas.table import Column, Table

table = Table('toy', 'visits', 'a', 'b.', (Column('round', pl.Int64, 'A.'), Column('v', pl.Int64, 'B.')))
noise = pl.int_range(400_000, eager=True).shuffle(int(sys.argv[2]))
for n in itertools.count():
    frame = pl.DataFrame({'round': n, 'v': noise}, schema_overrides={'round': pl.Int64})
    Partitions(Path(sys.argv[1]), 'nyc').write_unchecked(table, frame, made_from=str(n))
    print(n, flush=True)
"""


def test_a_killed_process_leaves_the_old_or_the_new_file_whole(tmp_path):
    path = tmp_path / "toy" / "visits" / "area=nyc" / "all.parquet"
    table = Table("toy", "visits", "a", "b.", TABLE.columns)
    draw = random.Random(1)
    for kill in range(10):
        child = subprocess.Popen(
            [sys.executable, "-c", REWRITE, str(tmp_path), str(kill)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        child.stdout.readline()  # it has written once, and goes on
        time.sleep(draw.uniform(0, 0.1))
        child.send_signal(signal.SIGKILL)
        done = int((b"0\n" + child.stdout.read()).split()[-1])
        assert child.wait() == -signal.SIGKILL
        child.stdout.close()
        found = pl.read_parquet(path)
        (round_found,) = found["round"].unique()
        # What was last told to be done, or the next, which was renamed and not yet told.
        assert round_found in (done, done + 1)
        assert found["v"].equals(pl.int_range(400_000, eager=True).shuffle(kill).alias("v"))
        tables = Partitions(tmp_path, "nyc")
        assert tables.keys(table) == ["all"]
        assert tables.made_from(table) == {"all": str(round_found)}
    # The kills did hit in the middle of writing, and what they left is never read.
    assert list(path.parent.glob(".all.parquet.*.tmp"))


def test_two_machines_never_write_beside_under_one_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Processes of two containers often have the same id."""
    names = []
    for host in ("node-a", "node-b"):
        monkeypatch.setattr("socket.gethostname", lambda host=host: host)
        with replaced_whole(tmp_path / "x.parquet") as beside:
            names.append(beside.name)
            beside.write_bytes(b"1")

    assert len(set(names)) == 2
    assert all(name.startswith(".") and name.endswith(".tmp") for name in names)
