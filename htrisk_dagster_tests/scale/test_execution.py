from __future__ import annotations

import importlib.util
from datetime import date

import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.scale.execution import InProcess, execution_at
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.unit import Job, Period, Unit, UnitReport, UnitSettings, periods_of
from htrisk_dagster.study_areas.area import load_area


def unit(tile: int) -> Unit:
    period = Period(date(2024, 1, 1), date(2024, 1, 3))
    return Unit(SharedStorage("nowhere"), load_area("nyc"), tile, period, UnitSettings("x"))


def told(of: Unit, factor: int) -> UnitReport:
    return UnitReport(sums={"tile": of.tile * factor})


def test_periods_are_all_days_once() -> None:
    found = list(periods_of(date(2024, 2, 27), date(2024, 3, 5), 3))

    assert [(p.start.isoformat(), p.stop.isoformat()) for p in found] == [
        ("2024-02-27", "2024-03-01"), ("2024-03-01", "2024-03-04"), ("2024-03-04", "2024-03-06"),
    ]  # fmt: skip
    assert [d for p in found for d in p.days][2] == "2024-02-29"
    assert list(periods_of(date(2024, 1, 2), date(2024, 1, 1), 3)) == []


def test_in_process_reports_come_in_the_order_of_the_jobs() -> None:
    reports = InProcess().run([Job(told, unit(tile), (10,)) for tile in (3, 1)])

    assert [r.sums["tile"] for r in reports] == [30, 10]


def test_without_an_address_work_is_done_in_process() -> None:
    assert execution_at(None) == InProcess()
    assert execution_at("") == InProcess()


def test_a_job_has_a_name_for_messages() -> None:
    assert Job(told, unit(2)).name == "told of nyc, tile 2, from 2024-01-01"


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_a_cluster_without_ray_is_refused_with_a_sentence() -> None:
    with pytest.raises(SettingError, match=r"htrisk-dagster\[cluster\]"):
        execution_at("127.0.0.1:1").run([Job(told, unit(0), (1,))])
