"""A city on disk, what the embedded run made of it, and one cluster; `make test-cluster` runs these."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from htrisk_dagster.evaluation.effort import EFFORTS
from htrisk_dagster.scale.city_run import CityPlan, run_cities
from htrisk_dagster.scale.execution import InProcess
from htrisk_dagster.scale.shared_storage import SharedStorage
from htrisk_dagster.scale.synthetic_cities import TARGET_NAME, city_preset, write_city_tables
from htrisk_dagster_tests.cluster.processes import LocalCluster, local_cluster

MONTH, LAST = date(2024, 3, 1), date(2024, 3, 31)


@dataclass(frozen=True)
class SmallCity:
    """Rows of a part of New York over nine months, and all that the embedded run makes of them."""

    rows: Path
    embedded: Path
    plan: CityPlan
    figures: dict[str, dict[str, float]]

    def copy_rows(self, to: Path) -> SharedStorage:
        shutil.copytree(self.rows, to)
        return SharedStorage(str(to))

    def made(self) -> dict[str, bytes]:
        return files_of(self.embedded)


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file by its path, those that are being written left in: none may be left behind."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.fixture(scope="session")
def small_city(tmp_path_factory: pytest.TempPathFactory) -> SmallCity:
    folder = tmp_path_factory.mktemp("scale")
    preset = city_preset(date(2023, 7, 1), LAST, incidents_per_day=50)
    area, inputs = write_city_tables(folder / "rows", "city_00", preset, seed=1)
    plan = CityPlan.of(area, TARGET_NAME, inputs, MONTH, LAST, EFFORTS["smoke"])
    shutil.copytree(folder / "rows", folder / "embedded")
    storage = SharedStorage(str(folder / "embedded"))
    figures = run_cities(InProcess(), storage, [plan], say=print)
    return SmallCity(folder / "rows", folder / "embedded", plan, figures)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    """One head and two workers; a test that kills a node starts another in its place."""
    ray = pytest.importorskip("ray", reason="needs the extra htrisk-dagster[cluster]")
    with local_cluster(tmp_path_factory.mktemp("ray")) as started:
        yield started
        ray.shutdown()
