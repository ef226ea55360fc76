"""A name holds exactly as long as its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from htrisk_dagster.warehouse.leftovers import beside
from htrisk_dagster.warehouse.living import dead_names, forget, is_living, living

HOLD = (
    "import sys; from pathlib import Path; from htrisk_dagster.warehouse.living import living\n"
    "with living(Path(sys.argv[1]), 'run'):\n    print('held', flush=True); sys.stdin.read()\n"
)


def test_a_name_is_held_for_the_block_and_gone_after_it(tmp_path: Path) -> None:
    assert is_living(tmp_path / "names", "run") is None
    with living(tmp_path / "names", "run"), living(tmp_path / "names", "run"):
        assert is_living(tmp_path / "names", "run") is True
        assert dead_names(tmp_path / "names") == []
    assert list((tmp_path / "names").iterdir()) == []


def test_a_killed_process_leaves_a_dead_name(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"held\n"
    assert is_living(tmp_path, "run") is True

    process.kill()
    process.communicate()

    assert is_living(tmp_path, "run") is False
    assert dead_names(tmp_path) == ["run"]
    forget(tmp_path, ["run"])
    assert is_living(tmp_path, "run") is None


def test_a_name_that_a_killed_process_had_not_finished_is_swept_away(tmp_path: Path) -> None:
    """A process that dies between making the lock and naming it; its number is ours here."""
    beside(tmp_path / "run").touch()
    assert dead_names(tmp_path) == []
    assert list(tmp_path.iterdir()) == []


def test_after_an_error_the_name_is_a_dead_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no"), living(tmp_path, "run"):
        raise ValueError("no")
    assert dead_names(tmp_path) == ["run"]
