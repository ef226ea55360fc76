"""Units of work: what is stale, what an interrupted run leaves, and that the rest gives the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from htrisk_dagster.errors import MissingPartitionError
from htrisk_dagster.evaluation.skill import units_of_work
from htrisk_dagster.evaluation.skill.units_of_work import (
    Unit,
    make_unit,
    make_units,
    read_result,
    read_seconds,
    stale_units,
)

FUNCTION = "htrisk_dagster_tests.evaluation.skill.small_units:square"


def units(*numbers: int) -> list[Unit]:
    return [Unit("part", f"number_{n}", FUNCTION, {"number": n}) for n in numbers]


def quiet(_: str) -> None:
    """Say nothing."""


def contents(folder: Path) -> dict[str, bytes]:
    paths = sorted(folder.rglob("*.json"))
    return {p.name: p.read_bytes() for p in paths if "seconds" not in p.name}


def test_a_result_is_plain_json_with_its_fingerprint_and_its_seconds_apart(tmp_path: Path):
    (unit,) = units(3)
    make_unit(unit, tmp_path)
    written = json.loads(unit.result_path(tmp_path).read_bytes())
    assert written == {
        "made_from": unit.fingerprint(),
        "part": "part",
        "unit": "number_3",
        "result": {"square": 9, "halves": [1.5, None]},
    }
    assert read_result(unit, tmp_path) == {"square": 9, "halves": [1.5, None]}
    seconds = read_seconds(unit, tmp_path)
    assert seconds["a model"] == 1.25
    assert 0 <= seconds["cpu_seconds"] < 5


def test_an_interrupted_run_keeps_what_is_done_and_the_next_makes_the_rest(tmp_path: Path):
    five = units(1, 2, 3, 4, 5)
    undisturbed, disturbed = tmp_path / "a", tmp_path / "b"
    assert make_units(five, undisturbed, jobs=2, say=quiet) == 5
    said: list[str] = []

    def interrupt(line: str) -> None:
        said.append(line)
        if len(said) == 3:  # the greeting, and two units
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_units(five, disturbed, jobs=1, say=interrupt)
    left = stale_units(five, disturbed)
    assert 0 < len(left) <= 3
    done = [unit for unit in five if unit not in left]
    made_at = [unit.result_path(disturbed).stat().st_mtime_ns for unit in done]
    assert make_units(five, disturbed, jobs=1, say=quiet) == len(left)
    assert contents(disturbed) == contents(undisturbed)
    assert [unit.result_path(disturbed).stat().st_mtime_ns for unit in done] == made_at
    assert make_units(five, disturbed, jobs=2, say=said.append) == 0
    assert said[-1] == "5 of 5 units are up to date; 0 to make."


def test_a_failing_unit_is_told_and_the_others_stay(tmp_path: Path):
    three = units(1, -1, 2)
    with pytest.raises(ValueError, match="-1 is below 0"):
        make_units(three, tmp_path, jobs=1, say=quiet)
    assert stale_units(units(1), tmp_path) == []
    assert stale_units(three, tmp_path)[0].name == "number_-1"


def test_other_code_arguments_or_files_make_a_result_stale(tmp_path: Path, monkeypatch):
    file = tmp_path / "rows.csv"
    file.write_text("a\n1\n")
    unit = Unit("part", "u", FUNCTION, {"number": 2, "data": "here"}, (file,))
    make_unit(Unit("part", "u", FUNCTION, {"number": 2}, (file,)), tmp_path)
    assert stale_units([unit], tmp_path) == []  # where the file lies does not matter
    assert stale_units([Unit("part", "u", FUNCTION, {"number": 3}, (file,))], tmp_path)
    file.write_text("a\n2\n")
    assert stale_units([unit], tmp_path)
    file.write_text("a\n1\n")
    assert stale_units([unit], tmp_path) == []
    monkeypatch.setattr(units_of_work, "code_fingerprint", lambda: "other code")
    assert stale_units([unit], tmp_path)


def test_half_a_file_counts_as_none(tmp_path: Path):
    (unit,) = units(2)
    make_unit(unit, tmp_path)
    path = unit.result_path(tmp_path)
    path.write_bytes(path.read_bytes()[:20])
    assert stale_units([unit], tmp_path) == [unit]


def test_a_result_that_was_not_made_is_asked_for_in_a_sentence(tmp_path: Path):
    with pytest.raises(MissingPartitionError, match="'number_1' of part 'part' has no result"):
        read_result(units(1)[0], tmp_path)


def test_threads_are_as_before_afterwards(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    make_units(units(1), tmp_path, jobs=1, say=quiet)
    assert os.environ["OMP_NUM_THREADS"] == "7"
    assert "MKL_NUM_THREADS" not in os.environ


def test_printing_cannot_make_a_result_stale():
    here = Path(units_of_work.__file__).parent
    assert all((here / name).is_file() for name in units_of_work._AFTERWARDS)
    package = Path(units_of_work.__file__).parents[2]
    assert all((package / part).exists() for part in units_of_work._SCIENCE)
