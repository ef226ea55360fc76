"""Features, models, scores and maps on a cluster are those of one process, whatever dies on the way."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.errors import SettingError
from htrisk_dagster.scale.city_run import run_cities
from htrisk_dagster.scale.ray_execution import RayExecution, UnitLostError
from htrisk_dagster.scale.unit import Job, Unit, UnitReport
from htrisk_dagster.warehouse.partitions import WRITERS
from htrisk_dagster_tests.cluster.conftest import SmallCity, files_of
from htrisk_dagster_tests.cluster.processes import LocalCluster

pytestmark = pytest.mark.cluster
# 275 days: four partitions.
PERIOD_DAYS = 69


def dies(unit: Unit) -> UnitReport:
    """Work that takes its process with it."""
    import os
    import signal

    os.kill(os.getpid(), signal.SIGKILL)
    return UnitReport()


def raises(unit: Unit) -> UnitReport:
    raise SettingError("This fault is the work's own.")


def test_two_tiles_on_two_workers_give_the_embedded_bytes(
    small_city: SmallCity, cluster: LocalCluster, tmp_path: Path
) -> None:
    storage = small_city.copy_rows(tmp_path / "shared")
    execution = RayExecution(cluster.address, n_tiles=2, period_days=PERIOD_DAYS)

    figures = run_cities(execution, storage, [small_city.plan], say=print)

    assert execution.n_lost == 0
    assert figures == small_city.figures
    assert files_of(tmp_path / "shared") == small_city.made()


def test_a_node_killed_in_the_middle_costs_a_retry_and_nothing_else(
    small_city: SmallCity, cluster: LocalCluster, tmp_path: Path
) -> None:
    storage = small_city.copy_rows(tmp_path / "shared")
    execution = RayExecution(cluster.address, period_days=PERIOD_DAYS)
    killed: list[int] = []

    def kill_one() -> None:
        # When the first of four partitions is being written, the other worker is at its own.
        days = tmp_path / "shared" / "features" / "cell_day"
        while not list(days.rglob("*.parquet")):
            time.sleep(0.02)
        killed.extend(cluster.kill_node(1))

    killer = threading.Thread(target=kill_one)
    killer.start()
    figures = run_cities(execution, storage, [small_city.plan], say=print)
    killer.join()
    cluster.restart(1)

    assert len(killed) > 3  # the command, the raylet, its agents and a worker
    assert execution.n_lost >= 1
    assert figures == small_city.figures
    made = files_of(tmp_path / "shared")
    left_behind = {name for name in made if name.endswith(".tmp")}
    assert {n: c for n, c in made.items() if n not in left_behind} == small_city.made()
    # Files of killed writers lie beside what they were to replace, under names that no reader takes.
    assert len(left_behind) <= WRITERS


def test_work_that_kills_its_machine_is_given_up_with_a_sentence(
    small_city: SmallCity, cluster: LocalCluster
) -> None:
    execution = RayExecution(cluster.address, attempts=2)

    with pytest.raises(UnitLostError, match=r"dies of city_00, tile 0.* lost 2 times"):
        execution.run([Job(dies, _unit(small_city))])

    assert execution.n_lost == 2


def test_a_fault_of_the_work_is_told_at_once(small_city: SmallCity, cluster: LocalCluster) -> None:
    execution = RayExecution(cluster.address)

    with pytest.raises(SettingError, match="the work's own"):
        execution.run([Job(raises, _unit(small_city))])

    assert execution.n_lost == 0


def _unit(city: SmallCity) -> Unit:
    from htrisk_dagster.scale.shared_storage import SharedStorage
    from htrisk_dagster.scale.unit import Period

    day = date(2024, 3, 1)
    settings = replace(city.plan.settings, n_tiles=1)
    return Unit(SharedStorage(str(city.rows)), city.plan.area, 0, Period(day, day), settings)
