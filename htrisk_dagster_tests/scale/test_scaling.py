from __future__ import annotations

import json
import time
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.scaling import Metered, ScalingRun, efficiency, needs_of, write_scaling
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.unit import Job, Period, Unit, UnitReport, UnitSettings
from htrisk_dagster.study_areas.area import load_area

RUNS = [
    ScalingRun(1, 100.0, 98.0, 2_000_000, 500_000_000, "x"),
    ScalingRun(2, 62.5, 99.0, 2_000_000, 500_000_000, "x"),
    ScalingRun(4, 25.0, 97.2, 2_000_000, 500_000_000, "x"),
]


def test_efficiency_is_the_share_of_the_ideal_speed_up() -> None:
    # Two workers would ideally take 50 s, four 25 s.
    assert efficiency(RUNS) == {1: 1.0, 2: 0.8, 4: 1.0}
    assert efficiency(RUNS[1:]) == {2: 1.0, 4: 1.25}


def test_needs_are_in_proportion_to_the_run_with_most_workers() -> None:
    needs = needs_of(RUNS, 1e10)

    assert needs["core_hours"] == pytest.approx(5000 * 97.2 / 3600)
    assert needs["terabytes"] == pytest.approx(2.5)


def test_a_meter_adds_up_cpu_and_changes_no_report() -> None:
    unit = Unit(
        SharedStorage("nowhere"), load_area("nyc"), 3, Period(date(2024, 1, 1), date(2024, 1, 2)),
        UnitSettings("x"),
    )  # fmt: skip
    meter = Metered(InProcess())

    reports = meter.run([Job(burns, unit, (0.1,)), Job(burns, unit, (0.05,))])

    assert [r.sums for r in reports] == [{"tile": 3}, {"tile": 3}]
    assert 0.14 <= meter.cpu_seconds < 0.3


def burns(unit: Unit, seconds: float) -> UnitReport:
    began = time.process_time()
    while time.process_time() - began < seconds:
        continue
    return UnitReport(sums={"tile": unit.tile})


def test_the_figures_are_written_down(tmp_path: Path) -> None:
    found = json.loads(write_scaling(tmp_path, RUNS, 20).read_text())

    assert found["efficiency"]["2"] == 0.8
    assert [run["workers"] for run in found["runs"]] == [1, 2, 4]
