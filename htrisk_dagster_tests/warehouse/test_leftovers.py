"""What a killed writer leaves: found by its name, and removed only once the writer is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from htrisk_dagster.warehouse.leftovers import ASIDE, beside, sweep
from htrisk_dagster.warehouse.partitions import replaced_whole


def as_of(path: Path, process: int) -> Path:
    """The name that another process would have used."""
    return path.with_name(path.name.replace(f".{os.getpid()}.", f".{process}."))


def gone() -> int:
    """Number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_what_a_killed_writer_left_is_removed_and_a_living_ones_is_not(tmp_path: Path) -> None:
    final = tmp_path / "raw" / "all.parquet"
    final.parent.mkdir()
    final.write_bytes(b"whole")
    dead = as_of(beside(final), gone())
    living = as_of(beside(final), os.getppid())
    folder = as_of(beside(tmp_path / "raw" / "lstm"), gone())
    for file in (dead, living, folder / "card.json"):
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(b"half")

    removed = sweep(tmp_path)

    assert sorted(removed) == sorted([dead, folder])
    assert living.exists()
    assert final.read_bytes() == b"whole"
    assert not sweep(tmp_path)


def test_the_log_of_a_database_goes_with_it(tmp_path: Path) -> None:
    """Found by kills: one that stayed among the snapshots was counted as one of them."""
    path = as_of(beside(tmp_path / "risk.duckdb"), gone())
    child = (
        "import duckdb, os, signal, sys\n"
        "database = duckdb.connect(sys.argv[1])\n"
        "database.execute('create table t as select range from range(100)')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = subprocess.run([sys.executable, "-c", child, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(list(tmp_path.iterdir())) == 2, "DuckDB keeps no log beside its file any more"
    sweep(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_starts_has_left_nothing_itself(tmp_path: Path) -> None:
    """In a container every start has the same number: what bears it is of a start before."""
    left = beside(tmp_path / "all.parquet")
    left.write_bytes(b"half")

    assert sweep(tmp_path) == [left]


def test_another_machines_file_is_left_for_a_day(tmp_path: Path) -> None:
    left = tmp_path / f".all.parquet.elsewhere.{gone()}.tmp"
    left.write_bytes(b"half")
    assert sweep(tmp_path) == []

    os.utime(left, (0, 0))
    assert sweep(tmp_path) == [left]


def test_a_folder_moved_aside_comes_back_where_its_place_is_empty(tmp_path: Path) -> None:
    model = tmp_path / "lstm"
    aside = as_of(beside(model, ASIDE), gone())
    aside.mkdir()
    (aside / "card.json").write_text("{}")

    sweep(tmp_path)
    assert (model / "card.json").read_text() == "{}"

    aside.mkdir()
    sweep(tmp_path)
    assert not aside.exists()
    assert (model / "card.json").exists()


def test_names_that_are_like_it_and_skipped_folders_stay(tmp_path: Path) -> None:
    kept = [tmp_path / ".env", tmp_path / ".a.tmp", tmp_path / "b.host.1.tmp",
            as_of(beside(tmp_path / "dagster" / "x"), gone())]  # fmt: skip
    for path in kept:
        path.parent.mkdir(exist_ok=True)
        path.write_text("")

    assert sweep(tmp_path, skip=("dagster",)) == []
    assert all(path.exists() for path in kept)


def test_a_write_that_is_killed_leaves_the_old_file_and_a_name_that_is_swept(
    tmp_path: Path,
) -> None:
    final = tmp_path / "a.txt"
    final.write_text("old")
    program = (
        "import os, signal; from pathlib import Path\n"
        "from htrisk_dagster.warehouse.partitions import replaced_whole\n"
        f"with replaced_whole(Path({str(final)!r})) as new:\n"
        "    new.write_text('ne'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)

    assert done.returncode == -signal.SIGKILL
    assert final.read_text() == "old"
    (left,) = tmp_path.glob(".*")
    assert left.read_text() == "ne"
    assert sweep(tmp_path) == [left]


def test_a_writer_does_not_go_on_where_one_of_its_number_stopped(tmp_path: Path) -> None:
    final = tmp_path / "a.txt"
    beside(final).write_text("half of another")
    with replaced_whole(final) as new:
        assert not new.exists()
        new.write_text("new")
    assert final.read_text() == "new"
