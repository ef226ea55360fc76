"""A small synthetic city in a workspace of its own, and what tests do with it.

It is published into a folder of files first and run with `origin=files`, as a real city is: a test
can then change what was published.
"""

from __future__ import annotations

import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from htrisk_dagster.definitions import build_definitions
from htrisk_dagster.defs.dagster_home import prepare_dagster_home
from htrisk_dagster.defs.plan import Plan, Step
from htrisk_dagster.defs.runs import Runner
from htrisk_dagster.defs.workspace import Workspace
from htrisk_dagster.settings import Settings
from htrisk_dagster.sources.synthetic_city.city import write_city
from htrisk_dagster.sources.synthetic_city.presets import Preset
from htrisk_dagster.study_areas.area import StudyArea
from pydantic import SecretStr

# Seven months before the first model: six are needed.
PRESET = Preset("test", date(2023, 9, 1), date(2024, 4, 12), complaints_per_day=150)
APRIL = (date(2024, 4, 1), date(2024, 4, 5))
MARCH = (date(2024, 3, 30), date(2024, 3, 31))
SECRET_TOKEN = "CANARYt0k3n9X2W"
CANARY_TYPE = "Canary trafficking 7Q4Z"
CANARY_LON, CANARY_LAT = -73.918273645546, 40.746352413142
REPORTS = "complaints/NYPD_Complaint_Data_Current_Year_To_Date.csv"


@dataclass(frozen=True)
class City:
    """Published files and the workspace made from them."""

    folder: Path

    @property
    def published(self) -> Path:
        return self.folder / "published"

    @property
    def settings(self) -> Settings:
        return Settings(
            origin="files",
            data_dir=self.published,
            home=self.folder / "home",
            profile="smoke",
            history_start=PRESET.first_day,
            socrata_app_token=SecretStr(SECRET_TOKEN),
        )

    @property
    def workspace(self) -> Workspace:
        return Workspace(self.settings)

    @property
    def area(self) -> StudyArea:
        return self.workspace.area("nyc")

    @property
    def definitions(self) -> dg.Definitions:
        return build_definitions(self.settings, ["nyc"])

    @contextmanager
    def runner(self) -> Iterator[Runner]:
        """Runner on the city's own Dagster instance; the environment stays as it is."""
        with self.instance() as instance:
            yield Runner(self.definitions, instance, self.area)

    @contextmanager
    def instance(self) -> Iterator[dg.DagsterInstance]:
        home = self.settings.dagster_home
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DAGSTER_HOME", str(home))
            prepare_dagster_home(home)
            with dg.DagsterInstance.from_config(str(home)) as instance:
                yield instance

    def run_range(self, start: date, end: date) -> list[Step]:
        """Run what is out of date; return the steps."""
        steps: list[Step] = []
        with self.runner() as runner:
            runner.run_range(self.workspace, start, end, steps.append)
        return steps

    def stale_steps(self, runner: Runner, start: date, end: date) -> Iterator[Step]:
        """Steps of the plan, decided one by one."""
        return Plan(self.workspace, self.area, start, end, runner.refused).steps()

    def copy_to(self, folder: Path) -> City:
        """The same city elsewhere: its own files, run history and catalog, and no MLflow."""
        ignored = shutil.ignore_patterns("mlflow")
        # The link to the newest snapshot stays a link.
        shutil.copytree(self.folder, folder, symlinks=True, ignore=ignored)
        copy = City(folder)
        # The views hold the paths of the partitions.
        copy.workspace.build_catalog()
        return copy


def publish(folder: Path) -> City:
    """Write the city's files, with one verified case among them that no other place may show."""
    city = City(folder)
    write_city(city.published, PRESET, seed=7)
    # A folder of files as publishers give it, not one that the generator would write again.
    (city.published / "city.json").unlink()
    shutil.rmtree(city.published / "truth")
    cases = city.published / "restricted" / "verified_cases.csv"
    header, first, *_ = cases.read_text().splitlines()
    values = dict(zip(header.split(","), first.split(","), strict=True))
    values |= {
        "Type": CANARY_TYPE,
        "Latitude": str(CANARY_LAT),
        "Longitude": str(CANARY_LON),
    }
    with_mtime = cases.stat()
    cases.write_text(cases.read_text() + ",".join(values[n] for n in header.split(",")) + "\n")
    os.utime(cases, (with_mtime.st_atime, with_mtime.st_mtime))
    return city


@contextmanager
def refuse_network() -> Iterator[list[Any]]:
    """Refuse every connection of this process that leaves the machine; give those that were tried."""
    tried: list[Any] = []
    connect = socket.socket.connect

    def guarded(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX and not str(address[0]).startswith(("127.", "::1")):
            tried.append(address)
            raise ConnectionRefusedError(f"{address} is not of this machine")
        connect(self, address)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded)
        yield tried
