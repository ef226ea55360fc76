from __future__ import annotations

import json
from pathlib import Path

import pytest
from htrisk_dagster.scale.scaling import ScalingRun, efficiency, needs_of, write_scaling

RUNS = [
    ScalingRun(1, 100.0, 2_000_000, 500_000_000, "x"),
    ScalingRun(2, 62.5, 2_000_000, 500_000_000, "x"),
    ScalingRun(4, 25.0, 2_000_000, 500_000_000, "x"),
]


def test_efficiency_is_the_share_of_the_ideal_speed_up() -> None:
    # Two workers would ideally take 50 s, four 25 s.
    assert efficiency(RUNS) == {1: 1.0, 2: 0.8, 4: 1.0}
    assert efficiency(RUNS[1:]) == {2: 1.0, 4: 1.25}


def test_needs_are_in_proportion_to_the_run_with_most_workers() -> None:
    needs = needs_of(RUNS, 1e10)

    assert needs["core_hours"] == pytest.approx(5000 * 25.0 * 4 / 3600)
    assert needs["terabytes"] == pytest.approx(2.5)


def test_the_figures_are_written_down(tmp_path: Path) -> None:
    found = json.loads(write_scaling(tmp_path, RUNS, 20).read_text())

    assert found["efficiency"]["2"] == 0.8
    assert [run["workers"] for run in found["runs"]] == [1, 2, 4]
